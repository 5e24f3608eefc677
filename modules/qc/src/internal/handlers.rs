//! Glue between the door and the model: load, decide, append.

use super::judgements::{Judgements, decide_evaluate, decide_void, decide_waive, not_found, place};
use super::projections::PLACES;
use crate::api::commands::{EvaluateContent, VoidQcResult, WaiveQc};
use crate::api::dtos::ResultStatus;
use crate::api::events::Subject;
use crate::api::providers::Needs;
use events::ids::QcResultId;
use events::qc::Qc;
use saga_core::event::Owner;
use saga_core::module::{Cx, Halt, Handled, OrRefuse, OrRetry};

pub(super) async fn evaluate(cx: Cx<Needs>, cmd: EvaluateContent) -> Handled<EvaluateContent> {
    let story = cx.load::<Judgements>(place(cmd.subject)).await.or_retry()?;
    let id = QcResultId::from(cx.key());
    let (reply, event) = decide_evaluate(&cmd, id, cx.needs().forcing).or_refuse()?;
    Ok(cx.done(reply).append(&story, [event]))
}

pub(super) async fn waive(cx: Cx<Needs>, cmd: WaiveQc) -> Handled<WaiveQc> {
    let known = surely(&cx, cmd.result_id, cmd.subject).await?;
    let subject = known.ok_or_else(|| not_found(cmd.result_id)).or_refuse()?;
    let story = cx.load::<Judgements>(place(subject)).await.or_retry()?;
    let event = decide_waive(&story.state, &cmd, &cx.deed().actor).or_refuse()?;
    Ok(cx.done(ResultStatus::Waived).append(&story, [event]))
}

pub(super) async fn void(cx: Cx<Needs>, cmd: VoidQcResult) -> Handled<VoidQcResult> {
    let known = surely(&cx, cmd.result_id, cmd.subject).await?;
    let Some(subject) = known else {
        // The result was made, for the barrier says so; only the read model has not seen it yet.
        let unseen = || format!("result {} is not projected yet", cmd.result_id);
        return Err(if cx.undoing() {
            Halt::Retry { after_ms: LAG_MS, reason: unseen() }
        } else {
            Halt::Refuse(not_found(cmd.result_id))
        });
    };
    let story = cx.load::<Judgements>(place(subject)).await.or_retry()?;
    let event = decide_void(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, event))
}

/// 50 ms: a projection is seldom further behind.
const LAG_MS: u64 = 50;

/// The story of a result, once everything that qc has recorded is read: only then, none is a no.
async fn surely<R>(cx: &Cx<Needs>, id: QcResultId, said: Option<Subject>) -> Result<Option<Subject>, Halt<R>> {
    if let Some(known) = subject_of(cx, id, said).await.or_retry()? {
        return Ok(Some(known));
    }
    cx.caught_up_with_itself(PLACES, Qc::MODULE, &format!("quality result {id}")).await?;
    subject_of(cx, id, said).await.or_retry()
}

/// The story of a result: as the sender says, or as the read model knows.
async fn subject_of(
    cx: &Cx<Needs>,
    id: QcResultId,
    said: Option<Subject>,
) -> Result<Option<Subject>, saga_core::ports::ReadError> {
    match said {
        Some(subject) => Ok(Some(subject)),
        None => cx.documents().get(PLACES, id).await,
    }
}

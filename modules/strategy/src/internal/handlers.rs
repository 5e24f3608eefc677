//! Glue: load the story, ask the writer, let the model decide, hand over what to commit.

use crate::api::commands::{
    AmendStrategy, ApproveStrategy, DiscardStrategy, GenerateStrategy, RejectStrategy, RevokeStrategyApproval,
    SubmitStrategy, WithdrawSubmission,
};
use crate::api::dtos::{StrategyDoc, StrategyMoved, StrategyStatus};
use crate::internal::document::{self, Authorship, Document, Written};
use crate::internal::writers::Writers;
use events::ids::StrategyId;
use saga_core::aggregate::Loaded;
use saga_core::module::{Cx, Done, Handled, OrRefuse, OrRetry};

pub(super) async fn generate(cx: Cx<Writers>, cmd: GenerateStrategy) -> Handled<GenerateStrategy> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    document::check_generate(&story.state, &cmd).or_refuse()?;
    let outline = cx.needs().write(cx.key(), &cmd.brief, &cmd.context).await?;
    let written = document::decide_generate(&story.state, cmd.brief_id, by(&cx), outline).or_refuse()?;
    Ok(next(&cx, &story, written))
}

pub(super) async fn amend(cx: Cx<Writers>, cmd: AmendStrategy) -> Handled<AmendStrategy> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let written = document::decide_amend(&story.state, &cmd, by(&cx)).or_refuse()?;
    Ok(next(&cx, &story, written))
}

pub(super) async fn submit(cx: Cx<Writers>, cmd: SubmitStrategy) -> Handled<SubmitStrategy> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let submitted = document::decide_submit(&story.state, &cmd, cx.key()).or_refuse()?;
    let reply = moved(&story, cmd.strategy_id, StrategyStatus::Submitted).or_refuse()?;
    Ok(cx.done(reply).append(&story, [submitted.into()]))
}

pub(super) async fn withdraw_submission(cx: Cx<Writers>, cmd: WithdrawSubmission) -> Handled<WithdrawSubmission> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let withdrawn = document::decide_withdraw(&story.state, &cmd, cx.deed().direction).or_refuse()?;
    Ok(cx.done(()).append(&story, withdrawn.map(Into::into)))
}

pub(super) async fn approve(cx: Cx<Writers>, cmd: ApproveStrategy) -> Handled<ApproveStrategy> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let events = document::decide_approve(&story.state, &cmd, &cx.deed().actor).or_refuse()?;
    let reply = moved(&story, cmd.strategy_id, StrategyStatus::Approved).or_refuse()?;
    Ok(cx.done(reply).append(&story, events))
}

pub(super) async fn revoke_approval(cx: Cx<Writers>, cmd: RevokeStrategyApproval) -> Handled<RevokeStrategyApproval> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let deed = cx.deed();
    let revoked = document::decide_revoke(&story.state, &cmd, &deed.actor, deed.direction).or_refuse()?;
    Ok(cx.done(()).append(&story, revoked.map(Into::into)))
}

pub(super) async fn reject(cx: Cx<Writers>, cmd: RejectStrategy) -> Handled<RejectStrategy> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let rejected = document::decide_reject(&story.state, &cmd, &cx.deed().actor).or_refuse()?;
    let reply = moved(&story, cmd.strategy_id, StrategyStatus::Rejected).or_refuse()?;
    Ok(cx.done(reply).append(&story, [rejected.into()]))
}

pub(super) async fn discard(cx: Cx<Writers>, cmd: DiscardStrategy) -> Handled<DiscardStrategy> {
    let story = cx.load::<Document>(cmd.brief_id).await.or_retry()?;
    let deed = cx.deed();
    let events = document::decide_discard(&story.state, &cmd, &deed.actor, deed.direction).or_refuse()?;
    Ok(cx.done(()).append(&story, events))
}

fn by(cx: &Cx<Writers>) -> Authorship {
    Authorship { strategy_id: StrategyId::from(cx.key()), author: cx.deed().actor.clone() }
}

fn next(cx: &Cx<Writers>, story: &Loaded<Document>, (written, kept): Written) -> Done<StrategyDoc> {
    let reply = StrategyDoc::of(&written, StrategyStatus::Draft);
    let done = cx.done(reply).append(story, [written.into()]);
    kept.iter().fold(done, |done, text| done.keep(text))
}

fn moved(
    story: &Loaded<Document>,
    strategy_id: StrategyId,
    status: StrategyStatus,
) -> Result<StrategyMoved, saga_core::command::Common> {
    let written = &story.state.find(strategy_id)?.written;
    Ok(StrategyMoved { strategy_id, brief_id: written.brief_id, version: written.version, status })
}

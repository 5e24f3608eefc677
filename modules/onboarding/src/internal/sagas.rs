//! Which sagas work on a brief, and whether they are paused or taken back.

use crate::api::dtos::CapturedIntake;
use events::ids::BriefId;
use events::orchestration::{SagaCancelled, SagaCompensated, SagaPaused, SagaResumed, StepSkipped, StepSucceeded};
use saga_core::field;
use saga_core::json::Payload;
use saga_core::module::Docs;
use saga_core::ports::ReadError;
use saga_core::projection::{At, Projection, ProjectionDef};
use saga_core::read_model::ReadModel;
use serde::{Deserialize, Serialize};

const SAGAS: ReadModel<Work> = ReadModel::new("onboarding.saga", 1, &["brief_id"]);

/// How it goes with one saga, or with all sagas of a brief.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Course {
    /// Also when it is complete, and when there is none.
    Running,
    Paused,
    /// Cancelled or compensated.
    TakenBack,
}

/// A saga that works on a brief. One that is paused before its brief is known waits here without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Work {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    brief_id: Option<BriefId>,
    course: Course,
}

/// The brief of a saga is the one that the saga was told when it had a form captured. Its step may have any name, and
/// the saga any definition.
fn captured(output: &Payload) -> Option<BriefId> {
    output.read::<CapturedIntake>().ok().map(|captured| captured.brief_id)
}
fn works_on(work: Option<Work>, output: &Payload) -> Option<Work> {
    let course = work.map_or(Course::Running, |work| work.course);
    Some(Work { brief_id: captured(output), course })
}
fn saga(at: &At) -> Option<String> {
    Some(at.stream.clone())
}
fn ended(work: Option<Work>) -> Option<Work> {
    let brief_id = work?.brief_id?;
    Some(Work { brief_id: Some(brief_id), course: Course::TakenBack })
}

/// All sagas that work on a brief.
pub(super) fn sagas() -> ProjectionDef {
    Projection::new(SAGAS)
        .on::<StepSucceeded>(
            |fact, at| captured(&fact.output).and_then(|_| saga(at)),
            |work, fact, _| works_on(work, &fact.output),
        )
        .on::<StepSkipped>(
            |fact, at| captured(&fact.output).and_then(|_| saga(at)),
            |work, fact, _| works_on(work, &fact.output),
        )
        .on::<SagaPaused>(
            |_, at| saga(at),
            |work, _, _| Some(Work { brief_id: work.and_then(|work| work.brief_id), course: Course::Paused }),
        )
        .on::<SagaResumed>(
            |_, at| saga(at),
            // A saga without a brief is not remembered any longer than it has to be.
            |work, _, _| {
                work.filter(|work| work.brief_id.is_some()).map(|work| Work { course: Course::Running, ..work })
            },
        )
        .on::<SagaCompensated>(|_, at| saga(at), |work, _, _| ended(work))
        .on::<SagaCancelled>(|_, at| saga(at), |work, _, _| ended(work))
        .build()
}

/// How it goes with all sagas of a brief: one that is paused holds it, and it is taken back when all of them are.
pub(super) async fn course_of(docs: &Docs, brief_id: BriefId) -> Result<Course, ReadError> {
    let sagas = docs.find(&SAGAS.all().with(field!(SAGAS.brief_id), brief_id)).await?;
    let any = |course| sagas.iter().any(|work| work.course == course);
    Ok(match (any(Course::Paused), any(Course::Running), any(Course::TakenBack)) {
        (true, _, _) => Course::Paused,
        (false, false, true) => Course::TakenBack,
        (false, true, _) | (false, false, false) => Course::Running,
    })
}

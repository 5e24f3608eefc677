//! What the queries answer.

use super::{CLIENT, COMPLETE, NOBODY, answers, capture, captured, mia, next, stage};
use crate::api::commands::{CancelBrief, CloseProject, CreateProject, NormalizeBrief, ValidateBrief};
use crate::api::dtos::{BriefStatus, ClientStatus, FunnelView, OnboardingStage, ProjectStatus};
use crate::api::events::intake_of;
use crate::api::fakes;
use crate::api::queries::{Funnel, GetBrief, GetIntake, GetProject, ListBriefs, Status};
use crate::module;
use events::ids::{BriefId, ProjectId};
use saga_testkit::harness::Harness;
use uuid::Uuid;

#[test]
fn a_client_walks_through_the_stages_of_onboarding() {
    use OnboardingStage::{BriefReview, Complete, Discovery, Intake, WorkspaceSetup};
    let mut office = Harness::of([module(fakes::needs())]);
    let shows = |office: &Harness, stage, intake_complete, brief_validated, workspace_created| {
        let wanted = ClientStatus { stage, intake_complete, brief_validated, workspace_created };
        assert_eq!(office.query(&Status { client_id: CLIENT }), wanted);
    };
    shows(&office, Intake, false, false, false);
    let first = office.send(&capture(answers("{}")));
    shows(&office, Discovery, false, false, false);
    office.send(&next(&first, 2, answers(COMPLETE)));
    shows(&office, Discovery, true, false, false);
    let brief_id = first.brief_id;
    office.send(&NormalizeBrief { brief_id, notes: None });
    shows(&office, BriefReview, true, false, false);
    office.send(&ValidateBrief { brief_id });
    shows(&office, WorkspaceSetup, true, true, false);
    let project_id = office.send(&CreateProject { client_id: CLIENT, brief_id: Some(brief_id) }).project_id;
    shows(&office, Complete, true, true, true);
    office.send(&CloseProject { project_id, reason: "over".to_owned() });
    shows(&office, WorkspaceSetup, true, true, false);
    assert_eq!(office.query(&GetProject { project_id }).status, ProjectStatus::Closed);
    office.send(&CancelBrief { brief_id });
    shows(&office, Intake, true, false, false);
}

#[test]
fn forms_are_shown_by_number_and_the_newest_first() {
    let mut stage = stage();
    let first = captured(&mut stage, answers(r#"{"notes": "one"}"#));
    stage.send(&next(&first, 2, answers(r#"{"notes": "two"}"#)), mia()).unwrap();
    for (version, notes) in [(None, "two"), (Some(1), "one"), (Some(2), "two")] {
        let view = stage.query(&GetIntake { intake_id: first.intake_id, version }).unwrap();
        assert_eq!((view.responses["notes"].as_str(), view.next_version), (Some(notes), 3));
    }
    let lost = stage.query(&GetIntake { intake_id: first.intake_id, version: Some(3) }).unwrap_err();
    assert!(lost.contains("form 3 of intake"), "{lost}");
    assert!(stage.query(&GetIntake { intake_id: intake_of(NOBODY), version: None }).is_err());
    assert!(stage.query(&GetBrief { brief_id: NOBODY }).is_err());
    assert!(stage.query(&GetProject { project_id: ProjectId(Uuid::from_u128(1)) }).is_err());
}

#[test]
fn lists_are_filtered_and_paged_and_counted() {
    let mut stage = stage();
    let mut ids: Vec<BriefId> = (0..5).map(|_| captured(&mut stage, answers(COMPLETE)).brief_id).collect();
    stage.send(&NormalizeBrief { brief_id: ids[1], notes: None }, mia()).unwrap();
    stage.send(&CancelBrief { brief_id: ids[2] }, mia()).unwrap();
    let list = |status, after, limit| {
        let cards = stage.query(&ListBriefs { client_id: Some(CLIENT), status, after, limit }).unwrap();
        cards.into_iter().map(|card| card.brief_id).collect::<Vec<_>>()
    };
    assert_eq!(list(Some(BriefStatus::Normalized), None, 0), [ids[1]]);
    assert_eq!(list(Some(BriefStatus::Validated), None, 0), []);
    let funnel = FunnelView { captured: 3, normalized: 1, cancelled: 1, ..FunnelView::default() };
    assert_eq!(stage.query(&Funnel {}).unwrap(), funnel);
    ids.sort();
    assert_eq!(list(None, None, 2), ids[..2]);
    assert_eq!(list(None, Some(ids[1]), 2), ids[2..4]);
    assert_eq!(list(None, Some(ids[3]), 2), ids[4..]);
}

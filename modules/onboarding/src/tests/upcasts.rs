//! Old events read as new ones.

use super::{CLIENT, NOBODY, stage};
use crate::api::commands::NormalizeBrief;
use crate::api::events::{IntakeCaptured, IntakeCapturedV1, intake_of};
use crate::api::queries::{GetBrief, GetIntake};
use saga_core::batch::{Batch, Commit, StreamWrite};
use saga_core::envelope::NewEvent;
use saga_core::event::{Event, Origin};
use saga_core::id::{EventId, StreamId, Version};
use saga_core::json::Payload;
use saga_testkit::stage::{STAGE_TIME, ready};
use serde_json::json;
use uuid::Uuid;

fn origin() -> Origin {
    Origin { id: EventId(Uuid::from_u128(1)), recorded_at: STAGE_TIME }
}

#[test]
fn a_first_intake_becomes_a_second() {
    let old = json!({"client_id": CLIENT, "brief_id": NOBODY, "form_version": 3});
    let new = json!({
        "client_id": CLIENT, "brief_id": NOBODY, "form_version": 3, "intake_id": intake_of(NOBODY), "language": "und",
        "responses": {}, "attachments": [], "submitted_at": "2025-12-13T12:00:00.000000Z"
    });
    let read = IntakeCaptured::decode(1, &Payload::of(&old).unwrap(), &origin()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), new);
}

#[test]
fn an_intake_of_the_first_version_can_be_asked_for_and_completed_on_a_call() {
    let mut stage = stage();
    let old = IntakeCapturedV1 { client_id: CLIENT, brief_id: NOBODY, form_version: 1 };
    let event = NewEvent {
        id: EventId(Uuid::from_u128(7)),
        name: IntakeCapturedV1::NAME,
        version: 1,
        data: Payload::of(&old).unwrap(),
        meta: Payload::trusted("{}"),
        time: STAGE_TIME,
        public: true,
    };
    let stream = StreamId::new("onboarding_intake", intake_of(NOBODY)).unwrap();
    let write = StreamWrite { stream, expected: Version(0), events: vec![event] };
    let commit = ready(stage.store.commit(Batch { writes: vec![write], ..Batch::default() }));
    assert!(matches!(commit, Commit::Ok(_)));
    let view = stage.query(&GetIntake { intake_id: intake_of(NOBODY), version: None }).unwrap();
    assert_eq!((view.version, view.language.as_str()), (1, "und"));
    assert_eq!(stage.query(&GetBrief { brief_id: NOBODY }).unwrap().missing.len(), 6);
    let refused = stage.send(&NormalizeBrief { brief_id: NOBODY, notes: None }, super::mia()).unwrap_err();
    assert_eq!(refused.code, "MISSING_FIELDS");
}

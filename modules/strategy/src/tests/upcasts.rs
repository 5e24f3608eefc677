//! Old events read as new ones.

use super::{BRIEF, mia, stage, submit, versions};
use crate::api::dtos::StrategyStatus;
use crate::api::events::{StrategyApproved, StrategyApprovedV1, StrategyGenerated, StrategyGeneratedV1};
use events::ids::StrategyId;
use saga_core::batch::{Batch, Commit, StreamWrite};
use saga_core::envelope::NewEvent;
use saga_core::event::{Event, Origin};
use saga_core::id::{EventId, StreamId, Version};
use saga_core::json::Payload;
use saga_testkit::stage::{STAGE_TIME, Stage, ready};
use serde_json::{Value, json};
use uuid::Uuid;

const OLD: StrategyId = StrategyId(Uuid::from_u128(0x01d));

fn origin() -> Origin {
    Origin { id: EventId(Uuid::from_u128(1)), recorded_at: STAGE_TIME }
}
fn upcast<E: Event>(old: &Value) -> Value {
    serde_json::to_value(E::decode(1, &Payload::of(old).unwrap(), &origin()).unwrap()).unwrap()
}

#[test]
fn old_events_become_new_ones() {
    // UC-07, with ids of the right kind
    let old = json!({"strategy_id": OLD, "brief_id": BRIEF, "approved_by": "mia"});
    let approved_by = json!({"kind": "operator", "id": "mia"});
    let new = json!({"strategy_id": OLD, "brief_id": BRIEF, "approved_by": approved_by, "version": 1});
    assert_eq!(upcast::<StrategyApproved>(&old), new);

    let old = json!({"strategy_id": OLD, "brief_id": BRIEF, "version": 2});
    let new = json!({
        "strategy_id": OLD, "brief_id": BRIEF, "version": 2, "kpis": [], "channels": [], "timeline": {"phases": []},
        "layers": {}, "summary": "", "writer": {"provider": "legacy", "prompt_hash": ""}
    });
    assert_eq!(upcast::<StrategyGenerated>(&old), new);
}

fn remember<E: Event>(stage: &Stage, version: u64, event: &E) {
    let event = NewEvent {
        id: EventId(Uuid::from_u128(u128::from(version))),
        name: E::NAME,
        version: E::VERSION,
        data: Payload::of(event).unwrap(),
        meta: Payload::trusted("{}"),
        time: STAGE_TIME,
        public: true,
    };
    let stream = StreamId::new("strategy_document", BRIEF).unwrap();
    let write = StreamWrite { stream, expected: Version(version - 1), events: vec![event] };
    let commit = ready(stage.store.commit(Batch { writes: vec![write], ..Batch::default() }));
    assert!(matches!(commit, Commit::Ok(_)));
}

#[test]
fn an_old_story_goes_on_with_new_versions() {
    let mut stage = stage();
    remember(&stage, 1, &StrategyGeneratedV1 { strategy_id: OLD, brief_id: BRIEF, version: 1 });
    remember(&stage, 2, &StrategyApprovedV1 { strategy_id: OLD, brief_id: BRIEF, approved_by: "mia".to_owned() });
    assert_eq!(versions(&stage)[0].status, StrategyStatus::Approved);
    let next = stage.send(&super::generate(), super::ana()).unwrap();
    assert_eq!(next.version, 2);
    stage.send(&submit(next.strategy_id), super::ana()).unwrap();
    stage.send(&super::approve(next.strategy_id), mia()).unwrap();
    assert_eq!(versions(&stage)[0].status, StrategyStatus::Superseded);
}

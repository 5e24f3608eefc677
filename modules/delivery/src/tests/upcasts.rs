//! Old events become new ones exactly as the published vectors say.

use crate::api::events::*;
use saga_core::event::{Event, Origin};
use saga_core::id::EventId;
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

const JOB: &str = "00000000-0000-0000-0000-0000000000a1";

fn upcast<E: Event>(version: u16, old: &Value) -> Value {
    let recorded_at = Timestamp::parse("2025-12-13T12:00:00.000000Z").unwrap();
    let origin = Origin { id: EventId(Uuid::nil()), recorded_at };
    let event = E::decode(version, &Payload::of(old).unwrap(), &origin).unwrap();
    serde_json::to_value(&event).unwrap()
}

#[test]
fn a_completed_publication_of_version_1() {
    let old = json!({"job_id": JOB, "published_urls": ["https://x.example/1"]});
    let new = json!({
        "job_id": JOB,
        "publications": [{"platform": "unknown", "url": "https://x.example/1"}],
        "at": "2025-12-13T12:00:00.000000Z",
    });
    assert_eq!(upcast::<PublishCompleted>(1, &old), new);
}

#[test]
fn a_failed_publication_of_version_1() {
    let old = json!({"job_id": JOB, "error_message": "rate limited"});
    let new = json!({"job_id": JOB, "code": "legacy", "class": "unknown", "message": "rate limited", "tries": 1});
    assert_eq!(upcast::<PublishFailed>(1, &old), new);
}

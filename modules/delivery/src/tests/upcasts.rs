//! Old events become new ones exactly as the published vectors say, and every sample reads back as it was written.

use crate::api::events::*;
use saga_core::event::{Event, EventSet, Origin};
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

fn sample<E: Event>(sample: &E) -> (&'static str, u16) {
    let written = serde_json::to_value(sample).unwrap();
    assert_eq!(upcast::<E>(E::VERSION, &written), written, "{}", E::NAME);
    (E::NAME, E::VERSION)
}

#[test]
fn the_catalogue_lists_every_version_and_every_sample_reads_back() {
    let listed = [
        sample(&Delivered::example()),
        sample(&ExecutionSet::example()),
        sample(&PackageCreated::example()),
        sample(&PackageWithdrawn::example()),
        sample(&PaymentRuleSet::example()),
        sample(&PublishCancelled::example()),
        sample(&PublishCompletedV1::example()),
        sample(&PublishCompletedV2::example()),
        sample(&PublishFailedV1::example()),
        sample(&PublishFailedV2::example()),
        sample(&PublishHeld::example()),
        sample(&PublishOutcomeUnknown::example()),
        sample(&PublishQueued::example()),
        sample(&PublishReleased::example()),
        sample(&PublishResolved::example()),
        sample(&PublishRetractFailed::example()),
        sample(&PublishRetracted::example()),
        sample(&PublishRetryScheduled::example()),
        sample(&PublishStarted::example()),
    ];
    assert_eq!(CATALOGUE, listed);
    let sets = [PackageEvent::EVENTS, JobEvent::EVENTS, ExecutionEvent::EVENTS, PaymentRuleEvent::EVENTS].concat();
    assert!(sets.iter().all(|event| CATALOGUE.contains(event)), "{sets:?}");
}

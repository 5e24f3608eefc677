//! What makes a start or an order count once: its request id, its key and its content.

use super::{Told, refused};
use crate::execution::{Execution, Signal, start_digest};
use crate::journal::Once;
use saga_core::codes;
use saga_core::fact::SagaStarted;

/// What a signal is remembered by, if it carries a request id.
pub(super) fn once_of(exec: &Execution, signal: &Signal) -> Option<Once> {
    let (by, digest) = match signal {
        Signal::Begun(started) => (started.by.as_ref()?, start_digest(exec.saga(), started)),
        Signal::Ordered(ordered) => (&ordered.by, exec.digest_of(ordered)),
        Signal::Answered { .. }
        | Signal::Faulted { .. }
        | Signal::NothingKnown { .. }
        | Signal::Unstorable { .. }
        | Signal::Due => return None,
    };
    by.request.map(|request| Once { request, digest })
}
/// The answer to a start of a saga that has begun already.
pub(super) fn begun_again(exec: &Execution, started: &SagaStarted) -> Told {
    let reason = |started: &SagaStarted| started.by.as_ref().and_then(|by| by.reason.clone());
    let request = |started: &SagaStarted| started.by.as_ref().and_then(|by| by.request);
    match exec.started() {
        Some(first)
            if request(first).is_some() && request(first) == request(started) && reason(first) != reason(started) =>
        {
            refused(codes::REQUEST_REUSED, "this request id was used for a start with another reason".to_owned())
        }
        Some(first) if same_start(first, started) => Told::Started { repeated: true },
        Some(first) => {
            let key = &first.key;
            refused(codes::KEY_TAKEN, format!("{}/{key} was started with another input", first.definition))
        }
        None => Told::Started { repeated: false },
    }
}
fn same_start(first: &SagaStarted, again: &SagaStarted) -> bool {
    let value = |started: &SagaStarted| started.input.read::<serde_json::Value>().ok();
    first.definition == again.definition
        && (first.input == again.input || (value(first).is_some() && value(first) == value(again)))
}

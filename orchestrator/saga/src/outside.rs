//! CloudEvents from outside that start a saga or answer a gate: validated, acted on once, acknowledged when durable.

use crate::control::LocalControl;
use crate::sagas::Sagas;
use saga_core::bus::{Delivery, Inbox, Message, OutsideMessage, Settle};
use saga_core::codes;
use saga_core::control::{Control, ControlError, Order, OrderKind, What};
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use saga_core::json::Payload;
use saga_core::limits::{cut, head};
use serde::Deserialize;
use std::time::Duration;
use uuid::Uuid;

/// 64 at once: a flood from outside does not starve the replies.
const OUTSIDE_AT_ONCE: usize = 64;
/// Weather is tried again after this long.
const LATER: Duration = Duration::from_secs(1);
/// The type of a CloudEvent that starts a saga.
pub(crate) const START: &str = "orchestration.StartSaga.v1";
/// The type of a CloudEvent that answers a gate of a saga.
pub(crate) const SIGNAL: &str = "orchestration.SignalSaga.v1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartSaga {
    saga: String,
    version: Option<u16>,
    key: Option<String>,
    input: Payload,
}
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalSaga {
    saga: String,
    gate: String,
    data: Payload,
    /// The opening of the gate that is answered; without it, the first one.
    #[serde(rename = "for")]
    opening: Option<String>,
}

impl Sagas {
    /// Receives what comes from outside, until everything ends. The id of an event, with its source, makes it one order.
    pub(crate) async fn hear_outside(self, control: LocalControl) {
        let (health, clock, tasks) = (self.health().clone(), self.inner.clock.clone(), self.inner.tasks.clone());
        while !tasks.is_stopping() {
            let received = tokio::select! {
                () = tasks.stopping() => break,
                received = self.inner.bus.receive(&Inbox::Outside, OUTSIDE_AT_ONCE) => received,
            };
            let received = match received {
                Ok(received) => received,
                Err(why) => {
                    health.trouble("events from outside", why.to_string());
                    clock.pause(LATER).await;
                    continue;
                }
            };
            health.well("events from outside");
            let taking = received.into_iter().map(|delivery| take(&control, delivery));
            let settled = futures::future::join_all(taking).await;
            if let Err(why) = self.inner.bus.settle(&Inbox::Outside, settled).await {
                tracing::warn!(%why, "events from outside could not be acknowledged; they come again");
            }
        }
        if self.inner.bus.leave(&Inbox::Outside).await.is_err() {
            tracing::debug!("the bus was away at the end; what came from outside comes again");
        }
    }
}

async fn take(control: &LocalControl, delivery: Delivery) -> (u64, Settle) {
    let Message::Outside(message) = delivery.message else {
        return (delivery.tag, Settle::Park("not an event from outside".to_owned()));
    };
    let order = match order_of(&message) {
        Ok(order) => order,
        Err(why) => return (delivery.tag, Settle::Park(cut(&why))),
    };
    let by = Actor::system(format!("outside:{}", message.source));
    let settle = match control.act(&by, order).await {
        Ok(receipt) => {
            tracing::debug!(id = message.id, source = message.source, saga = %receipt.saga, "taken from outside");
            Settle::Done
        }
        Err(why) if is_weather(&why) => Settle::Later(LATER),
        Err(why) => Settle::Park(format!("{} {}", why.code, cut(&why.message))),
    };
    (delivery.tag, settle)
}

fn is_weather(why: &ControlError) -> bool {
    codes::find(&why.code).is_some_and(|code| code.retryable)
}

/// What the event orders. The same event is the same request.
fn order_of(message: &OutsideMessage) -> Result<Order, String> {
    let name = format!("{}/{}", message.source, message.id);
    // Sources hold no space: no two events run together.
    let request =
        RequestId(Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("{} {}", message.source, message.id).as_bytes()));
    let what = match message.kind.as_str() {
        START => {
            let start: StartSaga = message.data.read().map_err(|why| format!("the data of {START}: {why}"))?;
            // Without a key of its own it is named by its request, as every start is.
            What::Start { kind: start.saga, version: start.version, key: start.key, input: start.input }
        }
        SIGNAL => {
            let signal: SignalSaga = message.data.read().map_err(|why| format!("the data of {SIGNAL}: {why}"))?;
            let SignalSaga { saga, gate, data, opening } = signal;
            OrderKind::Signal { gate, data, opening }.of(saga)
        }
        other => {
            return Err(format!("nobody takes events of type {:?}; known are {START} and {SIGNAL}", head(other)));
        }
    };
    Ok(Order { request, reason: Some(cut(&format!("event {name}"))), what, if_rev: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: &str, data: &str) -> OutsideMessage {
        let data = Payload::trusted(data);
        OutsideMessage { id: "7".to_owned(), source: "/shop".to_owned(), kind: kind.to_owned(), data }
    }

    #[test]
    fn an_event_is_one_order_and_names_itself() {
        let start = message(START, r#"{"saga":"row","input":{"number":9007199254740993}}"#);
        let order = order_of(&start).unwrap();
        assert_eq!(order.request, order_of(&start).unwrap().request);
        let What::Start { kind, key, input, .. } = order.what else { panic!("a start") };
        assert_eq!((kind.as_str(), key), ("row", None));
        let other = OutsideMessage { id: "op/7".to_owned(), source: "/sh".to_owned(), ..start.clone() };
        assert_ne!(order.request, order_of(&other).unwrap().request, "two events never run together");
        assert_eq!(input.as_str(), r#"{"number":9007199254740993}"#);
    }

    #[test]
    fn a_decision_from_outside_may_name_its_opening() {
        for (named, wanted) in [(r#","for":"2-5c01e6b7""#, Some("2-5c01e6b7")), ("", None)] {
            let signal = message(SIGNAL, &format!(r#"{{"saga":"row","gate":"yes","data":true{named}}}"#));
            let What::Of { kind: OrderKind::Signal { opening, .. }, .. } = order_of(&signal).unwrap().what else {
                panic!("a signal")
            };
            assert_eq!(opening.as_deref(), wanted);
        }
    }

    #[test]
    fn what_nobody_understands_is_parked_with_the_reason() {
        for (kind, data, wanted) in [
            ("shop.Bought.v1", "{}", "nobody takes events of type \"shop.Bought.v1\""),
            (START, "{}", "missing field `saga`"),
            (START, r#"{"saga":"row","input":{},"extra":1}"#, "unknown field `extra`"),
            (SIGNAL, r#"{"saga":"row"}"#, "missing field `gate`"),
        ] {
            let why = order_of(&message(kind, data)).unwrap_err();
            assert!(why.contains(wanted), "{why}");
        }
    }
}

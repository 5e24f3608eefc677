//! Publishes a module's log on the bus, for ever: the machine decides, this performs.

use crate::host::Host;
use saga_core::batch::{Batch, Mark};
use saga_core::catchup::place;
use saga_core::id::Position;
use saga_core::machine::Machine;
use saga_core::machine::relay::{In, Known, Out, Relay, WINDOW};
use saga_core::ports::{ReadError, SharedStore};
use std::time::Duration;

/// The consumer name of a relay's own cursor.
pub const RELAY: &str = saga_core::audit::RELAY;
/// How often a bus that says nothing is asked whether it still has what it acknowledged.
pub const AUDIT_EVERY: Duration = Duration::from_secs(5);
/// What an event is that has the form of ours, and that our log does not have.
const OTHER_LOG: &str = "has the form of an event of this module: its log was restored from before that event, or a second \
                         process publishes under its name";

impl Host {
    /// Until everything ends, or until the bus has what the log does not know: then only a person can help, and the
    /// relay looks from time to time whether somebody has.
    pub(crate) async fn relay(&self) {
        while !self.tasks.is_stopping() {
            match self.relay_from_start().await {
                Ok(()) => {}
                Err(why) => {
                    self.health.trouble(&self.relay_place(), why.to_string());
                }
            }
            self.pause().await;
        }
    }
    async fn relay_from_start(&self) -> Result<(), ReadError> {
        let saved = self.store.checkpoint(RELAY).await?;
        let saved_seq = public_seq_at(&self.store, saved).await?;
        let Some(tip) = self.known_tip().await? else { return Ok(()) };
        let mut relay = Relay::default();
        let (mut inputs, mut out) = (vec![In::Begin { saved, saved_seq, tip }], Vec::new());
        while !relay.is_halted() && !self.tasks.is_stopping() {
            for input in inputs.drain(..) {
                relay.step(self.clock.now(), input, &mut out);
            }
            for output in std::mem::take(&mut out) {
                inputs.extend(self.perform_relay(output).await?);
            }
        }
        Ok(())
    }
    async fn perform_relay(&self, output: Out) -> Result<Option<In>, ReadError> {
        let module = self.module.name;
        Ok(match output {
            Out::Read(after) => {
                let look = self.clock.pause(AUDIT_EVERY);
                tokio::select! {
                    () = self.tasks.stopping() => None,
                    _ = self.store.grown(after) => Some(In::Page(self.store.read_log(after, WINDOW).await?)),
                    // A bus that was wiped while nothing happened would be noticed by nobody else.
                    () = look => match self.known_tip().await? {
                        Some(tip) => Some(In::Tip(Some(tip))),
                        None => Some(In::Page(Vec::new())),
                    },
                }
            }
            Out::Publish(events) => Some(match self.bus.publish_events(module, &events).await {
                Ok(last) => {
                    self.health.well(&self.relay_place());
                    self.health.well(&self.publishing_place());
                    if events.len() < WINDOW / 2 {
                        self.wait(self.pace).await;
                    }
                    In::Published { last }
                }
                Err(why) => {
                    tracing::warn!(module, %why, "publishing broke off; what the bus has is looked up");
                    // A bus that answers what it has may still take nothing.
                    self.health.trouble(&self.publishing_place(), why.to_string());
                    In::Tip(None)
                }
            }),
            Out::Save(position) => {
                let marks = vec![Mark { consumer: RELAY.to_owned(), position }];
                // The cursor only saves reading: an older one is as good.
                let _saved = self.store.commit(Batch { marks, ..Batch::default() }).await;
                None
            }
            Out::AskTip => match self.known_tip().await? {
                Some(tip) => Some(In::Tip(Some(tip))),
                None => {
                    self.pause().await;
                    Some(In::Tip(None))
                }
            },
            Out::LossFound { from, to } => {
                let says = format!("{module}: the bus lost {from} to {to} that it had; publishing them again");
                self.health.incident("broker-loss", &says);
                None
            }
            Out::Halt { bus, log, strange } => {
                let says = phantom(module, bus, log, &strange);
                // It is looked at again and again; it happened once.
                if self.health.tell(&self.relay_place(), says.clone()) {
                    self.health.incident("phantom", &says);
                }
                None
            }
        })
    }
    pub(crate) fn publishing_place(&self) -> String {
        format!("events of {} on their way to the bus", self.module.name)
    }
    pub(crate) fn relay_place(&self) -> String {
        format!("relay of {}", self.module.name)
    }
    /// What the log says of the bus's last event; `None` when the bus does not answer now.
    async fn known_tip(&self) -> Result<Option<Known>, ReadError> {
        let tip = match self.bus.tip(self.module.name).await {
            Ok(tip) => tip,
            Err(why) => {
                self.health.trouble(&self.relay_place(), why.to_string());
                return Ok(None);
            }
        };
        if tip.seq == 0 {
            self.health.well(&self.relay_place());
            return Ok(Some(Known::Ours(0)));
        }
        let Position(at) = place(&self.store, tip.seq).await?;
        let page = self.store.read_log(Position(at.saturating_sub(1)), 1).await?;
        let ours = page.first().is_some_and(|ours| ours.public_seq == Some(tip.seq) && Some(ours.id) == tip.id);
        if !ours {
            // What has the form of ours has an id: nobody else's message would.
            let strange = if tip.strange.is_empty() && tip.id.is_some() { OTHER_LOG.to_owned() } else { tip.strange };
            return Ok(Some(Known::Foreign { seq: tip.seq, strange }));
        }
        // A module that has nothing to publish is well again as soon as its bus is.
        self.health.well(&self.relay_place());
        // What was on its way has arrived, though its acknowledgement has not: nothing comes after it that would say so.
        if public_seq_at(&self.store, self.store.head().await?).await? == tip.seq {
            self.health.well(&self.publishing_place());
        }
        Ok(Some(Known::Ours(tip.seq)))
    }
}

/// What is said of an event of the bus that a log does not know.
fn phantom(module: &str, bus: u64, log: u64, strange: &str) -> String {
    let (it, after) = if strange.is_empty() { ("", "") } else { (" It ", ".") };
    format!(
        "the bus has an event {bus} that the log of {module} does not know (published by it: up to {log}); nothing more \
         is published.{it}{strange}{after} Find out who published it, then have its stream filled again from the log: \
         sagactl events republish {module} --config FILE (sagactl help SG0314)"
    )
}

/// The public sequence of the last public event at or before a position; 0 when there is none.
pub(crate) async fn public_seq_at(store: &SharedStore, position: Position) -> Result<u64, ReadError> {
    let mut at = position;
    while let Some(before) = at.0.checked_sub(1) {
        let page = store.read_log(Position(before), 1).await?;
        match page.first() {
            Some(recorded) if recorded.public_seq.is_none() => at = Position(before),
            Some(recorded) => return Ok(recorded.public_seq.unwrap_or(0)),
            None => at = store.head().await?.min(Position(before)),
        }
    }
    Ok(0)
}

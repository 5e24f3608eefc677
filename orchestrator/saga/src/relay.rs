//! Publishes a module's log on the bus: what the machine of a relay wants done, performed.

use crate::drive::Performs;
use crate::host::Host;
use saga_core::batch::{Batch, Mark};
use saga_core::id::Position;
use saga_core::incident::Incident;
use saga_core::ports::ReadError;
use saga_core::public_log::{place, public_seq_at};
use saga_engine::machine::relay::{In, Known, Out, Relay, WINDOW};
use std::time::Duration;

/// The consumer name of a relay's own cursor.
pub const RELAY: &str = saga_engine::audit::RELAY;
/// How often a bus that says nothing is asked whether it still has what it acknowledged.
pub const AUDIT_EVERY: Duration = Duration::from_secs(5);
/// What an event is that has the form of ours, and that our log does not have. Nothing but its form is known of it.
const OTHER_LOG: &str = "is by its form an event of this module: its log may have been restored from before that event, a \
                         second process may publish under its name, or somebody imitates one";

/// Performs what the relay of a module wants done.
pub(crate) struct Relaying<'a>(pub(crate) &'a Host);

impl Performs<Relay> for Relaying<'_> {
    async fn perform(&mut self, out: Out) -> Option<In> {
        let Relaying(host) = self;
        match host.perform_relay(out).await {
            Ok(happened) => happened,
            Err(why) => {
                host.health.trouble(&host.relay_place(), why.to_string());
                None
            }
        }
    }
}

impl Host {
    /// Where the relay begins; `None` when everything ends. Where the bus has what the log does not know, only a person
    /// can help, and the relay checks from time to time whether that has happened.
    pub(crate) async fn relay_begins(&self) -> Option<In> {
        while !self.tasks.is_stopping() {
            match self.relay_stands().await {
                Ok(Some(begin)) => return Some(begin),
                Ok(None) => {}
                Err(why) => self.health.trouble(&self.relay_place(), why.to_string()),
            }
            self.pause().await;
        }
        None
    }
    /// What the store and the bus say; `None` when the bus does not answer now.
    async fn relay_stands(&self) -> Result<Option<In>, ReadError> {
        let saved = self.store.checkpoint(RELAY).await?;
        let saved_seq = public_seq_at(&self.store, saved).await?;
        Ok(self.known_tip().await?.map(|tip| In::Begin { saved, saved_seq, tip }))
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
                self.health.incident(Incident::BrokerLoss, &says);
                None
            }
            Out::Halt { bus, log, strange } => {
                let says = phantom(module, bus, log, &strange);
                // It is checked again and again, but counts once.
                if self.health.tell(&self.relay_place(), says.clone()) {
                    self.health.incident(Incident::Phantom, &says);
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
            // A message in our form has an id: a foreign publisher's would not.
            let strange = if tip.strange.is_empty() && tip.id.is_some() { OTHER_LOG.to_owned() } else { tip.strange };
            return Ok(Some(Known::Foreign { seq: tip.seq, strange }));
        }
        // A module that has nothing to publish is well again as soon as its bus is.
        self.health.well(&self.relay_place());
        // The event under way has arrived, though its acknowledgement has not: no later event would show that.
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

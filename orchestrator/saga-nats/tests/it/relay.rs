//! A relay as the runtime has it: the machine decides, this performs. It writes down what was found on the way.

use crate::support::pass;
use saga_core::bus::EventBus;
use saga_core::id::Position;
use saga_core::ports::{ReadError, SharedStore};
use saga_core::public_log::place;
use saga_core::time::Timestamp;
use saga_engine::machine::Machine;
use saga_engine::machine::relay::{In, Known, Out, Relay, WINDOW};
use saga_nats::Nats;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often a quiet broker is asked what it has.
const AUDIT_EVERY: Duration = Duration::from_millis(200);
const PAUSE: Duration = Duration::from_millis(50);

/// A relay that runs in the background until it is dropped.
pub(crate) struct Relaying {
    found: Arc<Mutex<Vec<Out>>>,
    _running: JoinSet<()>,
}

impl Relaying {
    pub(crate) fn start(bus: &Nats, store: &SharedStore) -> Self {
        // The process that relays a module answers for its log.
        let (found, mut running) = (Arc::new(Mutex::new(Vec::new())), crate::support::owner(bus, store));
        let shell = Shell { bus: bus.clone(), store: Arc::clone(store), found: Arc::clone(&found) };
        running.spawn(async move {
            // What was acknowledged in this process: a restart of the relay knows it from its saved cursor.
            let mut acked = 0;
            loop {
                let _again = shell.run(&mut acked).await;
                pass(PAUSE).await;
            }
        });
        Self { found, _running: running }
    }
    /// Whether it found that these were lost.
    pub(crate) fn found_loss(&self, from: u64, to: u64) -> bool {
        self.found.lock().unwrap().contains(&Out::LossFound { from, to })
    }
    /// Whether it has stopped because of what the broker had at this sequence.
    pub(crate) fn has_halted_at(&self, seq: u64) -> bool {
        self.found.lock().unwrap().iter().any(|out| matches!(out, Out::Halt { bus, .. } if *bus == seq))
    }
    pub(crate) fn found(&self) -> String {
        format!("{:?}", self.found.lock().unwrap())
    }
}

struct Shell {
    bus: Nats,
    store: SharedStore,
    found: Arc<Mutex<Vec<Out>>>,
}
impl Shell {
    async fn run(&self, acked: &mut u64) -> Result<(), ReadError> {
        let Some(tip) = self.tip().await? else { return Ok(()) };
        let saved = place(&self.store, *acked).await?;
        let mut relay = Relay::default();
        let (mut inputs, mut out) = (vec![In::Begin { saved, saved_seq: *acked, tip }], Vec::new());
        while !relay.is_halted() {
            for input in inputs.drain(..) {
                relay.step(Timestamp(0), input, &mut out);
                *acked = relay.acked();
            }
            for output in std::mem::take(&mut out) {
                inputs.extend(self.perform(output).await?);
            }
        }
        Ok(())
    }
    async fn perform(&self, output: Out) -> Result<Option<In>, ReadError> {
        Ok(match output {
            Out::Read(after) => tokio::select! {
                _ = self.store.grown(after) => Some(In::Page(self.store.read_log(after, WINDOW).await?)),
                () = pass(AUDIT_EVERY) => match self.tip().await? {
                    Some(tip) => Some(In::Tip(Some(tip))),
                    None => Some(In::Page(Vec::new())),
                },
            },
            Out::Publish(events) => Some(match self.bus.publish_events("law", &events).await {
                Ok(last) => In::Published { last },
                Err(_) => In::Tip(None),
            }),
            Out::AskTip => match self.tip().await? {
                Some(tip) => Some(In::Tip(Some(tip))),
                None => {
                    pass(PAUSE).await;
                    Some(In::Tip(None))
                }
            },
            Out::Save(_) => None,
            found @ (Out::LossFound { .. } | Out::Halt { .. }) => {
                self.found.lock().unwrap().push(found);
                None
            }
        })
    }
    async fn tip(&self) -> Result<Option<Known>, ReadError> {
        let Ok(tip) = self.bus.tip("law").await else { return Ok(None) };
        if tip.seq == 0 {
            return Ok(Some(Known::Ours(0)));
        }
        let Position(at) = place(&self.store, tip.seq).await?;
        let page = self.store.read_log(Position(at.saturating_sub(1)), 1).await?;
        let ours = page.first().is_some_and(|ours| ours.public_seq == Some(tip.seq) && Some(ours.id) == tip.id);
        Ok(Some(if ours { Known::Ours(tip.seq) } else { Known::Foreign { seq: tip.seq, strange: tip.strange } }))
    }
}

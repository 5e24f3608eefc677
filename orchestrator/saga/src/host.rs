//! Runs one module: commands in, answers out; its projections and reactors; the relay of its log.

use crate::health::Health;
use crate::tasks::Tasks;
use async_trait::async_trait;
use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use saga_core::batch::Fence;
use saga_core::bus::{Answerer, AnyBus, CommandMessage, Delivery, Inbox, Line, Message, ReplyMessage, Says, Settle};
use saga_core::module::Module;
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, Heads, Ids, ReadError, SharedStore};
use saga_core::telemetry::Metric;
use saga_engine::host::{Served, serve_beside};
use saga_engine::machine::participant::{Arrival, repeat};
use saga_engine::panics::words;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// 64 commands of one module at once: they share flushes, and a slow provider does not hold up the others.
pub const HANDLERS_AT_ONCE: usize = 64;
/// For weather that promises to be over within 100 ms the host waits, beside the handler.
const SHORT_WAIT_MS: u64 = 100;
/// It is polled every 10 ms at least.
const SHORT_STEP_MS: u64 = 10;
/// And for ten looks, a tenth of a second in all.
const SHORT_WAITS: u32 = 10;
/// How long handlers that are under way may take at a stop; deeds that are cut off then are asked for again.
const LAST_WORK: Duration = Duration::from_secs(5);
/// After something did not work, before it is tried again.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// Everything around a module.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) module: Arc<Module>,
    pub(crate) store: SharedStore,
    pub(crate) bus: Arc<dyn AnyBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    /// How long a leader's lease holds.
    pub(crate) lease: Duration,
    /// Of the leader: a commit of a leader that was replaced is refused.
    pub(crate) fence: Option<Fence>,
    /// Lines that are answered beside the module's own queries.
    pub(crate) lines: Vec<(Line, Answerer)>,
    /// How long a projection lets events gather before it folds them.
    pub(crate) gather: Duration,
    /// How long the relay lets events gather after it has published some: a window costs as much as several events.
    pub(crate) pace: Duration,
}

impl Host {
    /// Starts what every process does that hosts the module: it serves commands and queries, and leads if it may.
    pub(crate) fn start(&self) {
        if !self.module.commands.is_empty() {
            self.keep(format!("commands of {}", self.module.name), |host| async move { host.serve().await });
        }
        if !self.module.queries.is_empty() || !self.lines.is_empty() {
            self.keep(format!("queries of {}", self.module.name), |host| async move { host.answer().await });
        }
        self.keep(format!("lead of {}", self.module.name), |host| async move { host.lead().await });
    }
    /// Runs something of this module until everything ends.
    pub(crate) fn keep<F: Future<Output = ()> + Send + 'static>(
        &self,
        name: String,
        work: impl Fn(Host) -> F + Send + 'static,
    ) {
        let host = self.clone();
        self.tasks.keep(name, move || work(host.clone()));
    }
    pub(crate) async fn pause(&self) {
        self.wait(PAUSE).await;
    }
    /// Waits, but not longer than until everything ends.
    pub(crate) async fn wait(&self, time: Duration) {
        tokio::select! {
            () = self.clock.pause(time) => {}
            () = self.tasks.stopping() => {}
        }
    }
    /// Answers queries, for ever.
    async fn answer(&self) {
        let place = format!("queries of {}", self.module.name);
        for outcome in ["answered", "refused"] {
            self.health.meter().expect(Metric::QueryTime, &[self.module.name, outcome]);
        }
        let own = self.module.queries.iter().map(|((name, version), route)| {
            let (handle, store, clock) = (Arc::clone(&route.handle), Arc::clone(&self.store), Arc::clone(&self.clock));
            let (meter, module) = (self.health.meter().clone(), self.module.name);
            let answerer: Answerer = Arc::new(move |question| {
                let answered = handle(Arc::clone(&store), question, clock.now());
                let (meter, clock) = (meter.clone(), Arc::clone(&clock));
                Box::pin(async move {
                    let began = clock.passed();
                    let answer = answered.await.map_err(|why| why.as_refusal());
                    let outcome = if answer.is_ok() { "answered" } else { "refused" };
                    meter.took(Metric::QueryTime, &[module, outcome], clock.passed().saturating_sub(began));
                    answer
                })
            });
            let line = Line::Query { module: self.module.name.to_owned(), name: (*name).to_owned(), version: *version };
            (line, answerer)
        });
        let lines: Vec<_> = own.chain(self.lines.iter().cloned()).collect();
        loop {
            tokio::select! {
                () = self.tasks.stopping() => return,
                ended = self.bus.serve(lines.clone()) => {
                    let why = ended.err().map_or_else(|| "ended".to_owned(), |why| why.to_string());
                    self.health.trouble(&place, why);
                }
            }
            self.pause().await;
        }
    }
    /// Receives commands and serves up to [`HANDLERS_AT_ONCE`] side by side.
    async fn serve(&self) {
        let inbox = Inbox::Commands(self.module.name.to_owned());
        let mut under_way: FuturesUnordered<BoxFuture<'static, (u64, Settle)>> = FuturesUnordered::new();
        let place = format!("commands of {}", self.module.name);
        let mut settled = Vec::new();
        loop {
            let room = HANDLERS_AT_ONCE - under_way.len();
            tokio::select! {
                biased;
                () = self.tasks.stopping() => break,
                Some(done) = under_way.next(), if !under_way.is_empty() => settled.push(done),
                received = self.bus.receive(&inbox, room.max(1)), if room > 0 => match received {
                    Ok(received) => {
                        self.health.well(&place);
                        for delivery in received {
                            let host = self.clone();
                            under_way.push(async move { host.delivery(delivery).await }.boxed());
                        }
                    }
                    Err(why) => {
                        self.health.trouble(&place, why.to_string());
                        self.pause().await;
                    }
                },
            }
            if settled.is_empty() {
                continue;
            }
            if let Err(why) = self.bus.settle(&inbox, std::mem::take(&mut settled)).await {
                tracing::warn!(module = self.module.name, %why, "could not be acknowledged; it comes again");
            }
        }
        // Handlers under way may be at their commits: they end. Deliveries that are not acknowledged then are given
        // back.
        let patience = self.clock.pause(LAST_WORK);
        tokio::select! {
            () = async { while let Some(done) = under_way.next().await { settled.push(done) } } => {}
            () = patience => {}
        }
        if self.bus.settle(&inbox, settled).await.is_err() || self.bus.leave(&inbox).await.is_err() {
            tracing::debug!(module = self.module.name, "the bus was away at the end; what was received comes again");
        }
    }
    async fn delivery(&self, delivery: Delivery) -> (u64, Settle) {
        let Message::Command(message) = &delivery.message else {
            return (delivery.tag, Settle::Park("not a command".to_owned()));
        };
        let (says, settle) = if message.probe {
            (self.probe(message).await, Settle::Done)
        } else {
            match self.command(message).await {
                Served::Answered(answer) => (Says::Answer(answer), Settle::Done),
                Served::Stale { newest } => {
                    tracing::warn!(module = self.module.name, %newest, "a command of a replaced owner was dropped");
                    return (delivery.tag, Settle::Done);
                }
                Served::Park(Refused { code, reason, .. }) => {
                    let command = &message.delivered.command;
                    tracing::error!(module = self.module.name, command, code, reason, "parked");
                    (Says::Fault { code, reason: reason.clone() }, Settle::Park(reason))
                }
            }
        };
        let deed = &message.delivered.deed;
        let reply = ReplyMessage {
            group: message.reply_to,
            saga: deed.saga,
            step: deed.step.clone(),
            direction: deed.direction,
            attempt: deed.attempt,
            key: deed.key,
            module: self.module.name.to_owned(),
            says,
        };
        let place = format!("replies of {}", self.module.name);
        match self.bus.publish(Message::Reply(reply)).await {
            Ok(()) => {
                self.health.well(&place);
                (delivery.tag, settle)
            }
            Err(why) => {
                // The answer is in the inbox row: the command comes again and is answered from there.
                tracing::warn!(%why, "the reply is not on the bus");
                self.health.trouble(&place, why.to_string());
                (delivery.tag, Settle::Later(PAUSE))
            }
        }
    }
    /// Serves a command. Weather of a few milliseconds (a read model that has not heard yet) ends while the host waits
    /// here; only longer weather is told to the coordinator.
    async fn command(&self, message: &CommandMessage) -> Served {
        for _ in 0..SHORT_WAITS {
            match self.serve_once(message).await {
                Served::Answered(Answer::Retry { after_ms, .. }) if after_ms <= SHORT_WAIT_MS => {
                    let step = Duration::from_millis(after_ms.min(SHORT_STEP_MS));
                    tokio::select! {
                        () = self.clock.pause(step) => {}
                        () = self.tasks.stopping() => break,
                    }
                }
                served => return served,
            }
        }
        self.serve_once(message).await
    }
    async fn serve_once(&self, message: &CommandMessage) -> Served {
        let heads: Arc<dyn Heads> = Arc::new(Owners(Arc::clone(&self.bus)));
        let work = serve_beside(&self.module, &self.store, (&self.ids, &heads), self.clock.now(), &message.delivered);
        AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
            Served::Park(Refused::new("PANIC", format!("the handler panicked: {}", words(&*panic))))
        })
    }
    /// Only says what the inbox remembers.
    async fn probe(&self, message: &CommandMessage) -> Says {
        let delivered = &message.delivered;
        match self.store.answered(delivered.deed.saga, delivered.keys.0, delivered.keys.1).await {
            // An answer to another payload is no answer to this one.
            Ok(memory) => {
                let arrival = Arrival::of(delivered);
                memory.deed.map_or(Says::NothingKnown, |row| Says::Answer(repeat(&arrival, &row)))
            }
            Err(why) => Says::Answer(Answer::Retry { after_ms: 100, reason: why.to_string() }),
        }
    }
}

/// The heads of other modules' logs, as their owners tell them.
struct Owners(Arc<dyn AnyBus>);
#[async_trait]
impl Heads for Owners {
    async fn head(&self, module: &str) -> Result<u64, ReadError> {
        self.0.owner_head(module).await.map_err(|why| ReadError::Unavailable(why.to_string()))
    }
}

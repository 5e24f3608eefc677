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
use saga_core::host::{Served, serve_beside};
use saga_core::module::Module;
use saga_core::outcome::{Answer, Refused};
use saga_core::panics::words;
use saga_core::ports::{Clock, Heads, Ids, ReadError, SharedStore};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// 64 commands of one module at once: they share flushes, and a slow provider does not hold up the others.
pub const HANDLERS_AT_ONCE: usize = 64;
/// Weather that promises to be over within 100 ms is waited out beside the handler.
const SHORT_WAIT_MS: u64 = 100;
/// It is looked at every 10 ms at least.
const SHORT_STEP_MS: u64 = 10;
/// And for ten looks, a tenth of a second in all.
const SHORT_WAITS: u32 = 10;
/// How long handlers that are under way may take at a stop; what is cut off then is asked for again.
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
    /// Starts what one process does for the module.
    pub(crate) fn start_leading(&self) {
        for def in &self.module.projections {
            // One at a time: two sources may fold into the same document, and each reads it before it writes it.
            let turn = Arc::new(tokio::sync::Mutex::new(()));
            for source in def.sources() {
                let (def, turn) = (def.clone(), Arc::clone(&turn));
                self.keep(def.consumer(source), move |host| {
                    let (def, turn) = (def.clone(), Arc::clone(&turn));
                    async move {
                        let consumer = def.consumer(source);
                        host.project(def, source, &turn).await;
                        // Whoever leads now has its own troubles.
                        host.health.well(&consumer);
                    }
                });
            }
        }
        for reactor in &self.module.reactors {
            for source in reactor.sources() {
                let reactor = reactor.clone();
                self.keep(reactor.consumer(self.module.name, source), move |host| {
                    let reactor = reactor.clone();
                    async move {
                        let consumer = reactor.consumer(host.module.name, source);
                        host.react(reactor, source).await;
                        host.health.well(&consumer);
                    }
                });
            }
        }
        self.keep(self.relay_place(), |host| async move {
            host.relay().await;
            host.health.well(&host.relay_place());
            host.health.well(&host.publishing_place());
        });
    }
    /// Runs something of this module until everything ends.
    fn keep<F: Future<Output = ()> + Send + 'static>(&self, name: String, work: impl Fn(Host) -> F + Send + 'static) {
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
        let own = self.module.queries.iter().map(|((name, version), route)| {
            let (handle, store, clock) = (Arc::clone(&route.handle), Arc::clone(&self.store), Arc::clone(&self.clock));
            let answerer: Answerer = Arc::new(move |question| {
                let answered = handle(Arc::clone(&store), question, clock.now());
                Box::pin(async move { answered.await.map_err(|why| why.as_refusal()) })
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
        // What is under way may be at its commit: it ends. What is not acknowledged then is given back.
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
        let served = if message.probe { self.probe(message).await } else { self.command(message).await };
        let (says, settle) = match served {
            Served::Answered(Answer::Refused(refused)) if refused.code == NOTHING_KNOWN => {
                (Says::NothingKnown, Settle::Done)
            }
            Served::Answered(answer) => (Says::Answer(answer), Settle::Done),
            Served::Stale { newest } => {
                tracing::warn!(module = self.module.name, %newest, "a command of a replaced owner was dropped");
                return (delivery.tag, Settle::Done);
            }
            Served::Park(Refused { code, reason, .. }) => {
                tracing::error!(module = self.module.name, command = message.delivered.command, code, reason, "parked");
                (Says::Fault { code, reason: reason.clone() }, Settle::Park(reason))
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
    /// Serves a command. Weather of a few milliseconds (a read model that has not heard yet) is waited out here, where
    /// it is; only what lasts longer is told to the coordinator.
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
    async fn probe(&self, message: &CommandMessage) -> Served {
        let delivered = &message.delivered;
        match self.store.answered(delivered.deed.saga, delivered.keys.0, delivered.keys.1).await {
            Ok(memory) => Served::Answered(memory.deed.map_or_else(
                || Answer::Refused(Refused::new(NOTHING_KNOWN, "no answer is remembered")),
                |row| row.answer,
            )),
            Err(why) => Served::Answered(Answer::Retry { after_ms: 100, reason: why.to_string() }),
        }
    }
}

/// Inside one process only: a probe that found nothing.
const NOTHING_KNOWN: &str = "NOTHING_KNOWN";

/// The logs of other modules, as whoever owns them says.
struct Owners(Arc<dyn AnyBus>);
#[async_trait]
impl Heads for Owners {
    async fn head(&self, module: &str) -> Result<u64, ReadError> {
        self.0.owner_head(module).await.map_err(|why| ReadError::Unavailable(why.to_string()))
    }
}

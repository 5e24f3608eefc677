//! Runs one module: commands in, answers out; its projections and reactors; the relay of its log.

use crate::feed::Feed;
use crate::health::Health;
use crate::tasks::Tasks;
use async_trait::async_trait;
use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use saga_core::batch::{Batch, Commit, Fence, Mark};
use saga_core::bus::{Answerer, AnyBus, CommandMessage, Delivery, Inbox, Line, Message, ReplyMessage, Says, Settle};
use saga_core::catchup::{Kept, PROJECTION_PAGE, blocked, cut, fold_page};
use saga_core::envelope::Recorded;
use saga_core::host::{Served, serve, serve_beside};
use saga_core::id::{Direction, Position};
use saga_core::machine::projector::{Parked, public_place};
use saga_core::module::{Module, Reactor};
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Clock, Heads, Ids, ReadError, SharedStore};
use saga_core::projection::{At, ProjectionDef};
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
/// A page of 250 events is worth a commit of its own; behind it nobody waits for more to gather.
const LONG_PAGE: usize = 250;
/// After something did not work, before it is tried again.
const PAUSE: Duration = Duration::from_millis(200);

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
            let host = self.clone();
            self.tasks.spawn(async move { host.serve().await });
        }
        if !self.module.queries.is_empty() || !self.lines.is_empty() {
            let host = self.clone();
            self.tasks.spawn(async move { host.answer().await });
        }
        let host = self.clone();
        self.tasks.spawn(async move { host.lead().await });
    }
    /// Starts what one process does for the module.
    pub(crate) fn start_leading(&self) {
        for def in &self.module.projections {
            // One at a time: two sources may fold into the same document, and each reads it before it writes it.
            let turn = Arc::new(tokio::sync::Mutex::new(()));
            for source in def.sources() {
                let (host, def, turn) = (self.clone(), def.clone(), Arc::clone(&turn));
                self.tasks.spawn(async move { host.project(def, source, &turn).await });
            }
        }
        for reactor in &self.module.reactors {
            for source in reactor.sources() {
                let (host, reactor) = (self.clone(), reactor.clone());
                self.tasks.spawn(async move { host.react(reactor, source).await });
            }
        }
        let host = self.clone();
        self.tasks.spawn(async move { host.relay().await });
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
        match self.bus.publish(Message::Reply(reply)).await {
            Ok(()) => (delivery.tag, settle),
            Err(why) => {
                // The answer is in the inbox row: the command comes again and is answered from there.
                tracing::warn!(%why, "the reply is not on the bus");
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
                    let due = self.clock.now().plus(Duration::from_millis(after_ms.min(SHORT_STEP_MS)));
                    tokio::select! {
                        () = self.clock.sleep_until(due) => {}
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
        AssertUnwindSafe(work)
            .catch_unwind()
            .await
            .unwrap_or_else(|_| Served::Park(Refused::new("PANIC", "the handler panicked")))
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
    /// Folds one source into one projection, for ever.
    async fn project(&self, def: ProjectionDef, source: &'static str, turn: &tokio::sync::Mutex<()>) {
        let consumer = def.consumer(source);
        let Some((mut at, mut streams)) = self.begin(&consumer).await else { return };
        let (mut feed, mut kept) = (Feed::of(source), Kept::default());
        loop {
            let mut page = tokio::select! {
                () = self.tasks.stopping() => return,
                page = feed.next(self, at, PROJECTION_PAGE) => page,
            };
            let more = page.as_mut().is_ok_and(|page| cut(&def, source, page) || page.len() >= LONG_PAGE);
            let folded = match &page {
                Ok(page) => {
                    let _turn = turn.lock().await;
                    let memory = (&mut streams, &mut kept);
                    let folded = fold_page(&def, &self.store, source, page, memory, self.fence.clone()).await;
                    folded.map_err(|why| why.to_string())
                }
                Err(why) => Err(why.to_string()),
            };
            match (folded, page) {
                (Ok(()), Ok(page)) => {
                    self.health.well(&consumer);
                    at = page.last().map_or(at, public_place);
                    if !more {
                        // More events in one page are fewer commits; nobody reads a read model every millisecond.
                        self.wait(self.gather).await;
                    }
                }
                (Err(why), _) => {
                    self.health.trouble(&consumer, why);
                    self.pause().await;
                }
                (Ok(()), Err(why)) => {
                    self.health.trouble(&consumer, why.to_string());
                    self.pause().await;
                }
            }
        }
    }
    async fn begin(&self, consumer: &str) -> Option<(Position, std::collections::BTreeSet<saga_core::id::StreamId>)> {
        loop {
            if self.tasks.is_stopping() {
                return None;
            }
            match (self.store.checkpoint(consumer).await, blocked(&self.store, consumer).await) {
                (Ok(at), Ok(streams)) => {
                    self.health.well(consumer);
                    return Some((at, streams));
                }
                (Err(why), _) | (_, Err(why)) => {
                    self.health.trouble(consumer, why.to_string());
                    self.pause().await;
                }
            }
        }
    }
    /// Turns one source's events into commands of this module, for ever.
    async fn react(&self, reactor: Reactor, source: &'static str) {
        let consumer = reactor.consumer(self.module.name, source);
        let Some((mut at, _)) = self.begin(&consumer).await else { return };
        let mut feed = Feed::of(source);
        loop {
            let page = tokio::select! {
                () = self.tasks.stopping() => return,
                page = feed.next(self, at, PROJECTION_PAGE) => page,
            };
            let page = match page {
                Ok(page) => page,
                Err(why) => {
                    self.health.trouble(&consumer, why.to_string());
                    self.pause().await;
                    continue;
                }
            };
            self.health.well(&consumer);
            for recorded in &page {
                match self.reactions(&reactor, source, recorded).await {
                    Ok(parked) => {
                        let mark = Mark { consumer: consumer.clone(), position: public_place(recorded) };
                        let documents = parked.iter().map(Parked::write).collect();
                        let fence = self.fence.clone();
                        let batch = Batch { marks: vec![mark], documents, fence, ..Batch::default() };
                        let listens = reactor
                            .reactions
                            .iter()
                            .any(|(module, event, _)| *module == source && *event == recorded.name);
                        // Events that do not concern it move its checkpoint with the next one that does.
                        if listens && !matches!(self.store.commit(batch).await, Commit::Ok(_)) {
                            self.pause().await;
                            break;
                        }
                        at = public_place(recorded);
                    }
                    Err(why) => {
                        self.health.trouble(&consumer, why);
                        self.pause().await;
                        break;
                    }
                }
            }
        }
    }
    async fn reactions(&self, reactor: &Reactor, source: &str, recorded: &Recorded) -> Result<Vec<Parked>, String> {
        let at = At::of(source, recorded);
        let (mut parked, mut number) = (Vec::new(), 0);
        for (module, event, react) in &reactor.reactions {
            if *module != source || *event != recorded.name {
                continue;
            }
            let aside = |reason: String| Parked {
                consumer: reactor.consumer(self.module.name, source),
                module: source.to_owned(),
                position: recorded.position,
                stream: recorded.stream.clone(),
                event: format!("{}@{}", recorded.name, recorded.schema_version),
                reason,
            };
            let reactions = match react(recorded, &at) {
                Ok(reactions) => reactions,
                Err(why) => {
                    parked.push(aside(why.to_string()));
                    continue;
                }
            };
            for reaction in reactions {
                let request = request_of(recorded, reactor.name, number);
                number += 1;
                let actor = saga_core::envelope::Actor::system(format!("reactor:{}", reactor.name));
                let delivered =
                    saga_core::host::direct(reaction.command, reaction.version, reaction.payload, request, actor);
                debug_assert_eq!(delivered.deed.direction, Direction::Do);
                match serve(&self.module, &self.store, &self.ids, self.clock.now(), &delivered).await {
                    Served::Answered(Answer::Done { .. } | Answer::Refused(_)) | Served::Stale { .. } => {}
                    Served::Answered(Answer::Retry { reason, .. }) => return Err(reason),
                    Served::Park(why) => parked.push(aside(format!("{}: {}", why.code, why.reason))),
                }
            }
        }
        Ok(parked)
    }
}

/// Asks the owners of other logs over the bus.
struct Owners(Arc<dyn AnyBus>);
#[async_trait]
impl Heads for Owners {
    async fn head(&self, module: &str) -> Result<u64, ReadError> {
        self.0.owner_head(module).await.map_err(|why| ReadError::Unavailable(why.to_string()))
    }
}

/// The request id of a reaction: the same event again is the same deed, and two commands that follow from it are two.
fn request_of(recorded: &Recorded, reactor: &str, number: u32) -> uuid::Uuid {
    let first = uuid::Uuid::new_v5(&recorded.id.0, reactor.as_bytes());
    if number == 0 { first } else { uuid::Uuid::new_v5(&first, &number.to_be_bytes()) }
}

/// Inside one process only: a probe that found nothing.
const NOTHING_KNOWN: &str = "NOTHING_KNOWN";

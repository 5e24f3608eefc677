//! The consumers of a module: the relay, each projection and each reactor consumes one source of events.

use crate::drive::Performs;
use crate::feed::Feed;
use crate::host::{Host, PAUSE};
use crate::relay::{RELAY, Relaying};
use futures::FutureExt;
use saga_core::batch::Fence;
use saga_core::bus::{BusError, Delivered};
use saga_core::id::{Position, StreamId};
use saga_core::module::Reactor;
use saga_core::outcome::Refused;
use saga_core::ports::ReadError;
use saga_core::projection::ProjectionDef;
use saga_core::public_log::standing;
use saga_engine::catchup::blocked;
use saga_engine::host::{Served, serve};
use saga_engine::machine::consumer;
use saga_engine::machine::consumer::{In, Out, Pause};
use saga_engine::machine::projector::{anchor, anchor_of};
use saga_engine::machine::relay::Relay;
use saga_engine::panics::words;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// 5 s between two looks whether a person has put right where a consumer stands.
const ASTRAY_LOOK: Duration = Duration::from_secs(5);

/// What a leader does with the events of one source.
#[derive(Clone)]
struct Consumer {
    /// Whose events.
    source: &'static str,
    /// The name under which the store keeps how far it is.
    cursor: String,
    what: What,
    /// Of the leader: a commit of one that was replaced is refused.
    fence: Option<Fence>,
}
#[derive(Clone)]
enum What {
    /// Puts the module's own log on the bus, which fences a second one by itself.
    Publish,
    /// Folds. One source at a time: two may fold into the same document, and each reads it before it writes it.
    Fold { def: ProjectionDef, turn: Arc<Mutex<()>> },
    /// Turns events into commands of the module.
    React(Reactor),
}

impl Consumer {
    /// All consumers of a module.
    fn of(host: &Host) -> Vec<Consumer> {
        let (name, fence) = (host.module.name, &host.fence);
        let mut all = Vec::new();
        for def in &host.module.projections {
            let turn = Arc::new(Mutex::new(()));
            all.extend(def.sources().into_iter().map(|source| {
                let what = What::Fold { def: def.clone(), turn: Arc::clone(&turn) };
                Consumer { source, cursor: def.consumer(source), what, fence: fence.clone() }
            }));
        }
        for reactor in &host.module.reactors {
            all.extend(reactor.sources().into_iter().map(|source| {
                let (cursor, what) = (reactor.consumer(name, source), What::React(reactor.clone()));
                Consumer { source, cursor, what, fence: fence.clone() }
            }));
        }
        all.push(Consumer { source: name, cursor: RELAY.to_owned(), what: What::Publish, fence: None });
        all
    }
    /// The name of its task, and where its troubles are told.
    fn place(&self, host: &Host) -> String {
        match self.what {
            What::Publish => host.relay_place(),
            What::Fold { .. } | What::React(_) => self.cursor.clone(),
        }
    }
    /// What went wrong with it is the next leader's to say.
    fn forget(&self, host: &Host) {
        host.health.well(&self.place(host));
        if let What::Publish = self.what {
            host.health.well(&host.publishing_place());
        }
    }
}

impl Host {
    /// Starts what one process does for the module.
    pub(crate) fn start_leading(&self) {
        for consumer in Consumer::of(self) {
            self.keep(consumer.place(self), move |host| {
                let consumer = consumer.clone();
                async move {
                    host.consume(&consumer).await;
                    // The process that leads now has its own troubles.
                    consumer.forget(&host);
                }
            });
        }
    }
    /// What went wrong with what only a leader does is the next leader's to say.
    pub(crate) fn forget_leading(&self) {
        Consumer::of(self).iter().for_each(|consumer| consumer.forget(self));
    }
    /// Consumes until everything ends.
    async fn consume(&self, consumer: &Consumer) {
        let fence = consumer.fence.clone();
        let (source, mut consuming) = (consumer.source, Consuming::of(self, consumer));
        match &consumer.what {
            What::Publish => {
                while let Some(begin) = self.relay_begins().await {
                    self.drive(Relay::default(), begin, &mut Relaying(self)).await;
                    // It halted, or its log could not be read: only what is looked up anew counts.
                    self.pause().await;
                }
            }
            What::Fold { def, .. } => {
                let machine = consumer::Consumer::folding(def.clone(), source, fence);
                self.drive(machine, In::Begin, &mut consuming).await;
            }
            What::React(reactor) => {
                let machine = consumer::Consumer::reacting(reactor.clone(), self.module.name, source, fence);
                self.drive(machine, In::Begin, &mut consuming).await;
            }
        }
    }
    /// Where a consumer goes on, if this is a place in its source's log.
    async fn stands(&self, cursor: &str, source: &str) -> Result<(Position, BTreeSet<StreamId>), BusError> {
        let unreadable = |why: ReadError| BusError::Unread(why.to_string());
        let at = self.store.checkpoint(cursor).await.map_err(unreadable)?;
        let streams = blocked(&self.store, cursor).await.map_err(unreadable)?;
        if at > Position::ZERO {
            let known = self.store.checkpoint(&anchor_of(cursor)).await.map_err(unreadable)?;
            let theirs = match source == self.module.name {
                true => standing(&self.store, at.0).await.map_err(unreadable)?,
                false => self.bus.standing(source, at.0).await?,
            };
            let same = |id| known == Position::ZERO || known == anchor(id);
            theirs.astray(source, at.0, same).map_or(Ok(()), Err)?;
        }
        Ok((at, streams))
    }
    /// Lets the module serve what follows from an event.
    async fn serve_reaction(&self, delivered: &Delivered) -> Served {
        let serving = serve(&self.module, &self.store, &self.ids, self.clock.now(), delivered);
        AssertUnwindSafe(serving).catch_unwind().await.unwrap_or_else(|panic| {
            Served::Park(Refused::new("PANIC", format!("the handler panicked: {}", words(&*panic))))
        })
    }
}

/// Performs what a projection or a reactor wants done.
struct Consuming<'a> {
    host: &'a Host,
    consumer: &'a Consumer,
    feed: Feed,
    /// The documents of the projection are ours until they are written.
    turn: Option<OwnedMutexGuard<()>>,
}

impl<'a> Consuming<'a> {
    fn of(host: &'a Host, consumer: &'a Consumer) -> Self {
        Self { host, consumer, feed: Feed::of(consumer.source), turn: None }
    }
    async fn load(&mut self, projection: &str, version: u16, keys: &[String]) -> In {
        if let What::Fold { turn, .. } = &self.consumer.what {
            self.turn = Some(Arc::clone(turn).lock_owned().await);
        }
        In::Loaded(match keys {
            [] => Ok(Vec::new()),
            keys => self.host.store.get_all(projection, version, keys).await,
        })
    }
    async fn wait(&self, pause: Pause) {
        self.host
            .wait(match pause {
                Pause::Weather => PAUSE,
                Pause::Person => ASTRAY_LOOK,
                Pause::Gather => self.host.gather,
            })
            .await;
    }
}

impl Performs<consumer::Consumer> for Consuming<'_> {
    async fn perform(&mut self, out: Out) -> Option<In> {
        let (host, consumer) = (self.host, self.consumer);
        if !matches!(out, Out::Commit(_)) {
            self.turn = None;
        }
        match out {
            Out::Find => tokio::select! {
                () = host.tasks.stopping() => None,
                found = host.stands(&consumer.cursor, consumer.source) => Some(match found {
                    Ok((at, blocked)) => In::Stands { at, blocked },
                    Err(why) => unheard(&why),
                }),
            },
            Out::Read { after, max } => tokio::select! {
                () = host.tasks.stopping() => None,
                page = self.feed.next(host, after, max) => Some(page.map_or_else(|why| unheard(&why), In::Page)),
            },
            Out::Load { projection, version, keys } => Some(self.load(&projection, version, &keys).await),
            Out::Serve(delivered) => Some(In::Served(host.serve_reaction(&delivered).await)),
            Out::Commit(batch) => {
                let commit = host.store.commit(*batch).await;
                self.turn = None;
                Some(In::Committed(commit))
            }
            Out::Well => {
                host.health.well(&consumer.cursor);
                None
            }
            Out::Trouble(why) => {
                host.health.trouble(&consumer.cursor, why);
                None
            }
            Out::Wait(pause) => {
                self.wait(pause).await;
                None
            }
        }
    }
}

fn unheard(why: &BusError) -> In {
    In::Unheard { why: why.to_string(), astray: matches!(why, BusError::Astray { .. }) }
}

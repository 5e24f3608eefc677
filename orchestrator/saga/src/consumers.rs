//! Consumers of events: a projection folds them, a reactor turns them into commands; each has a checkpoint for each source.

use crate::feed::Feed;
use crate::host::{Host, PAUSE};
use futures::FutureExt;
use saga_core::batch::Batch;
use saga_core::bus::BusError;
use saga_core::catchup::{Kept, PROJECTION_PAGE, blocked, cut, fold_page, standing, written};
use saga_core::envelope::Recorded;
use saga_core::host::{Served, serve};
use saga_core::id::{Direction, Position, StreamId};
use saga_core::machine::projector::{BEHIND, Parked, anchor, anchor_of, marks, public_place};
use saga_core::module::Reactor;
use saga_core::outcome::{Answer, Refused};
use saga_core::panics::{caught, words};
use saga_core::ports::ReadError;
use saga_core::projection::{At, ProjectionDef};
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// A page of 250 events is worth a commit of its own; behind it nobody waits for more to gather.
const LONG_PAGE: usize = 250;
/// 5 s between two looks whether a person has put right where a consumer stands.
const ASTRAY_LOOK: Duration = Duration::from_secs(5);

impl Host {
    /// Folds one source into one projection, for ever.
    pub(crate) async fn project(&self, def: ProjectionDef, source: &'static str, turn: &tokio::sync::Mutex<()>) {
        let consumer = def.consumer(source);
        let Some((mut at, mut streams)) = self.begin(&consumer, source).await else { return };
        let (mut feed, mut kept) = (Feed::of(source), Kept::default());
        loop {
            let page = tokio::select! {
                () = self.tasks.stopping() => return,
                page = feed.next(self, at, PROJECTION_PAGE) => page,
            };
            let mut page = match page {
                Ok(page) => page,
                Err(why) => {
                    self.unheard(&consumer, &why).await;
                    continue;
                }
            };
            let more = cut(&def, source, &mut page) || page.len() >= LONG_PAGE;
            let folded = {
                let _turn = turn.lock().await;
                let memory = (&mut streams, &mut kept);
                fold_page(&def, &self.store, source, &page, memory, self.fence.clone()).await
            };
            match folded {
                Ok(()) => {
                    self.health.well(&consumer);
                    at = page.last().map_or(at, public_place);
                    if !more {
                        // More events in one page are fewer commits; nobody reads a read model every millisecond.
                        self.wait(self.gather).await;
                    }
                }
                Err(why) => {
                    self.health.trouble(&consumer, why.to_string());
                    self.pause().await;
                    // Perhaps it was written, and folding the same page over its own documents would count it twice:
                    // where it goes on is what the store says now.
                    let Some((stands, parked)) = self.stands(&consumer, source).await else { return };
                    if stands > at {
                        self.health.well(&consumer);
                    }
                    (at, streams) = (stands, parked);
                }
            }
        }
    }
    /// Where a consumer begins.
    async fn begin(&self, consumer: &str, source: &str) -> Option<(Position, BTreeSet<StreamId>)> {
        let stands = self.stands(consumer, source).await;
        if stands.is_some() {
            self.health.well(consumer);
        }
        stands
    }
    /// Where a consumer goes on, once it is known that this is a place in its source's log.
    async fn stands(&self, consumer: &str, source: &str) -> Option<(Position, BTreeSet<StreamId>)> {
        loop {
            if self.tasks.is_stopping() {
                return None;
            }
            let found = tokio::select! {
                () = self.tasks.stopping() => return None,
                found = self.found(consumer, source) => found,
            };
            match found {
                Ok(found) => return Some(found),
                Err(why) => self.unheard(consumer, &why).await,
            }
        }
    }
    async fn found(&self, consumer: &str, source: &str) -> Result<(Position, BTreeSet<StreamId>), BusError> {
        let unreadable = |why: ReadError| BusError::Unavailable(why.to_string());
        let at = self.store.checkpoint(consumer).await.map_err(unreadable)?;
        let streams = blocked(&self.store, consumer).await.map_err(unreadable)?;
        if at > Position::ZERO {
            let known = self.store.checkpoint(&anchor_of(consumer)).await.map_err(unreadable)?;
            let theirs = match source == self.module.name {
                true => standing(&self.store, at.0).await.map_err(unreadable)?,
                false => self.bus.standing(source, at.0).await?,
            };
            let same = |id| known == Position::ZERO || known == anchor(id);
            theirs.astray(source, at.0, same).map_or(Ok(()), Err)?;
        }
        Ok((at, streams))
    }
    /// Says why a consumer does not get on, and waits: for a person longer than for weather.
    async fn unheard(&self, consumer: &str, why: &BusError) {
        self.health.trouble(consumer, why.to_string());
        self.wait(if matches!(why, BusError::Astray { .. }) { ASTRAY_LOOK } else { PAUSE }).await;
    }
    /// Turns one source's events into commands of this module, for ever.
    pub(crate) async fn react(&self, reactor: Reactor, source: &'static str) {
        let consumer = reactor.consumer(self.module.name, source);
        let Some((mut at, mut streams)) = self.begin(&consumer, source).await else { return };
        let mut feed = Feed::of(source);
        loop {
            let page = tokio::select! {
                () = self.tasks.stopping() => return,
                page = feed.next(self, at, PROJECTION_PAGE) => page,
            };
            let page = match page {
                Ok(page) => page,
                Err(why) => {
                    self.unheard(&consumer, &why).await;
                    continue;
                }
            };
            match self.all_reacted(&reactor, source, &page, (&mut at, &mut streams)).await {
                Ok(()) => self.health.well(&consumer),
                Err(why) => {
                    self.health.trouble(&consumer, why);
                    self.pause().await;
                    // Perhaps it was written: which stories wait is what the store says now.
                    let Some((stands, parked)) = self.stands(&consumer, source).await else { return };
                    (at, streams) = (at.max(stands), parked);
                }
            }
        }
    }
    /// Reacts to one event after the other; `at` follows those whose reactions are done, and whose place is kept. Where a
    /// reaction breaks, what comes later in the same story waits behind it: `streams` are those of which something lies aside.
    async fn all_reacted(
        &self,
        reactor: &Reactor,
        source: &str,
        page: &[Recorded],
        (at, streams): (&mut Position, &mut BTreeSet<StreamId>),
    ) -> Result<(), String> {
        for recorded in page {
            let listens = |(module, event, _): &(&str, &str, _)| *module == source && *event == recorded.name;
            // Events that do not concern it move its checkpoint with the next one that does.
            if reactor.reactions.iter().any(listens) {
                let broken = match streams.contains(&recorded.stream) {
                    true => Some(BEHIND.to_owned()),
                    false => self.reactions(reactor, source, recorded).await?,
                };
                let consumer = reactor.consumer(self.module.name, source);
                let parked = broken.map(|reason| Parked::of(consumer, source, recorded, reason));
                let marks = marks(reactor.consumer(self.module.name, source), source == self.module.name, recorded);
                let documents = parked.iter().map(Parked::write).collect();
                let batch = Batch { marks, documents, fence: self.fence.clone(), ..Batch::default() };
                written(self.store.commit(batch).await).map_err(|why| why.to_string())?;
                streams.extend(parked.map(|parked| parked.stream));
            }
            *at = public_place(recorded);
        }
        Ok(())
    }
    /// Does what follows from an event, in order, up to what breaks: the words of that, or `None`.
    async fn reactions(&self, reactor: &Reactor, source: &str, recorded: &Recorded) -> Result<Option<String>, String> {
        let (at, mut number) = (At::of(source, recorded), 0);
        for (module, event, react) in &reactor.reactions {
            if *module != source || *event != recorded.name {
                continue;
            }
            let reactions = caught(|| react(recorded, &at));
            let reactions = match reactions.map(|reactions| reactions.map_err(|why| why.to_string())) {
                Ok(Ok(reactions)) => reactions,
                Ok(Err(why)) => return Ok(Some(why)),
                Err(panicked) => return Ok(Some(format!("the reactor panicked: {panicked}"))),
            };
            for reaction in reactions {
                let request = request_of(recorded, reactor.name, number);
                number += 1;
                let actor = saga_core::envelope::Actor::system(format!("reactor:{}", reactor.name));
                let delivered =
                    saga_core::host::direct(reaction.command, reaction.version, reaction.payload, request, actor);
                debug_assert_eq!(delivered.deed.direction, Direction::Do);
                let serving = serve(&self.module, &self.store, &self.ids, self.clock.now(), &delivered);
                let served = AssertUnwindSafe(serving).catch_unwind().await.unwrap_or_else(|panic| {
                    Served::Park(Refused::new("PANIC", format!("the handler panicked: {}", words(&*panic))))
                });
                match served {
                    Served::Answered(Answer::Done { .. } | Answer::Refused(_)) | Served::Stale { .. } => {}
                    Served::Answered(Answer::Retry { reason, .. }) => return Err(reason),
                    Served::Park(why) => return Ok(Some(format!("{}: {}", why.code, why.reason))),
                }
            }
        }
        Ok(None)
    }
}

/// The request id of a reaction: the same event again is the same deed, and two commands that follow from it are two.
fn request_of(recorded: &Recorded, reactor: &str, number: u32) -> uuid::Uuid {
    let first = uuid::Uuid::new_v5(&recorded.id.0, reactor.as_bytes());
    if number == 0 { first } else { uuid::Uuid::new_v5(&first, &number.to_be_bytes()) }
}

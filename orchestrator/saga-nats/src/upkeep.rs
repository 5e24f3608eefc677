//! What a bus says of itself, and what it makes anew by itself: streams that were wiped or deleted while it runs.
//!
//! Modules in other languages may create nothing, so whoever may looks for them: see [`Upkeep::tend`].

use crate::consume::Starving;
use crate::subject::command_consumer;
use crate::topology::Wanted;
use crate::{Inner, Nats, lock};
use async_trait::async_trait;
use saga_core::bus::{Ailment, Inbox, Upkeep};
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::time::Instant;

/// Streams and consumers that were asked for and may be created here.
#[derive(Default)]
pub(crate) struct Kept {
    /// By name, streams before consumers: no consumer is made on a stream that is missing.
    wanted: Mutex<BTreeMap<(bool, String), Wanted>>,
    /// Consumers that did not see what is there at the last look.
    starving: Mutex<BTreeMap<String, Starving>>,
    /// What the last look could not mend.
    wrong: Mutex<Vec<Ailment>>,
}

impl Kept {
    pub(crate) fn keep(&self, wanted: &Wanted) {
        lock(&self.wanted).insert((wanted.consumer.is_some(), wanted.name()), wanted.clone());
    }
}

#[async_trait]
impl Upkeep for Nats {
    fn ailments(&self) -> Vec<Ailment> {
        let inner = &self.inner;
        let who = inner.options.who();
        let place = if who.is_empty() { "broker".to_owned() } else { format!("broker as {who}") };
        if !inner.link.is_connected() {
            // Everything else only follows from it.
            let why = inner.link.last_complaint().map_or_else(String::new, |why| format!(" ({why})"));
            let says = format!("no connection to {}{why}; it is tried again until it is back", inner.options.servers());
            return vec![Ailment { place, says }];
        }
        let mut all = lock(&inner.kept.wrong).clone();
        all.extend(inner.strange.ailments());
        all.extend(
            inner
                .progress
                .ailing(Instant::now())
                .into_iter()
                .map(|(name, says)| Ailment { place: format!("{place}, {name}"), says }),
        );
        all
    }
    /// Streams, and the consumers of commands that nobody receives here: those of modules in other languages. Whoever
    /// receives looks after its own consumer.
    async fn tend(&self) {
        let inner = &self.inner;
        let all: Vec<Wanted> =
            lock(&inner.kept.wanted).values().filter(|wanted| inner.tends(wanted)).cloned().collect();
        let (mut wrong, mut created) = (Vec::new(), false);
        for wanted in all {
            match wanted.ensure(&inner.api, inner.options.repair).await {
                // Its receiver may not look at the stream, and cannot notice that it is ahead of it.
                Ok(false) if wanted.consumer.is_some() => {
                    let mut starving = lock(&inner.kept.starving).remove(&wanted.name()).flatten();
                    let agreed = inner.agree(&wanted, &mut starving).await;
                    lock(&inner.kept.starving).insert(wanted.name(), starving);
                    match agreed {
                        Ok(as_it_was) => created |= !as_it_was,
                        Err(says) => wrong.push(Ailment { place: wanted.name(), says }),
                    }
                }
                Ok(false) => {}
                Ok(true) => {
                    tracing::error!("{} was missing and was created anew", wanted.name());
                    created = true;
                }
                Err(why) => wrong.push(Ailment { place: wanted.name(), says: why.to_string() }),
            }
            if !inner.link.is_connected() {
                // The others would have to be waited for as long, one after another.
                break;
            }
        }
        *lock(&inner.kept.wrong) = wrong;
        if created {
            inner.link.lost();
        }
    }
}

impl Inner {
    fn tends(&self, wanted: &Wanted) -> bool {
        let Some(consumer) = &wanted.consumer else { return true };
        let received = |(inbox, _): &(Inbox, bool)| match inbox {
            Inbox::Commands(module) => command_consumer(module) == *consumer,
            Inbox::Replies(_) | Inbox::Outside => false,
        };
        wanted.stream == crate::subject::COMMANDS && !lock(&self.desks).keys().any(received)
    }
}

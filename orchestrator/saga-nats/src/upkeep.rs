//! The upkeep of a bus: it reports its troubles, and makes streams anew that were wiped or deleted while it runs.
//!
//! Modules in other languages may create nothing, so a process that may creates for them: see [`Upkeep::tend`].

use crate::anew::MADE_TOGETHER_WITHIN;
use crate::consume::Starving;
use crate::dlq::Poison;
use crate::doctor::Diagnosis;
use crate::headers::is_readable;
use crate::message::ORCHESTRATION;
use crate::subject::{COMMANDS, REPLIES, command_consumer};
use crate::topology::Wanted;
use crate::{Inner, Nats, lock};
use async_trait::async_trait;
use saga_core::bus::{Ailment, BusError, Inbox, MadeAnew, Upkeep};
use std::collections::BTreeMap;
use std::sync::Mutex;
use tokio::time::Instant;

/// 100 messages of a queue that nobody hears are put aside at a look; the next one goes on.
const UNHEARD_AT_ONCE: usize = 100;
/// Why a reply is.
const UNHEARD: &str = "no coordinator group of this installation hears its subject";
/// Why a command is. One for a module that is not there yet waits for it; one that names no command waits for nobody.
const NAMELESS: &str = "its subject names a module and no command: no module hears it";
/// Whether a consumer with this filter, exact or with one word left open at its end, hears a subject.
fn lets_through(filter: &str, subject: &str) -> bool {
    match filter.strip_suffix('*') {
        Some(start) => subject.strip_prefix(start).is_some_and(|rest| !rest.is_empty() && !rest.contains('.')),
        None => filter == subject,
    }
}

/// Streams and consumers that were asked for and may be created here.
#[derive(Default)]
pub(crate) struct Kept {
    /// By name, streams before consumers: no consumer is made on a stream that is missing.
    wanted: Mutex<BTreeMap<(bool, String), Wanted>>,
    /// Consumers that did not see what is there at the last look.
    starving: Mutex<BTreeMap<String, Starving>>,
    /// What was found when the broker was last asked.
    pub(crate) diagnosis: Mutex<Option<Diagnosis>>,
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
    fn promises(&self) -> Option<String> {
        self.diagnosed().map(|diagnosis| diagnosis.to_string())
    }
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
    async fn made_anew(&self) -> Result<Vec<MadeAnew>, BusError> {
        self.made_anew_apart(MADE_TOGETHER_WITHIN).await
    }
    /// Streams, and the consumers of commands that nobody receives here: those of modules in other languages. A
    /// receiver looks after its own consumer.
    async fn tend(&self) {
        let inner = &self.inner;
        inner.tell_asides();
        let all: Vec<Wanted> =
            lock(&inner.kept.wanted).values().filter(|wanted| inner.tends(wanted)).cloned().collect();
        let (mut wrong, mut created) = (Vec::new(), false);
        for wanted in all {
            match inner.ensure_again(&wanted).await {
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
        if let Err(why) = inner.unheard().await {
            tracing::warn!(%why, "what nobody hears cannot be put aside now");
        }
        *lock(&inner.kept.wrong) = wrong;
        if created {
            inner.link.lost();
        }
    }
}

impl Inner {
    /// Puts aside what nobody will ever hear, and would lie in its queue for ever: replies to coordinator groups that are
    /// none of this installation, and commands without a name.
    async fn unheard(&self) -> Result<(), BusError> {
        let heard: Vec<String> = {
            let wanted = lock(&self.kept.wanted);
            let of_replies = wanted.values().filter(|wanted| wanted.stream == REPLIES && wanted.consumer.is_some());
            of_replies.filter_map(|wanted| wanted.fields.get("filter_subject")?.as_str().map(str::to_owned)).collect()
        };
        // A process that coordinates nothing does not know the groups.
        if heard.is_empty() {
            return Ok(());
        }
        let in_vain = |subject: &str| !heard.iter().any(|filter| lets_through(filter, subject));
        self.set_aside(REPLIES, &self.subjects.all("reply"), UNHEARD, in_vain).await?;
        let no_name = format!("{}*", self.subjects.all("cmd").trim_end_matches('>'));
        self.set_aside(COMMANDS, &no_name, NAMELESS, |subject| lets_through(&no_name, subject)).await
    }
    /// Moves what lies in a queue under these subjects to the dead letters of the coordinators, where it is in vain.
    async fn set_aside(
        &self,
        queue: &str,
        subjects: &str,
        reason: &str,
        in_vain: impl Fn(&str) -> bool,
    ) -> Result<(), BusError> {
        let mut left = UNHEARD_AT_ONCE;
        let found = self.api.stream(queue, Some(subjects)).await?;
        for subject in found.into_iter().flat_map(|info| info.subjects.into_keys()) {
            let mut seq = 1;
            while in_vain(&subject)
                && let Some(stored) = self.api.next(queue, seq, &subject).await?
            {
                let raw: &[u8] = if is_readable(&stored.raw) { &[] } else { &stored.raw };
                let poison = Poison {
                    module: ORCHESTRATION,
                    stream: queue,
                    consumer: "unheard",
                    subject: &stored.subject,
                    seq: stored.seq,
                    times: 1,
                    reason,
                    headers: raw.is_empty().then_some(&stored.headers),
                    raw,
                    body: stored.body.into(),
                };
                self.park(&poison).await?;
                self.api.delete_message(queue, stored.seq).await?;
                (seq, left) = (stored.seq + 1, left - 1);
                if left == 0 {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
    fn tends(&self, wanted: &Wanted) -> bool {
        let Some(consumer) = &wanted.consumer else { return true };
        let received = |(inbox, _): &(Inbox, bool)| match inbox {
            Inbox::Commands(module) => command_consumer(module) == *consumer,
            Inbox::Replies(_) | Inbox::Outside => false,
        };
        wanted.stream == COMMANDS && !lock(&self.receivers).keys().any(received)
    }
}

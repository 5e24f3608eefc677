//! Evidence beside the facts for `why-stuck` and for lists of modules: the owner of the saga's group, the processes
//! that serve the modules it asks, and answers that could not be read.

use crate::because::{Evidence, module_of};
use crate::control::LocalControl;
use crate::error::Error;
use crate::hosting::{elsewhere, module_rows};
use crate::lags::within;
use crate::limits::JOURNAL;
use crate::limits::LIST_WITHIN;
use crate::questions::{Answered, Question};
use crate::sagas::Sagas;
use crate::served::left_alone;
use futures::future::{join, join_all};
use saga_core::bus::Message;
use saga_core::control::Page;
use saga_core::definition::Performer;
use saga_core::view::{ModuleRow, SagaRow, Trouble};
use saga_core::waiting::{WaitReason, Waiting};
use saga_engine::journal::group_of;
use std::collections::BTreeSet;

/// 100 letters of the coordinators are looked through for answers to one saga.
const LETTERS_MAX: usize = 100;

/// What a saga has sent and has no answer to.
fn silent(row: &SagaRow) -> impl Iterator<Item = &Waiting> {
    row.waiting.iter().filter(|waiting| waiting.reason == WaitReason::NoReply)
}

impl LocalControl {
    /// What is seen beside the facts of a saga, in a few seconds at most. What cannot be seen is left out.
    pub(crate) async fn evidence(&self, row: &SagaRow) -> Evidence {
        if row.state.is_end() {
            return Evidence::default();
        }
        let (unserved, rejected) = match silent(row).next().is_some() {
            true => (self.unserved(row).await, self.rejected(row).await),
            false => Default::default(),
        };
        let letters_at = self.sagas.inner.bus.letters_at(JOURNAL);
        let (unowned, troubles) = self.mover(row).await;
        Evidence { troubles, unowned, unserved, rejected, letters_at }
    }
    /// That nobody moves a saga, if it is so, and what does not work in the process that does.
    async fn mover(&self, row: &SagaRow) -> (Option<(String, String)>, Vec<Trouble>) {
        let (groups, clock, own) = (&self.sagas.inner.groups, &self.sagas.inner.clock, self.sagas.health());
        if groups.is_nobody() {
            let says = "nobody runs the sagas of this folder: nothing of it moves until somebody does";
            return (Some((says.to_owned(), "run it: sagactl dev, or sagactl serve".to_owned())), own.troubles());
        }
        let group = group_of(row.id, groups.count);
        // Another process is asked over the broker: while that is away, nothing is known of the group's owner.
        if groups.owned().contains(&group) || groups.broker_away().is_some() {
            return (None, own.troubles());
        }
        // The owner of the group answers this out of memory, however busy its sagas are.
        let answered = tokio::select! {
            answered = groups.ask(group, &Question::Troubles) => answered,
            () = clock.pause(LIST_WITHIN) => Err(Error::Unowned { group, why: None }),
        };
        match answered {
            Ok(Answered::Troubles(troubles)) => (None, troubles),
            // One of an older version is there, and does not say it.
            Ok(_) | Err(Error::Data(_)) => (None, Vec::new()),
            Err(_) => {
                let says = format!(
                    "coordinator group {group}, which moves this saga, has no owner that answers within {} s",
                    LIST_WITHIN.as_secs()
                );
                let remedy = "a takeover takes up to the lease time; after that: sagactl doctor, of every coordinator";
                (Some((says, remedy.to_owned())), own.troubles())
            }
        }
    }
    /// The modules whose answer is awaited, and that nobody serves as far as can be seen.
    async fn unserved(&self, row: &SagaRow) -> std::collections::BTreeMap<String, String> {
        let inner = &self.sagas.inner;
        let asked: BTreeSet<&str> = silent(row).filter_map(|waiting| module_of(&waiting.subject)).collect();
        let mut unserved = std::collections::BTreeMap::new();
        for module in asked.into_iter().filter(|module| *module != "here" && !inner.modules.contains_key(module)) {
            if inner.local.is_some() {
                let seen = "the bus ends with this process, and it is not in it".to_owned();
                unserved.insert(module.to_owned(), seen);
                continue;
            }
            let waits = silent(row).filter(|waiting| module_of(&waiting.subject) == Some(module));
            let age = waits.map(|waiting| inner.clock.now().since(waiting.since)).max().unwrap_or_default();
            if let Ok(Some(seen)) = left_alone(module, &*inner.bus, &*inner.clock, age).await {
                unserved.insert(module.to_owned(), seen);
            }
        }
        unserved
    }
    /// Answers for this saga that were put aside.
    async fn rejected(&self, row: &SagaRow) -> Vec<(String, String)> {
        let inner = &self.sagas.inner;
        let letters = within(inner.bus.aside(JOURNAL, LETTERS_MAX), &*inner.clock).await;
        let letters = letters.and_then(Result::ok).unwrap_or_default().into_iter();
        letters
            .filter_map(|letter| match letter.message {
                Message::Reply(reply) if reply.saga == row.id.0 => Some((reply.step, letter.reason)),
                // What cannot be read as a reply is told by what it has of one.
                Message::Outside(message) => {
                    let text = message.data.as_str();
                    let silent = row
                        .waiting
                        .iter()
                        .find(|waiting| waiting.key.is_some_and(|key| text.contains(&key.to_string())))?;
                    Some((silent.step.clone(), letter.reason))
                }
                Message::Reply(_) | Message::Command(_) => None,
            })
            .collect()
    }
    /// The modules of this process, and those that its sagas ask and that run elsewhere.
    pub(crate) async fn modules(&self) -> Page<ModuleRow> {
        let (inner, others) = (&self.sagas.inner, self.sagas.others());
        let here = module_rows(&inner.modules, inner.local.as_deref(), &inner.health);
        let troubles = inner.health.troubles();
        let there = others.iter().map(|name| elsewhere(name, &*inner.bus, &*inner.clock, &troubles));
        let (mut page, there) = join(here, join_all(there)).await;
        page.items.extend(there);
        page.total = u64::try_from(page.items.len()).ok();
        page
    }
}

impl Sagas {
    /// The modules that the sagas of this process ask and that run elsewhere. Within one process there is nobody else.
    pub(crate) fn others(&self) -> BTreeSet<String> {
        let inner = &self.inner;
        if inner.local.is_some() || inner.groups.is_nobody() {
            return BTreeSet::new();
        }
        let steps = inner.definitions.values().flat_map(|definition| definition.steps());
        let asked = steps.filter_map(|(_, step)| match &step.performer {
            Performer::There { command, .. } => Some(command.module.clone()),
            Performer::Here { .. } | Performer::Gate { .. } => None,
        });
        let all = asked.chain(inner.foreign.iter().cloned());
        all.filter(|name| !inner.modules.contains_key(name.as_str())).collect()
    }
}

//! What is looked at beside the facts when somebody asks why a saga waits, or which modules there are: whoever owns its
//! group, whoever serves the modules that it asks, and answers that nobody could read.

use crate::because::{Evidence, module_of};
use crate::control::{LocalControl, failed};
use crate::groups::{LIST_WITHIN, Question};
use crate::hosting::{elsewhere, module_rows, within};
use crate::orchestrator::{Error, JOURNAL};
use crate::sagas::Sagas;
use saga_core::bus::{Inbox, Message};
use saga_core::control::{ControlError, Page};
use saga_core::definition::Performer;
use saga_core::journal::group_of;
use saga_core::view::{ModuleRow, SagaRow};
use saga_core::waiting::WaitReason;
use std::collections::BTreeSet;

/// 100 letters of the coordinators are looked through for answers to one saga.
const LETTERS_MAX: usize = 100;

impl LocalControl {
    /// What is seen beside the facts of a saga, in a few seconds at most. What cannot be looked at is not said.
    pub(crate) async fn evidence(&self, row: &SagaRow) -> Evidence {
        let silent = |row: &SagaRow| row.waiting.iter().any(|waiting| waiting.reason == WaitReason::NoReply);
        if row.state.is_end() {
            return Evidence::default();
        }
        let (unserved, rejected) = match silent(row) {
            true => (self.unserved(row).await, self.rejected(row).await),
            false => Default::default(),
        };
        Evidence { unowned: self.unowned(row).await, unserved, rejected }
    }
    async fn unowned(&self, row: &SagaRow) -> Option<(String, String)> {
        let (groups, clock) = (&self.sagas.inner.groups, &self.sagas.inner.clock);
        if groups.is_nobody() {
            let says = "nobody runs the sagas of this folder: nothing of it moves until somebody does";
            return Some((says.to_owned(), "run it: sagactl dev, or sagactl serve".to_owned()));
        }
        let group = group_of(row.id, groups.count);
        // Whoever has the group answers this out of memory, however busy its sagas are.
        let question = Question::Ending(row.id.0.simple().to_string());
        let answered = tokio::select! {
            answered = groups.ask(group, &question) => answered.is_ok(),
            () = clock.pause(LIST_WITHIN) => false,
        };
        (!answered).then(|| {
            let says = format!(
                "coordinator group {group}, which moves this saga, has no owner that answers within {} s",
                LIST_WITHIN.as_secs()
            );
            let remedy = "a takeover takes up to the lease time; after that: sagactl doctor, of every coordinator";
            (says, remedy.to_owned())
        })
    }
    /// The modules whose answer is awaited, and that nobody serves as far as can be seen.
    async fn unserved(&self, row: &SagaRow) -> std::collections::BTreeMap<String, String> {
        let inner = &self.sagas.inner;
        let silent = row.waiting.iter().filter(|waiting| waiting.reason == WaitReason::NoReply);
        let asked: BTreeSet<&str> = silent.filter_map(|waiting| module_of(&waiting.subject)).collect();
        let mut unserved = std::collections::BTreeMap::new();
        for module in asked.into_iter().filter(|module| *module != "here" && !inner.modules.contains_key(module)) {
            if inner.local.is_some() {
                let seen = "the bus ends with this process, and it is not in it".to_owned();
                unserved.insert(module.to_owned(), seen);
                continue;
            }
            let inbox = Inbox::Commands(module.to_owned());
            let waiting = within(inner.bus.queued(&inbox), &*inner.clock).await.and_then(Result::ok).unwrap_or(0);
            // Whoever takes its commands is there, whatever it says of its log.
            if waiting == 0 {
                continue;
            }
            if let Some(Err(why)) = within(inner.bus.owner_head(module), &*inner.clock).await {
                unserved.insert(module.to_owned(), format!("{waiting} commands wait for it; {why}"));
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
    pub(crate) async fn modules(&self) -> Result<Page<ModuleRow>, ControlError> {
        let inner = &self.sagas.inner;
        let rows = module_rows(&inner.modules, inner.local.as_deref(), &inner.health).await;
        let mut page = rows.map_err(|why| failed(Error::from(why)))?;
        let (others, troubles) = (self.sagas.others(), inner.health.troubles());
        let rows = others.iter().map(|name| elsewhere(name, &*inner.bus, &*inner.clock, &troubles));
        page.items.extend(futures::future::join_all(rows).await);
        page.total = u64::try_from(page.items.len()).ok();
        Ok(page)
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

//! The troubles of this process that hold a saga up, as causes of its waiting, each in the words of the store, bus or
//! module that refused.

use crate::health::BROKER;
use crate::limits::{FACTS, not_published};
use saga_core::view::{Cause, Likelihood, SagaRow, Trouble};
use saga_core::waiting::WaitReason;
use std::collections::{BTreeMap, BTreeSet};

/// A command that the bus does not take.
pub(crate) const NOT_PUBLISHED: &str = "NOT_PUBLISHED";
/// The facts of sagas cannot be written.
pub(crate) const NOT_WRITTEN: &str = "NOT_WRITTEN";
/// Something else of this process does not work that the saga may wait for.
pub(crate) const TROUBLE: &str = "TROUBLE";

/// Nobody takes the commands of a module.
pub(crate) const NO_CONSUMER: &str = "NO_CONSUMER";
/// An answer came, and nobody could read it.
pub(crate) const REPLY_REJECTED: &str = "REPLY_REJECTED";
/// There is no connection to the broker.
pub(crate) const BROKER_AWAY: &str = "BROKER_AWAY";
/// Nobody owns the group of the saga.
pub(crate) const LEASE: &str = "LEASE";
/// How many kinds of causes are checked here.
pub(crate) const CAUSES: usize = 7;

/// What was found beside the facts of a saga and the troubles of this process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What does not work in the process that moves this saga: the same, whichever process is asked.
    pub(crate) troubles: Vec<Trouble>,
    /// Nobody moves this saga, in a sentence, and what to do.
    pub(crate) unowned: Option<(String, String)>,
    /// Modules that nobody serves as far as can be seen, with what was seen.
    pub(crate) unserved: BTreeMap<String, String>,
    /// Answers for steps of this saga that were put aside: the step, and why.
    pub(crate) rejected: Vec<(String, String)>,
    /// How a person looks at those.
    pub(crate) letters_at: String,
}

/// What the evidence says, before everything else.
fn of_evidence(row: &SagaRow, evidence: &Evidence) -> Vec<Cause> {
    let cause = |code: &str, likelihood, says: String, seen: Vec<String>, remedy: String| Cause {
        code: code.to_owned(),
        likelihood,
        says,
        evidence: seen,
        remedy,
    };
    let mut all = Vec::new();
    if let Some((says, remedy)) = &evidence.unowned {
        all.push(cause(LEASE, Likelihood::Certain, says.clone(), Vec::new(), remedy.clone()));
    }
    let silent = row.waiting.iter().filter(|waiting| waiting.reason == WaitReason::NoReply);
    for waiting in silent {
        let rejected = evidence.rejected.iter().find(|(step, _)| *step == waiting.step);
        if let Some((step, why)) = rejected {
            let says = format!("an answer for {step} came, and could not be taken: {why}");
            let remedy = format!("mend the module that sends it; look at it with its reason: {}", evidence.letters_at);
            all.push(cause(REPLY_REJECTED, Likelihood::VeryLikely, says, Vec::new(), remedy));
        } else if let Some((module, seen)) =
            module_of(&waiting.subject).and_then(|module| evidence.unserved.get_key_value(module))
        {
            let says = format!("nobody serves {module}: the command of {} waits, and nothing is lost", waiting.step);
            let remedy =
                format!("start it: sagactl serve --modules {module}, or its own program; the saga goes on by itself");
            all.push(cause(NO_CONSUMER, Likelihood::VeryLikely, says, vec![seen.clone()], remedy));
        }
    }
    all
}

/// Puts what is known to hold this saga up before `causes`, and takes away what it explains better.
pub(crate) fn because(row: &SagaRow, evidence: &Evidence, causes: Vec<Cause>) -> Vec<Cause> {
    if row.state.is_end() {
        return causes;
    }
    let awaited: BTreeSet<&str> = row.waiting.iter().filter_map(|waiting| module_of(&waiting.subject)).collect();
    let (mut first, mut last, mut unpublished) = (Vec::new(), Vec::new(), false);
    for trouble in &evidence.troubles {
        let concerns = |module: &&str| trouble.names(module);
        let cause = |code: &str, likelihood, says: String, remedy: &str| Cause {
            code: code.to_owned(),
            likelihood,
            says,
            evidence: vec![format!("{} since {}", trouble.place, trouble.since)],
            remedy: remedy.to_owned(),
        };
        if trouble.place == FACTS {
            let says = format!("nothing of any saga can be recorded: {}", trouble.says);
            first.push(cause(
                NOT_WRITTEN,
                Likelihood::Certain,
                says,
                "make room or mend the store; it goes on by itself",
            ));
        } else if trouble.place.starts_with(BROKER) && !trouble.place.contains(',') {
            let remedy = "start the broker, or mend the way to it; everything goes on by itself";
            first.push(cause(BROKER_AWAY, Likelihood::Certain, trouble.says.clone(), remedy));
        } else if awaited.iter().any(|module| trouble.place == not_published(module)) {
            unpublished = true;
            let says = format!("its command is not on the bus: {}", trouble.says);
            first.push(cause(NOT_PUBLISHED, Likelihood::Certain, says, "mend the broker; it is sent again by itself"));
        } else if awaited.iter().any(concerns) || trouble.place.starts_with(BROKER) {
            last.push(cause(TROUBLE, Likelihood::Possible, trouble.says.clone(), "see sagactl doctor"));
        }
    }
    let seen = of_evidence(row, evidence);
    let explained = unpublished || seen.iter().any(|cause| cause.code == NO_CONSUMER);
    // A command that was never sent, or never taken, has no late answer.
    let told = causes.into_iter().filter(|cause| !(explained && cause.code == WaitReason::NoReply.code()));
    first.into_iter().chain(seen).chain(told).chain(last).collect()
}

/// The module that a subject names.
pub(crate) fn module_of(subject: &str) -> Option<&str> {
    let rest = subject.strip_prefix("cmd.").unwrap_or(subject);
    rest.split('.').next().filter(|module| !module.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::time::Timestamp;
    use saga_core::why::causes;
    use saga_testkit::fixtures::rows;

    fn trouble(place: &str, says: &str) -> Trouble {
        Trouble { place: place.to_owned(), since: Timestamp(1), says: says.to_owned() }
    }

    fn of_troubles(troubles: &[Trouble]) -> Evidence {
        Evidence { troubles: troubles.to_vec(), ..Evidence::default() }
    }

    #[test]
    fn what_the_broker_refuses_is_told_in_its_words_and_nobody_is_late() {
        let row = rows().into_iter().find(|row| row.kind == "billing-cycle").unwrap();
        let (late, _) = causes(&row, row.started_at);
        assert_eq!(late.iter().map(|cause| cause.code.as_str()).collect::<Vec<_>>(), ["NO_REPLY"]);
        let codes = |troubles: &[Trouble]| {
            because(&row, &of_troubles(troubles), late.clone()).into_iter().map(|cause| cause.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&[]), ["NO_REPLY"]);
        assert_eq!(codes(&[trouble("commands to cam", "is of another module")]), ["NO_REPLY"]);
        let full = trouble("commands to billing", "the broker refuses it: CMD: insufficient resources (10023)");
        let told = because(&row, &of_troubles(std::slice::from_ref(&full)), late.clone());
        assert_eq!((told.len(), told[0].code.as_str()), (1, NOT_PUBLISHED));
        assert!(told[0].says.contains("insufficient resources (10023)"), "{told:?}");
        assert_eq!(codes(&[trouble(FACTS, "the disk is full")]), [NOT_WRITTEN, "NO_REPLY"]);
        assert_eq!(
            codes(&[trouble("lead of billing", "away"), trouble("broker", "away")]),
            [BROKER_AWAY, "NO_REPLY", TROUBLE]
        );
        assert_eq!(codes(&[trouble("broker as qc, rpl-g03-own", "a gap")]), ["NO_REPLY", TROUBLE]);
        let ended = rows().into_iter().find(|row| row.state.is_end()).unwrap();
        assert_eq!(because(&ended, &of_troubles(&[full]), Vec::new()), []);
    }

    #[test]
    fn what_was_seen_beside_the_facts_is_told_before_them() {
        let row = rows().into_iter().find(|row| row.kind == "billing-cycle").unwrap();
        let (late, _) = causes(&row, row.started_at);
        let codes = |evidence: &Evidence| {
            let told = because(&row, evidence, late.clone());
            told.into_iter().map(|cause| cause.code).collect::<Vec<_>>()
        };
        let unowned = Some(("nobody runs this folder".to_owned(), "sagactl dev".to_owned()));
        let unserved = |module: &str| BTreeMap::from([(module.to_owned(), "7 commands wait for it".to_owned())]);
        let rejected = |step: &str| vec![(step.to_owned(), "not JSON".to_owned())];
        let of = |unowned: &Option<(String, String)>, unserved, rejected| Evidence {
            troubles: Vec::new(),
            unowned: unowned.clone(),
            unserved,
            rejected,
            letters_at: String::new(),
        };
        assert_eq!(codes(&of(&unowned, BTreeMap::new(), vec![])), [LEASE, "NO_REPLY"]);
        assert_eq!(codes(&of(&None, unserved("billing"), vec![])), [NO_CONSUMER]);
        assert_eq!(codes(&of(&None, unserved("cam"), rejected("another"))), ["NO_REPLY"]);
        assert_eq!(codes(&of(&None, unserved("billing"), rejected("issue-invoice"))), [REPLY_REJECTED, "NO_REPLY"]);
    }
}

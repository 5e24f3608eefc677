//! What ails this process and holds a saga up, as causes of its waiting: in the words of whoever refused.

use crate::shell::{FACTS, not_published};
use saga_core::view::{Cause, Likelihood, SagaRow, Trouble};
use saga_core::waiting::WaitReason;
use std::collections::BTreeSet;

/// A command that the bus does not take.
pub(crate) const NOT_PUBLISHED: &str = "NOT_PUBLISHED";
/// The facts of sagas cannot be written.
pub(crate) const NOT_WRITTEN: &str = "NOT_WRITTEN";
/// Something else of this process does not work that the saga may wait for.
pub(crate) const TROUBLE: &str = "TROUBLE";

/// Puts what is known to hold this saga up before `causes`, and takes away what it explains better.
pub(crate) fn because(row: &SagaRow, troubles: &[Trouble], causes: Vec<Cause>) -> Vec<Cause> {
    if row.state.is_end() {
        return causes;
    }
    let awaited: BTreeSet<&str> = row.waiting.iter().filter_map(|waiting| module_of(&waiting.subject)).collect();
    let (mut first, mut last, mut unpublished) = (Vec::new(), Vec::new(), false);
    for trouble in troubles {
        let concerns = |module: &&str| trouble.place.split([' ', ',', ':', '@', '.']).any(|word| word == *module);
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
        } else if awaited.iter().any(|module| trouble.place == not_published(module)) {
            unpublished = true;
            let says = format!("its command is not on the bus: {}", trouble.says);
            first.push(cause(NOT_PUBLISHED, Likelihood::Certain, says, "mend the broker; it is sent again by itself"));
        } else if awaited.iter().any(concerns) || trouble.place.starts_with("broker") {
            last.push(cause(TROUBLE, Likelihood::Possible, trouble.says.clone(), "see sagactl doctor"));
        }
    }
    // What was never sent is not waited for: nobody's answer is late.
    let told = causes.into_iter().filter(|cause| !(unpublished && cause.code == WaitReason::NoReply.code()));
    first.into_iter().chain(told).chain(last).collect()
}

/// The module that a subject names.
fn module_of(subject: &str) -> Option<&str> {
    let rest = subject.strip_prefix("cmd.").unwrap_or(subject);
    rest.split('.').next().filter(|module| !module.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::time::Timestamp;
    use saga_core::why::causes;
    use saga_core::zoo::rows;

    fn trouble(place: &str, says: &str) -> Trouble {
        Trouble { place: place.to_owned(), since: Timestamp(1), says: says.to_owned() }
    }

    #[test]
    fn what_the_broker_refuses_is_told_in_its_words_and_nobody_is_late() {
        let row = rows().into_iter().find(|row| row.kind == "billing-cycle").unwrap();
        let (late, _) = causes(&row, row.started_at);
        assert_eq!(late.iter().map(|cause| cause.code.as_str()).collect::<Vec<_>>(), ["NO_REPLY"]);
        let codes = |troubles: &[Trouble]| {
            because(&row, troubles, late.clone()).into_iter().map(|cause| cause.code).collect::<Vec<_>>()
        };
        assert_eq!(codes(&[]), ["NO_REPLY"]);
        assert_eq!(codes(&[trouble("commands to cam", "is of another module")]), ["NO_REPLY"]);
        let full = trouble("commands to billing", "the broker refuses it: CMD: insufficient resources (10023)");
        let told = because(&row, std::slice::from_ref(&full), late.clone());
        assert_eq!((told.len(), told[0].code.as_str()), (1, NOT_PUBLISHED));
        assert!(told[0].says.contains("insufficient resources (10023)"), "{told:?}");
        assert_eq!(codes(&[trouble(FACTS, "the disk is full")]), [NOT_WRITTEN, "NO_REPLY"]);
        assert_eq!(
            codes(&[trouble("lead of billing", "away"), trouble("broker", "away")]),
            ["NO_REPLY", TROUBLE, TROUBLE]
        );
        let ended = rows().into_iter().find(|row| row.state.is_end()).unwrap();
        assert_eq!(because(&ended, &[full], Vec::new()), []);
    }
}

//! `events verify`: what was read, which promises were checked, and what is wrong.

use crate::print::style::{Ink, Style};
use crate::words;
use saga_core::view::{Finding, Verdicts};
use std::collections::BTreeSet;

/// 20 findings of each promise: more of them say no more to a reader.
const SHOWN_MAX: usize = 20;

/// The verdicts.
pub fn render(verdicts: &Verdicts, style: &Style) -> String {
    let good = style.sign("✔", "+");
    let bad = style.paint(Ink::Red, style.sign("✖", "X"));
    let events: u64 = verdicts.events.iter().map(|(_, count)| count).sum();
    let modules = u64::try_from(verdicts.events.len()).unwrap_or(u64::MAX);
    let mut text = format!(
        "  {good} {} of {} read\n  {good} {} checked\n",
        words::plural(events, "event", "events"),
        words::plural(modules, "module", "modules"),
        words::plural(verdicts.sagas, "saga", "sagas"),
    );
    // In the order in which they were found: what is wrong with a store as a whole comes before what follows from it.
    let first = |promise: &str| verdicts.findings.iter().position(|finding| finding.promise == promise);
    let unknown = verdicts.findings.iter().map(|finding| &finding.promise).filter(|id| !verdicts.promises.contains(id));
    let every: BTreeSet<&String> = verdicts.promises.iter().chain(unknown).collect();
    let mut broken: Vec<(usize, &String)> =
        every.into_iter().filter_map(|promise| Some((first(promise)?, promise))).collect();
    broken.sort_unstable();
    for (_, promise) in broken {
        let of_it = || verdicts.findings.iter().filter(|finding| finding.promise == *promise);
        text.push_str(&format!("  {bad} {} broken\n", style.clean(promise)));
        for Finding { place, says, .. } in of_it().take(SHOWN_MAX) {
            text.push_str(&format!("      {}: {}\n", style.clean(place), style.clean(says)));
        }
        let more = u64::try_from(of_it().count().saturating_sub(SHOWN_MAX)).unwrap_or(u64::MAX);
        if more > 0 {
            text.push_str(&format!("      and {more} more of {}; -o json has all\n", style.clean(promise)));
        }
    }
    for promise in verdicts.promises.iter().filter(|promise| first(promise).is_none()) {
        text.push_str(&format!("  {good} {} kept\n", style.clean(promise)));
    }
    for note in &verdicts.notes {
        text.push_str(&format!("  {} {}\n", style.sign("·", "-"), style.clean(note)));
    }
    let findings = u64::try_from(verdicts.findings.len()).unwrap_or(u64::MAX);
    let end =
        if findings == 0 { "every promise kept".to_owned() } else { words::plural(findings, "finding", "findings") };
    text.push_str(&format!("{end}\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::time::Timestamp;

    #[test]
    fn the_cause_stands_first_and_what_follows_from_it_is_bounded_and_counted() {
        let finding = |promise: &str, place: String| {
            let says = "it is not as it was".to_owned();
            Finding { promise: promise.to_owned(), place, says }
        };
        let follows = (1..=300).map(|at| finding("S10", format!("qc:{at}")));
        let verdicts = Verdicts {
            promises: ["S1", "S10", "L3"].map(str::to_owned).to_vec(),
            findings: std::iter::once(finding("L3", "orchestration".to_owned())).chain(follows).collect(),
            ..Verdicts::default()
        };
        let text = render(&verdicts, &Style::pipe(Timestamp(0)));
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is not in {text}"));
        assert!(at("L3 broken") < at("S10 broken") && at("S10 broken") < at("S1 kept"), "{text}");
        assert!(text.contains("qc:20:") && !text.contains("qc:21:") && text.contains("and 280 more of S10"), "{text}");
        assert!(text.ends_with("301 findings\n"), "{text}");
    }
}

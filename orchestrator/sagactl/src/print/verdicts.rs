//! `events verify`: what was read, which promises were checked, and what is wrong.

use crate::print::style::{Ink, Style};
use crate::words;
use saga_core::view::Verdicts;

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
    for promise in &verdicts.promises {
        let broken = verdicts.findings.iter().filter(|finding| finding.promise == *promise);
        let found: Vec<String> =
            broken.map(|finding| format!("{}: {}", style.clean(&finding.place), style.clean(&finding.says))).collect();
        let promise = style.clean(promise);
        match found.len() {
            0 => text.push_str(&format!("  {good} {promise} kept\n")),
            _ => text.push_str(&format!("  {bad} {promise} broken\n")),
        }
        for line in found {
            text.push_str(&format!("      {line}\n"));
        }
    }
    let known = |promise: &String| verdicts.promises.contains(promise);
    for finding in verdicts.findings.iter().filter(|finding| !known(&finding.promise)) {
        let (promise, place, says) = (&finding.promise, &finding.place, &finding.says);
        text.push_str(&format!("  {bad} {} {}: {}\n", style.clean(promise), style.clean(place), style.clean(says)));
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

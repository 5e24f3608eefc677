//! `doctor`: one line for each thing that was looked at, worst last, and a verdict.

use crate::print::style::{Ink, Style};
use crate::words;
use saga_core::control::{Attention, Status};

/// What incidents mean, by name: what happened, and that it needs nobody any more.
const INCIDENTS: [(&str, &str); 5] = [
    ("broker-loss", "the broker had lost events that it had acknowledged; they were published again, in order"),
    ("fenced", "a coordinator group was taken over by another process; this one stepped down from it"),
    (
        "task-ended",
        "something that should run for ever panicked or ended, and was begun anew; the log of the process has its words",
    ),
    ("unreadable-saga", "the history of a saga cannot be read; it stands still, and nothing else does"),
    ("phantom", "the broker had an event that the log does not know; the relay of that module stopped"),
];

/// The checks.
pub fn render(status: &Status, style: &Style) -> String {
    let good = style.sign("✔", "+");
    let warning = style.sign("!", "!");
    let bad = style.paint(Ink::Red, style.sign("✖", "X"));
    // Nobody has the number 0: the folder was looked at, and no process.
    let mut text = String::new();
    for Attention { count, says, next, urgent } in &status.attention {
        let sign = if *urgent { bad.as_str() } else { warning };
        text.push_str(&format!("  {sign} {count} {}: {}\n", style.clean(says), style.typed(next)));
    }
    text.push_str(&match status.pid {
        0 => format!("  {bad} no process answers; this is version {}\n", style.clean(&status.version)),
        pid => format!("  {good} process {pid} answers, version {}\n", style.clean(&status.version)),
    });
    text.push_str(&format!("  {good} store   {}\n", style.clean(&status.store)));
    text.push_str(&format!("  {good} bus     {}\n", style.clean(&status.bus)));
    text.push_str(&format!("  {good} modules {}\n", style.clean(&status.modules.join(" "))));
    if !status.sagas.is_empty() && status.pid != 0 {
        let groups = status.groups.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let sign = if groups.is_empty() { warning } else { good };
        let groups = if groups.is_empty() { "none: another process has them all" } else { &groups };
        text.push_str(&format!("  {sign} groups  {groups}\n"));
    }
    if !status.not_compared.is_empty() {
        let (sign, modules) = (style.sign("·", "-"), style.clean(&status.not_compared.join(" ")));
        text.push_str(&format!(
            "  {sign} not compared: {modules}; other processes have these stores, and sagactl events verify --config FILE compares \
             all that it reaches\n"
        ));
    }
    for (name, count) in &status.incidents {
        let meaning = INCIDENTS.iter().find(|(known, _)| known == name).map_or("", |(_, meaning)| meaning);
        text.push_str(&format!("  {warning} {count} x {}: {meaning}\n", style.clean(name)));
    }
    for trouble in &status.troubles {
        let (place, since, says) = (&trouble.place, trouble.since, &trouble.says);
        text.push_str(&format!("  {bad} {} since {since}: {}\n", style.clean(place), style.clean(says)));
    }
    let problems = u64::try_from(status.troubles.len()).unwrap_or(u64::MAX);
    let people = status.attention.iter().filter(|attention| attention.urgent).count();
    text.push_str(&match (problems, status.ready) {
        (0, true) if people > 0 => "ready; a person is needed\n".to_owned(),
        (0, true) => "ready, nothing is wrong\n".to_owned(),
        (0, false) => "not ready yet\n".to_owned(),
        _ => format!("{}\n", words::plural(problems, "problem", "problems")),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::time::Timestamp;

    #[test]
    fn stores_of_other_processes_are_named_as_not_compared() {
        let render = |not_compared: &[&str]| {
            let status = serde_json::json!({
                "version": "1", "store": "sqlite:data", "bus": "local", "modules": ["qc"], "sagas": [], "ready": true, "pid": 7,
                "not_compared": not_compared,
            });
            render(&serde_json::from_value(status).unwrap(), &Style::pipe(Timestamp(0)))
        };
        assert!(render(&["ledger", "orchestration"]).contains("not compared: ledger orchestration; other processes"));
        assert!(!render(&[]).contains("not compared"));
    }
}

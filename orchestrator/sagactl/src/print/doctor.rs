//! `doctor`: one line for each thing that was looked at, worst last, and a verdict.

use crate::print::style::{Ink, Style};
use crate::words;
use saga_core::control::{Attention, Status};
use saga_core::view::Trouble;

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

/// How the places of troubles begin that are about stores.
const STORES: [&str; 3] = ["facts of sagas", "list of stores", "lead of "];
/// And about the bus.
const BUS: &str = "broker";

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
    // Nothing is ticked of which a trouble is told below.
    let ails = |of: &dyn Fn(&Trouble) -> bool| status.troubles.iter().any(of);
    let sign = |ails: bool| if ails { bad.as_str() } else { good };
    let store = sign(ails(&|trouble| STORES.iter().any(|place| trouble.place.starts_with(place))));
    text.push_str(&format!("  {store} store   {}\n", style.clean(&status.store)));
    let bus = sign(ails(&|trouble| trouble.place.starts_with(BUS)));
    text.push_str(&format!("  {bus} bus     {}\n", style.clean(&status.bus)));
    let (ailing, well): (Vec<&str>, Vec<&str>) =
        status.modules.iter().map(String::as_str).partition(|module| ails(&|trouble| trouble.names(module)));
    if !well.is_empty() || ailing.is_empty() {
        text.push_str(&format!("  {good} modules {}\n", style.clean(&well.join(" "))));
    }
    if !ailing.is_empty() {
        text.push_str(&format!("  {bad} modules {}\n", style.clean(&ailing.join(" "))));
    }
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
    use saga_core::control::{Control, Look, View};
    use saga_core::envelope::Actor;
    use saga_core::time::Timestamp;
    use saga_core::zoo::{NOW, Zoo};

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

    /// A line that is ticked, and the place of a trouble that is about it.
    #[tokio::test]
    async fn nothing_is_ticked_of_which_a_trouble_is_told() {
        let view = Zoo::default().look(&Actor::operator("ann"), Look::Status).await;
        let Ok(View::Status(status)) = view else { panic!("the status was asked for") };
        let well = Status { troubles: Vec::new(), modules: vec!["qc".to_owned(), "cam".to_owned()], ..status };
        let lines = |text: &str, sign: &str| -> Vec<String> {
            let words = ["store", "bus", "modules"];
            let signed = text.lines().filter_map(|line| line.trim().strip_prefix(sign)).map(str::trim);
            let named = signed.filter(|line| words.iter().any(|word| line.starts_with(word)));
            named.map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ")).collect()
        };
        let style = Style::pipe(NOW);
        let text = render(&well, &style);
        assert_eq!(lines(&text, "✖"), Vec::<String>::new(), "{text}");
        assert_eq!(lines(&text, "✔").len(), 3, "{text}");
        for (place, line) in [
            ("facts of sagas", "store"),
            ("list of stores", "store"),
            ("lead of qc", "modules qc"),
            ("relay of cam", "modules cam"),
            ("commands to cam", "modules cam"),
            ("projection:qc.queue.v1@strategy", "modules qc"),
            ("broker", "bus"),
            ("broker as coordinator, rpl-g07", "bus"),
        ] {
            let trouble = Trouble { place: place.to_owned(), since: NOW, says: "away".to_owned() };
            let text = render(&Status { troubles: vec![trouble], ..well.clone() }, &style);
            let bad = lines(&text, "✖");
            assert!(bad.iter().any(|found| found.starts_with(line)), "{place}: {text}");
            let module = line.strip_prefix("modules ").unwrap_or("nobody");
            let ticked = text.lines().filter(|found| found.contains("✔ modules"));
            assert!(ticked.clone().all(|found| !found.contains(module)), "{place}: {text}");
        }
    }
}

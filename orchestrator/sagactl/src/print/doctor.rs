//! `doctor`: one line for each thing that was checked, worst last, and a verdict.

use crate::print::style::{Ink, Style};
use crate::words;
use saga_core::control::{Attention, Status};
use saga_core::incident::Incident;
use saga_core::telemetry::Metric;
use saga_core::view::Trouble;

/// The meaning of an incident that only a newer program knows.
const UNTOLD: &str = "this program does not know more of it; the log of the process has its words";

/// How the places of troubles begin that are about stores.
const STORES: [&str; 3] = ["facts of sagas", "list of stores", "lead of "];
/// And about the bus.
const BUS: &str = "broker";

/// The metric that belongs to a finding, at the end of its line.
fn counted(metric: &str, style: &Style) -> String {
    format!("  [{}]", style.paint(Ink::Dim, &style.clean(metric)))
}

/// The checks.
pub fn render(status: &Status, style: &Style) -> String {
    let good = style.sign("✔", "+");
    let warning = style.sign("!", "!");
    let bad = style.paint(Ink::Red, style.sign("✖", "X"));
    // No process has the number 0: the folder was read, and no process asked.
    let mut text = String::new();
    for Attention { count, says, next, urgent, metric } in &status.attention {
        let sign = if *urgent { bad.as_str() } else { warning };
        let counted = metric.as_deref().map(|metric| counted(metric, style)).unwrap_or_default();
        text.push_str(&format!("  {sign} {count} {}: {}{counted}\n", style.clean(says), style.typed(next)));
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
        let meaning = Incident::named(name).map_or(UNTOLD, Incident::meaning);
        let counted = counted(Metric::Incidents.name(), style);
        text.push_str(&format!("  {warning} {count} x {}: {meaning}{counted}\n", style.clean(name)));
    }
    for what in &status.not_known {
        text.push_str(&format!("  {warning} not known: {}\n", style.clean(what)));
    }
    for trouble in &status.troubles {
        let (place, since, says) = (&trouble.place, trouble.since, &trouble.says);
        let counted = counted(Metric::Troubles.name(), style);
        text.push_str(&format!("  {bad} {} since {since}: {}{counted}\n", style.clean(place), style.typed(says)));
    }
    let problems = u64::try_from(status.troubles.len()).unwrap_or(u64::MAX);
    let people = status.attention.iter().filter(|attention| attention.urgent).count();
    text.push_str(&match (problems, status.ready) {
        (0, true) if people > 0 => "ready; a person is needed\n".to_owned(),
        (0, true) if !status.not_known.is_empty() => "ready, as far as it is known\n".to_owned(),
        (0, true) => "ready, nothing is wrong\n".to_owned(),
        (0, false) => "not ready yet\n".to_owned(),
        _ => format!("{}\n", words::plural(problems, "problem", "problems")),
    });
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::control::{Asks, ask};
    use saga_core::envelope::Actor;
    use saga_core::time::Timestamp;
    use saga_testkit::fixtures::{NOW, Zoo};

    #[test]
    fn stores_of_other_processes_are_named_as_not_compared() {
        let told = |not_compared: &[&str]| shown(serde_json::json!({ "not_compared": not_compared }));
        assert!(told(&["ledger", "orchestration"]).contains("not compared: ledger orchestration; other processes"));
        assert!(!told(&[]).contains("not compared"));
    }

    fn shown(more: serde_json::Value) -> String {
        let status = serde_json::json!({
            "version": "1", "store": "sqlite:data", "bus": "local", "modules": ["qc"], "sagas": [], "ready": true, "pid": 7,
        });
        let serde_json::Value::Object(mut fields) = status else { panic!("it is an object") };
        fields.extend(more.as_object().unwrap().clone());
        render(&serde_json::from_value(fields.into()).unwrap(), &Style::pipe(Timestamp(0)))
    }

    #[test]
    fn no_incident_stands_there_without_what_it_means() {
        for name in Incident::ALL.map(Incident::name).into_iter().chain(["of a newer program"]) {
            let text = shown(serde_json::json!({ "incidents": { name: 3 } }));
            let line = text.lines().find(|line| line.contains(&format!("3 x {name}: "))).unwrap();
            assert!(line.len() > format!("  ! 3 x {name}: ").len() + 20, "{line}");
        }
    }

    #[test]
    fn what_is_not_known_is_told_and_is_not_well() {
        let text = shown(serde_json::json!({ "not_known": ["how many events lie aside in qc: nobody answers"] }));
        assert!(text.contains("! not known: how many events lie aside in qc: nobody answers\n"), "{text}");
        assert!(text.ends_with("ready, as far as it is known\n"), "{text}");
    }

    /// A line that is ticked, and the place of a trouble that is about it.
    #[tokio::test]
    async fn nothing_is_ticked_of_which_a_trouble_is_told() {
        let status = Zoo::default().ask(&Actor::operator("ann"), ask::WhoIsThere {}).await;
        let Ok(status) = status else { panic!("the status was asked for") };
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
            // The log that is read is well: the module that reads it ails.
            ("projection:qc.queue.v1@cam", "modules qc"),
            ("broker", "bus"),
            ("broker as coordinator, rpl-g07", "bus"),
        ] {
            let trouble = Trouble { place: place.to_owned(), since: NOW, says: "away".to_owned() };
            let text = render(&Status { troubles: vec![trouble], ..well.clone() }, &style);
            let bad = lines(&text, "✖");
            assert!(bad.iter().any(|found| found.starts_with(line)), "{place}: {text}");
            let module = line.strip_prefix("modules ").unwrap_or("nobody");
            let blamed = bad.iter().filter(|found| found.starts_with("modules"));
            assert!(blamed.clone().all(|found| found.split_whitespace().count() == 2), "{place}: {text}");
            let ticked = text.lines().filter(|found| found.contains("✔ modules"));
            assert!(ticked.clone().all(|found| !found.contains(module)), "{place}: {text}");
        }
    }
}

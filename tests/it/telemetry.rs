//! Log lines speak in the words of the table of telemetry: no field that it does not explain, and none explained that no line has.
//! The operator's page has the table of metrics as it is.

use crate::tree::{self, File};
use saga_core::telemetry::{FIELDS, Label, Metric};
use std::collections::BTreeSet;

/// What writes a line or begins a span.
const MACROS: [&str; 11] = [
    "trace!(",
    "debug!(",
    "info!(",
    "warn!(",
    "error!(",
    "event!(",
    "trace_span!(",
    "debug_span!(",
    "info_span!(",
    "warn_span!(",
    "error_span!(",
];

/// What stands between the parenthesis that was just opened and the one that closes it, cut at its commas.
fn arguments(text: &str) -> Vec<String> {
    let (mut found, mut one) = (Vec::new(), String::new());
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for c in text.chars() {
        let ends = !quoted && depth == 0 && c == ')';
        if ends || (!quoted && depth == 0 && c == ',') {
            found.push(std::mem::take(&mut one).trim().to_owned());
            if ends {
                break;
            }
            continue;
        }
        match c {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        one.push(c);
    }
    found.retain(|one| !one.is_empty());
    found
}

/// The name of a field, if an argument is one: `name = value`, or a value with or without its sign.
fn field(argument: &str) -> Option<String> {
    // What is told in words, and what is put into them.
    if argument.starts_with('"') || ["target:", "parent:", "name:"].iter().any(|head| argument.starts_with(head)) {
        return None;
    }
    let name = argument.split_once(" = ").map_or(argument, |(name, _)| name);
    Some(name.trim_start_matches(['%', '?', '&']).to_owned())
}

/// The fields of every line that a file writes, each with where it stands.
fn fields(file: &File) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (at, _) in file.text.match_indices("tracing::") {
        let rest = &file.text[at + "tracing::".len()..];
        let Some(name) = MACROS.iter().find(|name| rest.starts_with(**name)) else { continue };
        let line = file.text[..at].matches('\n').count() + 1;
        let place = format!("{}:{line}", file.path);
        let arguments = arguments(&rest[name.len()..]);
        // Behind the words stand only values for them.
        let told = arguments.iter().take_while(|argument| !argument.starts_with('"'));
        found.extend(told.filter_map(|argument| field(argument)).map(|name| (name, place.clone())));
    }
    found
}

fn sources() -> Vec<File> {
    let sources: Vec<File> = tree::everything(".rs").into_iter().filter(|file| file.path.contains("/src/")).collect();
    assert!(sources.len() > 100, "the walk found {} files only", sources.len());
    sources
}

#[test]
fn every_field_of_a_log_line_is_in_the_table_and_none_stands_there_for_nothing() {
    let known: BTreeSet<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    assert!(FIELDS.is_sorted_by(|one, other| one.0 < other.0), "each once, in their order");
    let found: Vec<(String, String)> = sources().iter().flat_map(fields).collect();
    assert!(found.len() > 80, "the walk found {} fields only", found.len());
    let strange: Vec<_> = found.iter().filter(|(name, _)| !known.contains(name.as_str())).collect();
    assert!(strange.is_empty(), "saga-core/src/telemetry/fields.rs has no line for {strange:#?}");
    let used: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(known.difference(&used).collect::<Vec<_>>(), Vec::<&&str>::new(), "no log line has these fields");
}

/// An import would hide a line from the walk, and an attribute takes every argument of its function for a field.
#[test]
fn log_lines_are_written_where_the_walk_sees_them() {
    let hidden = |file: &File| {
        let lines = file.text.lines().map(str::trim_start);
        let bad =
            lines.filter(|line| line.starts_with("use tracing") || line.starts_with("#[tracing::instrument")).count();
        (bad > 0).then(|| file.path.clone())
    };
    assert_eq!(sources().iter().filter_map(hidden).collect::<Vec<_>>(), Vec::<String>::new());
}

/// The tables as the page has them.
fn tables() -> String {
    let mut text = "\n| Metric | Kind | Labels | What it says |\n|---|---|---|---|\n".to_owned();
    for metric in Metric::ALL.iter().copied() {
        let labels = metric.labels().iter().map(|label| format!("`{}`", label.name())).collect::<Vec<_>>().join(" ");
        text.push_str(&format!("| `{}` | {} | {labels} | {} |\n", metric.name(), metric.kind().word(), metric.says()));
    }
    text.push_str("\n| Label | Its values |\n|---|---|\n");
    for label in Label::ALL {
        text.push_str(&format!("| `{}` | {} |\n", label.name(), label.says()));
    }
    text + "\n"
}

#[test]
fn the_operators_page_has_the_table_of_metrics() {
    let path = tree::root().join("docs/operate.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- metrics -->\n").unwrap();
    let (shown, tail) = rest.split_once("<!-- end -->").unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, format!("{head}<!-- metrics -->\n{}<!-- end -->{tail}", tables())).unwrap();
        return;
    }
    assert_eq!(shown, tables(), "the table moved: run this with UPDATE=1");
}

#[test]
fn every_label_tells_some_metric_apart() {
    let used: BTreeSet<Label> = Metric::ALL.iter().flat_map(|metric| metric.labels()).copied().collect();
    assert_eq!(used.into_iter().collect::<Vec<_>>(), Label::ALL);
}

#[test]
fn the_walk_sees_fields_however_they_are_written() {
    for (text, wanted) in [
        ("tracing::warn!(%saga, step, ?by, \"a, (b\");", vec!["saga", "step", "by"]),
        (
            "tracing::info!(\n    module = self.module.name,\n    after = ?f(a, b),\n    \"x \\\", y = z\"\n);",
            vec!["module", "after"],
        ),
        ("tracing::error!(\"{} of {}\", one, two);", vec![]),
        ("Ok(_) => tracing::debug!(own = 1, \"x\"),", vec!["own"]),
        ("tracing::info_span!(\"attempt\", saga);", vec![]),
    ] {
        let found = fields(&File::new("a/src/a.rs", text));
        assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), wanted, "{text}");
    }
}

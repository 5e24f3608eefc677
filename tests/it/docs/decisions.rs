//! Every dependency has its line, and every decision its five.

use super::{NONE, text_of};
use std::collections::BTreeSet;

/// Dependencies from outside without a line of their own, and lines about nothing.
fn dependency_faults(manifest: &str, decisions: &str) -> Vec<String> {
    let inside = manifest.lines().skip_while(|line| *line != "[workspace.dependencies]").skip(1);
    let listed = inside.take_while(|line| !line.starts_with('[')).filter(|line| !line.contains("path = "));
    let used: BTreeSet<&str> = listed
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .filter(|name| !name.is_empty())
        .collect();
    let chapter = decisions.split("\n## Dependencies").nth(1).unwrap_or_default();
    let lines = chapter.lines().filter_map(|line| line.strip_prefix("- `")?.split_once("`: "));
    let explained: BTreeSet<&str> = lines.filter(|(_, why)| !why.trim().is_empty()).map(|(name, _)| name).collect();
    let unsaid = used.difference(&explained).map(|name| format!("{name} has no line in DECISIONS.md"));
    unsaid
        .chain(explained.difference(&used).map(|name| format!("{name} has a line, but nobody depends on it")))
        .collect()
}

/// Decisions count 1, 2, 3 ... and each has its five lines.
fn decision_faults(decisions: &str) -> Vec<String> {
    const LINES: [&str; 5] = ["- Context: ", "- Choice: ", "- Price: ", "- Evidence: ", "- Date: "];
    let chapters = decisions.split("\n### D").skip(1);
    let (mut faults, mut last) = (Vec::new(), 0);
    for chapter in chapters {
        let chapter = chapter.split("\n## ").next().unwrap_or(chapter);
        // Numbers grow, and may leave gaps: decisions are made side by side.
        let number = chapter.split_once(". ").and_then(|(number, _)| number.parse().ok()).unwrap_or(0_u32);
        if number <= last {
            faults.push(format!("after D{last} comes D{}", chapter.lines().next().unwrap_or_default()));
        }
        last = number.max(last);
        let mut lines = chapter.lines().skip(1).filter(|line| !line.is_empty());
        if !LINES.iter().all(|start| lines.next().is_some_and(|line| line.starts_with(start))) || lines.next().is_some()
        {
            faults.push(format!("D{number} is not five lines: {}", LINES.join("")));
        }
    }
    faults
}

#[test]
fn every_dependency_and_every_decision_is_explained() {
    let decisions = text_of("DECISIONS.md");
    assert_eq!(dependency_faults(&text_of("Cargo.toml"), &decisions), NONE);
    assert_eq!(decision_faults(&decisions), NONE);
    assert!(decisions.matches("\n### D").count() > 20);
}

#[test]
fn unexplained_dependencies_and_short_decisions_are_seen() {
    let manifest = "[workspace.dependencies]\nown = { path = \"own\" }\n# x\nserde = \"1\"\nuuid = { version = \"1\" }\n[other]\na = 1\n";
    let lines = |list: &str| dependency_faults(manifest, &format!("x\n## Dependencies\n\n{list}"));
    assert_eq!(lines("- `serde`: data\n- `uuid`: ids\n"), NONE);
    assert_eq!(lines("- `serde`: data\n- `uuid`: \n"), ["uuid has no line in DECISIONS.md"]);
    assert_eq!(lines("- `serde`: data\n- `uuid`: ids\n- `rand`: x\n").len(), 1);
    let five = "- Context: a\n- Choice: b\n- Price: c\n- Evidence: d\n- Date: e\n";
    let cases = [
        (format!("\n### D1. One\n\n{five}\n### D2. Two\n\n{five}\n## Dependencies\n\n- more\n"), 0),
        (format!("\n### D1. One\n\n{five}\n### D3. Two\n\n{five}"), 0),
        (format!("\n### D3. One\n\n{five}\n### D2. Two\n\n{five}"), 1),
        (format!("\n### D1. One\n\n{five}- And: more\n"), 1),
        ("\n### D1. One\n\n- Context: a\n- Choice: b\n".to_owned(), 1),
    ];
    for (text, expected) in cases {
        assert_eq!(decision_faults(&text).len(), expected, "{text}");
    }
}

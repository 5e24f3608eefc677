//! What each saga is, as one picture that a reviewer reads when it changes: steps, roles, undos, times, rounds, both
//! digests.

use crate::tree;
use saga_core::definition::{Definition, Node, Performer, Role, StepDef};
use std::fmt::Write;
use std::sync::Arc;
use system_tests::modules::modules;

fn definitions() -> Vec<Definition> {
    modules().into_iter().flat_map(|module| module.sagas).map(|saga| (*saga).clone()).collect()
}

/// The picture of some definitions: for each step its path, its role, the module that performs it and the one that
/// takes it back; below it, how often and how long, and behind what it begins.
fn picture(definitions: &[Definition]) -> String {
    let mut text = String::new();
    for definition in definitions {
        let canonical = definition.canonical();
        writeln!(text, "{}@{}", canonical.name, canonical.version).unwrap();
        writeln!(text, "  digest of everything {}", definition.digest).unwrap();
        writeln!(text, "  digest of the meaning {}", definition.meaning).unwrap();
        writeln!(text, "  undone after {} days without the pivot", days(canonical.deadline_ms)).unwrap();
        for step in &canonical.steps {
            let undo = step.undo.as_ref().map_or("nothing to undo".to_owned(), |undo| format!("undone by {undo}"));
            writeln!(text, "  {} {} by {}, {undo}", step.path, step.kind, step.performer).unwrap();
            let policy = if step.policy.is_empty() { "-" } else { &step.policy };
            writeln!(text, "    {policy}").unwrap();
            let before: Vec<_> =
                canonical.edges.iter().filter(|(_, to)| *to == step.path).map(|(from, _)| from.as_str()).collect();
            if !before.is_empty() {
                writeln!(text, "    after {}", before.join(", ")).unwrap();
            }
        }
    }
    text
}

fn days(ms: u64) -> String {
    let day = 86_400_000;
    if ms.is_multiple_of(day) { (ms / day).to_string() } else { format!("{ms}/{day}") }
}

#[test]
fn every_saga_is_as_in_the_picture() {
    let path = tree::root().join("tests/it/definitions.txt");
    let now = picture(&definitions());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let drawn = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        drawn, now,
        "a saga is another one now: open sagas of this version would meet it; run this with UPDATE=1"
    );
}

/// What is done to one node of a plan.
type Change = Box<dyn Fn(&mut Node)>;

/// The nodes on the way to a path, changed.
fn at(nodes: &mut [Node], path: &str, change: &dyn Fn(&mut Node)) -> bool {
    let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
    let Some(node) = nodes.iter_mut().find(|node| node.name() == name) else { return false };
    match (rest, node) {
        (None, node) => change(node),
        (Some(rest), Node::Each { body, .. } | Node::When { body, .. } | Node::Repeat { body, .. }) => {
            return at(body, rest, change);
        }
        (Some(_), Node::Step(_) | Node::All { .. }) => return false,
    }
    true
}

fn step(change: impl Fn(&mut StepDef) + 'static) -> Change {
    Box::new(move |node| match node {
        Node::Step(step) => change(Arc::make_mut(step)),
        Node::All { .. } | Node::Each { .. } | Node::When { .. } | Node::Repeat { .. } => panic!("no step"),
    })
}

#[test]
fn whatever_is_changed_in_a_saga_changes_the_picture() {
    let days = |days: u64| days * 86_400_000;
    let rounds = |more: u32| -> Change {
        Box::new(move |node| match node {
            Node::Repeat { at_most, .. } | Node::Each { at_most, .. } => *at_most += more,
            Node::Step(_) | Node::All { .. } | Node::When { .. } => panic!("no rounds"),
        })
    };
    let gate = step(move |step| match &mut step.performer {
        Performer::Gate { deadline_ms, .. } => *deadline_ms = days(70),
        Performer::Here { .. } | Performer::There { .. } => panic!("no gate"),
    });
    let undone_by_nobody = step(|step| match &mut step.performer {
        Performer::There { undo, .. } => *undo = None,
        Performer::Here { .. } | Performer::Gate { .. } => panic!("nobody is asked"),
    });
    let another = step(|step| match &mut step.performer {
        Performer::There { command, .. } => command.version += 1,
        Performer::Here { .. } | Performer::Gate { .. } => panic!("nobody is asked"),
    });
    let changes: Vec<(&str, Change, &str)> = vec![
        ("create-package", step(|step| step.role = Role::Ordinary), "create-package pivot by delivery.CreatePackage@1"),
        ("deliver-package", step(|step| step.role = Role::Pivot), "deliver-package then by"),
        ("strategy/decision", gate, "timer=false deadline_ms=604800000"),
        ("strategy", rounds(1), "at_most=3"),
        ("quality", rounds(1), "at_most=3"),
        ("assets", rounds(1), "at_most=4 may_fail=0"),
        ("normalize-brief", step(|step| step.policy.retry.attempts_max += 1), "\"retry\""),
        ("validate-brief", step(|step| step.policy.patience_ms *= 10), "\"patience_ms\":30000"),
        ("assemble-bundle", step(|step| step.policy.deadline_ms /= 2), "\"patience_ms\":30000"),
        ("capture-intake", undone_by_nobody, "undone by onboarding.WithdrawIntake@1"),
        ("quality/evaluate", another, "qc.EvaluateContent@1"),
    ];
    let before = picture(&definitions());
    for (path, change, lost) in changes {
        let mut changed = definitions();
        let saga = changed.iter_mut().find(|saga| saga.name == "client-to-delivery").unwrap();
        assert!(at(&mut saga.nodes, path, &*change), "{path}");
        let after = picture(&changed);
        let gone: Vec<_> = before.lines().zip(after.lines()).filter(|(old, new)| old != new).collect();
        assert!(gone.len() == 1 && gone[0].0.contains(lost), "{path}: {gone:?}");
    }
    type Whole = fn(&mut Definition);
    let wholes: [Whole; 4] = [
        |saga| saga.deadline_ms /= 2,
        |saga| saga.version += 1,
        |saga| drop(saga.nodes.remove(2)),
        |saga| saga.nodes.swap(1, 2),
    ];
    for (at, change) in wholes.into_iter().enumerate() {
        let mut changed = definitions();
        change(changed.iter_mut().find(|saga| saga.name == "client-to-delivery").unwrap());
        assert_ne!(picture(&changed), before, "change {at}");
    }
}

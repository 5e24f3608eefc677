//! What each module serves, publishes and consumes, as one picture that a reviewer reads when it changes.

use crate::tree;
use events::Entry;
use saga_core::module::Module;
use std::collections::BTreeSet;
use std::fmt::Write;
use system_tests::modules::modules;

/// The picture of all modules.
fn canvas(modules: &[Module], catalogue: &[Entry]) -> String {
    let mut text = String::new();
    for module in modules {
        writeln!(text, "{} {}", module.name, module.contract).unwrap();
        let mut section = |title: &str, lines: BTreeSet<String>| {
            lines.iter().for_each(|line| writeln!(text, "  {title} {line}").unwrap());
        };
        section(
            "answers command",
            module.commands.keys().map(|(name, version)| format!("{name}.v{version}")).collect(),
        );
        section("answers query", module.queries.keys().map(|(name, version)| format!("{name}.v{version}")).collect());
        let own = catalogue.iter().filter(|entry| entry.owner == module.name && entry.is_newest());
        section(
            "publishes",
            own.map(|entry| format!("{}.v{} in {}", entry.name, entry.version, entry.category)).collect(),
        );
        section("consumes", consumed(module));
        section("runs saga", module.sagas.iter().map(|saga| format!("{}.v{}", saga.name, saga.version)).collect());
    }
    text
}

/// Every event that a module reads, with the projection or reactor that reads it.
fn consumed(module: &Module) -> BTreeSet<String> {
    let read = module.projections.iter().flat_map(|projection| {
        let reader = format!("projection {}", projection.name);
        projection.folds.iter().map(move |fold| format!("{}.{} by {reader}", fold.module, fold.event))
    });
    let heard = module.reactors.iter().flat_map(|reactor| {
        let reader = format!("reactor {}", reactor.name);
        reactor.reactions.iter().map(move |(owner, event, _)| format!("{owner}.{event} by {reader}"))
    });
    read.chain(heard).collect()
}

/// What modules consume and nobody publishes.
fn unheard(modules: &[Module], catalogue: &[Entry]) -> Vec<String> {
    let published: BTreeSet<_> = catalogue.iter().map(|entry| format!("{}.{}", entry.owner, entry.name)).collect();
    let consumed = modules.iter().flat_map(|module| consumed(module).into_iter().map(move |line| (module.name, line)));
    consumed
        .filter(|(_, line)| !published.contains(line.split(' ').next().unwrap_or_default()))
        .map(|(module, line)| format!("{module} consumes {line}, which nobody publishes"))
        .collect()
}

#[test]
fn every_module_is_as_in_the_picture() {
    let path = tree::root().join("tests/it/canvas.txt");
    let now = canvas(&modules(), &events::catalogue());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let drawn = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, now, "a module does something else now: look at it, then run this with UPDATE=1");
}

#[test]
fn everything_consumed_is_published() {
    assert_eq!(unheard(&modules(), &events::catalogue()), Vec::<String>::new());
}

#[test]
fn an_event_out_of_nowhere_is_seen() {
    let mut catalogue = events::catalogue();
    catalogue.retain(|entry| entry.name != "PublishCompleted");
    let found = unheard(&modules(), &catalogue);
    assert!(
        found.iter().any(|line| line.starts_with("production consumes delivery.PublishCompleted by reactor ")),
        "{found:?}"
    );
}

#[test]
fn a_lost_route_and_a_lost_reader_change_the_picture() {
    let before = canvas(&modules(), &events::catalogue());
    let lost = |change: &dyn Fn(&mut Module)| {
        let mut modules = modules();
        modules.iter_mut().filter(|module| module.name == "production").for_each(change);
        let after = canvas(&modules, &events::catalogue());
        before.lines().filter(|line| !after.contains(line)).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lost(&|module| drop(module.commands.remove(&("ApproveAsset", 1)))), ["answers command ApproveAsset.v1"]);
    assert!(lost(&|module| module.reactors.clear()).iter().all(|line| line.starts_with("consumes delivery.")));
}

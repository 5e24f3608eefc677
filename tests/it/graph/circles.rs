//! The arrows between the files of one crate: no circle of them that is not listed here with a reason.

use super::{Crate, crates};
use crate::tree::{self, File};
use std::collections::{BTreeMap, BTreeSet};

/// Where a file stands in its crate: `["shell", "local"]` is `src/shell/local.rs`, and nothing is `src/lib.rs`.
type Place = Vec<String>;

/// Circles that do no harm: the crate, every file that may be part of it, and why. It may become smaller, and has to go
/// from here when it is gone.
const HARMLESS: &[(&str, &str, &str)] = &[
    (
        "saga",
        "shell shell/local shell/commits shell/replies shell/waiters",
        "the loop in parts: they are methods of one type and its callers",
    ),
    ("saga-admin", "connections server", "a bound of the one is a time of the other; both are the server half"),
    ("saga-core", "limits time", "a time is bounded, and a bound is shown as a time"),
    ("saga-core", "export ports", "the way out of a store is one of its ports, and says what a store cannot do"),
    (
        "saga-core",
        "bus bus/delivered bus/onward definition definition/canonical definition/walk input module \
         module/context module/route public_log saga soundness step",
        "a module owns sagas, a saga is a definition, and a definition names modules: one grammar in several files",
    ),
    (
        "saga-core",
        "projection read_model",
        "a read model names its projection, and a projection is made of a read model",
    ),
    ("saga-core", "view view/foreseen", "a view in parts: the state of a saga is in the first one"),
    (
        "saga-engine",
        "execution execution/advance execution/answers execution/binding execution/decide execution/gates \
         execution/look execution/orders execution/patience execution/requests execution/scope execution/undo \
         execution/weather",
        "one fold and one decision: the parts are methods of one type",
    ),
    (
        "saga-engine",
        "machine/coordinator machine/coordinator/once machine/coordinator/strays machine/coordinator/tries",
        "one machine in parts: they are methods of one type",
    ),
    (
        "saga-engine",
        "audit audit/agreement audit/carried audit/cursors audit/models audit/stores",
        "one checker in parts, which all write what they find into it",
    ),
    ("saga-nats", "headers headers/number", "a header in parts: a number of it is read as it is written"),
    (
        "saga-nats",
        "api connect link refusal topology",
        "a connection is made with its streams, and its refusals say which of both was refused",
    ),
    (
        "saga-nats",
        "lib anew calls consume dlq doctor health idle publish read read_log readers refill strange upkeep \
         weed",
        "the parts are methods of the one handle, which is in the first file",
    ),
    ("saga-postgres", "appender store tail", "a store hands out its appender and its tail, which read through it"),
    ("saga-postgres", "migrate migrate/password", "a migration in parts: passwords are set by it"),
    ("saga-service", "providers/artifacts providers/page", "a page is an artifact, and the artifacts know it as one"),
    (
        "saga-service",
        "accept recover",
        "what is accepted is recovered next, and both look at an installation the same way",
    ),
    ("saga-service", "artifacts artifacts/face", "the face compares what the first file finds"),
    (
        "saga-service",
        "bench bench/place bench/events bench/floor bench/restart bench/sagas",
        "a measurement in parts: places and errors are those of the first file",
    ),
    ("saga-sqlite", "appender store", "a store hands out its appender, which reads through it"),
    ("saga-sqlite", "lib backup", "a backup is a method of the handle, which is in the first file"),
    (
        "saga-testkit",
        "world world/look world/participants world/recorded world/setup world/writing",
        "a world in parts: they are methods of one type",
    ),
    (
        "saga-testkit",
        "fixtures fixtures/definitions",
        "the faces of sagas in parts: the moment at which they are shown is in the first one",
    ),
    (
        "orchestration",
        "internal/client_to_delivery internal/door internal/packing",
        "one saga in parts: its input, its plan, and what is packed in it",
    ),
    ("system-tests", "asyncapi compat schemas", "what is published is compared with what it was, by the same readers"),
];

/// A text without comments, strings and its tests at the end: the rest names files.
fn code(text: &str) -> String {
    let inside = |(at, mark): &(usize, &str)| {
        let mut rest = text[at + mark.len()..].lines().skip_while(|line| line.starts_with('#'));
        rest.next().is_some_and(|line| line.contains("mod ") && line.ends_with('{'))
    };
    let text = text.match_indices("#[cfg(test)]\n").find(inside).map_or(text, |(at, _)| &text[..at]);
    text.lines().fold(String::new(), |mut out, line| {
        let (mut quoted, mut escaped, mut slash) = (false, false, false);
        for character in line.chars() {
            match character {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                _ if quoted => {}
                '/' if slash => break,
                other => {
                    slash = other == '/';
                    out.push(other);
                }
            }
        }
        out.push('\n');
        out
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The paths of a tree of names as in `a::{b, c::d}`, and what stands behind it.
fn paths(text: &str) -> (Vec<Vec<String>>, &str) {
    let mut text = text.trim_start();
    let mut all = Vec::new();
    if let Some(inside) = text.strip_prefix('{') {
        text = inside;
        loop {
            text = text.trim_start_matches(|character: char| character.is_whitespace() || character == ',');
            match text.strip_prefix('}') {
                Some(behind) => return (all, behind),
                None if text.is_empty() => return (all, text),
                None => {
                    let (found, behind) = paths(text);
                    all.extend(found);
                    // Whatever is not understood is passed over, so that the walk ends.
                    text = if behind.len() == text.len() {
                        &text[text.chars().next().map_or(0, char::len_utf8)..]
                    } else {
                        behind
                    };
                }
            }
        }
    }
    let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
    let (name, mut behind) = text.split_at(end);
    if let Some(rest) = behind.strip_prefix("::") {
        let (found, behind) = paths(rest);
        let with_name = |path: Vec<String>| [vec![name.to_owned()], path].concat();
        return (found.into_iter().map(with_name).collect(), behind);
    }
    if let Some(rest) = behind.strip_prefix(" as ") {
        behind = rest.trim_start_matches(is_word);
    }
    (vec![vec![name.to_owned()]], behind)
}

/// Every path of a file, from the root of its crate.
fn named(place: &Place, text: &str) -> Vec<Place> {
    let mut found = Vec::new();
    for (word, base) in [("crate::", &[][..]), ("super::", &place[..place.len().saturating_sub(1)])] {
        for (at, _) in text.match_indices(word) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|character| is_word(character) || character == ':' || character == '$') {
                continue;
            }
            for path in paths(&text[at + word.len()..]).0 {
                let up = path.iter().take_while(|name| *name == "super").count();
                let base = &base[..base.len().saturating_sub(up)];
                found.push([base, &path[up..]].concat());
            }
        }
    }
    // A file names its own parts without saying where they are.
    for (at, _) in text.match_indices("use ") {
        found.extend(paths(&text[at + "use ".len()..]).0.into_iter().map(|path| [place.clone(), path].concat()));
    }
    found
}

/// What each file names, of the files of one crate.
fn arrows(folder: &str, files: &[File]) -> BTreeMap<Place, BTreeSet<Place>> {
    let source = format!("{folder}/src/");
    let place = |file: &File| -> Option<Place> {
        let path = file.path.strip_prefix(&source)?.strip_suffix(".rs")?;
        let apart = path == "main" || path.split('/').any(|part| ["bin", "tests"].contains(&part));
        (!apart).then(|| path.split('/').filter(|part| *part != "lib").map(str::to_owned).collect())
    };
    let texts: BTreeMap<Place, String> =
        files.iter().filter_map(|file| Some((place(file)?, code(&file.text)))).collect();
    let target =
        |path: Place| (0..=path.len()).rev().map(|end| path[..end].to_vec()).find(|path| texts.contains_key(path));
    let of = |(place, text): (&Place, &String)| {
        let targets = named(place, text).into_iter().filter_map(target).filter(|other| other != place);
        (place.clone(), targets.collect())
    };
    texts.iter().map(of).collect()
}

/// Everything that can be reached from a file.
fn reached<'a>(from: &'a Place, arrows: &'a BTreeMap<Place, BTreeSet<Place>>) -> BTreeSet<&'a Place> {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(next) = open.pop() {
        open.extend(arrows.get(next).into_iter().flatten().filter(|other| seen.insert(*other)));
    }
    seen
}

/// The circles: sets of files each of which reaches all others.
fn circles(arrows: &BTreeMap<Place, BTreeSet<Place>>) -> BTreeSet<BTreeSet<String>> {
    let all: BTreeMap<&Place, BTreeSet<&Place>> = arrows.keys().map(|place| (place, reached(place, arrows))).collect();
    let name = |place: &Place| if place.is_empty() { "lib".to_owned() } else { place.join("/") };
    let circle = |place: &Place| -> BTreeSet<String> {
        let mutual = all[place].iter().filter(|other| all[**other].contains(place));
        mutual.map(|other| name(other)).collect()
    };
    arrows.keys().map(circle).filter(|circle| circle.len() > 1).collect()
}

/// Each circle that is not listed, and each listed one that is gone, as a sentence.
fn faults(found: &[(String, BTreeSet<String>)], listed: &[(&str, &str, &str)]) -> Vec<String> {
    let covers = |(name, files, _): &(&str, &str, &str), (in_crate, circle): &(String, BTreeSet<String>)| {
        let known: BTreeSet<&str> = files.split_whitespace().collect();
        name == in_crate && circle.iter().all(|file| known.contains(file.as_str()))
    };
    let unlisted = found.iter().filter(|circle| !listed.iter().any(|known| covers(known, circle)));
    let gone = listed.iter().filter(|known| !found.iter().any(|circle| covers(known, circle)));
    let word = |circle: &BTreeSet<String>| circle.iter().cloned().collect::<Vec<_>>().join(" ");
    unlisted
        .map(|(name, circle)| format!("{name}: these files name each other in a circle: {}", word(circle)))
        .chain(gone.map(|(name, files, _)| format!("{name}: the listed circle is gone: {files}")))
        .collect()
}

fn found() -> Vec<(String, BTreeSet<String>)> {
    let of = |one: Crate| {
        let files = tree::files(&one.folder, ".rs");
        let name = one.name;
        circles(&arrows(&one.folder, &files)).into_iter().map(move |circle| (name.clone(), circle)).collect::<Vec<_>>()
    };
    crates().into_iter().flat_map(of).collect()
}

#[test]
fn no_circle_of_files_is_new() {
    assert_eq!(faults(&found(), HARMLESS), Vec::<String>::new());
    assert!(HARMLESS.iter().all(|(_, _, why)| why.len() > 20), "each with its reason");
}

#[test]
fn a_circle_of_files_is_seen() {
    let file = |name: &str, text: &str| File::new(&format!("one/src/{name}.rs"), text);
    let seen = |files: &[File]| circles(&arrows("one", files)).into_iter().map(Vec::from_iter).collect::<Vec<_>>();
    let circle = |names: &[&str]| vec![names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
    let red: [(&[File], &[&str]); 6] = [
        (&[file("a", "use crate::b::B;"), file("b", "fn b(a: crate::a::A) {}")], &["a", "b"]),
        (
            &[
                file("a", "use crate::{b::{B, C}, x};"),
                file("b", "use crate::c;"),
                file("c", "pub use super::a::A as X;"),
            ],
            &["a", "b", "c"],
        ),
        (&[file("a", "mod b;\nuse b::B;"), file("a/b", "use super::A;")], &["a", "a/b"]),
        (
            &[file("a/b", "use super::super::c::C;"), file("c", "use crate::a::b::B;"), file("a", "mod b;")],
            &["a/b", "c"],
        ),
        (&[file("lib", "pub use a::A;"), file("a", "use crate::LIMIT;")], &["a", "lib"]),
        (&[file("a", "use crate::b::*;"), file("b", "use crate::a::{self as first};")], &["a", "b"]),
    ];
    for (files, wanted) in red {
        assert_eq!(seen(files), circle(wanted));
    }
    let green: [&[File]; 4] = [
        &[file("a", "use crate::b::B;"), file("b", "// use crate::a::A;\nconst A: &str = \"crate::a::A\";")],
        &[file("a", "mod b;"), file("a/b", "use super::A;")],
        &[file("a", "use crate::b::B;"), file("b", "#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}")],
        &[file("a", "use crate::b::B;"), file("b", "use other_crate::a::A;\nuse $crate::a::A;")],
    ];
    for files in green {
        assert_eq!(seen(files), Vec::<Vec<String>>::new());
    }
}

#[test]
fn a_listed_circle_may_shrink_and_has_to_go() {
    let found = |files: &[&str]| vec![("one".to_owned(), files.iter().map(|file| (*file).to_owned()).collect())];
    let listed: &[(&str, &str, &str)] = &[("one", "a b c", "")];
    assert_eq!(faults(&found(&["a", "b"]), listed), Vec::<String>::new());
    assert_eq!(faults(&found(&["a", "d"]), listed).len(), 2);
    assert_eq!(faults(&[], listed), ["one: the listed circle is gone: a b c"]);
}

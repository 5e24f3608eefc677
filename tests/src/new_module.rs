//! A new module: the files of its own, and every place where the house has to know it.
//!
//! It has one story with one command, its undo, one query and one read model, and passes its laws: something to change, not
//! something to fill in. Where a name cannot be one, or a place is not as expected, nothing is written.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// 30 bytes: what hangs on the name (roles, schemas, streams) has 63 and less.
const NAME_BYTES_MAX: usize = 30;
/// Words of the language, and crates that are always there.
const TAKEN: &str = "abstract alloc as async await become box break const continue core crate do dyn else enum extern false \
    final fn for gen if impl in let loop macro match mod move mut override priv proc_macro pub ref return self static std \
    struct super test trait true try type typeof unsafe unsized use virtual where while yield";
/// The files of a module, below its folder.
const FILES: [(&str, &str); 11] = [
    ("Cargo.toml", include_str!("new_module/Cargo.toml.txt")),
    ("src/lib.rs", include_str!("new_module/lib.rs.txt")),
    ("src/api/commands.rs", include_str!("new_module/api_commands.rs.txt")),
    ("src/api/dtos.rs", include_str!("new_module/api_dtos.rs.txt")),
    ("src/api/events.rs", include_str!("new_module/api_events.rs.txt")),
    ("src/api/queries.rs", include_str!("new_module/api_queries.rs.txt")),
    ("src/internal/entry.rs", include_str!("new_module/internal_entry.rs.txt")),
    ("src/internal/handlers.rs", include_str!("new_module/internal_handlers.rs.txt")),
    ("src/internal/projections.rs", include_str!("new_module/internal_projections.rs.txt")),
    ("src/internal/queries.rs", include_str!("new_module/internal_queries.rs.txt")),
    ("src/tests.rs", include_str!("new_module/tests.rs.txt")),
];
const EVENTS: &str = include_str!("new_module/events.rs.txt");

/// Where the house knows its modules, and how a new one is entered there.
type Place = (&'static str, fn(&str, &str) -> Option<String>);
const PLACES: [Place; 8] = [
    ("Cargo.toml", |text, name| {
        before(text, "orchestration = { path", &format!("{name} = {{ path = \"modules/{name}\" }}"))
    }),
    ("events/src/lib.rs", |text, name| {
        let text = among(text, |line| line.starts_with("pub mod "), &format!("pub mod {name};"))?;
        among(&text, |line| line.ends_with("::entries,"), &format!("        {name}::EntryEvent::entries,"))
    }),
    ("orchestrator/saga-service/Cargo.toml", |text, name| dependency(text, &format!("{name}.workspace = true"))),
    ("orchestrator/saga-service/src/modules.rs", |text, name| {
        before(text, "        orchestration::module(", &format!("        {name}::module(),"))
    }),
    ("tests/Cargo.toml", |text, name| {
        dependency(text, &format!("{name} = {{ workspace = true, features = [\"schemas\"] }}"))
    }),
    ("tests/src/modules.rs", |text, name| {
        among(text, |line| line.contains("::module("), &format!("        {name}::module(),"))
    }),
    ("tests/it/graph.txt", |text, name| {
        let needs = ["events", "saga-core", "saga-testkit (tests)"].map(|need| format!("{name} -> {need}"));
        let hosts = ["saga-service", "system-tests"].map(|host| format!("{host} -> {name}"));
        let arrow = |text: String, line: &String| among(&text, |line| line.contains(" -> "), line);
        needs.iter().chain(&hosts).try_fold(text.to_owned(), arrow)
    }),
    ("tests/it/canvas.txt", |text, name| {
        let next = text.lines().find(|line| !line.starts_with(' ') && *line > name);
        let drawn = canvas(name);
        Some(match next {
            Some(next) => before(text, next, drawn.trim_end())?,
            None => format!("{text}{drawn}"),
        })
    }),
];

fn canvas(name: &str) -> String {
    format!(
        "{name} 1.0\n  answers command MakeEntry.v1\n  answers command TakeEntryBack.v1\n  answers query Entries.v1\n  \
         publishes EntryMade.v1 in {name}_entry\n  publishes EntryTakenBack.v1 in {name}_entry\n  \
         consumes {name}.EntryMade by projection {name}.entries\n  \
         consumes {name}.EntryTakenBack by projection {name}.entries\n"
    )
}

/// A line in front of the first that begins so.
fn before(text: &str, begin: &str, line: &str) -> Option<String> {
    let at = if text.starts_with(begin) { 0 } else { text.find(&format!("\n{begin}"))? + 1 };
    Some(format!("{}{line}\n{}", &text[..at], &text[at..]))
}

/// A line among those that are like it, by the alphabet.
fn among(text: &str, is_like: impl Fn(&str) -> bool, line: &str) -> Option<String> {
    let mut lines: Vec<&str> = text.lines().collect();
    let last = lines.iter().rposition(|other| is_like(other))?;
    let at = lines.iter().position(|other| is_like(other) && *other > line).unwrap_or(last + 1);
    lines.insert(at, line);
    Some(lines.join("\n") + "\n")
}

/// A line among the dependencies of a manifest.
fn dependency(manifest: &str, line: &str) -> Option<String> {
    let (head, rest) = manifest.split_once("[dependencies]\n")?;
    let (own, tail) = rest.split_at(rest.find("\n[")?);
    let own = among(own, |other| other.contains("workspace = true"), line)?;
    Some(format!("{head}[dependencies]\n{own}{tail}"))
}

/// Why a name cannot be that of a new module.
fn fault(root: &Path, name: &str, manifest: &str) -> Option<String> {
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) || !name.split('_').all(is_word) {
        return Some(format!("{name:?} is not a name in snake_case, such as client_review"));
    }
    if name.len() > NAME_BYTES_MAX {
        return Some(format!("{name} is longer than {NAME_BYTES_MAX} bytes"));
    }
    let is_crate = |line: &str| {
        let known = line.split(['=', '.']).next().unwrap_or_default();
        line.contains('=') && known.trim().replace('-', "_") == name
    };
    let crates = manifest.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    if TAKEN.split_whitespace().any(|word| word == name) || crates.lines().any(is_crate) {
        return Some(format!("{name} is a word of Rust or a crate that is there"));
    }
    let there = [format!("modules/{name}"), format!("events/src/{name}.rs"), format!("events/src/{name}")];
    there.into_iter().find(|path| root.join(path).exists()).map(|path| format!("{path} exists"))
}

/// `client_review` as `ClientReview`, or as `client review`.
fn words(name: &str) -> [(&'static str, String); 4] {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_uppercase() + rest
    };
    let spoken = name.replace('_', " ");
    [
        ("{{name}}", name.to_owned()),
        ("{{Name}}", name.split('_').map(capital).collect()),
        ("{{Words}}", capital(&spoken)),
        ("{{words}}", spoken),
    ]
}

/// Every file that a new module makes or changes, by its path from `root`, or why there is none.
fn planned(root: &Path, name: &str) -> io::Result<Result<BTreeMap<String, String>, String>> {
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    if let Some(fault) = fault(root, name, &manifest) {
        return Ok(Err(fault));
    }
    let filled = |text: &str| words(name).iter().fold(text.to_owned(), |text, (mark, word)| text.replace(mark, word));
    let mut files: BTreeMap<String, String> =
        FILES.iter().map(|(path, text)| (format!("modules/{name}/{path}"), filled(text))).collect();
    files.insert(format!("events/src/{name}.rs"), filled(EVENTS));
    for (path, enter) in PLACES {
        let text = std::fs::read_to_string(root.join(path))?;
        let Some(entered) = enter(&text, name) else {
            return Ok(Err(format!("{path} is not as expected: there is no place for a module in it")));
        };
        files.insert(path.to_owned(), entered);
    }
    Ok(Ok(files))
}

/// Makes the module below `root` and gives the paths of what was written, or says why not and writes nothing.
pub fn make(root: &Path, name: &str) -> io::Result<Result<Vec<String>, String>> {
    let files = match planned(root, name)? {
        Ok(files) => files,
        Err(fault) => return Ok(Err(fault)),
    };
    for (path, text) in &files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(&path, text)?;
    }
    Ok(Ok(files.into_keys().collect()))
}

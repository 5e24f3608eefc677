//! The published language stays data: no behaviour, no file that leans on a sibling, one owner a file.

use crate::tree::{self, File};
use std::collections::BTreeSet;

/// Files that belong to everybody.
const SHARED: [&str; 3] = ["ids", "lib", "values"];
/// The engine's facts are defined in `saga-core`; the file names them again, so that the catalogue is complete.
const NAMED_AGAIN: [&str; 1] = ["orchestration"];
/// Derivations that an upcast and the event's owner must both do, letter for letter the same. Each is pure and small;
/// a new one has to argue for its line here.
const DERIVATIONS: [(&str, &str); 2] = [("onboarding", "intake_of"), ("production", "asset_content_hash")];

/// The owner of a file: its name, or the folder it is in.
fn stem(path: &str) -> &str {
    let below = path.strip_prefix("events/src/").unwrap_or(path);
    below.split(['/', '.']).next().unwrap_or(below)
}

/// The identifier that begins here.
fn word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    &text[..end]
}

/// Lines without comments.
fn code(file: &File) -> impl Iterator<Item = (usize, &str)> {
    let lines = file.text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    lines.map(|(number, line)| (number, line.split("//").next().unwrap_or(line))).filter(|(_, line)| !line.is_empty())
}

/// What is wrong with one file of the language.
fn faults(file: &File) -> Vec<String> {
    let owner = stem(&file.path);
    let mut faults = Vec::new();
    let mut fault = |number: usize, what: String| faults.push(format!("{}:{number}: {what}", file.path));
    for (number, line) in code(file) {
        for (at, _) in line.match_indices("crate::") {
            let sibling = word(&line[at + "crate::".len()..]);
            if ![owner, "ids", "values"].contains(&sibling) {
                fault(number, format!("names its sibling {sibling}"));
            }
        }
        let declared = line.strip_prefix("pub ").unwrap_or(line);
        if let Some(named) = declared.strip_prefix("trait ") {
            fault(number, format!("has a trait of its own: {}", word(named)));
        }
        if let Some(name) = behaviour(line, owner) {
            fault(number, format!("has behaviour: {name}"));
        }
    }
    faults
}

/// The function that a line declares, unless it is a constructor, an upcast, a value's word or a private helper of one.
fn behaviour<'a>(line: &'a str, owner: &str) -> Option<&'a str> {
    let public = line.starts_with("pub ");
    let start = line.strip_prefix("pub ").unwrap_or(line).trim_start_matches("const ");
    let rest = start.trim_start_matches("async ").trim_start_matches("unsafe ").strip_prefix("fn ")?;
    let name = word(rest);
    let receiver = rest[name.len()..].trim_start_matches(['(', '&']).trim_start_matches("mut ");
    let on_itself = word(receiver) == "self";
    let harmless = match name {
        "upcast" | "word" => true,
        _ if on_itself => false,
        _ if DERIVATIONS.contains(&(owner, name)) => true,
        _ => !public || rest.contains("-> Self") || rest.contains("-> Result<Self"),
    };
    (!harmless || start.starts_with("async ")).then_some(name)
}

/// Whether the events of one owner's files all say that they are the owner's.
fn owner_faults(owner: &str, files: &[&File]) -> Vec<String> {
    let lines: Vec<&str> = files.iter().flat_map(|file| code(file)).map(|(_, line)| line).collect();
    let after = |mark: &str| -> Vec<String> {
        lines.iter().filter_map(|line| line.split_once(mark).map(|(_, rest)| word(rest).to_owned())).collect()
    };
    let owners = after("impl Owner for ");
    let modules = after("const MODULE: &'static str = \"");
    let mut faults = Vec::new();
    if owners.len() != 1 || modules != [owner.to_owned()] {
        faults.push(format!("{owner}: owners {owners:?} of modules {modules:?}, must be one, of {owner}"));
    }
    let strangers = after("type Owner = ").into_iter().filter(|named| !owners.contains(named));
    faults.extend(strangers.map(|stranger| format!("{owner}: holds an event of {stranger}")));
    faults
}

/// Names and versions in the catalogue of a file.
fn catalogue(file: &File) -> Vec<(String, u16)> {
    let Some((_, rest)) = file.text.split_once("pub const CATALOGUE") else { return Vec::new() };
    // The list may begin on a line of its own.
    let Some((_, rest)) = rest.split_once('=') else { return Vec::new() };
    let list = rest.split("];").next().unwrap_or_default();
    let entries = list.split('(').skip(1).filter_map(|entry| entry.split(')').next());
    let entry = |entry: &str| {
        let (name, version) = entry.split_once(',')?;
        Some((name.trim().trim_matches('"').to_owned(), version.trim().parse().ok()?))
    };
    entries.filter_map(entry).collect()
}

/// A catalogue is there, in order, and has no version without the one before it.
fn catalogue_faults(file: &File) -> Vec<String> {
    let entries = catalogue(file);
    let mut faults = Vec::new();
    if entries.is_empty() {
        faults.push(format!("{}: has no CATALOGUE", file.path));
    }
    if !entries.is_sorted() {
        faults.push(format!("{}: the CATALOGUE is not alphabetical", file.path));
    }
    for (name, version) in &entries {
        if *version != 1 && !entries.contains(&(name.clone(), version - 1)) {
            faults.push(format!("{}: {name} has no version {}", file.path, version - 1));
        }
    }
    faults
}

/// Stories and catalogues of the files that `lib.rs` does not name: their events would have no schema.
fn unnamed(files: &[File], lib: &str) -> Vec<String> {
    let words: Vec<&str> = lib.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let mut unnamed = Vec::new();
    for file in files {
        let stories = code(file).filter_map(|(_, line)| line.strip_prefix("pub enum ")?.split_once(" of "));
        unnamed.extend(stories.map(|(story, _)| story.to_owned()).filter(|story| !words.contains(&story.as_str())));
        let list = format!("{}::CATALOGUE", stem(&file.path));
        if file.text.contains("pub const CATALOGUE") && !lib.contains(&list) {
            unnamed.push(list);
        }
    }
    unnamed
}

/// Categories that the modules write to, by the sources, and those of the catalogue, for owners that have a module.
fn categories(files: &[File], catalogue: &[events::Entry]) -> (BTreeSet<String>, BTreeSet<String>) {
    let written = files.iter().flat_map(|file| file.text.lines()).filter_map(|line| {
        let (_, rest) = line.trim().split_once("const CATEGORY: &'static str = \"")?;
        rest.split('"').next().map(str::to_owned)
    });
    let owners: BTreeSet<&str> = files.iter().filter_map(|file| file.path.split('/').nth(1)).collect();
    let told = catalogue.iter().filter(|entry| owners.contains(entry.owner) && !NAMED_AGAIN.contains(&entry.owner));
    (written.collect(), told.map(|entry| entry.category.to_owned()).collect())
}

fn language() -> Vec<File> {
    let mut files = tree::files("events/src", ".rs");
    files.retain(|file| !SHARED.contains(&stem(&file.path)));
    files
}

#[test]
fn the_language_is_data() {
    let files = language();
    assert!(!files.is_empty());
    assert_eq!(files.iter().flat_map(faults).collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn every_event_belongs_to_the_owner_of_its_file() {
    let files = language();
    let mut owners: Vec<_> = files.iter().map(|file| stem(&file.path)).collect();
    owners.dedup();
    for owner in owners {
        let own: Vec<_> = files.iter().filter(|file| stem(&file.path) == owner).collect();
        if !NAMED_AGAIN.contains(&owner) {
            assert_eq!(owner_faults(owner, &own), Vec::<String>::new());
        }
        let main = own.iter().find(|file| file.path == format!("events/src/{owner}.rs")).unwrap();
        assert_eq!(catalogue_faults(main), Vec::<String>::new());
    }
}

#[test]
fn every_story_is_in_the_catalogue() {
    let lib = std::fs::read_to_string(tree::root().join("events/src/lib.rs")).unwrap();
    assert_eq!(unnamed(&language(), &lib), Vec::<String>::new());
}

#[test]
fn the_catalogue_names_the_categories_that_modules_write_to() {
    let (written, told) = categories(&tree::files("modules", ".rs"), &events::catalogue());
    assert_eq!(written, told);
}

#[test]
fn a_story_without_a_place_in_the_catalogue_is_seen() {
    let text = "pub const CATALOGUE: x = &[];\nevent_set! {\n    pub enum SongEvent of Choir { Sung }\n}\n";
    let file = [File::new("events/src/choir.rs", text)];
    assert_eq!(
        unnamed(&file, "stories! { choir \"choir_song\" SongEventOld { Sung } }"),
        ["SongEvent", "choir::CATALOGUE"]
    );
    assert_eq!(unnamed(&file, "choir \"x\" SongEvent { Sung } choir::CATALOGUE"), Vec::<String>::new());
}

#[test]
fn a_category_by_another_name_is_seen() {
    let model = File::new("modules/qc/src/internal/model.rs", "    const CATEGORY: &'static str = \"qc_verdict\";");
    let (written, told) = categories(&[model], &events::catalogue());
    assert_ne!(written, told);
    assert_eq!(told.into_iter().collect::<Vec<_>>(), ["qc_result"]);
}

#[test]
fn behaviour_in_the_language_is_seen() {
    let cases = [
        ("use crate::strategy::StrategyApproved;", 1),
        ("    strategy: crate::strategy::Strategy,", 1),
        ("pub trait Scored {", 1),
        ("trait Scored {", 1),
        ("    pub fn total(&self) -> u64 {", 1),
        ("    pub fn add(&mut self, other: u64) {", 1),
        ("    fn hidden(&self) -> u64 {", 1),
        ("pub fn send(to: &str) -> String {", 1),
        ("pub fn intake_of(brief: BriefId) -> IntakeId {", 1),
        ("async fn fetch() -> Self {", 1),
        ("use crate::ids::DraftId;", 0),
        ("use crate::values::{Money, Text};", 0),
        ("    pub fn example() -> Self {", 0),
        ("    pub fn of(text: &str) -> Result<Self, String> {", 0),
        ("    fn upcast(self, _: &Origin) -> Newer {", 0),
        ("    fn read(version: u16, data: &Payload, origin: &Origin) -> Result<Self, DecodeError> {", 0),
        ("    pub fn word(self) -> &'static str {", 0),
        ("fn hundredths(text: &str) -> Option<u32> {", 0),
        ("// use crate::strategy::Strategy;", 0),
    ];
    for (line, expected) in cases {
        assert_eq!(faults(&File::new("events/src/qc.rs", line)).len(), expected, "{line}");
    }
    let derivation = File::new("events/src/onboarding.rs", "pub fn intake_of(brief: BriefId) -> IntakeId {");
    assert_eq!(faults(&derivation), Vec::<String>::new());
}

#[test]
fn an_event_in_the_wrong_file_is_seen() {
    let own = "impl Owner for Qc {\n    const MODULE: &'static str = \"qc\";\n}\ntype Owner = Qc;\n";
    let cases = [
        (own.to_owned(), 0),
        (format!("{own}type Owner = Strategy;\n"), 1),
        (own.replace("\"qc\"", "\"strategy\""), 1),
        ("type Owner = Qc;\n".to_owned(), 2),
    ];
    for (text, expected) in cases {
        let file = File::new("events/src/qc.rs", &text);
        assert_eq!(owner_faults("qc", &[&file]).len(), expected, "{text}");
    }
}

#[test]
fn a_catalogue_with_a_gap_is_seen() {
    let file = |list: &str| File::new("events/src/qc.rs", &format!("pub const CATALOGUE: &[(&str, u16)] = &[{list}];"));
    let cases = [
        ("(\"A\", 1), (\"A\", 2), (\"B\", 1)", 0),
        ("\n    (\"A\", 1),\n    (\"B\", 1),\n", 0),
        ("", 1),
        ("(\"B\", 1), (\"A\", 1)", 1),
        ("(\"A\", 2)", 1),
        ("(\"A\", 1), (\"A\", 3)", 1),
    ];
    for (list, expected) in cases {
        assert_eq!(catalogue_faults(&file(list)).len(), expected, "{list}");
    }
}

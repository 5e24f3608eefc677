//! The published language stays data: no behaviour, no file that leans on a sibling, one owner a file.

use crate::tree::{self, File};

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
        "upcast" | "check" | "word" => true,
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
    let strangers = lines.iter().filter_map(|line| told(line)).map(|(_, owner)| owner.to_owned());
    let strangers = strangers.filter(|named| !owners.contains(named));
    faults.extend(strangers.map(|stranger| format!("{owner}: holds a story of {stranger}")));
    faults
}

/// The story that a line declares, and whose it is.
fn told(line: &str) -> Option<(&str, &str)> {
    let (story, rest) = line.strip_prefix("pub enum ")?.split_once(" of ")?;
    Some((story, word(rest)))
}

/// Stories of the files that `lib.rs` does not name: their events would have no schema.
fn unnamed(files: &[File], lib: &str) -> Vec<String> {
    let stories = files.iter().flat_map(|file| {
        let named = move |story: &str| format!("{}::{story}::entries", stem(&file.path));
        code(file).filter_map(|(_, line)| told(line)).map(move |(story, _)| named(story))
    });
    stories.filter(|named| !lib.contains(named)).collect()
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
fn every_story_belongs_to_the_owner_of_its_file() {
    let files = language();
    let mut owners: Vec<_> = files.iter().map(|file| stem(&file.path)).collect();
    owners.dedup();
    for owner in owners {
        let own: Vec<_> = files.iter().filter(|file| stem(&file.path) == owner).collect();
        if !NAMED_AGAIN.contains(&owner) {
            assert_eq!(owner_faults(owner, &own), Vec::<String>::new());
        }
    }
}

#[test]
fn every_story_is_in_the_catalogue() {
    let lib = std::fs::read_to_string(tree::root().join("events/src/lib.rs")).unwrap();
    assert_eq!(unnamed(&language(), &lib), Vec::<String>::new());
}

#[test]
fn a_story_without_a_place_in_the_catalogue_is_seen() {
    let text = "story! {\n    pub enum SongEvent of Choir in \"choir_song\" { Sung }\n}\n";
    let file = [File::new("events/src/choir.rs", text)];
    assert_eq!(
        unnamed(&file, "choir::SongEventOld::entries, opera::SongEvent::entries"),
        ["choir::SongEvent::entries"]
    );
    assert_eq!(unnamed(&file, "choir::SongEvent::entries,"), Vec::<String>::new());
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
        ("    fn check(&self) -> Result<(), String> {", 0),
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
fn a_story_in_the_wrong_file_is_seen() {
    let own = "impl Owner for Qc {\n    const MODULE: &'static str = \"qc\";\n}\n    pub enum QcEvent of Qc in \"qc_result\" {\n";
    let cases = [
        (own.to_owned(), 0),
        (format!("{own}pub enum SongEvent of Strategy in \"x\" {{\n"), 1),
        (own.replace("\"qc\"", "\"strategy\""), 1),
        ("pub enum QcEvent of Qc in \"x\" {\n".to_owned(), 2),
    ];
    for (text, expected) in cases {
        let file = File::new("events/src/qc.rs", &text);
        assert_eq!(owner_faults("qc", &[&file]).len(), expected, "{text}");
    }
}

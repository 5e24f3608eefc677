//! What a stranger meets who builds on this crate outside of the workspace: macros that need no crate of their own, no
//! warnings, and compiler errors that name the remedy. It is built with the crates that this workspace has already.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what tests share speaks by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

/// One crate of a stranger.
const MANIFEST: &str = r#"[package]
name = "stranger"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
saga = { path = "SAGA" }
MORE
[workspace]
"#;

/// Two builds in one target folder wait for each other anyway; this way the test says which one it is.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A crate in a folder of its own, with the versions that this workspace is locked to.
struct Stranger(PathBuf);
impl Stranger {
    fn new(name: &str, more: &str) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.join("../..");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("strangers").join(name);
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(folder.join("src")).unwrap();
        let manifest = MANIFEST.replace("SAGA", &here.to_string_lossy()).replace("MORE", more);
        fs::write(folder.join("Cargo.toml"), manifest).unwrap();
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
        Self(folder)
    }
    fn holds(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).unwrap();
        fs::write(path, text).unwrap();
        self
    }
    fn check(&self, what: &[&str]) -> Output {
        let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let mut cargo = Command::new(env!("CARGO"));
        cargo.arg("check").arg("--offline").args(what).current_dir(&self.0);
        // Its own target folder, inside of ours, so that the second build is a short one.
        cargo.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("strangers/target"));
        cargo.env("CARGO_TERM_COLOR", "never").env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        cargo.output().unwrap()
    }
    fn compiles(&self) {
        let output = self.check(&["--bins"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(!said.contains("warning"), "{said}");
    }
}
fn source(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn a_stranger_needs_nothing_but_this_crate() {
    Stranger::new("alone", "").holds("src/main.rs", &source("tests/stranger/alone.rs")).compiles();
}

#[test]
fn the_first_program_needs_what_the_readme_says() {
    // From `use` on: what stands above is for the lints of this workspace.
    let example = source("examples/hello_saga.rs");
    let program = example.split_once("\nuse ").expect("a program").1;
    let more = "serde = { version = \"1\", features = [\"derive\"] }\ntokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\"] }\n";
    Stranger::new("hello", more).holds("src/main.rs", &format!("#![deny(warnings)]\nuse {program}")).compiles();
}

const ARGUMENTS: &str = "each argument is one of `In<T>`";
const OUTPUT: &str = "`T` of `Step<T>` is kept as JSON: `#[derive(Serialize)]`";
const SEND: &str = "what lives across an `.await` is `Send`";
const ASYNC: &str = "it is an `async fn`";
const ERROR: &str = "`.map_err(|why| retry(why.to_string()))?` for weather, `refuse(..)` for a no";

#[test]
fn the_compiler_names_the_remedy_of_the_usual_mistakes() {
    let remedies = [
        ("argument", ARGUMENTS),
        ("output", OUTPUT),
        ("send", SEND),
        ("blocking", ASYNC),
        ("error", ERROR),
        ("pivot", ARGUMENTS),
        ("request", "say its undo in the `port!` beside the command"),
        ("event", "the trait bound `OrderPlaced: serde::Serialize` is not satisfied"),
        (
            "upcast",
            "`impl Upcast<OrderPlacedV2> for OrderPlacedV1 { fn upcast(self, _: &Origin) -> OrderPlacedV2 { .. } }`",
        ),
        ("category", "the category of a story begins with its module's name and an underscore: order"),
    ];
    let stranger = Stranger::new("mistakes", "serde = { version = \"1\", features = [\"derive\"] }\n");
    stranger.holds("src/lib.rs", "");
    for (mistake, _) in remedies {
        stranger.holds(&format!("examples/{mistake}.rs"), &source(&format!("tests/stranger/mistakes/{mistake}.rs")));
    }
    let mut missing = Vec::new();
    for (mistake, remedy) in remedies {
        let output = stranger.check(&["--example", mistake]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{mistake} compiles");
        if !said.contains(remedy) {
            missing.push(format!("{mistake} does not name {remedy:?}:\n{said}"));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

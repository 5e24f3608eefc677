//! Chores of the house: `cargo house schemas`, `cargo house asyncapi`, `cargo house openapi`, `cargo house map`,
//! `cargo house new-module NAME`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

use std::io;
use std::path::Path;
use std::process::{Command, ExitCode};
use system_tests::modules::modules;
use system_tests::{asyncapi, map, new_module, openapi, schemas};

const USAGE: &str = "usage: cargo house schemas           writes schemas/ for shapes that are new, and locks them
       cargo house asyncapi          writes schemas/asyncapi.json anew
       cargo house openapi           writes schemas/openapi.json anew
       cargo house map               writes docs/map.md anew
       cargo house new-module NAME   makes modules/NAME and enters it everywhere";

/// What a chore did, a line each, or what is wrong, with nothing written.
type Outcome = io::Result<Result<Vec<String>, Vec<String>>>;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (place, outcome) = match words.as_slice() {
        ["schemas"] => ("schemas/", publish(&root)),
        ["asyncapi"] => ("schemas/", asyncapi::publish().map(|()| Ok(Vec::new()))),
        ["openapi"] => ("schemas/", openapi::publish().map(|()| Ok(Vec::new()))),
        ["map"] => (map::PATH, draw(&root)),
        ["new-module", name] => ("modules/", begin(&root, name)),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(Ok(done)) => done.iter().for_each(|line| println!("{line}")),
        Ok(Err(faults)) => {
            faults.iter().for_each(|fault| eprintln!("error: {fault}"));
            return ExitCode::FAILURE;
        }
        Err(why) => {
            eprintln!("error: {place}: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn draw(root: &Path) -> Outcome {
    std::fs::write(root.join(map::PATH), map::map(root)?)?;
    Ok(Ok(Vec::new()))
}

fn publish(root: &Path) -> Outcome {
    let documents = schemas::generate();
    let added = match schemas::publish(&schemas::folder(), &documents)? {
        Ok(added) => added.into_iter().map(|path| format!("added schemas/{path}")),
        Err(faults) => return Ok(Err(faults.into_iter().map(|fault| format!("schemas/{fault}")).collect())),
    };
    let entered = schemas::enter(root, &modules(), &documents)?;
    let entered = entered.into_iter().map(|module| format!("entered {module} in {}", schemas::CONTRACTS));
    let done: Vec<String> = added.chain(entered).collect();
    Ok(Ok(if done.is_empty() { vec!["nothing is new".to_owned()] } else { done }))
}

/// Makes a module. What is generated from its code is written by the same chores as ever, built with it.
fn begin(root: &Path, name: &str) -> Outcome {
    let written = match new_module::make(root, name)? {
        Ok(written) => written,
        Err(fault) => return Ok(Err(vec![fault])),
    };
    written.iter().for_each(|path| println!("wrote {path}"));
    for chore in ["schemas", "asyncapi", "map"] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut again = Command::new(cargo);
        again.args(["run", "--quiet", "--package", "system-tests", "--bin", "house", "--", chore]).current_dir(root);
        if !again.status()?.success() {
            return Ok(Err(vec![format!("{name} is there; run `cargo house {chore}` once more")]));
        }
    }
    Ok(Ok(vec![format!("now: cargo test --package {name}, and docs/first-module.md")]))
}

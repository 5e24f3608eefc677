//! Chores of the house: `cargo house schemas`, `cargo house asyncapi`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who runs it")]

use std::process::ExitCode;
use system_tests::{asyncapi, schemas};

const USAGE: &str = "usage: cargo house schemas     writes schemas/ for shapes that are new, and locks them
       cargo house asyncapi    writes schemas/asyncapi.json anew";

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    match (words.next().as_deref(), words.next()) {
        (Some("schemas"), None) => publish(),
        (Some("asyncapi"), None) => match asyncapi::publish() {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("error: schemas/: {why}");
                ExitCode::FAILURE
            }
        },
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn publish() -> ExitCode {
    match schemas::publish(&schemas::folder(), &schemas::generate()) {
        Ok(Ok(added)) if added.is_empty() => println!("nothing is new"),
        Ok(Ok(added)) => added.iter().for_each(|path| println!("added schemas/{path}")),
        Ok(Err(faults)) => {
            faults.iter().for_each(|fault| eprintln!("error: schemas/{fault}"));
            return ExitCode::FAILURE;
        }
        Err(why) => {
            eprintln!("error: schemas/: {why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

//! The binary: everything is in the library, so that tests can call it.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let exit = sagactl::run::main(std::env::args_os().collect()).await;
    ExitCode::from(exit.0)
}

//! The binary: everything is in the library, so that tests can call it.

use std::process::ExitCode;

// Messages and rows are many small pieces that one thread makes and another drops, which is where this one is fast.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // Whatever this process makes, files of modules too, is for its own user.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    let exit = sagactl::run::main(std::env::args_os().collect()).await;
    ExitCode::from(exit.0)
}

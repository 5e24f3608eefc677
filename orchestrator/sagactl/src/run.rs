//! From a command line to an exit code.

use crate::args::{Cli, Command, Global, Kind, machine_format, refused, rewrite};
use crate::cmd;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logins::hidden;
use crate::print::out::Out;
use clap::{Parser, error::ErrorKind};
use std::ffi::OsString;

/// Runs a command line of this process.
pub async fn main(argv: Vec<OsString>) -> Exit {
    let argv = rewrite(argv);
    match Cli::try_parse_from(&argv) {
        Ok(cli) => {
            // A service without a log would keep its troubles to itself.
            let serves = matches!(cli.command, Command::Serve(_));
            log(cli.global.verbose.max(u8::from(serves)));
            let mut out = Out::of_process(&cli.global);
            let done = interruptible(&cli, &mut out).await.map_err(|failure| hidden(failure, &argv));
            let exit = finish(done, &mut out);
            crate::local::close().await;
            exit
        }
        Err(error) => unparsed(&error, &argv),
    }
}

/// Runs a command. A command that runs for long hears a signal by itself; every other one ends with it, and is closed
/// like at any other end, so that neither copies nor locks stay behind.
async fn interruptible(cli: &Cli, out: &mut Out) -> Result<Exit, Failure> {
    cli.global.checked()?;
    let done = Box::pin(command(&cli.command, &cli.global, out));
    if cli.command.kind() == Kind::Run {
        return done.await;
    }
    tokio::select! {
        done = done => done,
        () = cmd::dev::stopping()? => Err(Failure::said(Exit::INTERRUPTED)),
    }
}

/// Prints how a command failed, if it did.
pub fn finish(done: Result<Exit, Failure>, out: &mut Out) -> Exit {
    done.unwrap_or_else(|failure| {
        out.failure(&failure);
        failure.exit
    })
}

/// Runs one command.
pub async fn command(command: &Command, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        Command::Demo(args) => cmd::demo::run(args, global, out).await,
        Command::Dev(args) => cmd::dev::run(args, global, out).await,
        Command::Serve(args) => cmd::serve::run(args, out).await,
        Command::Config(args) => cmd::serve::config(args, out),
        Command::Store(args) => cmd::store::run(args, global, out).await,
        Command::Doctor(args) => cmd::doctor::run(args, global, out).await,
        Command::Bench(args) => cmd::bench::run(args, global, out).await,
        Command::Saga(args) => cmd::saga::run(args, global, out).await,
        Command::Module(args) => cmd::module::run(args, global, out).await,
        Command::Definition(args) => cmd::module::definitions(args, global, out).await,
        Command::Events(args) => cmd::events::run(args, global, out).await,
        Command::Help(args) => cmd::help::run(args, out),
        Command::Options => cmd::help::options(out),
        Command::Version => cmd::help::version(out),
    }
}

/// Help and version are data; everything else that clap says is an error with a code.
fn unparsed(error: &clap::Error, argv: &[OsString]) -> Exit {
    let parsed = Cli::try_parse_from(["sagactl", "version", "-o", if machine_format(argv) { "json" } else { "table" }]);
    let Ok(cli) = parsed else { return Exit::USAGE };
    let mut out = Out::of_process(&cli.global);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let styled = error.render();
            let text = if out.style.colour { styled.ansi().to_string() } else { styled.to_string() };
            finish(out.data(&text).map(|()| Exit::DONE), &mut out)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let text = error.render().to_string();
            out.note(text.trim_end());
            Exit::USAGE
        }
        _ => finish(Err(hidden(refused(error), argv)), &mut out),
    }
}

/// Logs go to standard error, and only when asked for.
fn log(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env("SAGACTL_LOG").unwrap_or_else(|_| level.into());
    let made =
        // Nobody may read it any more: a log that cannot be written is no reason to end.
        tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .log_internal_errors(false)
            .try_init();
    if made.is_err() {
        tracing::debug!("logging was set up already");
    }
}

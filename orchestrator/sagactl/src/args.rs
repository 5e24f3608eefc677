//! What can be typed: the commands, and the options that every command takes.

use crate::cmd;
use crate::failure::Failure;
use crate::logins::{self, is_address};
use crate::print::style::{ColorWhen, TimeForm};
use crate::program::Program;
use crate::words::{PROGRAM, parse_duration};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use saga_admin::client::{AdminClient, Within};
use saga_core::{plain, shell};
use std::path::{Path, PathBuf};
use std::time::Duration;

const AFTER: &str = "\
Options that every command takes: sagactl options
First time here?                  sagactl demo
A code in an error message:       sagactl help SG0205";

/// Start, look at, order and explain sagas.
#[derive(Debug, Parser)]
#[command(name = "sagactl", version, after_help = AFTER, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What data is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people; tabs and whole values into a pipe.
    #[default]
    Table,
    /// The same with every column.
    Wide,
    /// One JSON document.
    Json,
    /// One JSON object a line, without envelope.
    Ndjson,
    /// One id a line, for xargs.
    Id,
}

impl Format {
    /// Whether a program reads it: errors are JSON then, too.
    pub fn is_machine(self) -> bool {
        matches!(self, Format::Json | Format::Ndjson)
    }
}

/// Where data is when nothing else is said.
pub const DATA_FOLDER: &str = "./.sagactl";

/// Options of every command. The common ones are in every help; all of them in `sagactl options`.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Write data as table, wide, json, ndjson or id
    #[arg(short, long, global = true, value_enum, default_value_t, env = "SAGACTL_OUTPUT", value_name = "FORMAT")]
    #[arg(hide_env = true, hide_possible_values = true)]
    pub output: Format,
    /// Talk to the sagactl that runs this data folder, or look at it when nobody does (also: --data)
    #[arg(
        id = "data_dir",
        long = "data-dir",
        global = true,
        env = "SAGACTL_DATA",
        default_value = DATA_FOLDER,
        value_name = "DIR",
        hide = true
    )]
    pub data: PathBuf,
    /// Talk to the sagactl at this address instead
    #[arg(long, global = true, env = "SAGACTL_URL", value_name = "URL", hide = true)]
    pub url: Option<String>,
    /// Who orders, for the audit (default: the user's name)
    #[arg(long = "as", global = true, env = "SAGACTL_ACTOR", value_name = "NAME", hide = true)]
    pub actor: Option<String>,
    /// Give up on a request after this time (default: a look 10s, an order 25s, in which it is answered)
    #[arg(long, global = true, value_parser = parse_duration, value_name = "TIME", hide = true)]
    pub timeout: Option<Duration>,
    /// Write times as ages, RFC 3339 or seconds (machine formats: always RFC 3339 in UTC)
    #[arg(long, global = true, value_enum, value_name = "FORM", hide = true)]
    pub time: Option<TimeForm>,
    /// Colour on a terminal; NO_COLOR and TERM=dumb are heard with auto
    #[arg(long, global = true, value_enum, default_value = "auto", value_name = "WHEN", hide = true)]
    pub color: ColorWhen,
    /// Signs in ASCII only
    #[arg(long, global = true, hide = true)]
    pub ascii: bool,
    /// Never cut a cell or leave out a column
    #[arg(long, global = true, hide = true)]
    pub no_trunc: bool,
    /// Never ask; what would need an answer ends with exit code 2
    #[arg(long, global = true, hide = true)]
    pub no_input: bool,
    /// Only ids, or nothing
    #[arg(short, long, global = true, hide = true)]
    pub quiet: bool,
    /// Log to standard error; twice for more
    #[arg(short, long, global = true, action = ArgAction::Count, hide = true)]
    pub verbose: u8,
}

impl Global {
    /// How long requests may take.
    pub fn within(&self) -> Within {
        self.timeout.map(Within::from).unwrap_or_default()
    }
    /// The actor of an order: the name that was given, or the user's, if that is a valid name. A name that is none is
    /// refused: it would stand in the histories for ever.
    pub fn actor(&self) -> Result<String, Failure> {
        if let Some(name) = &self.actor {
            return plain::name(name).map(str::to_owned).map_err(|why| {
                Failure::usage(format!("--as (or SAGACTL_ACTOR): {why}")).hint("leave it out to order as the user")
            });
        }
        let user = ["USER", "LOGNAME", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
        let user = user.as_deref().and_then(|name| plain::name(name).ok()).unwrap_or("operator");
        Ok(user.to_owned())
    }
    /// How this program is called, so that a command that is printed can be typed: as it was called itself, with the address
    /// that it asks, or the data folder where that is not the usual one.
    pub fn program(&self) -> Program {
        let called = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
        let file = called.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = match called.to_str() {
            // Only under its own name: whatever else links this library is no command.
            Some(called) if file.as_deref() == Some(PROGRAM) => shell::word(called),
            Some(_) | None => PROGRAM.to_owned(),
        };
        // A text in the place of a folder or of an address that is none may hold a login.
        let usual = self.data == Path::new(DATA_FOLDER) || self.checked().is_err();
        let url = self.url.as_ref().and_then(|url| AdminClient::new(url, self.within()).ok());
        Program {
            name,
            data: (!usual).then(|| self.data.to_string_lossy().into_owned()),
            url: url.map(|client| client.url().to_owned()),
            idle: false,
        }
    }
    /// A folder is no address: an address in the place of a folder may hold a login, and is not repeated.
    pub fn checked(&self) -> Result<(), Failure> {
        match self.data.to_str() {
            Some(text) if is_address(text) => Err(Failure::usage("--data takes a folder, and this is an address")
                .hint("a process that answers    --url http://127.0.0.1:PORT")
                .hint("a database                store.url in the file of --config")),
            Some(_) | None => Ok(()),
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// A one-minute story: sagas complete, are refused and undone, and are checked
    Demo(cmd::demo::DemoArgs),
    /// Run everything in one process, with a store that is kept
    Dev(cmd::dev::DevArgs),
    /// Serve modules, a coordinator, or both, as a configuration says
    Serve(cmd::serve::ServeArgs),
    /// Start, list, show, watch, explain and steer sagas
    #[command(subcommand, visible_alias = "s")]
    Saga(cmd::saga::SagaCommand),
    /// Look at the modules
    #[command(subcommand)]
    Module(cmd::module::ModuleCommand),
    /// Look at the registered definitions
    #[command(subcommand)]
    Definition(cmd::module::DefinitionCommand),
    /// Check the logs
    #[command(subcommand, visible_alias = "ev")]
    Events(cmd::events::EventsCommand),
    /// Check a configuration
    #[command(subcommand)]
    Config(cmd::serve::ConfigCommand),
    /// Prepare, copy, back up and repair stores
    #[command(subcommand)]
    Store(cmd::store::StoreCommand),
    /// What is wrong in a running process, and what to do about it
    Doctor(cmd::doctor::DoctorArgs),
    /// Measure
    #[command(subcommand)]
    Bench(cmd::bench::BenchCommand),
    /// Explain a code, a topic or a command
    Help(cmd::help::HelpArgs),
    /// List the options that every command takes
    Options,
    /// Print the version
    Version,
}

/// What a command does to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It looks: nothing of anybody's is written, made, sent or moved, wherever it looks.
    Look,
    /// It orders something of sagas: their owner does it, and is named.
    Order,
    /// It runs sagas, or changes stores, by itself.
    Run,
}

impl Command {
    /// What it does to the world. Every new command says it here, and a test checks what it says.
    pub fn kind(&self) -> Kind {
        match self {
            Command::Demo(_) | Command::Dev(_) | Command::Serve(_) | Command::Store(_) | Command::Bench(_) => Kind::Run,
            Command::Saga(command) => command.kind(),
            Command::Events(command) => command.kind(),
            Command::Module(_)
            | Command::Definition(_)
            | Command::Config(_)
            | Command::Doctor(_)
            | Command::Help(_)
            | Command::Options
            | Command::Version => Kind::Look,
        }
    }
}

/// What every order takes.
#[derive(Debug, Clone, Args)]
pub struct OrderArgs {
    /// Why; it stands in the saga's history for ever
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Repeat an order safely: the same id twice is one effect (default: a fresh one)
    #[arg(long, value_name = "UUID")]
    pub request_id: Option<uuid::Uuid>,
    /// Only if the saga still has this many facts (REV in `saga show -o json`)
    #[arg(long, value_name = "REV")]
    pub if_match: Option<u64>,
    /// Do not ask for confirmation
    #[arg(short, long)]
    pub yes: bool,
    /// Where nobody runs the data folder: run it for this order, until the saga rests; other open sagas go on meanwhile
    #[arg(long)]
    pub run: bool,
}

/// For orders whose outcome can be awaited.
#[derive(Debug, Clone, Copy, Args)]
pub struct WaitArgs {
    /// Wait for what becomes of the saga, at most this long; it ends early where only a person can go on
    #[arg(long, value_name = "TIME", value_parser = parse_duration, num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "5m")]
    pub wait: Option<Duration>,
}

/// Reads a command line. `--data DIR` is the data folder everywhere, except behind `saga show` and `saga signal`, where
/// `--data` belongs to the saga; clap cannot have two meanings of one word, so the folder is `--data-dir` to it.
pub fn rewrite(argv: Vec<std::ffi::OsString>) -> Vec<std::ffi::OsString> {
    let mut own = false;
    let mut saga = false;
    let mut rest = false;
    let rewritten = argv.into_iter().map(|word| {
        let Some(text) = word.to_str() else { return word };
        rest |= text == "--";
        own |= saga && matches!(text, "show" | "signal");
        saga |= matches!(text, "saga" | "s");
        match text.strip_prefix("--data") {
            Some(tail) if !own && !rest && (tail.is_empty() || tail.starts_with('=')) => {
                format!("--data-dir{tail}").into()
            }
            _ => word,
        }
    });
    rewritten.collect()
}

/// Whether a command line asks for a machine format, for errors about the command line itself.
pub fn machine_format(argv: &[std::ffi::OsString]) -> bool {
    let words: Vec<&str> = argv.iter().filter_map(|word| word.to_str()).collect();
    let named = words.windows(2).any(|pair| matches!(pair, ["-o" | "--output", "json" | "ndjson"]));
    let joined = |word: &&str| {
        matches!(*word, "-ojson" | "-ondjson" | "-o=json" | "-o=ndjson" | "--output=json" | "--output=ndjson")
    };
    let env = std::env::var("SAGACTL_OUTPUT").is_ok_and(|format| matches!(format.as_str(), "json" | "ndjson"));
    named || words.iter().any(joined) || env
}

/// What clap refuses, as a failure with a code; its own words are kept.
pub fn refused(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let text = logins::without(&text, &value_of_address(error).into_iter().collect::<Vec<_>>());
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim();
    let mut paragraphs = text.split("\n\n");
    let message = paragraphs.next().unwrap_or(text).lines().map(str::trim).collect::<Vec<_>>().join(" ");
    let mut failure = Failure::usage(message);
    // `saga show` has a flag of the name by which other commands are given a folder.
    if error.kind() == ErrorKind::UnknownArgument && text.contains(" saga show [") {
        failure = failure.hint("here --data shows input and outputs; a folder is named with --data-dir");
    }
    for paragraph in paragraphs {
        for line in paragraph.lines().map(str::trim).filter(|line| !line.is_empty()) {
            failure = failure.hint(without_letters(line.strip_prefix("tip: ").unwrap_or(line)));
        }
    }
    failure
}

/// A text in the place of an address that is none: it may still be a part of one.
fn value_of_address(error: &clap::Error) -> Option<&str> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    };
    let addressed = |arg: &&str| ["ADDRESS", "URL", "://", "sqlite:"].iter().any(|name| arg.contains(name));
    text(ContextKind::InvalidArg).filter(addressed).and(text(ContextKind::InvalidValue))
}

/// A one-letter alias is nobody's typo: it is taken out of what is suggested.
fn without_letters(hint: &str) -> String {
    match hint.strip_prefix("some similar subcommands exist: ") {
        None => hint.to_owned(),
        Some(list) => {
            let words: Vec<&str> = list.split(", ").filter(|word| word.trim_matches('\'').len() > 1).collect();
            format!("did you mean {}", words.join(", "))
        }
    }
}

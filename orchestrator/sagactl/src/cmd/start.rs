//! `sagactl saga start`: reads and checks the input before anything is sent.

use crate::args::{Global, OrderArgs, WaitArgs};
use crate::cmd::order;
use crate::connect::{self, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{self, Source};
use crate::print::out::Out;
use clap::Args;
use saga_core::codes;
use saga_core::control::{DefinitionRow, What, ask};
use saga_core::json::Payload;
use saga_core::view::SagaState;

/// `saga start`.
#[derive(Debug, Args)]
pub struct StartArgs {
    /// Which definition: TYPE, or TYPE@VERSION
    #[arg(value_name = "TYPE")]
    pub kind: String,
    /// The input, one JSON value: a file, @file, or - for standard input
    #[arg(short, long, value_name = "FILE", value_parser = Source::parse, required_unless_present = "example")]
    pub input: Option<Source>,
    /// Use the definition's own example as input
    #[arg(long, conflicts_with = "input")]
    pub example: bool,
    /// The business key: the same key and input give the same saga (default: a fresh one)
    #[arg(short, long, value_name = "KEY")]
    pub key: Option<String>,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Starts it.
pub async fn run(args: &StartArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let (kind, version) = match args.kind.split_once('@') {
        Some((kind, version)) => {
            let version = version.trim_start_matches('v').parse().map_err(|_| {
                Failure::usage(format!("{:?} names no version", args.kind)).hint("for example client-to-delivery@4")
            })?;
            (kind.to_owned(), Some(version))
        }
        None => (args.kind.clone(), None),
    };
    let given = args.input.as_ref().map(input::payload).transpose()?;
    let session = connect::ordering(global, &args.order, out).await?;
    let input = match given {
        Some(input) => input,
        None => example(&session, &kind, version).await?,
    };
    let what = What::Start { kind, version, key: args.key.clone(), input };
    let sent = order::send(&session, &args.order, what, "started", out).await?;
    order::finish(&session, sent, args.wait, SagaState::Completed, out).await
}

/// The example of a definition: the newest version unless one was named.
async fn example(session: &Session, kind: &str, version: Option<u16>) -> Result<Payload, Failure> {
    let page = session.ask(ask::Definitions {}).await?;
    let fits = |row: &&DefinitionRow| row.name == kind && version.is_none_or(|version| row.version == version);
    let Some(row) = page.items.iter().filter(fits).max_by_key(|row| row.version) else {
        let known = page.items.iter().filter(|row| row.name == kind).map(|row| row.version.to_string());
        let known = known.collect::<Vec<_>>().join(", ");
        let message = match version.filter(|_| !known.is_empty()) {
            Some(version) => format!("{kind:?} has no version {version}; it has {known}"),
            None => format!("no definition is called {kind:?}"),
        };
        return Err(Failure::new(codes::NO_DEFINITION, message).hint("which there are     sagactl definition list"));
    };
    row.example.clone().ok_or_else(|| {
        Failure::new(codes::NO_DEFINITION, format!("{}@{} has no example", row.name, row.version))
            .hint("give an input       --input FILE")
    })
}

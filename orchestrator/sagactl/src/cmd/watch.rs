//! `sagactl saga watch`: follows one saga; a tree drawn again on a terminal, a line a change elsewhere.

use crate::args::{Format, Global};
use crate::clock;
use crate::connect::{self, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::{json, show};
use crate::words::parse_duration;
use clap::Args;
use saga_core::codes;
use saga_core::control::{Change, WatchSaga, ask};
use saga_core::view::SagaShow;
use std::future::Future;
use std::time::Duration;

/// One second: ages on the screen move with it.
pub const REPAINT_EVERY: Duration = Duration::from_secs(1);

/// `saga watch`.
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// Which saga
    pub id: String,
    /// End when it ended or needs a person: 0 completed, 20 compensated, 21 parked or undo failed, 22 cancelled
    #[arg(long)]
    pub exit_status: bool,
    /// Stop watching after this time, with exit code 8
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    pub during: Option<Duration>,
}

/// Follows it.
pub async fn run(args: &WatchArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    endless(out)?;
    let session = connect::session(global, out).await?;
    within(args.during, follow(&session, args, out)).await
}

/// Refuses what a watch cannot be written as.
pub fn endless(out: &Out) -> Result<(), Failure> {
    if out.format == Format::Json {
        return Err(Failure::usage("a watch has no end that one JSON document could wait for")
            .hint("a line a change      -o ndjson"));
    }
    Ok(())
}

/// Watches for so long.
pub async fn within(
    during: Option<Duration>,
    followed: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    match during {
        None => followed.await,
        Some(during) => tokio::time::timeout(during, followed).await.unwrap_or_else(|_| {
            Err(Failure::new(codes::STILL_PENDING, "still pending when the time for watching was over"))
        }),
    }
}

async fn follow(session: &Session, args: &WatchArgs, out: &mut Out) -> Result<Exit, Failure> {
    // Before the saga is looked at: what happens in between is heard twice rather than not at all.
    let watch = WatchSaga { id: args.id.clone(), after: None };
    let mut changes = session.control.watch(&session.by, watch.into()).await?;
    let mut show = *session.ask(ask::Saga { id: args.id.clone(), data: false, at: None }).await?;
    let mut changed = true;
    loop {
        out.style.now = clock::now();
        if changed || out.style.terminal {
            draw(&show, changed, out)?;
        }
        let ended = Exit::of_saga(show.row.state).filter(|_| args.exit_status || show.row.state.is_end());
        if let Some(exit) = ended {
            return Ok(if args.exit_status { exit } else { Exit::DONE });
        }
        let told = tokio::time::timeout(REPAINT_EVERY, changes.next()).await.unwrap_or_else(|_| Ok(Vec::new()))?;
        let now = match told.into_iter().next_back() {
            None => None,
            Some(Change { whole: Some(whole), .. }) => Some(whole),
            // The rest of the page is on its way, or there is a fact that cannot be read here: then this says which.
            Some(_) => Some(session.ask(ask::Saga { id: show.row.id.to_string(), data: false, at: None }).await?),
        };
        let newer = now.filter(|now| now.rev > show.rev);
        changed = newer.is_some();
        show = newer.map_or(show, |newer| *newer);
    }
}

fn draw(show: &SagaShow, changed: bool, out: &mut Out) -> Result<(), Failure> {
    match out.format {
        Format::Table | Format::Wide if out.style.terminal => out.redraw(&show::render(show, &out.style), changed),
        Format::Id => out.data(&format!("{}\n", show.row.id)),
        Format::Table | Format::Wide | Format::Json | Format::Ndjson => out.data(&json::item(show)?),
    }
}

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
use saga_core::control::{AwaitSaga, Look, View};
use saga_core::view::SagaShow;
use std::time::Duration;

/// One second: ages on the screen move with it.
const REPAINT_EVERY: Duration = Duration::from_secs(1);

/// 100 ms: no person sees it, and no processor feels it.
const BREATH: Duration = Duration::from_millis(100);

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
    if out.format == Format::Json {
        return Err(Failure::usage("a watch has no end that one JSON document could wait for")
            .hint("a line a change      -o ndjson"));
    }
    let session = connect::session(global, out).await?;
    let followed = follow(&session, args, out);
    match args.during {
        None => followed.await,
        Some(during) => tokio::time::timeout(during, followed).await.unwrap_or_else(|_| {
            Err(Failure::new(codes::STILL_PENDING, "still pending when the time for watching was over"))
        }),
    }
}

async fn follow(session: &Session, args: &WatchArgs, out: &mut Out) -> Result<Exit, Failure> {
    let view = session.look(Look::Saga { id: args.id.clone(), data: false }).await?;
    let View::Saga(first) = view else { return Err(super::saga::strange(&view)) };
    let id = first.row.id.to_string();
    let mut show = *first;
    let mut shown = 0;
    loop {
        out.style.now = clock::now();
        let changed = show.rev != shown;
        if changed || out.style.terminal {
            draw(&show, changed, out)?;
        }
        shown = show.rev;
        let ended = Exit::of_saga(show.row.state).filter(|_| args.exit_status || show.row.state.is_end());
        if let Some(exit) = ended {
            return Ok(if args.exit_status { exit } else { Exit::DONE });
        }
        let of = AwaitSaga { id: id.clone(), after: Some(show.rev) };
        match session.control.outcome(&session.by, of, REPAINT_EVERY).await? {
            Some(next) if next.rev == show.rev => clock::pause(REPAINT_EVERY).await,
            Some(next) => show = next,
            // Whoever answers "nothing" at once must not turn this into a busy loop.
            None => clock::pause(BREATH).await,
        }
    }
}

fn draw(show: &SagaShow, changed: bool, out: &mut Out) -> Result<(), Failure> {
    match out.format {
        Format::Table | Format::Wide if out.style.terminal => {
            let text = show::render(show, &out.style);
            // Without cursor movement the picture is only printed again when it is another one.
            match (out.style.colour, changed) {
                (true, _) => out.repaint(&text),
                (false, true) => out.data(&format!("{text}\n")),
                (false, false) => Ok(()),
            }
        }
        Format::Id => out.data(&format!("{}\n", show.row.id)),
        Format::Table | Format::Wide | Format::Json | Format::Ndjson => out.data(&json::item(show)?),
    }
}

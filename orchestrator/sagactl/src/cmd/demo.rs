//! `sagactl demo`: ten briefs through five modules at once, as a story that ends by itself.

use crate::args::Global;
use crate::cmd::dev::stopping;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::style::Style;
use crate::print::table::fit;
use crate::program::Program;
use clap::Args;
use saga_admin::owner::{self, Found, OwnerFile};
use saga_admin::server::Server;
use saga_core::codes;
use saga_core::view::{SagaShow, SagaState, Verdicts};
use saga_service::Service;
use saga_service::demo::{BRIEFS, Demo, Told, clear, may_clear, providers};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;

/// What the demo takes.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Without pauses for the reader: two seconds instead of six
    #[arg(long)]
    pub fast: bool,
    /// Chance comes from this number: the same seed tells the same story
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
}

/// Tells the story. The data stays in the folder, so that the commands named at the end have something to look at.
pub async fn run(args: &DemoArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let data = &global.data;
    let (silence, pause) = if args.fast {
        (Duration::from_millis(400), Duration::from_millis(50))
    } else {
        (Duration::from_secs(2), Duration::from_millis(900))
    };
    std::fs::create_dir_all(data).map_err(|why| unusable(data, &why))?;
    // A running process keeps its data, and is the first to be named.
    if let Found::Alive(owner, _) = owner::find(data, global.within()).await? {
        let message = format!("{} is in use by process {}", data.display(), owner.pid);
        return Err(Failure::new(codes::STORE_IN_USE, message).hint("name another folder   sagactl demo --data DIR"));
    }
    if !may_clear(data).map_err(|why| unusable(data, &why))? {
        let message = format!("{} holds data that are not a demo's; a demo would clear them", data.display());
        return Err(Failure::new(codes::WRONG_STATE, message)
            .hint("name another folder   sagactl demo --data DIR")
            .hint("look at what is there sagactl saga list --all"));
    }
    // Opening the stores takes their locks first: a running process keeps its data.
    if data.join("orchestration.db").is_file() {
        Service::open(data, providers(silence), args.seed).await.map_err(Failure::from)?.close().await;
    }
    clear(data).map_err(|why| unusable(data, &why))?;
    let service = Service::open(data, providers(silence), args.seed).await.map_err(Failure::from)?;
    let server = Server::bind(([127, 0, 0, 1], 0).into()).await.map_err(Failure::from)?;
    let owner = OwnerFile::write(data, &server.url(), server.process()).map_err(|why| unusable(data, &why))?;
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = server.run(service.control(), async move {
        let _gone = stopped.await;
    });
    let story = async {
        let told = tokio::select! {
            told = tell(&service, args, (global, pause), out) => told,
            () = stopping()? => Ok(Exit(130)),
        };
        let _gone = stop.send(());
        told
    };
    let (served, told) = tokio::join!(serving, story);
    service.close().await;
    drop(owner);
    served.map_err(|why| Failure::new(codes::INTERNAL, format!("the admin API ended: {why}")))?;
    told
}

fn unusable(data: &std::path::Path, why: &std::io::Error) -> Failure {
    Failure::new(codes::STORE_UNAVAILABLE, format!("{} cannot be used: {why}", data.display()))
        .hint("name another folder: --data DIR")
}

async fn tell(
    service: &Service,
    args: &DemoArgs,
    (global, pause): (&Global, Duration),
    out: &mut Out,
) -> Result<Exit, Failure> {
    out.data(&format!(
        "AICMO demo   {} briefs, 5 modules and their saga, embedded store, in-process bus, seed {}\n\n",
        BRIEFS.len(),
        args.seed
    ))?;
    let (mut demo, mut told) = Demo::start(service.sagas().clone(), pause).await.map_err(Failure::from)?;
    let mut ended: BTreeMap<String, SagaShow> = BTreeMap::new();
    let mut board = Board::default();
    loop {
        for one in told.drain(..) {
            if let Told::Ended { show } = &one {
                ended.insert(show.row.key.clone(), (**show).clone());
            }
            let line = board.take(&one);
            if let Some(line) = line.filter(|_| !out.paints()) {
                out.data(&format!("{line}\n"))?;
            }
        }
        if out.paints() {
            out.repaint(&board.text(&out.style.clone()))?;
        }
        if demo.is_over() {
            break;
        }
        told = demo.look().await.map_err(Failure::from)?;
    }
    if !out.paints() {
        out.data(&format!("\n{}", board.text(&out.style.clone())))?;
    }
    out.data(&undo(&demo, &ended).await)?;
    let verdicts = demo.verdicts().await.map_err(Failure::from)?;
    out.data(&checked(&verdicts))?;
    out.data(&next(&ended, &global.program()))?;
    Ok(if verdicts.findings.is_empty() { Exit(0) } else { Exit(6) })
}

/// The signs of the last 24 steps: one that is undone has that many changes.
const STEPS_SHOWN: usize = 24;

/// The live table: a line a saga.
#[derive(Default)]
struct Board {
    lines: BTreeMap<String, (String, Vec<String>)>,
}

impl Board {
    /// Takes in what happened; gives the line of a plain log.
    fn take(&mut self, told: &Told) -> Option<String> {
        match told {
            Told::Began { key } => {
                self.lines.insert(key.clone(), ("● running".to_owned(), Vec::new()));
                Some(format!("● {key}  began"))
            }
            Told::Step { key, step, sign, words } => {
                let line = self.lines.entry(key.clone()).or_default();
                line.0 = if *sign == "↺" || *sign == "↩" {
                    "↩ compensating".to_owned()
                } else {
                    "● running".to_owned()
                };
                line.1.push((*sign).to_owned());
                Some(format!("{sign} {key}  {step}  {words}"))
            }
            Told::Decided { key, approved: true } => Some(format!("✔ {key}  the operator approves the strategy")),
            Told::Decided { key, approved: false } => Some(format!("✖ {key}  the operator rejects the strategy")),
            Told::Ended { show } => {
                let row = &show.row;
                let took = row.ended_at.map(|ended| ended.since(row.started_at).as_millis()).unwrap_or_default();
                let reason = row.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                let state = format!("{} {}", row.state.sign(), row.state.word());
                let line = self.lines.entry(row.key.clone()).or_default();
                line.0 = format!("{state:14} {took:>5} ms  {}{reason}", row.id.short());
                Some(format!("{state}  {}  in {took} ms{reason}", row.key))
            }
        }
    }
    /// A line for each, no longer than the terminal is wide; elsewhere whole.
    fn text(&self, style: &Style) -> String {
        let width = self.lines.keys().map(|key| key.chars().count()).max().unwrap_or(0);
        let lines = self.lines.iter().map(|(key, (state, steps))| {
            let steps: String = steps.iter().rev().take(STEPS_SHOWN).rev().map(String::as_str).collect();
            let line = format!("  {key:width$}  {steps:STEPS_SHOWN$}  {state}");
            let line = if style.terminal && style.cut { fit(&line, style.width, style) } else { line };
            format!("{line}\n")
        });
        lines.collect()
    }
}

async fn undo(demo: &Demo, ended: &BTreeMap<String, SagaShow>) -> String {
    let mut text = String::new();
    for (key, show) in ended.iter().filter(|(_, show)| show.row.state == SagaState::Compensated) {
        text.push_str(&format!("\n{key} was taken back, the last step first:\n"));
        for (step, command) in demo.undo_of(show).await {
            text.push_str(&format!("  ↺ {step:28} {command}\n"));
        }
    }
    text
}

fn checked(verdicts: &Verdicts) -> String {
    let events: u64 = verdicts.events.iter().map(|(_, events)| events).sum();
    let head = format!(
        "\nchecked: {} sagas, {events} events in {} stores, {} promises: ",
        verdicts.sagas,
        verdicts.events.len(),
        verdicts.promises.len()
    );
    let mut text = if verdicts.findings.is_empty() {
        format!("{head}every one kept\n")
    } else {
        format!("{head}{} BROKEN\n", verdicts.findings.len())
    };
    for finding in &verdicts.findings {
        text.push_str(&format!("  {} {}: {}\n", finding.promise, finding.place, finding.says));
    }
    text
}

fn next(ended: &BTreeMap<String, SagaShow>, program: &Program) -> String {
    let interesting = ended.values().find(|show| show.row.state == SagaState::Compensated).or(ended.values().next());
    let id = interesting.map(|show| show.row.id.short()).unwrap_or_default();
    let words = ["saga list --all".to_owned(), format!("saga show {id}"), format!("saga history {id}")];
    let lines: String = words.iter().map(|words| format!("  {}\n", program.told(words))).collect();
    format!("\nlook closer:\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_testkit::fixtures::NOW;

    #[test]
    fn a_line_of_the_story_is_no_longer_than_the_terminal_and_whole_elsewhere() {
        let mut board = Board::default();
        let steps = vec!["✔".to_owned(); 40];
        let state =
            "↺ compensated   1234 ms  9f3ac2d1: the workspace was refused, for a reason that goes on and on and on";
        board.lines.insert("a-client-with-a-rather-long-name".to_owned(), (state.to_owned(), steps));
        for width in [60, 80, 120] {
            let text = board.text(&Style::terminal(NOW, width));
            assert!(text.lines().all(|line| crate::print::style::width(line) <= width), "{text}");
            assert!(text.contains('…'));
        }
        assert!(board.text(&Style::pipe(NOW)).contains("on and on and on\n"));
    }
}

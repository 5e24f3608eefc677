//! `sagactl saga`: the verbs, and those of them that only look.

use crate::args::{Global, Kind};
use crate::cmd::{list, live, order, start, watch};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::{history, show, why};
use clap::{Args, Subcommand};
use saga_core::control::{Moment, PAGE_MAX, Page, ask};
use saga_core::time::Timestamp;

/// What can be done with sagas. ID is a full id, its last six or more digits, or TYPE/KEY.
#[derive(Debug, Subcommand)]
pub enum SagaCommand {
    /// Start a saga; the same key and input give the same saga
    Start(start::StartArgs),
    /// List sagas, trouble first; without filters the open ones
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    /// Everything about one saga, and what you can do
    Show(ShowArgs),
    /// Follow one saga until it ends
    Watch(watch::WatchArgs),
    /// The facts of one saga
    History(HistoryArgs),
    /// Why a saga waits, ranked, with evidence and a remedy
    WhyStuck(WhyArgs),
    /// Answer a gate
    Signal(order::SignalArgs),
    /// Try a parked or waiting step again now
    Retry(order::RetryArgs),
    /// Go on without a step, or accept an undo as done by hand
    Skip(order::SkipArgs),
    /// Undo what was done and end as compensated
    Compensate(order::CompensateArgs),
    /// Let nothing new begin
    Pause(order::PlainArgs),
    /// Go on after a pause
    Resume(order::ResumeArgs),
    /// Undo what was done and end as cancelled
    Cancel(order::CancelArgs),
    /// Write something into the history
    Note(order::NoteArgs),
}

impl SagaCommand {
    /// What it does to the world.
    pub fn kind(&self) -> Kind {
        match self {
            SagaCommand::List(_)
            | SagaCommand::Show(_)
            | SagaCommand::Watch(_)
            | SagaCommand::History(_)
            | SagaCommand::WhyStuck(_) => Kind::Look,
            SagaCommand::Start(_)
            | SagaCommand::Signal(_)
            | SagaCommand::Retry(_)
            | SagaCommand::Skip(_)
            | SagaCommand::Compensate(_)
            | SagaCommand::Pause(_)
            | SagaCommand::Resume(_)
            | SagaCommand::Cancel(_)
            | SagaCommand::Note(_) => Kind::Order,
        }
    }
}

/// `saga show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Which saga
    pub id: String,
    /// Also its input and outputs
    #[arg(long)]
    pub data: bool,
    /// As it was after so many of its facts (7), at an RFC 3339 time, or so long ago (2h)
    #[arg(long, value_name = "REV|TIME")]
    pub at: Option<String>,
}

/// `saga history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// Which saga
    pub id: String,
    /// Only facts from this one on
    #[arg(long, value_name = "REV", default_value_t = 1)]
    pub since_rev: u64,
    /// At most this many; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub limit: usize,
}

/// `saga why-stuck`.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// Which saga
    pub id: String,
    /// Exit code 6 when it waits for something
    #[arg(long)]
    pub exit_status: bool,
}

/// Runs it.
pub async fn run(command: &SagaCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    match command {
        SagaCommand::Start(args) => start::run(args, global, out).await,
        SagaCommand::List(args) if args.watch => live::run(args, global, out).await,
        SagaCommand::List(args) => list::run(args, global, out).await,
        SagaCommand::Show(args) => shown(args, global, out).await,
        SagaCommand::Watch(args) => watch::run(args, global, out).await,
        SagaCommand::History(args) => facts(args, global, out).await,
        SagaCommand::WhyStuck(args) => stuck(args, global, out).await,
        SagaCommand::Signal(args) => order::signal(args, global, out).await,
        SagaCommand::Retry(args) => order::retry(args, global, out).await,
        SagaCommand::Skip(args) => order::skip(args, global, out).await,
        SagaCommand::Compensate(args) => order::compensate(args, global, out).await,
        SagaCommand::Pause(args) => order::pause(args, global, out).await,
        SagaCommand::Resume(args) => order::resume(args, global, out).await,
        SagaCommand::Cancel(args) => order::cancel(args, global, out).await,
        SagaCommand::Note(args) => order::note(args, global, out).await,
    }
}

/// Reads the number of a fact, or a time.
fn moment(text: &str, now: Timestamp) -> Result<Moment, Failure> {
    match text.parse() {
        Ok(moment) => Ok(moment),
        Err(_) => list::since("--at", text, now).map(Moment::Time),
    }
}

async fn shown(args: &ShowArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    let at = args.at.as_deref().map(|text| moment(text, crate::clock::now())).transpose()?;
    let saga = session.ask(ask::Saga { id: args.id.clone(), data: args.data, at }).await?;
    out.view(&saga, |style| show::render(&saga, style))?;
    Ok(Exit::DONE)
}

async fn facts(args: &HistoryArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    let most = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut after = args.since_rev.saturating_sub(1);
    let mut all = Page { limit: args.limit, ..Page::whole(Vec::new()) };
    loop {
        let limit = most.saturating_sub(all.items.len()).min(PAGE_MAX);
        let page = session.ask(ask::History { id: args.id.clone(), after, limit }).await?;
        let got = page.items.len();
        all.items.extend(page.items);
        (all.next, all.total, all.truncated) = (page.next, page.total, page.truncated);
        match all.items.last() {
            Some(last) if got == limit && all.items.len() < most && last.rev > after => after = last.rev,
            _ => break,
        }
    }
    let mut dropped = Vec::new();
    out.view(&all, |style| {
        let rendered = history::render(&all, style);
        dropped = rendered.dropped;
        rendered.text
    })?;
    super::module::left_out(&dropped, out);
    Ok(Exit::DONE)
}

async fn stuck(args: &WhyArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    let found = session.ask(ask::WhyStuck { id: args.id.clone() }).await?;
    out.view(&found, |style| why::render(&found, style))?;
    Ok(if args.exit_status && !found.causes.is_empty() { Exit::FINDINGS } else { Exit::DONE })
}

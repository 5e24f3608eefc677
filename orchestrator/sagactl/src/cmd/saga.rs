//! `sagactl saga`: the verbs, and those of them that only look.

use crate::args::Global;
use crate::cmd::{order, start, watch};
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use crate::print::{history, list, show, why};
use crate::words::parse_duration;
use clap::{Args, Subcommand};
use saga_admin::{query, wire};
use saga_core::codes;
use saga_core::control::{Look, PAGE_MAX, Page, Selector, View};
use saga_core::time::Timestamp;
use saga_core::view::SagaRow;
use std::time::Duration;

/// What can be done with sagas. ID is a full id, its last six or more digits, or TYPE/KEY.
#[derive(Debug, Subcommand)]
pub enum SagaCommand {
    /// Start a saga; the same key and input give the same saga
    Start(start::StartArgs),
    /// List sagas, trouble first; without filters the open ones
    #[command(visible_alias = "ls")]
    List(ListArgs),
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

/// `saga list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    /// Only these states, with commas between them
    #[arg(long, value_name = "STATES", value_delimiter = ',')]
    pub state: Vec<String>,
    /// Only this definition
    #[arg(long = "type", value_name = "TYPE")]
    pub kind: Option<String>,
    /// Only this key; * stands for anything
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Only those that need a person
    #[arg(long)]
    pub attention: bool,
    /// Ended ones too
    #[arg(short, long)]
    pub all: bool,
    /// Only those started in the last 2h, or since an RFC 3339 time
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// At most this many; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Continue after a page (`page.next` of the JSON)
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
}

/// `saga show`.
#[derive(Debug, Clone, Args)]
pub struct ShowArgs {
    /// Which saga
    pub id: String,
    /// Also its input and outputs
    #[arg(long)]
    pub data: bool,
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
        SagaCommand::List(args) => listed(args, global, out).await,
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

/// An answer of another kind than was asked for.
pub fn strange(view: &View) -> Failure {
    Failure::new(codes::INTERNAL, format!("the answer is a {}, which was not asked for", wire::kind_of(view)))
}

/// Reads `2h` before now, or an RFC 3339 time.
pub fn since(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(at) = Timestamp::parse(text) {
        return Ok(at);
    }
    let back: Duration = parse_duration(text.trim_start_matches('-')).map_err(|_| {
        Failure::usage(format!("--since {text:?} is neither a time span nor an RFC 3339 time"))
            .hint("for example 2h, 3d or 2026-11-21T18:00:00Z")
    })?;
    Ok(Timestamp(now.0.saturating_sub(i64::try_from(back.as_micros()).unwrap_or(i64::MAX))))
}

fn selector(args: &ListArgs, now: Timestamp) -> Result<Selector, Failure> {
    Ok(Selector {
        states: query::states(&args.state.join(","))?,
        kind: args.kind.clone(),
        key: args.key.clone(),
        attention: args.attention,
        all: args.all,
        since: args.since.as_deref().map(|text| since(text, now)).transpose()?,
        limit: if args.limit == 0 { PAGE_MAX } else { args.limit.min(PAGE_MAX) },
        cursor: args.cursor.clone(),
    })
}

async fn listed(args: &ListArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let mut selector = selector(args, out.style.now)?;
    let session = connect::session(global, out).await?;
    let mut all: Page<SagaRow> =
        Page { items: Vec::new(), next: None, total: None, truncated: false, notes: Vec::new() };
    loop {
        let view = session.look(Look::Sagas(selector.clone())).await?;
        let View::SagaList(page) = view else { return Err(strange(&view)) };
        let empty = page.items.is_empty();
        all.items.extend(page.items);
        (all.next, all.total, all.truncated) = (page.next, page.total, page.truncated);
        all.notes.extend(page.notes);
        let missing = if args.limit == 0 { PAGE_MAX } else { args.limit.saturating_sub(all.items.len()).min(PAGE_MAX) };
        match &all.next {
            // A page without rows that still names a next one would never end.
            Some(next) if missing > 0 && !empty => selector.cursor = Some(next.clone()),
            _ => break,
        }
        selector.limit = missing;
    }
    all.notes.dedup();
    // A total of one page says nothing of the others that are incomplete.
    (all.total, all.truncated) = if all.notes.is_empty() { (all.total, all.truncated) } else { (None, true) };
    let view = View::SagaList(all);
    let View::SagaList(page) = &view else { return Err(strange(&view)) };
    let mut dropped = Vec::new();
    out.view(&view, |style| {
        let rendered = list::render(page, style);
        dropped = rendered.dropped;
        rendered.text
    })?;
    page.notes.iter().for_each(|note| out.incomplete(note));
    if page.items.is_empty() {
        let hint = if args.all { "sagactl saga start TYPE --input FILE" } else { "ended ones too: --all" };
        out.note(&format!("no saga fits ({hint})"));
    } else {
        let footer = list::footer(page, &dropped, &out.note_style);
        if page.truncated && !out.style.terminal {
            out.note(&footer);
        } else {
            out.footer(&footer);
        }
    }
    Ok(Exit::DONE)
}

async fn shown(args: &ShowArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    let view = session.look(Look::Saga { id: args.id.clone(), data: args.data }).await?;
    let View::Saga(saga) = &view else { return Err(strange(&view)) };
    out.view(&view, |style| show::render(saga, style))?;
    Ok(Exit::DONE)
}

async fn facts(args: &HistoryArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    let most = if args.limit == 0 { usize::MAX } else { args.limit };
    let mut after = args.since_rev.saturating_sub(1);
    let mut all = Page { items: Vec::new(), next: None, total: None, truncated: false, notes: Vec::new() };
    loop {
        let limit = most.saturating_sub(all.items.len()).min(PAGE_MAX);
        let view = session.look(Look::History { id: args.id.clone(), after, limit }).await?;
        let View::History(page) = view else { return Err(strange(&view)) };
        let got = page.items.len();
        all.items.extend(page.items);
        (all.next, all.total, all.truncated) = (page.next, page.total, page.truncated);
        match all.items.last() {
            Some(last) if got == limit && all.items.len() < most && last.rev > after => after = last.rev,
            _ => break,
        }
    }
    let view = View::History(all);
    let View::History(page) = &view else { return Err(strange(&view)) };
    let mut dropped = Vec::new();
    out.view(&view, |style| {
        let rendered = history::render(page, style);
        dropped = rendered.dropped;
        rendered.text
    })?;
    super::module::left_out(&dropped, out);
    Ok(Exit::DONE)
}

async fn stuck(args: &WhyArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    let view = session.look(Look::Why { id: args.id.clone() }).await?;
    let View::Why(found) = &view else { return Err(strange(&view)) };
    out.view(&view, |style| why::render(found, style))?;
    Ok(if args.exit_status && !found.causes.is_empty() { Exit::FINDINGS } else { Exit::DONE })
}

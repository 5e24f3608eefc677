//! `sagactl saga list`: reads as many pages as are wanted and writes each as it comes, so that a list of any length takes
//! no more memory than one page.

use crate::args::{Format, Global};
use crate::connect::{self, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::list::{self, Shown};
use crate::print::out::Out;
use crate::print::sheet::Sheet;
use crate::words::parse_duration;
use clap::Args;
use saga_core::codes;
use saga_core::control::{Asks, PAGE_MAX, Page, Selector, words};
use saga_core::time::Timestamp;
use saga_core::view::SagaRow;
use std::time::Duration;

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
    /// At most this many; 0 shows all, page by page
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
    /// Continue after a page: `page.next` of its JSON, with the same filters. With --watch: after a change, by its `cursor`
    #[arg(long, value_name = "CURSOR")]
    pub cursor: Option<String>,
    /// Go on with what changes: drawn again on a terminal, a line a change elsewhere
    #[arg(short, long)]
    pub watch: bool,
    /// Stop watching after this time, with exit code 8
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration, requires = "watch")]
    pub during: Option<Duration>,
}

/// Reads `2h` before now, or an RFC 3339 time.
pub fn since(option: &str, text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    if let Ok(at) = Timestamp::parse(text) {
        return Ok(at);
    }
    let back: Duration = parse_duration(text.trim_start_matches('-')).map_err(|_| {
        Failure::usage(format!("{option} {text:?} is neither a time span nor an RFC 3339 time"))
            .hint("for example 2h, 3d or 2026-11-21T18:00:00Z")
    })?;
    Ok(Timestamp(now.0.saturating_sub(i64::try_from(back.as_micros()).unwrap_or(i64::MAX))))
}

/// What is asked for.
pub fn selector(args: &ListArgs, now: Timestamp) -> Result<Selector, Failure> {
    // No word at all is no condition; an empty one is a mistake.
    let states = if args.state.is_empty() { Vec::new() } else { words::states(&args.state.join(","))? };
    Ok(Selector {
        states,
        kind: args.kind.clone(),
        key: args.key.clone(),
        attention: args.attention,
        all: args.all,
        since: args.since.as_deref().map(|text| since("--since", text, now)).transpose()?,
        limit: PAGE_MAX,
        cursor: args.cursor.clone(),
    })
}

/// Runs it.
pub async fn run(args: &ListArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::session(global, out).await?;
    listed(args, &session, out).await
}

/// Writes the list once.
pub async fn listed(args: &ListArgs, session: &Session, out: &mut Out) -> Result<Exit, Failure> {
    let mut selector = selector(args, out.style.now)?;
    let mut whole: Option<Page<SagaRow>> = None;
    let (mut shown, mut sheet) = (Shown::default(), Sheet::new(out.format));
    loop {
        let left = u64::try_from(args.limit).unwrap_or(u64::MAX).saturating_sub(shown.rows);
        let left = usize::try_from(left).unwrap_or(PAGE_MAX).min(PAGE_MAX);
        selector.limit = if args.limit == 0 { PAGE_MAX } else { left };
        // The notes about the face that answers stand once, below the last page.
        let page = session.control.ask(&session.by, selector.clone()).await?;
        if page.next.is_some() && page.next == selector.cursor {
            return Err(Failure::new(codes::INTERNAL, "a page names itself as the next one"));
        }
        shown.add(&page.items);
        sheet.rows(&page, out)?;
        let next = page.next.clone();
        whole = Some(joined(whole, page));
        match next {
            Some(next) if args.limit == 0 || shown.rows < args.limit as u64 => selector.cursor = Some(next),
            Some(_) | None => break,
        }
    }
    let Some(mut page) = whole else { return Ok(Exit::DONE) };
    page.limit = args.limit;
    page.truncated = page.next.is_some() || !page.notes.is_empty();
    // Read from the first to the last page, a list has as many rows as there are.
    if args.cursor.is_none() && !page.truncated {
        page.total = page.total.or(Some(shown.rows));
    }
    let missing = page.notes.clone();
    // Said already, but not to a program.
    page.notes.extend(session.notes.iter().cloned());
    sheet.end(&page, out)?;
    missing.iter().for_each(|note| out.incomplete(&out.note_style.clean(note)));
    tell(args, &page, &shown, &sheet, out);
    Ok(Exit::DONE)
}

/// What two pages after one another come to, without their rows: the counts of the first are those of the whole list.
fn joined(before: Option<Page<SagaRow>>, page: Page<SagaRow>) -> Page<SagaRow> {
    let Some(mut before) = before else { return Page { items: Vec::new(), ..page } };
    before.notes.extend(page.notes.into_iter().filter(|note| !before.notes.contains(note)).collect::<Vec<_>>());
    Page { next: page.next, ..before }
}

fn tell(args: &ListArgs, page: &Page<SagaRow>, shown: &Shown, sheet: &Sheet, out: &mut Out) {
    if shown.rows == 0 {
        let hint = if args.all { "sagactl saga start TYPE --input FILE" } else { "ended ones too: --all" };
        return out.note(&format!("no saga fits ({hint})"));
    }
    let footer = list::footer(page, shown, sheet.dropped(), &out.note_style);
    let people = matches!(out.format, Format::Table | Format::Wide);
    if page.truncated && people && !out.style.terminal {
        out.note(&footer);
    } else {
        out.footer(&footer);
    }
}

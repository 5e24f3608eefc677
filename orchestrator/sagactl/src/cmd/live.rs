//! `sagactl saga list --watch`: a list that goes on with what changes; drawn again on a terminal, a line a change elsewhere.

use crate::args::{Format, Global};
use crate::clock;
use crate::cmd::list::{self, ListArgs};
use crate::cmd::watch::{REPAINT_EVERY, endless, within};
use crate::connect::{self, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::json;
use crate::print::list::{Shown, footer, render};
use crate::print::out::Out;
use crate::print::sheet::Sheet;
use crate::print::style::Style;
use saga_core::control::{Asks as _, Change, Changes, PAGE_MAX, Page, Selector, WatchSagas};
use saga_core::view::SagaRow;
use std::time::Duration;
use tokio::time::timeout;

/// 250 ms: what changes together is drawn together, and the list is not asked for more often.
const TOGETHER: Duration = Duration::from_millis(250);

/// Follows it, until it is interrupted or its time is over.
pub async fn run(args: &ListArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    endless(out)?;
    let of = Selector { cursor: None, ..list::selector(args, out.style.now)? };
    let session = connect::session(global, out).await?;
    // Before the list: what changes meanwhile is heard twice rather than not at all.
    let watch = WatchSagas { of: of.clone(), after: args.cursor.clone() };
    let changes = session.control.watch(&session.by, watch.into()).await?;
    match out.paints() {
        true => within(args.during, drawn(args, of, &session, changes, out)).await,
        false => within(args.during, told(args, &session, changes, out)).await,
    }
}

/// The list again whenever something of it has changed.
async fn drawn(
    args: &ListArgs,
    of: Selector,
    session: &Session,
    mut changes: Box<dyn Changes>,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let limit = if args.limit == 0 { PAGE_MAX } else { args.limit.min(PAGE_MAX) };
    let of = Selector { limit, ..of };
    loop {
        let page = session.control.ask(&session.by, of.clone()).await?;
        let mut changed = true;
        loop {
            out.style.now = clock::now();
            out.redraw(&picture(&page, &out.style), changed)?;
            changed = false;
            let told = timeout(REPAINT_EVERY, changes.next()).await.unwrap_or_else(|_| Ok(Vec::new()))?;
            if !told.is_empty() {
                break;
            }
        }
        clock::pause(TOGETHER).await;
    }
}

fn picture(page: &Page<SagaRow>, style: &Style) -> String {
    let mut shown = Shown::default();
    shown.add(&page.items);
    let rendered = render(page, style);
    format!("{}{}\n", rendered.text, footer(page, &shown, &rendered.dropped, style))
}

/// The list, unless it goes on behind a change; then a line a change. What is no longer one of the list has its line, too.
async fn told(
    args: &ListArgs,
    session: &Session,
    mut changes: Box<dyn Changes>,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let mut sheet = Sheet::new(out.format);
    if args.cursor.is_none() {
        list::listed(args, session, out).await?;
        sheet = sheet.headed();
    }
    loop {
        for change in changes.next().await? {
            line(change, &mut sheet, out)?;
        }
    }
}

fn line(change: Change, sheet: &mut Sheet, out: &mut Out) -> Result<(), Failure> {
    match out.format {
        Format::Ndjson => out.data(&json::item(&change)?),
        Format::Json | Format::Table | Format::Wide | Format::Id => sheet.rows(&Page::whole(vec![change.row]), out),
    }
}

//! `saga list`: rows, trouble first, and what comes next for each.

use crate::print::style::{Ink, Style};
use crate::print::table::{Cell, Column, Rendered, Table};
use crate::words;
use saga_core::control::Page;
use saga_core::view::SagaRow;
use saga_core::waiting::{WaitReason, Waiting};

/// The table. Narrow terminals lose AGE first, then KEY, then TRY; never ID or STATE.
pub fn render(page: &Page<SagaRow>, style: &Style) -> Rendered {
    let (id, age) = if style.terminal { ("  ID", "AGE") } else { ("ID", "STARTED") };
    let mut table = Table::new([
        Column::new(id),
        Column::new("TYPE").least(12).drop(5),
        Column::new("KEY").least(9).drop(2),
        Column::new("STATE"),
        Column::new("STEP").least(11).drop(6),
        Column::new("TRY").drop(3),
        Column::new(age).drop(1),
        Column::new("NEXT").least(10).drop(4),
        Column::new("ENDED").wide(),
        Column::new("REASON").wide(),
    ]);
    for row in &page.items {
        table.row(cells(row, style));
    }
    table.render(style)
}

fn cells(row: &SagaRow, style: &Style) -> Vec<Cell> {
    let ink = Ink::of_saga(row.state);
    let id = match style.terminal {
        true => format!("{} {}", style.saga_sign(row.state), row.id.short()),
        false => row.id.short(),
    };
    let dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        Cell::ink(id, if row.state.needs_person() { ink } else { Ink::Bold }),
        Cell::new(style.clean(&format!("{}@{}", row.kind, row.version))),
        Cell::new(style.clean(&row.key)),
        Cell::ink(row.state.word(), ink),
        Cell::new(dash(step(row, style))),
        Cell::new(attempt(row.attempt)),
        Cell::ink(style.age(row.started_at), Ink::Dim),
        Cell::new(next(row, style)),
        Cell::ink(dash(row.ended_at.map(|at| style.age(at))), Ink::Dim),
        Cell::new(dash(row.reason.as_deref().map(|reason| style.clean(reason)))),
    ]
}

fn step(row: &SagaRow, style: &Style) -> Option<String> {
    let path = style.clean(row.step.as_deref()?);
    Some(if row.undoing { format!("{path} {}", style.sign("↩", "<")) } else { path })
}

/// `3/10`, `3` without a limit, `-` without tries.
pub fn attempt(attempt: Option<(u32, u32)>) -> String {
    match attempt {
        Some((now, 0)) => now.to_string(),
        Some((now, most)) => format!("{now}/{most}"),
        None => "-".to_owned(),
    }
}

/// What happens next, and who makes it happen.
pub fn next(row: &SagaRow, style: &Style) -> String {
    match row.waiting.first() {
        Some(waiting) => awaited(waiting, style),
        None if row.state.needs_person() => "a person".to_owned(),
        None => "-".to_owned(),
    }
}

fn awaited(waiting: &Waiting, style: &Style) -> String {
    let when = |relative: &str, absolute: &str| {
        let at = waiting.until.map(|until| style.ahead(until));
        at.map(|at| if style.is_relative() { relative.replace('#', &at) } else { format!("{absolute} {at}") })
    };
    let overdue = waiting.until.is_some_and(|until| until < style.now);
    match waiting.reason {
        WaitReason::Backoff | WaitReason::NoReply if waiting.mend => {
            format!("mend: {}", style.clean(waiting.said.as_deref().unwrap_or_default()))
        }
        WaitReason::Backoff => when("in #", "at").unwrap_or_else(|| "soon".to_owned()),
        WaitReason::NoReply => "-".to_owned(),
        WaitReason::WaitingSignal => {
            let gate = style.clean(&waiting.subject);
            match when("# left", "until") {
                _ if overdue => format!("signal {gate}, overdue"),
                Some(left) => format!("signal {gate}, {left}"),
                None => format!("signal {gate}"),
            }
        }
        WaitReason::WaitingTimer => when("timer, in #", "timer, at").unwrap_or_else(|| "timer".to_owned()),
        WaitReason::Paused => "resume".to_owned(),
        WaitReason::NoDefinition => "deploy the version".to_owned(),
        WaitReason::Unreadable => "read by a newer program".to_owned(),
        WaitReason::DigestMismatch => "register a new version".to_owned(),
        WaitReason::RetriesExhausted
        | WaitReason::RefusedAfterPivot
        | WaitReason::PivotUnknown
        | WaitReason::UndoFailed
        | WaitReason::KeyReused
        | WaitReason::Fault => "a person".to_owned(),
    }
}

/// What was shown of a list, over all its pages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// How many rows.
    pub rows: u64,
    /// How many of them need a person.
    pub troubled: u64,
    /// The first that does.
    pub first_troubled: Option<String>,
}

impl Shown {
    /// Takes in the rows of a page.
    pub fn add(&mut self, rows: &[SagaRow]) {
        self.rows += rows.len() as u64;
        for row in rows.iter().filter(|row| row.state.needs_person()) {
            self.troubled += 1;
            self.first_troubled.get_or_insert_with(|| row.id.short());
        }
    }
}

/// What the footer says: how many of how many, how many need a person, what was left out, and the next command. Numbers
/// that are not exact are marked.
pub fn footer(page: &Page<SagaRow>, shown: &Shown, dropped: &[&str], style: &Style) -> String {
    let rows = words::count(shown.rows);
    let mut parts = vec![match page.total {
        Some(total) if page.next.is_some() => format!("{rows} of {} shown (--limit 0 shows all)", words::count(total)),
        Some(total) if total > shown.rows => format!("{rows} of {} shown", words::count(total)),
        Some(total) => format!("{rows} of {}", words::count(total)),
        None if page.next.is_some() => format!("{rows} shown, there are more (--limit 0 shows all)"),
        None if !page.notes.is_empty() => format!("{rows} shown, the list is not whole"),
        None => format!("{rows} shown"),
    }];
    let (at_least, troubled) = match page.troubled {
        Some(troubled) => ("", troubled),
        None => ("at least ", shown.troubled),
    };
    match troubled {
        0 => {}
        1 => parts.push(format!("{at_least}1 needs a person")),
        many => parts.push(format!("{at_least}{} need a person", words::count(many))),
    }
    if !dropped.is_empty() {
        parts.push(format!("left out: {} (-o wide)", dropped.join(" ")));
    }
    if let Some(first) = &shown.first_troubled {
        parts.push(format!("why: sagactl saga why-stuck {first}"));
    }
    parts.join(style.sign(" · ", " | "))
}

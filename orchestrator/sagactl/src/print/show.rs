//! `saga show` and `saga watch`: one saga with its steps as a tree, its undo plan, and what a person may order.

use crate::print::list::attempt;
use crate::print::style::{Ink, Style, width};
use crate::print::table::{Cell, Column, Table};
use crate::words;
use saga_core::shell;
use saga_core::view::{AsOf, Possible, SagaShow, SagaState, StepRow, StepState};
use std::time::Duration;

/// Everything about one saga.
pub fn render(show: &SagaShow, style: &Style) -> String {
    let mut text = head(show, style);
    text.push('\n');
    text.push_str(&steps(show, style));
    text.push_str(&undo(show, style));
    text.push_str(&possible(show, style));
    if show.anomalies > 0 {
        let kept = words::plural(show.anomalies, "unexpected message was kept", "unexpected messages were kept");
        let history = style.program.told(&format!("saga history {}", show.row.id.short()));
        text.push_str(&format!("\n{kept}: {history}\n"));
    }
    text.push_str(&data(show, style));
    text
}

/// Name, state, id, times, and the reason if there is one.
pub fn head(show: &SagaShow, style: &Style) -> String {
    let row = &show.row;
    let name = format!("{}@{}  {}", style.clean(&row.kind), row.version, style.clean(&row.key));
    let since = row.ended_at.or(row.waiting.first().map(|waiting| waiting.since));
    let age = since.filter(|_| row.state != SagaState::Running).map(|at| match (row.ended_at, style.is_relative()) {
        (Some(_), true) => format!(" {} ago", style.age(at)),
        (None, true) => format!(" for {}", style.age(at)),
        (Some(_), false) => format!(" at {}", style.age(at)),
        (None, false) => format!(" since {}", style.age(at)),
    });
    let state =
        format!("{} {}{}", style.saga_sign(row.state), row.state.word().to_uppercase(), age.unwrap_or_default());
    let gap = if style.terminal { style.width.saturating_sub(width(&name) + width(&state)).clamp(2, 60) } else { 2 };
    let (bold, ink) = (style.paint(Ink::Bold, &name), style.paint(Ink::of_saga(row.state), &state));
    let mut text = format!("{bold}{}{ink}\n", " ".repeat(gap));
    let ago = if style.is_relative() { format!(" ({} ago)", style.age(row.started_at)) } else { String::new() };
    let digest = show.digest.get(..8).unwrap_or(&show.digest);
    let parts = [
        row.id.to_string(),
        format!("started {}{ago}", style.moment(row.started_at)),
        format!("rev {}", show.rev),
        format!("plan {}", style.clean(digest)),
    ];
    text.push_str(&flow(&parts, "   ", 0, style));
    if let Some(AsOf { at, facts }) = &show.as_of {
        let now = style.program.told(&format!("saga show {}", row.id.short()));
        let of = words::plural(*facts, "fact", "facts");
        text.push_str(&format!("as it was at {}, after {} of {of}; as it is: {now}\n", style.moment(*at), show.rev));
    }
    if let Some(reason) = &row.reason {
        text.push_str(&format!("because {}\n", style.clean(reason)));
    }
    text
}

fn steps(show: &SagaShow, style: &Style) -> String {
    if show.steps.is_empty() {
        return "no step is known here: the definition is not registered in this process\n".to_owned();
    }
    let mut table = Table::new([
        Column::new("#").right(),
        Column::new("STEP").least(16),
        Column::new("MODULE").least(6).drop(3),
        Column::new("STATE"),
        Column::new("TRY").drop(2),
        Column::new("TOOK").drop(1),
        Column::new("RESULT").least(10).drop(4),
    ])
    .indent(2);
    let mut number = 0;
    for (index, step) in show.steps.iter().enumerate() {
        if step.depth == 0 {
            number += 1;
        }
        let label = if step.depth == 0 { number.to_string() } else { String::new() };
        table.row(cells(step, label, &branch(&show.steps, index, style), style));
    }
    table.render(style).text
}

fn cells(step: &StepRow, number: String, branch: &str, style: &Style) -> Vec<Cell> {
    let pivot = if step.pivot { format!(" {}", style.sign("◆", "<>")) } else { String::new() };
    let state = step.undo.unwrap_or(step.state);
    let result = match (&step.result, step.pivot && step.state == StepState::Pending) {
        (Some(result), _) => style.clean(result),
        (None, true) => "point of no return".to_owned(),
        (None, false) => String::new(),
    };
    vec![
        Cell::ink(number, Ink::Dim),
        Cell::new(format!("{branch}{}{pivot}", style.clean(&step.path))),
        Cell::new(style.clean(step.module.as_deref().unwrap_or("-"))),
        Cell::ink(format!("{} {}", style.step_sign(state), state.word()), Ink::of_step(state)),
        Cell::new(if state == StepState::Pending { String::new() } else { attempt(step.attempt) }),
        Cell::ink(step.took_ms.map(|ms| words::duration(Duration::from_millis(ms))).unwrap_or_default(), Ink::Dim),
        Cell::new(result),
    ]
}

/// The lines of the tree before a step: for each level whether more of it follows.
fn branch(steps: &[StepRow], index: usize, style: &Style) -> String {
    let depth = steps.get(index).map_or(0, |step| step.depth);
    let goes_on = |level: usize| {
        let after = steps.iter().skip(index + 1).take_while(|step| step.depth >= level);
        after.into_iter().any(|step| step.depth == level)
    };
    let mut text = String::new();
    for level in 1..=depth {
        text.push_str(match (level == depth, goes_on(level)) {
            (true, true) => style.sign("├ ", "|-"),
            (true, false) => style.sign("└ ", "`-"),
            (false, true) => style.sign("│ ", "| "),
            (false, false) => "  ",
        });
    }
    text
}

/// Equal neighbours are counted: `production.DiscardAsset ×3`. A plan entry is `command (path)`; people see the command, or
/// the path of a step that has none.
fn counted(plan: &[String], style: &Style) -> Vec<String> {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for entry in plan {
        let (command, path) = entry.split_once(" (").unwrap_or((entry, ""));
        let name = if command.is_empty() { path.trim_end_matches(')') } else { command };
        match groups.last_mut() {
            Some((last, count)) if *last == name => *count += 1,
            _ => groups.push((name, 1)),
        }
    }
    let times = style.sign("×", "x");
    let word = |(name, count): &(&str, usize)| match count {
        1 => style.clean(name),
        many => format!("{} {times}{many}", style.clean(name)),
    };
    groups.iter().map(word).collect()
}

/// Joins parts and breaks lines between them where the terminal ends.
fn flow(parts: &[String], between: &str, indent: usize, style: &Style) -> String {
    let room = if style.terminal && style.cut { style.width } else { usize::MAX };
    let (mut text, mut used) = (" ".repeat(indent), indent);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            if used + width(between) + width(part) > room {
                text = format!("{}\n{}", text.trim_end(), " ".repeat(indent));
                used = indent;
            } else {
                text.push_str(between);
                used += width(between);
            }
        }
        text.push_str(part);
        used += width(part);
    }
    text.push('\n');
    text
}

/// What would be sent if it were compensated now, and what would not be undone.
pub fn undo(show: &SagaShow, style: &Style) -> String {
    let mut text = String::new();
    if !show.undo_plan.is_empty() {
        let many = u64::try_from(show.undo_plan.len()).unwrap_or(u64::MAX);
        let commands = words::plural(many, "command", "commands");
        text.push_str(&format!("\nundo plan if compensated now ({commands}), the last step first:\n"));
        let arrow = format!(" {} ", style.sign("→", "->"));
        text.push_str(&flow(&counted(&show.undo_plan, style), &arrow, 3, style));
    }
    if !show.not_undone.is_empty() {
        let parts: Vec<String> = show.not_undone.iter().map(|part| style.clean(part)).collect();
        text.push_str(&format!("   not undone: {}\n", parts.join(", ")));
    }
    text
}

fn possible(show: &SagaShow, style: &Style) -> String {
    if show.possible.is_empty() {
        return String::new();
    }
    let widest = show.possible.iter().map(|possible| width(&style.clean(&possible.words))).max().unwrap_or(0);
    let mut text = "\n".to_owned();
    for (index, possible) in show.possible.iter().enumerate() {
        let label = if index == 0 { "you can" } else { "       " };
        let words = style.clean(&possible.words);
        let pad = " ".repeat(widest.saturating_sub(width(&words)));
        text.push_str(&format!("{label}   {words}{pad}   {}\n", command(show, possible, style)));
    }
    text
}

/// The command of something that a person may order.
pub fn command(show: &SagaShow, possible: &Possible, style: &Style) -> String {
    let id = show.row.id.short();
    let verb = style.clean(&possible.verb);
    // `skip --undo` is one verb: what follows the first word is its flag.
    let (word, flag) = verb.split_once(' ').unwrap_or((&verb, ""));
    let mut text = style.program.told(&format!("saga {word} {id}"));
    if let Some(at) = &possible.at {
        let place = shell::word(&style.clean(at));
        text.push_str(&match (word, flag) {
            ("signal", _) => format!(" {place}{}", decision(possible, style)),
            ("skip", "--undo") => format!(" --undo {place}"),
            ("skip", _) => format!(" --step {place} --result @output.json"),
            _ => format!(" --step {place}"),
        });
    }
    if possible.reason_needed {
        text.push_str(" --reason ");
        text.push_str(style.sign("…", "..."));
    }
    text
}

/// The opening that is decided, and a decision that fits where the gate has an example.
fn decision(possible: &Possible, style: &Style) -> String {
    let opening = possible.opening.as_ref().map(|name| format!(" --for {}", shell::word(&style.clean(name))));
    let example = possible.example.as_ref().map(|example| shell::word(&style.clean(example.as_str())));
    let data = example.unwrap_or_else(|| "@decision.json".to_owned());
    format!("{} --data {data}", opening.unwrap_or_default())
}

fn data(show: &SagaShow, style: &Style) -> String {
    let outputs = show.steps.iter().filter_map(|step| Some((step.path.as_str(), step.output.as_ref()?)));
    let all = show.input.iter().map(|input| ("input", input)).chain(outputs);
    let lines: Vec<String> = all
        .map(|(name, payload)| {
            format!("{}  {}\n", style.paint(Ink::Bold, &style.clean(name)), style.clean(payload.as_str()))
        })
        .collect();
    if lines.is_empty() { String::new() } else { format!("\n{}", lines.concat()) }
}

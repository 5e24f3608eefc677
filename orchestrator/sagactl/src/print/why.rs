//! `saga why-stuck`: ranked causes with their evidence and what to do first.

use crate::print::list::attempt;
use crate::print::style::{Ink, Style, width};
use saga_core::view::{Likelihood, Why};

/// The causes.
pub fn render(why: &Why, style: &Style) -> String {
    let row = &why.saga;
    let name = style.clean(&format!("{}@{} {}", row.kind, row.version, row.key));
    let Some(waiting) = row.waiting.first().filter(|_| !why.causes.is_empty()) else {
        let state = format!("{} {}", style.saga_sign(row.state), row.state.word());
        return format!("{name} is not stuck: {}\n", style.paint(Ink::of_saga(row.state), &state));
    };
    let since = match style.is_relative() {
        true => format!("has waited {}", style.age(waiting.since)),
        false => format!("waits since {}", style.age(waiting.since)),
    };
    let tries = match row.attempt {
        Some(_) => format!(" (try {})", attempt(row.attempt)),
        None => String::new(),
    };
    let undo = if waiting.undo { "the undo of " } else { "" };
    // A reason that holds the saga as a whole has no step.
    let at = if waiting.step.is_empty() { String::new() } else { format!(" at {undo}{}", style.clean(&waiting.step)) };
    let mut text = format!("{} {since}{at}{tries}\n", style.paint(Ink::Bold, &name));
    let widest = why.causes.iter().map(|cause| width(&style.clean(&cause.code))).max().unwrap_or(0);
    for (index, cause) in why.causes.iter().enumerate() {
        let code = style.clean(&cause.code);
        let pad = " ".repeat(widest.saturating_sub(width(&code)));
        let likely = match cause.likelihood {
            Likelihood::Certain => "recorded",
            Likelihood::VeryLikely => "very likely",
            Likelihood::Possible => "possible",
        };
        let code = style.paint(Ink::Bold, &code);
        text.push_str(&format!("\n{}. {code}{pad}   {likely}\n   {}\n", index + 1, style.clean(&cause.says)));
        for evidence in &cause.evidence {
            text.push_str(&format!("     {}\n", style.clean(evidence)));
        }
        text.push_str(&format!("   {}   {}\n", style.paint(Ink::Dim, "remedy"), style.typed(&cause.remedy)));
    }
    let out = why.checked.saturating_sub(why.causes.len());
    text.push_str(&format!("\nchecked {} causes, {out} ruled out\n", why.checked));
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::view::Cause;
    use saga_testkit::fixtures::{NOW, shows};

    #[test]
    fn what_holds_a_saga_as_a_whole_stands_at_no_step() {
        let mut saga = shows().into_iter().find(|show| !show.row.waiting.is_empty()).unwrap().row;
        saga.attempt = None;
        saga.waiting[0].since = NOW;
        saga.waiting[0].undo = false;
        let (code, says, remedy) = ("PAUSED".to_owned(), "dana paused it".to_owned(), "sagactl saga resume".to_owned());
        let cause = Cause { code, likelihood: Likelihood::Certain, says, evidence: Vec::new(), remedy };
        let mut why = Why { saga, causes: vec![cause], checked: 14 };
        let first = |why: &Why| render(why, &Style::pipe(NOW)).lines().next().unwrap().to_owned();
        for (step, ends) in [("approval", " at approval"), ("", "")] {
            why.saga.waiting[0].step = step.to_owned();
            let style = Style::pipe(NOW);
            assert!(first(&why).ends_with(&format!(" waits since {}{ends}", style.age(NOW))), "{:?}", first(&why));
        }
    }
}

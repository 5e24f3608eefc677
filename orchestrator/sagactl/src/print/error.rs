//! Errors: for people what, where, why and the next command; under a machine format one JSON object.

use crate::failure::Failure;
use crate::print::style::{Ink, Style};
use saga_admin::wire::ErrorBody;
use saga_core::control::ControlError;

/// For people.
pub fn human(error: &ControlError, style: &Style) -> String {
    let head = style.paint(Ink::Red, &format!("{} error:", error.code));
    // Several places are read as a list; one stands in the sentence.
    let listed = error.misfits.len() > 1;
    let message = match error.misfits.len() {
        0 | 1 => error.message.clone(),
        several => format!("the input does not fit in {several} places:"),
    };
    let mut text = format!("{head} {}\n", style.clean(&message));
    for misfit in error.misfits.iter().filter(|_| listed) {
        text.push_str(&format!("  {}\n", style.clean(&misfit.to_string())));
    }
    for (index, hint) in error.hint.iter().enumerate() {
        let label = if index == 0 { style.paint(Ink::Dim, "hint") } else { "    ".to_owned() };
        text.push_str(&format!("  {label}  {}\n", style.typed(hint)));
    }
    let more = style.program.told(&format!("help {}", error.code));
    text.push_str(&format!("  {}  {more}\n", style.paint(Ink::Dim, "more")));
    text
}

/// For programs; `None` when there is nothing to say.
pub fn machine(failure: &Failure, style: &Style) -> Option<String> {
    let mut error = failure.error.as_deref()?.clone();
    // What is told to be typed leads here, for programs as for people.
    error.hint.iter_mut().for_each(|hint| *hint = style.program.called(hint));
    let body = ErrorBody::of(&error, failure.exit.0, failure.request);
    crate::print::json::item(&body).ok()
}

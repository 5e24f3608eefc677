//! Messages for sagas that do not exist, and those that are only counted.

use super::{Out, STRAYS_MAX, Ticket, Told, refused, tell};
use crate::execution::{Answering, Signal, head};
use saga_core::codes;
use saga_core::id::{Direction, SagaId};
use saga_core::outcome::Answer;

/// Tells of strange messages that no fact keeps.
pub(super) fn count(saga: SagaId, counted: &mut u64, out: &mut Vec<Out>) {
    let many = std::mem::take(counted);
    if many > 0 {
        out.push(Out::Counted { saga, many });
    }
}
pub(super) fn stray(saga: SagaId, signal: &Signal, ticket: Option<Ticket>, strays: &mut u32, out: &mut Vec<Out>) {
    let what = match signal {
        Signal::Answered { of: Answering { step, direction, .. }, answer } => {
            let answer = match answer {
                Answer::Done { .. } => "done",
                Answer::Refused(_) => "refused",
                Answer::Retry { .. } => "retry",
            };
            let undo = if *direction == Direction::Undo { " (undo)" } else { "" };
            format!("{}{undo} answered {answer}", head(step))
        }
        Signal::Faulted { of, code, .. } => format!("{} broke: {}", head(&of.step), head(code)),
        Signal::NothingKnown { of } => format!("{}: nothing known", head(&of.step)),
        Signal::Ordered(_) => {
            return tell(out, ticket, refused(codes::SAGA_NOT_FOUND, format!("there is no saga {saga}")));
        }
        Signal::Begun(_) | Signal::Unstorable { .. } | Signal::Due => return,
    };
    if *strays >= STRAYS_MAX {
        out.push(Out::Counted { saga, many: 1 });
        return tell(out, ticket, Told::Taken);
    }
    *strays += 1;
    out.push(Out::Stray { saga, what, ticket });
}

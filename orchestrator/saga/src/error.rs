//! Why an orchestrator does not do what it was asked: it is forbidden, it has to wait, or its result is not known.

use crate::limits::OWNER_WITHIN;
use saga_core::codes::{self, Code};
use saga_core::control::ControlError;
use saga_core::input::{Misfit, sentence};
use saga_core::outcome::Refused;
use saga_core::ports::{OpenError, ReadError};
use saga_core::soundness::PlanFault;
use saga_engine::execution::OrderRefused;

/// Why an orchestrator does not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A plan is unsound: nothing of it ever runs.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Plan(Vec<PlanFault>),
    /// A store cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The start or order was refused; nothing changed.
    #[error("{} {}", .0.code.id, .0.message)]
    Refused(OrderRefused),
    /// The input does not fit its definition: every place, with what would. Nothing was begun.
    #[error("{} {}", codes::INPUT_REFUSED.id, sentence(.0))]
    Input(Vec<Misfit>),
    /// A fact of the saga cannot be read here. It stands still; the others go on.
    #[error("{0}")]
    Unreadable(saga_engine::journal::HistoryError),
    /// A value is not JSON.
    #[error("{0}")]
    Data(String),
    /// A module refused a command or could not serve it.
    #[error("{}: {}", .0.code, .0.reason)]
    Module(Refused),
    /// Nobody owns the saga's group, for longer than a takeover takes. Ask again later.
    #[error("no owner of coordinator group {group} could be asked for {} s: {}. Nothing was done", OWNER_WITHIN.as_secs(), unowned(why.as_deref()))]
    Unowned {
        /// The group.
        group: u16,
        /// What the broker says of itself, if it is away: owners in other processes are asked over it.
        why: Option<String>,
    },
    /// The owner has not said in time that it is written, because its store does not take it now. If its commit was not
    /// under way by then, it is not begun any more: send the same again.
    #[error("coordinator group {group} has not written it{why}; whether it did is not known")]
    Unanswered {
        /// The group.
        group: u16,
        /// Within which time, or what its store says.
        why: String,
    },
    /// It was handed to the owner in another process, and what became of it was not heard. It is done, or will not be begun
    /// any more: send the same again, or look.
    #[error("coordinator group {group} was asked, and no answer was heard: whether it was carried out is not known")]
    Unheard {
        /// The group.
        group: u16,
    },
    /// The store's sagas are spread over another number of groups.
    #[error("the sagas of this store are spread over {found} groups, this process is told to use {asked}")]
    Groups {
        /// What the store says.
        found: u16,
        /// What this process was told.
        asked: u16,
    },
    /// The sagas were opened to look only: no process coordinates them, so nothing can be ordered or awaited.
    #[error("nobody runs these sagas: they can be looked at, and nothing moves")]
    Nobody,
    /// The orchestrator is stopping, or was replaced by another one.
    #[error("the orchestrator has stopped")]
    Stopped,
}

fn unowned(why: Option<&str>) -> &str {
    why.unwrap_or("it changes hands, or its owner is not to be reached")
}

/// What a person does about a store that is damaged.
const KEEP_A_COPY: &str = "keep a copy of the data, then restore a backup";

/// Every error as people read it: code, sentence, next step. There is no other table.
impl From<Error> for ControlError {
    fn from(error: Error) -> Self {
        let says = error.to_string();
        let of = |code| ControlError::new(code, says.clone());
        match error {
            Error::Refused(refusal) => {
                let answer = ControlError::new(refusal.code, refusal.message);
                match refusal.hint {
                    Some(hint) => answer.hint(hint),
                    None => answer,
                }
            }
            Error::Input(misfits) => {
                let refused = ControlError::new(codes::INPUT_REFUSED, sentence(&misfits));
                ControlError { misfits, ..refused }.hint("a whole input that fits: sagactl definition list -o json")
            }
            Error::Plan(faults) => of(faults.first().map_or(codes::PLAN_MALFORMED, |fault| fault.code)),
            Error::Open(why) => {
                let (code, hint) = opening(&why);
                of(code).hint(hint)
            }
            Error::Read(ReadError::Corrupt { .. }) => of(codes::STORE_CORRUPT).hint(KEEP_A_COPY),
            Error::Read(_) => of(codes::STORE_UNAVAILABLE),
            Error::Unreadable(_) => {
                of(codes::SAGA_UNREADABLE).hint("its facts, as far as they can be read: sagactl saga history ID")
            }
            Error::Nobody => of(codes::NOBODY_RUNS),
            Error::Stopped => ControlError::new(codes::UNREACHABLE, "the orchestrator is stopping"),
            Error::Unowned { why: Some(_), .. } => {
                of(codes::UNOWNED).hint("start the broker, or mend the way to it, and send the same again")
            }
            Error::Unowned { .. } => {
                of(codes::UNOWNED).hint("a takeover takes up to the lease time; try again, or see sagactl doctor")
            }
            Error::Unheard { .. } => of(codes::OUTCOME_UNHEARD)
                .hint("send the same again: the same key, or the same request id, is carried out once")
                .hint("or look whether it is there: sagactl saga history ID"),
            Error::Unanswered { .. } => of(codes::STORE_UNAVAILABLE)
                .hint("send the same again: the same key, or the same request id, is one order")
                .hint("the store of orchestration may be locked or full; see sagactl doctor"),
            Error::Groups { .. } => {
                of(codes::STORE_GROUPS).hint("set coordinator.groups to the number that the store has")
            }
            Error::Data(_) | Error::Module(_) => of(codes::INTERNAL),
        }
    }
}

/// The code of a store that cannot be opened, and what to do first.
fn opening(why: &OpenError) -> (Code, &'static str) {
    match why {
        OpenError::InUse { .. } => {
            (codes::STORE_IN_USE, "its process and its address stand in owner.json beside it; ask that one, or stop it")
        }
        OpenError::Newer { .. } => (codes::STORE_NEWER, "use the newer sagactl, or another folder: --data DIR"),
        OpenError::Unavailable { .. } => {
            (codes::STORE_UNAVAILABLE, "check the folder, its rights and the disk, or name another: --data DIR")
        }
        OpenError::Refused { .. } => (codes::STORE_UNAVAILABLE, "store.url in the configuration says how to connect"),
        OpenError::Unsafe { .. } => (codes::STORE_UNSAFE, "remove what sets it; the store never runs without it"),
        OpenError::Strange { .. } | OpenError::Lost { .. } => (
            codes::STORE_STRANGE,
            "put back what belongs there, or restore all stores of one backup: sagactl help SG0018",
        ),
        OpenError::Behind { .. } => {
            (codes::STORE_BEHIND, "put back the newest copy, or restore all stores of one backup: sagactl help SG0019")
        }
        OpenError::Restless { .. } => {
            (codes::STORE_RESTLESS, "ask the process that writes it: owner.json beside it names its address")
        }
        OpenError::Corrupt { .. } => (codes::STORE_CORRUPT, "keep a copy of the folder, then restore a backup"),
        _ => (codes::STORE_UNAVAILABLE, "name another folder: --data DIR"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_code_its_words_and_a_next_step() {
        let place = || "data/qc.db".to_owned();
        let refusal =
            OrderRefused { code: codes::WRONG_STATE, message: "no".to_owned(), hint: Some("wait".to_owned()) };
        let misfit = || Vec::<Misfit>::new();
        for (error, code, hint) in [
            (Error::Refused(refusal), "SG0205", "wait"),
            (Error::Input(misfit()), "SG0102", "definition list"),
            (Error::Open(OpenError::InUse { place: place() }), codes::STORE_IN_USE.id, "owner.json"),
            (Error::Open(OpenError::Newer { place: place(), found: 2, known: 1 }), codes::STORE_NEWER.id, "newer"),
            (Error::Open(OpenError::Restless { place: place() }), codes::STORE_RESTLESS.id, "ask the process"),
            (Error::Read(ReadError::Corrupt { place: place(), why: place() }), codes::STORE_CORRUPT.id, "keep a copy"),
            (Error::Unowned { group: 7, why: None }, codes::UNOWNED.id, "lease time"),
            (Error::Unowned { group: 7, why: Some(place()) }, codes::UNOWNED.id, "start the broker"),
            (Error::Unheard { group: 7 }, codes::OUTCOME_UNHEARD.id, "send the same again"),
            (Error::Unanswered { group: 7, why: place() }, codes::STORE_UNAVAILABLE.id, "send the same again"),
            (Error::Groups { found: 4, asked: 2 }, codes::STORE_GROUPS.id, "coordinator.groups"),
        ] {
            let told = ControlError::from(error);
            assert_eq!(told.code, code, "{told:?}");
            assert!(told.hint.iter().any(|words| words.contains(hint)), "{told:?}");
        }
        for error in [Error::Nobody, Error::Stopped, Error::Data("bad".to_owned())] {
            let told = ControlError::from(error);
            assert!(!told.message.is_empty() && codes::find(&told.code).is_some(), "{told:?}");
        }
    }
}

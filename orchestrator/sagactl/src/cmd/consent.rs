//! Consent: what an order will do is shown before it is given, and nobody is asked to confirm what would be refused.

use crate::args::OrderArgs;
use crate::connect::Session;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input;
use crate::print::out::Out;
use crate::print::show;
use saga_core::codes;
use saga_core::control::ask;
use saga_core::view::{SagaShow, SagaState, StepState};

fn unasked(flag: &str) -> Failure {
    Failure::usage("this order asks for confirmation, and nobody can be asked here")
        .hint(format!("consent with {flag}"))
}

/// A moderate order: yes or no.
pub(super) fn agree(args: &OrderArgs, question: &str, out: &mut Out) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    if !out.can_ask() {
        return Err(unasked("--yes"));
    }
    match input::ask(out, question).as_deref() {
        Some("y" | "Y" | "yes") => Ok(()),
        _ => Err(declined(out)),
    }
}

fn declined(out: &mut Out) -> Failure {
    out.note("nothing was ordered");
    Failure::said(Exit::INTERRUPTED)
}

/// The saga as it is now.
pub(super) async fn looked(session: &Session, id: &str) -> Result<SagaShow, Failure> {
    Ok(*session.ask(ask::Saga { id: id.to_owned(), data: false, at: None }).await?)
}

/// Nobody is asked to confirm what would be refused.
pub(super) fn offered(saga: &SagaShow, verbs: &[&str], step: Option<&str>) -> Result<(), Failure> {
    let fits = |verb: &str, at: Option<&str>| verbs.contains(&verb) && step.is_none_or(|step| at == Some(step));
    let found = saga.possible.iter().any(|possible| fits(&possible.verb, possible.at.as_deref()));
    if found { Ok(()) } else { Err(not_now(saga)) }
}

fn not_now(saga: &SagaShow) -> Failure {
    let state = saga.row.state;
    let past = saga.steps.iter().any(|step| step.pivot && step.state != StepState::Pending);
    let failure = match state {
        _ if state.is_end() => Failure::new(codes::WRONG_STATE, format!("the saga has ended: {}", state.word())),
        SagaState::Compensating | SagaState::UndoFailed => {
            Failure::new(codes::WRONG_STATE, "the saga is going back already")
        }
        _ if past => Failure::new(codes::PAST_PIVOT, "the point of no return was passed, or is under way"),
        _ => Failure::new(codes::WRONG_STATE, format!("not possible now: the saga is {}", state.word())),
    };
    failure.hint(format!("what is possible: sagactl saga show {}", saga.row.id.short()))
}

/// A severe order: what will happen is shown, and the saga's key is typed. The order fits only what was shown: if the
/// saga moves on meanwhile, it is refused.
pub(super) async fn confirm(
    session: &Session,
    id: &str,
    args: &OrderArgs,
    undoes: bool,
    out: &mut Out,
) -> Result<OrderArgs, Failure> {
    if args.yes {
        return Ok(args.clone());
    }
    if !out.can_ask() {
        return Err(unasked("--yes"));
    }
    let saga = &looked(session, id).await?;
    if undoes {
        offered(saga, &["cancel", "compensate"], None)?;
    } else if saga.row.state.is_end() {
        return Err(not_now(saga));
    }
    let style = out.note_style.clone();
    let (kind, key) = (style.clean(&saga.row.kind), style.clean(&saga.row.key));
    let plan = if undoes { show::undo(saga, &style) } else { "   nothing will be undone\n".to_owned() };
    out.note(&format!("{kind}@{}  {key}{}{plan}", saga.row.version, if undoes { "" } else { "\n" }));
    match input::ask(out, &format!("Type the key to go on [{key}]: ")) {
        Some(typed) if typed == saga.row.key || typed == key => {
            Ok(OrderArgs { if_match: args.if_match.or(Some(saga.rev)), ..args.clone() })
        }
        _ => Err(declined(out)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_testkit::fixtures::shows;

    fn show_of(state: SagaState) -> SagaShow {
        shows().into_iter().find(|show| show.row.state == state).unwrap()
    }

    fn code(result: Result<(), Failure>) -> Option<String> {
        result.err().and_then(|failure| Some(failure.error?.message))
    }

    #[test]
    fn nobody_is_asked_to_confirm_what_would_be_refused() {
        let back = |saga: &SagaShow| offered(saga, &["cancel", "compensate"], None);
        for state in SagaState::ALL {
            let saga = show_of(state);
            let possible =
                saga.possible.iter().any(|possible| ["cancel", "compensate"].contains(&possible.verb.as_str()));
            assert_eq!(back(&saga).is_ok(), possible, "{state:?}");
        }
        assert!(code(back(&show_of(SagaState::Completed))).unwrap().contains("has ended: completed"));
        assert!(code(back(&show_of(SagaState::Compensating))).unwrap().contains("going back already"));
        let mut past = show_of(SagaState::Running);
        past.possible.clear();
        past.steps.iter_mut().for_each(|step| (step.pivot, step.state) = (true, StepState::Parked));
        assert!(code(back(&past)).unwrap().contains("point of no return"));
        let parked = show_of(SagaState::Parked);
        let at = parked.possible.iter().find(|possible| possible.verb == "skip").unwrap().at.clone();
        assert!(offered(&parked, &["skip"], at.as_deref()).is_ok());
        assert!(offered(&parked, &["skip"], Some("another")).is_err());
    }
}

//! The orders: each is confirmed as its weight asks, accepted with a receipt, and awaited only if that is wanted.

use super::consent::{agree, confirm, looked, offered};
use crate::args::{Format, Global, OrderArgs, WaitArgs};
use crate::clock;
use crate::connect::{self, Session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input::{self, Source};
use crate::print::json;
use crate::print::out::Out;
use crate::words;
use clap::Args;
use saga_core::codes;
use saga_core::control::{AwaitSaga, Order, OrderKind, Receipt, What, ask};
use saga_core::id::RequestId;
use saga_core::view::{SagaRow, SagaShow, SagaState};
use saga_core::waiting::WaitReason;
use saga_core::why;
use std::time::Duration;

/// 250 ms between two looks at a saga that does not change: unnoticed by a person, and nothing to a server.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// `saga signal`.
#[derive(Debug, Args)]
pub struct SignalArgs {
    /// Which saga
    pub id: String,
    /// Which gate
    pub gate: String,
    /// The decision, one JSON value: a file, @file, or - for standard input
    #[arg(long, value_name = "FILE", value_parser = Source::parse)]
    pub data: Source,
    /// The opening of the gate that this answers, as `saga show` and `saga why-stuck` name it. A gate that asks again opens anew,
    /// under another name: an answer decides the opening that it names and no other, and is refused when that one is decided
    /// already. Without it, it is the first opening of the gate, which also takes an answer that comes early; a later one has
    /// to be named
    #[arg(long = "for", value_name = "OPENING")]
    pub opening: Option<String>,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `saga retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Which saga
    pub id: String,
    /// Which step; the parked ones when not given
    #[arg(long, value_name = "PATH")]
    pub step: Option<String>,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `saga skip`.
#[derive(Debug, Args)]
pub struct SkipArgs {
    /// Which saga
    pub id: String,
    /// Go on without this step; needs --result
    #[arg(long, value_name = "PATH", requires = "result", required_unless_present = "undo")]
    pub step: Option<String>,
    /// The output to go on with, one JSON value: a file, @file, or - for standard input
    #[arg(long, value_name = "FILE", value_parser = Source::parse)]
    pub result: Option<Source>,
    /// Accept the undo of this step as done by hand
    #[arg(long, value_name = "PATH", conflicts_with_all = ["step", "result"])]
    pub undo: Option<String>,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `saga compensate`.
#[derive(Debug, Args)]
pub struct CompensateArgs {
    /// Which saga
    pub id: String,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `saga pause`.
#[derive(Debug, Args)]
pub struct PlainArgs {
    /// Which saga
    pub id: String,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
}

/// `saga resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Which saga
    pub id: String,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `saga cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// Which saga
    pub id: String,
    /// Undo nothing: leave everything as it is
    #[arg(long)]
    pub abandon: bool,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
    /// Options for waiting.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// `saga note`.
#[derive(Debug, Args)]
pub struct NoteArgs {
    /// Which saga
    pub id: String,
    /// What to write
    pub text: String,
    /// Options of every order.
    #[command(flatten)]
    pub order: OrderArgs,
}

/// An accepted order.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What was answered.
    pub receipt: Receipt,
    /// "started", "paused": what the receipt is about.
    pub done: &'static str,
}

/// Answers a gate.
pub async fn signal(args: &SignalArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let data = input::payload(&args.data)?;
    let session = connect::ordering(global, &args.order, out).await?;
    let opening = match &args.opening {
        Some(opening) => Some(opening.clone()),
        None => match opening_now(&session, &args.id, &args.gate).await {
            // It may be the repetition of an answer that has opened the gate again: that is known, and another one is refused.
            Err(_) if args.order.request_id.is_some() => None,
            opening => opening?,
        },
    };
    let what = OrderKind::Signal { gate: args.gate.clone(), data, opening }.of(args.id.clone());
    let sent = send(&session, &args.order, what, "signalled", out).await?;
    finish(&session, sent, args.wait, SagaState::Completed, out).await
}

/// The opening that is open now, if it is the gate's first, so that the answer cannot decide a later one. A later one
/// may have opened since the operator looked: then the answer has to name it. Without an open one it may be an early
/// answer.
async fn opening_now(session: &Session, id: &str, gate: &str) -> Result<Option<String>, Failure> {
    let saga = looked(session, id).await?;
    let open = saga.row.waiting.iter().filter(|waiting| waiting.subject == gate || waiting.step == gate);
    let named = open.filter_map(|waiting| Some((waiting.opening.clone()?, waiting.step.clone(), waiting.first)));
    let open: Vec<_> = named.collect();
    match open.as_slice() {
        [] => Ok(None),
        [(opening, _, true)] => Ok(Some(opening.clone())),
        several => {
            let says = match several {
                [_] => format!("the gate {gate:?} was answered before and is open again: say which opening is meant"),
                _ => format!("the gate {gate:?} is open {} times: say which opening is meant", several.len()),
            };
            let failure = Failure::new(codes::OTHER_OPENING, says);
            Err(several
                .iter()
                .fold(failure, |failure, (opening, step, _)| failure.hint(format!("--for {opening}  ({step})"))))
        }
    }
}

/// Tries a step again.
pub async fn retry(args: &RetryArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::ordering(global, &args.order, out).await?;
    let what = OrderKind::Retry { step: args.step.clone() }.of(args.id.clone());
    let sent = send(&session, &args.order, what, "retrying", out).await?;
    finish(&session, sent, args.wait, SagaState::Completed, out).await
}

/// Goes on without a step or an undo.
pub async fn skip(args: &SkipArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    reason_given(&args.order)?;
    let result = args.result.as_ref().map(input::payload).transpose()?;
    let Some(step) = args.undo.clone().or_else(|| args.step.clone()) else {
        return Err(Failure::usage("skip needs --step or --undo"));
    };
    let session = connect::ordering(global, &args.order, out).await?;
    let question = match args.undo {
        Some(_) => format!("Is the undo of {step} really done by hand? [y/N] "),
        None => format!("Go on without {step}? [y/N] "),
    };
    if !args.order.yes && out.can_ask() {
        let verb = if args.undo.is_some() { "skip --undo" } else { "skip" };
        offered(&looked(&session, &args.id).await?, &[verb], Some(&step))?;
    }
    agree(&args.order, &question, out)?;
    let what = OrderKind::Skip { step, result }.of(args.id.clone());
    let sent = send(&session, &args.order, what, "skipped", out).await?;
    let wished = if args.undo.is_some() { SagaState::Compensated } else { SagaState::Completed };
    finish(&session, sent, args.wait, wished, out).await
}

/// Undoes everything.
pub async fn compensate(args: &CompensateArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    reason_given(&args.order)?;
    let session = connect::ordering(global, &args.order, out).await?;
    let order = confirm(&session, &args.id, &args.order, true, out).await?;
    let what = OrderKind::Compensate.of(args.id.clone());
    let sent = send(&session, &order, what, "compensating", out).await?;
    finish(&session, sent, args.wait, SagaState::Compensated, out).await
}

/// Lets nothing new begin.
pub async fn pause(args: &PlainArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::ordering(global, &args.order, out).await?;
    let sent = send(&session, &args.order, OrderKind::Pause.of(args.id.clone()), "pausing", out).await?;
    answered(&sent, out)?;
    Ok(Exit::DONE)
}

/// Goes on.
pub async fn resume(args: &ResumeArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::ordering(global, &args.order, out).await?;
    let sent = send(&session, &args.order, OrderKind::Resume.of(args.id.clone()), "resuming", out).await?;
    finish(&session, sent, args.wait, SagaState::Completed, out).await
}

/// Stops it.
pub async fn cancel(args: &CancelArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    reason_given(&args.order)?;
    let session = connect::ordering(global, &args.order, out).await?;
    let what = OrderKind::Cancel { abandon: args.abandon }.of(args.id.clone());
    if args.abandon {
        stays(&session, &args.order, &what, out).await?;
    }
    let order = confirm(&session, &args.id, &args.order, !args.abandon, out).await?;
    let sent = send(&session, &order, what, "cancelling", out).await?;
    finish(&session, sent, args.wait, SagaState::Cancelled, out).await
}

/// Says what the order would leave as it is, whether or not the operator is asked for consent.
async fn stays(session: &Session, args: &OrderArgs, what: &What, out: &mut Out) -> Result<(), Failure> {
    let request = args.request_id.map_or_else(clock::request_id, RequestId);
    let order = Order { request, reason: args.reason.clone(), if_rev: args.if_match, what: what.clone() };
    let foreseen = session.ask(ask::Preview(Box::new(order))).await?;
    let left: Vec<String> = foreseen.stays.iter().map(|path| out.note_style.clean(path)).collect();
    out.note(&match left.as_slice() {
        [] => "nothing has happened that would stay".to_owned(),
        left => format!("stays as it is: {}", left.join(", ")),
    });
    Ok(())
}

/// Writes into the history.
pub async fn note(args: &NoteArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let session = connect::ordering(global, &args.order, out).await?;
    let what = OrderKind::Note(args.text.clone()).of(args.id.clone());
    let sent = send(&session, &args.order, what, "noted", out).await?;
    answered(&sent, out)?;
    Ok(Exit::DONE)
}

fn reason_given(args: &OrderArgs) -> Result<(), Failure> {
    if args.reason.as_ref().is_some_and(|reason| !reason.trim().is_empty()) {
        return Ok(());
    }
    Err(Failure::new(codes::REASON_NEEDED, "this order needs a reason; it stands in the history for ever")
        .hint("--reason \"client withdrew\""))
}

/// Sends an order under the given or a fresh request id.
pub async fn send(
    session: &Session,
    args: &OrderArgs,
    what: What,
    done: &'static str,
    out: &mut Out,
) -> Result<Sent, Failure> {
    let request = args.request_id.map_or_else(clock::request_id, RequestId);
    if args.request_id.is_none() {
        out.request(&format!("request {request}"));
    }
    let order = Order { request, reason: args.reason.clone(), if_rev: args.if_match, what };
    let receipt = session.control.act(&session.by, order).await.map_err(|error| Failure::from(error).of(request))?;
    Ok(Sent { receipt, done })
}

/// Prints the receipt of an order.
pub fn answered(sent: &Sent, out: &mut Out) -> Result<(), Failure> {
    let receipt = &sent.receipt;
    let text = match out.format {
        Format::Json => json::receipt(receipt)?,
        Format::Ndjson => json::item(receipt)?,
        Format::Id => format!("{}\n", receipt.saga),
        Format::Table | Format::Wide if out.is_quiet() => format!("{}\n", receipt.saga),
        Format::Table | Format::Wide => {
            let known = if receipt.repeated { "known already" } else { sent.done };
            format!("accepted  {}  {known}\n", receipt.saga)
        }
    };
    out.data(&text)
}

/// Prints the receipt, or waits for what becomes of the saga and prints that. `wished` is what the order is for.
pub async fn finish(
    session: &Session,
    sent: Sent,
    wait: WaitArgs,
    wished: SagaState,
    out: &mut Out,
) -> Result<Exit, Failure> {
    let Some(patience) = wait.wait else {
        answered(&sent, out)?;
        if out.format == Format::Table {
            out.footer(&format!("watch it: sagactl saga watch {}", sent.receipt.saga.short()));
        }
        return Ok(Exit::DONE);
    };
    let request = sent.receipt.request;
    let found = Box::new(come_to_rest(session, &sent, patience).await.map_err(|failure| failure.of(request))?);
    let (state, person) = (found.row.state, found.row.for_a_person().is_some());
    out.view(&found, |style| ended(&found, style))?;
    if state == wished {
        return Ok(Exit::DONE);
    }
    Ok(Exit::of_saga(state).unwrap_or(if person { Exit::PERSON } else { Exit::PENDING }))
}

/// Waits until the saga ends, or goes on only if a person does something. The person who has to decide may be the one
/// who waits here.
async fn come_to_rest(session: &Session, sent: &Sent, patience: Duration) -> Result<SagaShow, Failure> {
    let id = sent.receipt.saga.to_string();
    let waited = async {
        let mut after = Some(0);
        loop {
            let of = AwaitSaga { id: id.clone(), after };
            let Some(show) = session.control.outcome(&session.by, of, patience).await? else {
                clock::pause(LOOK_EVERY).await;
                continue;
            };
            if Exit::of_saga(show.row.state).is_some() || show.row.for_a_person().is_some() {
                return Ok(show);
            }
            if after == Some(show.rev) {
                clock::pause(LOOK_EVERY).await;
            }
            after = Some(show.rev);
        }
    };
    match tokio::time::timeout(patience, waited).await {
        Ok(found) => found,
        Err(_) => {
            let message = format!("no outcome within {}; the saga goes on", words::duration(patience));
            Err(Failure::new(codes::STILL_PENDING, message)
                .hint(format!("watch it    sagactl saga watch {id}"))
                .hint(format!("or ask why  sagactl saga why-stuck {id}")))
        }
    }
}

/// One line about an outcome, and the way on when a person is needed.
fn ended(saga: &SagaShow, style: &crate::print::style::Style) -> String {
    let row = &saga.row;
    let took = row.ended_at.map(|at| format!(" in {}", words::duration(at.since(row.started_at)))).unwrap_or_default();
    let state = format!("{} {}{took}", style.saga_sign(row.state), row.state.word());
    let state = style.paint(crate::print::style::Ink::of_saga(row.state), &state);
    let reason = row.reason.as_deref().map(|reason| format!(": {}", style.clean(reason))).unwrap_or_default();
    let mut text = format!("{state}  {}@{} {}{reason}\n", style.clean(&row.kind), row.version, style.clean(&row.key));
    if row.for_a_person().is_some() {
        text.push_str(&person(row, style));
    }
    if row.state.needs_person() {
        text.push_str(&format!("why: {}\n", style.program.told(&format!("saga why-stuck {}", row.id.short()))));
    }
    text
}

/// What the saga waits for a person to do, a line each, and the command that does it.
fn person(row: &SagaRow, style: &crate::print::style::Style) -> String {
    let (causes, _) = why::causes(row, style.now);
    let asked = row.waiting.iter().zip(causes).filter(|(waiting, _)| waiting.ends_by_a_person());
    let lines = asked.map(|(waiting, cause)| {
        let heading = match waiting.reason {
            WaitReason::WaitingSignal => "waits for a decision",
            WaitReason::Paused => "waits to be resumed",
            _ if waiting.mend => "waits for a person to mend it",
            _ => "waits for a person",
        };
        format!("{heading}: {}\n  {}\n", style.clean(&cause.says), style.typed(&cause.remedy))
    });
    lines.collect()
}

//! Why a saga is stuck: recorded waiting in, ranked causes out. A pure function, the same for every face.

use crate::outcome::MEND;
use crate::shell::word;
use crate::time::Timestamp;
use crate::view::{Cause, Likelihood, SagaRow, SagaState};
use crate::waiting::{WaitReason, Waiting};
use std::time::Duration;

/// How many kinds of causes are checked here: every reason of waiting, and what a person must mend.
pub const CAUSES: usize = 15;

/// The causes that hold, the most telling first, and how many were checked.
pub fn causes(saga: &SagaRow, now: Timestamp) -> (Vec<Cause>, usize) {
    let short = saga.id.short();
    let paused = saga.waiting.iter().any(|waiting| waiting.reason == WaitReason::Paused);
    let told = saga.waiting.iter().map(|waiting| {
        let told = cause(&short, waiting, now);
        // Of a paused saga nothing is taken but that it goes on, or ends.
        match paused && waiting.reason != WaitReason::Paused {
            true => Cause { remedy: format!("it is paused; to go on: sagactl saga resume {short}"), ..told },
            false => told,
        }
    });
    (told.collect(), CAUSES)
}

fn cause(saga: &str, waiting: &Waiting, now: Timestamp) -> Cause {
    let Waiting { step, subject, attempt, until, last, .. } = waiting;
    let since = age(now.since(waiting.since));
    let left = match until.map(|until| until.since(now)) {
        None => "no end".to_owned(),
        // It is due: its performer is at it, or does not know yet that it may.
        Some(left) if left.is_zero() => "a moment".to_owned(),
        Some(left) => age(left),
    };
    let (undo, typed) = (if waiting.undo { "the undo of " } else { "" }, word(step));
    let said = waiting.said.as_deref().unwrap_or_default();
    let (likelihood, says, remedy) = match waiting.reason {
        WaitReason::NoReply | WaitReason::Backoff if waiting.mend => (
            Likelihood::Certain,
            format!(
                "{subject} cannot do {undo}{step} until a person mends this: {said}; nothing happened, and it is asked again in {left}"
            ),
            format!("mend that; it goes on by itself, or at once: sagactl saga retry {saga} --step {typed}"),
        ),
        WaitReason::NoReply => (
            Likelihood::VeryLikely,
            format!(
                "{undo}{step} was sent to {subject} {since} ago (try {attempt}) and has no answer yet; it is sent again in {left}"
            ),
            format!("look at the log of {subject} by the key; nothing is lost, sending again is safe"),
        ),
        WaitReason::Backoff if waiting.overdue_at.is_some() => (
            Likelihood::Certain,
            format!(
                "{subject} answers that it cannot do {undo}{step} now ({attempt} tries): {said}; nothing happened, nothing is turned back for it, and it is asked again in {left}"
            ),
            format!("mend what it names; to ask at once: sagactl saga retry {saga} --step {typed}"),
        ),
        WaitReason::Backoff => (
            Likelihood::Certain,
            format!("{undo}{step} did not work at try {attempt}; the next try comes in {left}"),
            format!("sagactl saga retry {saga} --step {typed}"),
        ),
        WaitReason::WaitingSignal => (
            Likelihood::Certain,
            format!("{step} waits for a decision at the gate {subject:?} since {since}; it turns back in {left}"),
            signal(saga, waiting),
        ),
        WaitReason::WaitingTimer => (
            Likelihood::Certain,
            format!("{step} is a timer; it is over in {left}"),
            "nothing: it goes on by itself".to_owned(),
        ),
        WaitReason::Paused => (
            Likelihood::Certain,
            format!("it was paused by {subject} {since} ago"),
            format!("sagactl saga resume {saga}"),
        ),
        WaitReason::RetriesExhausted => (
            Likelihood::Certain,
            match waiting.said {
                None => format!("{step} got no answer from {subject} in {attempt} tries"),
                Some(_) => {
                    format!("{step} got no answer from {subject} in the end ({attempt} tries); before, it said: {said}")
                }
            },
            match waiting.passed {
                true => format!(
                    "when {subject} is healthy: sagactl saga retry {saga}; behind the point of no return nothing is undone"
                ),
                false => format!(
                    "when {subject} is healthy: sagactl saga retry {saga}; otherwise: sagactl saga cancel {saga} --reason …"
                ),
            },
        ),
        WaitReason::RefusedAfterPivot => (
            Likelihood::Certain,
            format!(
                "{subject} refused {step}, and behind the point of no return nothing is undone{}",
                words(last.as_deref())
            ),
            format!("remove the reason, then sagactl saga retry {saga} --step {typed}"),
        ),
        WaitReason::PivotUnknown => (
            Likelihood::Certain,
            match waiting.said {
                None => format!(
                    "the point of no return {step} never answered in {attempt} tries: whether it was passed is not known"
                ),
                Some(_) => format!(
                    "the point of no return {step} did not answer its last tries (of {attempt}): whether it was passed is not known; before, it said: {said}"
                ),
            },
            format!("ask {subject}, then sagactl saga retry {saga} (the same key: it happens at most once)"),
        ),
        WaitReason::UndoFailed => (
            Likelihood::Certain,
            format!("the undo of {step} by {subject} failed for good{}", words(last.as_deref())),
            format!(
                "look outside first; then sagactl saga retry {saga} --step {typed}, or sagactl saga skip {saga} --undo {typed} --reason …"
            ),
        ),
        WaitReason::KeyReused => (
            Likelihood::Certain,
            format!(
                "{subject} keeps an answer to another content of {step} under the same key, so whether {step} happened is not known: the store of {subject} and the store of the sagas are not of one moment{}",
                words(last.as_deref())
            ),
            format!(
                "bring back the two stores of one moment, then sagactl saga retry {saga} --step {typed}; otherwise see what {subject} did under the key, and decide: sagactl saga show {saga} lists what can be ordered"
            ),
        ),
        WaitReason::Fault => (
            Likelihood::Certain,
            match subject.as_str() {
                "" | "here" => format!("{step} broke: a bug in a function of the saga{}", words(last.as_deref())),
                subject => format!("{step} broke: a bug in the saga or in {subject}{}", words(last.as_deref())),
            },
            format!("deploy the fix, then sagactl saga retry {saga}"),
        ),
        WaitReason::Unreadable => (
            Likelihood::Certain,
            "a fact of it cannot be read by this program; the other sagas go on".to_owned(),
            format!(
                "sagactl saga history {saga} shows the facts; a program that is newer reads more, a damaged store is brought back from a backup"
            ),
        ),
        WaitReason::NoDefinition => (
            Likelihood::Certain,
            format!("its definition {subject} is not registered in this process"),
            "deploy the program that has this version; an instance keeps the definition it began with".to_owned(),
        ),
        WaitReason::DigestMismatch => (
            Likelihood::Certain,
            format!("it began with another meaning of its definition: {subject}"),
            "give the new plan another version and register the old one beside it: sagactl help SG0216".to_owned(),
        ),
    };
    let mut evidence = vec![format!("since {since}")];
    evidence.extend(waiting.key.map(|key| format!("key {key}")));
    evidence.extend(waiting.overdue_at.map(|at| match at.since(now) {
        left if left.is_zero() => format!("longer than the step's deadline, by {}", age(now.since(at))),
        left => format!("the step's deadline is in {}", age(left)),
    }));
    evidence.extend(last.iter().map(|last| format!("last heard: {last}")));
    let said = waiting.said.iter().filter(|said| last.as_ref() != Some(said));
    evidence.extend(said.map(|said| format!("before that it said: {said}")));
    let code = if waiting.mend { MEND } else { waiting.reason.code() };
    Cause { code: code.to_owned(), likelihood, says, evidence, remedy }
}

impl SagaRow {
    /// What it waits for that only a person ends, if nothing else of it goes on meanwhile: a decision, the end of a pause,
    /// what only a person can mend, whatever parked it. A timer, weather that passes and a step under way go on by themselves.
    pub fn for_a_person(&self) -> Option<&Waiting> {
        let goes_on = self.waiting.iter().any(Waiting::goes_on);
        let held = self.state.needs_person() || self.state == SagaState::Paused;
        self.waiting.iter().find(|waiting| waiting.ends_by_a_person()).filter(|_| held || !goes_on)
    }
}

/// What was said, behind a sentence.
fn words(last: Option<&str>) -> String {
    last.map(|last| format!(": {last}")).unwrap_or_default()
}

/// The whole command of a decision, with a body that fits where the gate has an example.
fn signal(saga: &str, waiting: &Waiting) -> String {
    let opening = waiting.opening.as_ref().map(|name| format!(" --for {}", word(name))).unwrap_or_default();
    let data = waiting.example.as_ref().map_or_else(|| "@decision.json".to_owned(), |example| word(example.as_str()));
    format!("sagactl saga signal {saga} {}{opening} --data {data}", word(&waiting.subject))
}

/// A duration as people say it.
pub fn age(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

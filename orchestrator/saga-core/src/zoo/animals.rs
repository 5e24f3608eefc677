//! The animals: every state of a saga and of a step, and what else a face may be shown, with hostile texts among it.

use super::{HOSTILE, NOW};
use crate::control::{Attention, DefinitionRow, Status};
use crate::id::{Position, SagaId};
use crate::json::Payload;
use crate::time::Timestamp;
use crate::view::{
    Cause, Finding, HistoryRow, Likelihood, ModuleRow, Possible, ProjectionRow, SagaRow, SagaShow, SagaState, StepRow,
    StepState, Verdicts,
};
use crate::waiting::{WaitReason, Waiting};
use uuid::Uuid;

const SECOND: i64 = 1_000_000;
/// The gate that waits has opened for the second time.
const OPENING: &str = "2-5c01e6b7";
/// A decision with what a shell stumbles over.
const DECISION: &str = r#"{"approved":true,"note":"it's fine"}"#;

fn ago(seconds: i64) -> Timestamp {
    Timestamp(NOW.0 - seconds * SECOND)
}

fn id_of(tail: u128) -> SagaId {
    SagaId(Uuid::from_u128(0x0193_a1c7_55e2_7c1f_b0aa_41d8_0000_0000 + tail))
}

/// What one animal is.
struct Animal {
    tail: u128,
    kind: &'static str,
    version: u16,
    key: &'static str,
    state: SagaState,
    step: &'static str,
    attempt: Option<(u32, u32)>,
    age_s: i64,
    waits: Option<(WaitReason, &'static str, i64, Option<i64>)>,
}

const ANIMALS: [Animal; 10] = [
    Animal {
        tail: 0x27be_04af,
        kind: "publish-creative",
        version: 2,
        key: "spring-07",
        state: SagaState::UndoFailed,
        step: "channels[1]/post",
        attempt: Some((4, 4)),
        age_s: 3_780,
        waits: Some((WaitReason::UndoFailed, "cmd.channels.RemovePost.v1", 3_600, None)),
    },
    Animal {
        tail: 0x9f3a_c2d1,
        kind: "client-to-delivery",
        version: 4,
        key: "acme-7",
        state: SagaState::Parked,
        step: "assets[2]/render",
        attempt: Some((6, 6)),
        age_s: 3_840,
        waits: Some((WaitReason::RetriesExhausted, "cmd.production.RenderAsset.v1", 2_520, None)),
    },
    Animal {
        tail: 0xc41d_90e7,
        kind: "campaign-launch",
        version: 2,
        key: "fall-sale",
        state: SagaState::Retrying,
        step: "send-first-wave",
        attempt: Some((3, 10)),
        age_s: 180,
        waits: Some((WaitReason::Backoff, "cmd.cam.SendWave.v1", 40, Some(12))),
    },
    Animal {
        tail: 0x5a0b_e6c3,
        kind: "client-to-delivery",
        version: 4,
        key: "initech-2",
        state: SagaState::Compensating,
        step: "generate-strategy",
        attempt: Some((1, 4)),
        age_s: 8,
        waits: Some((WaitReason::NoReply, "cmd.strategy.Discard.v1", 2, Some(28))),
    },
    Animal {
        tail: 0x77aa_10b2,
        kind: "renewal",
        version: 1,
        key: "umbrella",
        state: SagaState::Paused,
        step: "renew-contract",
        attempt: Some((1, 5)),
        age_s: 7_200,
        waits: Some((WaitReason::Paused, "paused by ann", 600, None)),
    },
    Animal {
        tail: 0xe812_7f4d,
        kind: "billing-cycle",
        version: 1,
        key: "2026-11/acme",
        state: SagaState::Running,
        step: "issue-invoice",
        attempt: Some((1, 5)),
        age_s: 1,
        waits: Some((WaitReason::NoReply, "cmd.billing.IssueInvoice.v1", 1, Some(29))),
    },
    Animal {
        tail: 0xb3c9_5d08,
        kind: "renewal",
        version: 1,
        key: "globex",
        state: SagaState::Waiting,
        step: "client-decides",
        attempt: None,
        age_s: 172_800,
        waits: Some((WaitReason::WaitingSignal, "client-decides", 172_800, Some(518_400))),
    },
    Animal {
        tail: 0x0c51_aa97,
        kind: "client-to-delivery",
        version: 4,
        key: "hooli-1",
        state: SagaState::Completed,
        step: "",
        attempt: None,
        age_s: 90_000,
        waits: None,
    },
    Animal {
        tail: 0xd244_7be0,
        kind: "client-to-delivery",
        version: 4,
        key: "vandelay-3",
        state: SagaState::Compensated,
        step: "",
        attempt: None,
        age_s: 4_000,
        waits: None,
    },
    Animal {
        tail: 0x40bd_1c9e,
        kind: "campaign-launch",
        version: 2,
        key: "winter-\u{1b}[2Jsale",
        state: SagaState::Cancelled,
        step: "",
        attempt: None,
        age_s: 600,
        waits: None,
    },
];

fn row(animal: &Animal) -> SagaRow {
    let undoing = matches!(animal.state, SagaState::UndoFailed | SagaState::Compensating);
    let waiting = animal.waits.map(|(reason, subject, since, until)| Waiting {
        until: until.map(|seconds| ago(-seconds)),
        attempt: animal.attempt.map_or(0, |(now, _)| now),
        last: animal.state.needs_person().then(|| HOSTILE.to_owned()),
        opening: (reason == WaitReason::WaitingSignal).then(|| OPENING.to_owned()),
        example: (reason == WaitReason::WaitingSignal).then(|| Payload::trusted(DECISION)),
        ..Waiting::of(reason, subject.to_owned(), (animal.step.to_owned(), undoing), None, ago(since))
    });
    SagaRow {
        id: id_of(animal.tail),
        kind: animal.kind.to_owned(),
        version: animal.version,
        key: animal.key.to_owned(),
        state: animal.state,
        step: Some(animal.step.to_owned()).filter(|step| !step.is_empty()),
        undoing,
        attempt: animal.attempt,
        started_at: ago(animal.age_s),
        ended_at: animal.state.is_end().then(|| ago(animal.age_s / 2)),
        reason: animal.state.needs_person().then(|| HOSTILE.to_owned()),
        waiting: waiting.into_iter().collect(),
    }
}

/// A row of every state, trouble first.
pub fn rows() -> Vec<SagaRow> {
    ANIMALS.iter().map(row).collect()
}

/// A row of every state with what can be shown of it.
pub fn shows() -> Vec<SagaShow> {
    ANIMALS.iter().map(show).collect()
}

fn show(animal: &Animal) -> SagaShow {
    let steps = if animal.state == SagaState::Completed { every_step() } else { story(animal.state) };
    let open = !animal.state.is_end();
    SagaShow {
        row: row(animal),
        rev: 37,
        digest: "71c0d2aa40bd1c9e3e9f55100c51aa97d2447be061d0f7b2e8127f4db3c95d08".to_owned(),
        input: None,
        steps,
        undo_plan: if open {
            words(&[
                "production.DiscardAsset (assets[1]/render)",
                "production.DiscardAsset (assets[0]/render)",
                "strategy.Discard (generate-strategy)",
                " (tidy-up)",
            ])
        } else {
            Vec::new()
        },
        not_undone: if open { words(&["strategy-approved (a decision)"]) } else { Vec::new() },
        possible: possible(animal),
        anomalies: u64::from(animal.state == SagaState::Parked),
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|&word| word.to_owned()).collect()
}

fn possible(animal: &Animal) -> Vec<Possible> {
    let one = |words: &str, verb: &str, at: Option<&str>, reason_needed| Possible {
        words: words.to_owned(),
        verb: verb.to_owned(),
        at: at.map(str::to_owned),
        reason_needed,
        opening: None,
        example: None,
    };
    let step = Some(animal.step);
    match animal.state {
        SagaState::UndoFailed => {
            vec![
                one("try the undo again", "retry", step, false),
                one("it is undone by hand", "skip --undo", step, true),
            ]
        }
        SagaState::Parked => vec![
            one("retry the step", "retry", None, false),
            one("undo everything", "compensate", None, true),
            one("go on without it", "skip", step, true),
        ],
        SagaState::Paused => vec![one("go on", "resume", None, false), one("stop and undo", "cancel", None, true)],
        SagaState::Waiting => {
            let (opening, example) = (Some(OPENING.to_owned()), Some(Payload::trusted(DECISION)));
            let decide = Possible { opening, example, ..one("decide", "signal", step, false) };
            vec![decide, one("stop and undo", "cancel", None, true)]
        }
        SagaState::Retrying | SagaState::Running => {
            vec![one("hold", "pause", None, false), one("stop and undo", "cancel", None, true)]
        }
        SagaState::Compensating => vec![one("hold", "pause", None, false)],
        SagaState::Completed | SagaState::Compensated | SagaState::Cancelled => Vec::new(),
    }
}

fn step(path: &str, depth: usize, module: Option<&str>, state: StepState) -> StepRow {
    StepRow {
        path: path.to_owned(),
        depth,
        module: module.map(str::to_owned),
        command: module.map(|module| format!("{module}.Do")),
        state,
        undo: None,
        undo_command: module.map(|module| format!("{module}.Undo")),
        attempt: module.map(|_| (1, 5)),
        took_ms: matches!(state, StepState::Done | StepState::Decided).then_some(212),
        result: None,
        output: None,
        pivot: false,
    }
}

fn story(state: SagaState) -> Vec<StepRow> {
    let mut steps = vec![
        step("normalize-brief", 0, Some("onboarding"), StepState::Done),
        step("generate-strategy", 0, Some("strategy"), StepState::Done),
        step("strategy-approved", 0, None, StepState::Decided),
        step("assets", 0, None, StepState::Running),
        step("assets[0]/render", 1, Some("production"), StepState::Done),
        step("assets[1]/render", 1, Some("production"), StepState::Done),
        step("assets[2]/render", 1, Some("production"), StepState::Parked),
        step("create-package", 0, Some("delivery"), StepState::Pending),
        step("issue-invoice", 0, Some("billing"), StepState::Pending),
    ];
    for (step, result) in steps.iter_mut().zip(["brief 71c0d2aa", "strategy 3e9f5510", "approved by dana"]) {
        step.result = Some(result.to_owned());
    }
    if let Some(step) = steps.get_mut(6) {
        step.result = Some(HOSTILE.to_owned());
        step.attempt = Some((6, 6));
    }
    if let Some(step) = steps.get_mut(7) {
        step.pivot = true;
    }
    if matches!(state, SagaState::Compensating | SagaState::Compensated | SagaState::UndoFailed) {
        for (index, step) in steps.iter_mut().enumerate() {
            step.undo = match (index, state) {
                (4 | 5, _) | (0 | 1, SagaState::Compensated) => Some(StepState::Undone),
                (1, SagaState::UndoFailed) => Some(StepState::UndoFailed),
                (1, _) => Some(StepState::Undoing),
                _ => None,
            };
        }
    }
    steps
}

/// A step in every state.
pub fn every_step() -> Vec<StepRow> {
    let states = [
        StepState::Pending,
        StepState::Running,
        StepState::Waiting,
        StepState::Retrying,
        StepState::Done,
        StepState::Decided,
        StepState::Refused,
        StepState::Unknown,
        StepState::Parked,
        StepState::Skipped,
        StepState::NotNeeded,
        StepState::Undoing,
        StepState::Undone,
        StepState::UndoFailed,
    ];
    states.into_iter().map(|state| step(&state.word().replace(' ', "-"), 0, Some("production"), state)).collect()
}

pub(super) fn history() -> Vec<HistoryRow> {
    let facts = [
        (30, "StepUnknown", "coordinator", "assets[2]/render try 3: no answer in 30s"),
        (31, "StepDispatched", "coordinator", "assets[2]/render try 4, cmd.production.RenderAsset.v1"),
        (36, "SagaParked", "coordinator", "RETRIES_EXHAUSTED"),
        (37, "OperatorNote", "ann", HOSTILE),
    ];
    let rows = facts.into_iter().map(|(rev, fact, by, detail)| HistoryRow {
        rev,
        position: Position(rev + 8_000),
        at: ago(2_600 - i64::try_from(rev).unwrap_or(0)),
        fact: fact.to_owned(),
        by: by.to_owned(),
        detail: detail.to_owned(),
        data: Payload::trusted(format!("{{\"rev\":{rev},\"exact\":9007199254740993}}")),
    });
    rows.collect()
}

pub(super) fn causes(state: SagaState) -> Vec<Cause> {
    if state.is_end() {
        return Vec::new();
    }
    let cause = |code: &str, likelihood, says: &str, evidence: &[&str], remedy: &str| Cause {
        code: code.to_owned(),
        likelihood,
        says: says.to_owned(),
        evidence: words(evidence),
        remedy: remedy.to_owned(),
    };
    vec![
        cause(
            "NOT_DELIVERED",
            Likelihood::VeryLikely,
            "the command is on the bus, but cam has taken nothing for 14m",
            &["lag 212   in flight 64 of 64", "last acknowledged 14m ago"],
            "the handlers hang or are slow; look at module cam, then restart it. Nothing is lost: redelivery is safe",
        ),
        cause("BACKOFF", Likelihood::Possible, "next try in 12s", &[HOSTILE], "sagactl saga retry c41d90e7"),
    ]
}

pub(super) fn modules() -> Vec<ModuleRow> {
    let module = |name: &str, lag, parked, seen: Option<i64>, state: &str| ModuleRow {
        name: name.to_owned(),
        contract: "1.0".to_owned(),
        commands: words(&["Do", "Undo"]),
        queries: words(&["Get"]),
        projections: vec![ProjectionRow { name: format!("{name}.board"), version: 7, lag }],
        head: Position(8_842),
        lag,
        parked,
        last_seen: seen.map(ago),
        state: state.to_owned(),
    };
    vec![
        module("billing", 0, 0, Some(2), "up"),
        module("cam", 0, 3, Some(4), "up"),
        module("production", 418, 0, None, "failing 92% (5m)"),
    ]
}

pub(super) fn definitions() -> Vec<DefinitionRow> {
    vec![DefinitionRow {
        name: "client-to-delivery".to_owned(),
        version: 4,
        digest: "71c0d2aa".to_owned(),
        meaning: "3e9f5510".to_owned(),
        steps: 9,
        example: Some(Payload::trusted("{\"client\":\"acme\",\"budget\":129990}")),
    }]
}

pub(super) fn verdicts(findings: bool) -> Verdicts {
    let finding = Finding { promise: "S4".to_owned(), place: "saga 9f3ac2d1".to_owned(), says: HOSTILE.to_owned() };
    Verdicts {
        events: vec![("billing".to_owned(), 8_842), ("cam".to_owned(), 120)],
        sagas: 10,
        promises: words(&["S1", "S2", "S4", "L2", "L8"]),
        findings: if findings { vec![finding] } else { Vec::new() },
        notes: Vec::new(),
    }
}

pub(super) fn status() -> Status {
    Status {
        version: "0.1.0".to_owned(),
        store: "./.sagactl".to_owned(),
        bus: "in-process".to_owned(),
        modules: words(&["billing", "cam", "production"]),
        sagas: words(&["client-to-delivery@4"]),
        ready: true,
        pid: 7,
        groups: vec![0],
        attention: vec![
            Attention {
                count: 2,
                says: "sagas are parked, or their undo failed".to_owned(),
                next: "sagactl saga list --attention".to_owned(),
                urgent: true,
            },
            Attention {
                count: 1,
                says: "saga waits at a gate for a decision".to_owned(),
                next: "sagactl saga list --state waiting".to_owned(),
                urgent: false,
            },
        ],
        troubles: Vec::new(),
        incidents: Default::default(),
        not_compared: Vec::new(),
    }
}

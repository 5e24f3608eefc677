//! The exit codes: one table, printed by `sagactl help exit-codes` and compared with every code's page.

use saga_core::view::SagaState;

/// What a command ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit(pub u8);

impl Exit {
    /// Done; an empty list and a closed pipe are done too.
    pub const DONE: Exit = Exit(0);
    /// Failed.
    pub const FAILED: Exit = Exit(1);
    /// The command line or the input is wrong.
    pub const USAGE: Exit = Exit(2);
    /// A check ran and has findings.
    pub const FINDINGS: Exit = Exit(6);
    /// Waiting ran out of time.
    pub const PENDING: Exit = Exit(8);
    /// The saga ended compensated.
    pub const COMPENSATED: Exit = Exit(20);
    /// The saga is parked, or its undo failed.
    pub const PARKED: Exit = Exit(21);
    /// The saga was cancelled.
    pub const CANCELLED: Exit = Exit(22);
    /// The saga waits for a person: a decision, the end of a pause, something to be mended.
    pub const PERSON: Exit = Exit(23);
    /// Interrupted, or a prompt was declined.
    pub const INTERRUPTED: Exit = Exit(130);

    /// What `--exit-status` and `--wait` say about a saga in this state; `None` while it goes on.
    pub fn of_saga(state: SagaState) -> Option<Exit> {
        match state {
            SagaState::Completed => Some(Exit::DONE),
            SagaState::Compensated => Some(Exit::COMPENSATED),
            SagaState::Cancelled => Some(Exit::CANCELLED),
            SagaState::Parked | SagaState::UndoFailed => Some(Exit::PARKED),
            SagaState::Retrying
            | SagaState::Compensating
            | SagaState::Paused
            | SagaState::Running
            | SagaState::Waiting => None,
        }
    }
}

/// The table.
pub const TABLE: [(u8, &str); 15] = [
    (0, "done (an empty list is 0; a closed pipe is 0)"),
    (1, "failed"),
    (2, "usage: the command line or the input is wrong"),
    (3, "not found"),
    (4, "not allowed"),
    (5, "refused: state or revision conflict, precondition"),
    (6, "a check ran and has findings (events verify, why-stuck --exit-status, doctor)"),
    (7, "partly done (bulk work with failures)"),
    (8, "--wait or watch --for ran out of time, still pending"),
    (9, "service or store not reachable (trying again is sensible)"),
    (20, "the saga ended compensated, and not as the order wished (--wait, watch --exit-status)"),
    (21, "the saga is parked, or its undo failed (likewise)"),
    (22, "the saga was cancelled (like 20: `cancel --wait` itself ends with 0)"),
    (23, "the saga waits for a person: a decision, a pause, or something to be mended (--wait)"),
    (130, "interrupted, or a prompt was declined"),
];

/// The table as text.
pub fn table() -> String {
    let rows = TABLE.iter().map(|(code, words)| format!("{code:>4}  {words}\n"));
    format!("CODE  MEANING\n{}", rows.collect::<String>())
}

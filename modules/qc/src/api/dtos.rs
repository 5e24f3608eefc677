//! Values that cross the door of quality control.

use super::events::{CheckOutcome, Issue, Subject, SubjectKind, Verdict};
use events::ids::QcResultId;
use saga_core::envelope::Actor;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What the brief asks of every text, and what the text may lean on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Constraints {
    pub must_include: Vec<String>,
    pub must_avoid: Vec<String>,
    pub competitors: Vec<String>,
    /// Calls to action of the client's own; each counts as one.
    pub cta_hints: Vec<String>,
    /// Where claims are proven (links, study names). Without one, a claim is unsupported.
    pub proof_references: Vec<String>,
}

/// A verdict that a test demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Force {
    Pass,
    Fail,
}

/// The answer to an evaluation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Evaluated {
    pub result_id: QcResultId,
    pub verdict: Verdict,
    /// From 0 to 100.
    pub score: u32,
    pub issues: Vec<Issue>,
}

/// Where a result stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResultStatus {
    Passed,
    Warned,
    Failed,
    Waived,
    Voided,
}

impl ResultStatus {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            ResultStatus::Passed => "PASSED",
            ResultStatus::Warned => "WARNED",
            ResultStatus::Failed => "FAILED",
            ResultStatus::Waived => "WAIVED",
            ResultStatus::Voided => "VOIDED",
        }
    }
}

/// Who waived a failed result, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Waiver {
    pub actor: Actor,
    pub reason: String,
    pub at: Timestamp,
}

/// One result as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcResult {
    pub result_id: QcResultId,
    pub subject: Subject,
    pub status: ResultStatus,
    pub score: u32,
    /// Of a passed or warned result.
    pub checks: Vec<CheckOutcome>,
    /// Of a failed or warned result.
    pub issues: Vec<Issue>,
    pub rules_version: String,
    pub at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waiver: Option<Waiver>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub void_reason: Option<String>,
    /// Whether the subject has moved on since, or is gone.
    pub stale: bool,
}

/// A subject whose newest result failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct FailingSubject {
    pub kind: SubjectKind,
    pub id: Uuid,
    pub result: QcResult,
}

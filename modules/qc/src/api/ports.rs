//! What quality control answers, and what it needs.

use super::dtos::{Constraints, Evaluated, FailingSubject, Force, QcResult};
use super::events::Subject;
use events::ids::QcResultId;
use saga_core::command::{Common, Compensable, Refusal};
use saga_core::id::StepKey;
use saga_core::port;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const MODULE: &str = "qc";

/// Whether a command may force its verdict. Off everywhere but in a harness.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Forcing {
    /// `force` is refused.
    #[default]
    Forbidden,
    /// `force` is obeyed.
    Allowed,
}

/// What quality control needs from outside: nothing but to know whether it stands in a harness.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    pub forcing: Forcing,
}

/// Judges a content by all checks. The verdict FAIL is a reply. Asking twice with one key gives one result; asking again
/// with another key gives a further result, and the newest counts.
///
/// Refused `SUBJECT_EMPTY` when there is nothing visible to judge, `INVALID_FIELD` for version 0 and for `force` outside
/// of a harness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvaluateContent {
    pub subject: Subject,
    /// Everything that will be seen, as one text.
    pub content: String,
    /// A language tag; `und` when nobody knows.
    pub language: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<String>,
    #[serde(default)]
    pub constraints: Constraints,
    /// Rules that the text is measured against, in the client's own words: each stands in the text as it is, or the check
    /// `other_constraints` fails, for only a person can tell whether it is kept.
    #[serde(default)]
    pub benchmarks: Vec<String>,
    /// The subject's own content hash, for the search of duplicates.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub content_hash: Option<String>,
    /// Content hashes of the other live assets of the campaign.
    #[serde(default)]
    pub live_hooks: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub force: Option<Force>,
}
port!(MODULE: EvaluateContent -> Evaluated, EvaluateRefused);
impl Compensable for EvaluateContent {
    type Undo = VoidQcResult;
    fn undo(&self, deed: StepKey) -> VoidQcResult {
        VoidQcResult { result_id: QcResultId::from(deed), subject: Some(self.subject), reason: "undone".to_owned() }
    }
}

/// Why a content was not judged.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EvaluateRefused {
    /// Nothing visible.
    #[error("there is nothing to judge")]
    SubjectEmpty,
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for EvaluateRefused {
    fn code(&self) -> &'static str {
        match self {
            EvaluateRefused::SubjectEmpty => "SUBJECT_EMPTY",
            EvaluateRefused::Common(common) => common.code(),
        }
    }
}

/// Lets a failed result count as passed, on somebody's word. Never when a blocker failed.
///
/// Refused `BLOCKER_FAILED`, `WRONG_STATE` unless the result is FAILED, `NOT_FOUND`, `NOT_PERMITTED` for clients,
/// `INVALID_FIELD` without a reason. A compensation voids the result, which then counts neither way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WaiveQc {
    pub result_id: QcResultId,
    /// Spares the search for the result's story.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Subject>,
    pub reason: String,
}
port!(MODULE: WaiveQc -> super::dtos::ResultStatus, WaiveRefused);
impl Compensable for WaiveQc {
    type Undo = VoidQcResult;
    fn undo(&self, _: StepKey) -> VoidQcResult {
        VoidQcResult { result_id: self.result_id, subject: self.subject, reason: "undone".to_owned() }
    }
}

/// Why a result was not waived.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(tag = "code", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum WaiveRefused {
    /// What blocks cannot be waived.
    #[error("the check {check} is a blocker and failed; that cannot be waived")]
    BlockerFailed {
        /// Which check.
        check: String,
    },
    /// As for every command.
    #[error(transparent)]
    #[serde(untagged)]
    Common(#[from] Common),
}
impl Refusal for WaiveRefused {
    fn code(&self) -> &'static str {
        match self {
            WaiveRefused::BlockerFailed { .. } => "BLOCKER_FAILED",
            WaiveRefused::Common(common) => common.code(),
        }
    }
}

/// Makes a result count neither way. It stays in the history. Voiding a voided result changes nothing.
///
/// The undo of [`EvaluateContent`] and [`WaiveQc`]. As a person's command refused `NOT_FOUND` for an unknown result; as
/// an undo it never fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VoidQcResult {
    pub result_id: QcResultId,
    /// Spares the search for the result's story.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<Subject>,
    pub reason: String,
}
port!(MODULE: VoidQcResult -> (), Common);

/// The result of one version of a subject that counts, if there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Result {
    pub subject: Subject,
}
port!(MODULE: Result ? Option<QcResult>);

/// All results of a subject, oldest first, voided ones among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct History {
    pub kind: super::events::SubjectKind,
    pub id: Uuid,
}
port!(MODULE: History ? Vec<QcResult>);

/// Subjects whose newest result that counts failed and is not stale, judged at or after `since`; oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Failing {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<Timestamp>,
}
port!(MODULE: Failing ? Vec<FailingSubject>);

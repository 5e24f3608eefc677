//! What quality control is asked to do. Each request says its reply, its refusals and its undo.

use super::MODULE;
use super::dtos::{Constraints, Evaluated, Force};
use super::events::Subject;
use super::refusals::{EvaluateRefused, WaiveRefused};
use events::ids::QcResultId;
use saga_core::command::Common;
use saga_core::port;
use serde::{Deserialize, Serialize};

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
port!(MODULE: EvaluateContent -> Evaluated, EvaluateRefused, undo VoidQcResult: |cmd, deed| {
    VoidQcResult { result_id: QcResultId::from(deed), subject: Some(cmd.subject), reason: "undone".to_owned() }
});

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
port!(MODULE: WaiveQc -> super::dtos::ResultStatus, WaiveRefused, undo VoidQcResult: |cmd, _| {
    VoidQcResult { result_id: cmd.result_id, subject: cmd.subject, reason: "undone".to_owned() }
});

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

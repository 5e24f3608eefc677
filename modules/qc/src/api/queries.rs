//! What quality control is asked. Each question is answered from what it has told.

use super::MODULE;
use super::dtos::{FailingSubject, QcResult};
use super::events::Subject;
use saga_core::port;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

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

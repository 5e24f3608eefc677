//! What strategy answers, and what it needs from outside.
//!
//! All versions of a brief are one story, so each command names the brief beside the version.

use crate::api::dtos::{BriefSnapshot, Outline, ShelfView, StrategyDiff, StrategyDoc, StrategyMoved, StrategyPatch};
use async_trait::async_trait;
use events::ids::{BriefId, ClientId, StrategyId};
use saga_core::command::{Common, Compensable};
use saga_core::envelope::Actor;
use saga_core::id::StepKey;
use saga_core::port;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

pub use super::refusals::{AmendRefused, ApproveRefused, GenerateRefused, RejectRefused, SubmitRefused};

const MODULE: &str = "strategy";
/// What an undo gives as its reason.
const COMPENSATED: &str = "taken back by the saga";

/// Writes the next version of a brief's strategy. The version's id is the deed's key; asking twice writes one.
///
/// Refused: `BRIEF_INCOMPLETE` with what the snapshot lacks; `WRITER_REJECTED` with the writer's code, or with ours when
/// what it wrote is not a strategy; `PLACEHOLDER_TEXT` with the words; `VERSION_CONFLICT` when another version than the
/// requested one would be next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct GenerateStrategy {
    pub brief_id: BriefId,
    pub brief: BriefSnapshot,
    /// What else the writer is to know, for example why the last version was rejected.
    #[serde(default)]
    pub context: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub requested_version: Option<u32>,
}
port!(MODULE: GenerateStrategy -> StrategyDoc, GenerateRefused);
impl Compensable for GenerateStrategy {
    type Undo = DiscardStrategy;
    fn undo(&self, deed: StepKey) -> DiscardStrategy {
        DiscardStrategy { brief_id: self.brief_id, strategy_id: StrategyId::from(deed), reason: COMPENSATED.to_owned() }
    }
}

/// Hands a draft in for approval.
///
/// Refused: `CONTRACT_INVALID` with the layers (and `summary`, `kpis`, `channels`) that are absent or wrong; `NOT_FOUND`;
/// `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitStrategy {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    #[serde(default)]
    pub reviewers: Vec<String>,
}
port!(MODULE: SubmitStrategy -> StrategyMoved, SubmitRefused);
impl Compensable for SubmitStrategy {
    type Undo = WithdrawSubmission;
    fn undo(&self, deed: StepKey) -> WithdrawSubmission {
        WithdrawSubmission {
            brief_id: self.brief_id,
            strategy_id: self.strategy_id,
            reason: COMPENSATED.to_owned(),
            deed: Some(deed),
        }
    }
}

/// Makes a submitted version a draft again. As an undo it takes back its own deed's submission only, and is content
/// with anything else. Withdrawing twice is withdrawing once. Refused (never as an undo): `NOT_FOUND`, `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WithdrawSubmission {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    pub reason: String,
    /// Only the submission by this deed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deed: Option<StepKey>,
}
port!(MODULE: WithdrawSubmission -> (), Common);

/// Approves a submitted version; the version that was approved before is superseded.
///
/// Its undo revokes the approval. Residue: the version is `REVOKED`, and what it superseded stays so.
/// Refused: `NOT_LATEST` with the newest version in play; `SELF_APPROVAL` when the operator who decides wrote it;
/// `NOT_PERMITTED` when somebody else than a saga or the system decides in another's name; `NOT_FOUND`; `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ApproveStrategy {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
    /// Who decided, when a saga passes the decision on; otherwise whoever sends this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub approver: Option<Actor>,
}
port!(MODULE: ApproveStrategy -> StrategyMoved, ApproveRefused);
impl Compensable for ApproveStrategy {
    type Undo = RevokeStrategyApproval;
    fn undo(&self, _: StepKey) -> RevokeStrategyApproval {
        RevokeStrategyApproval {
            brief_id: self.brief_id,
            strategy_id: self.strategy_id,
            reason: COMPENSATED.to_owned(),
        }
    }
}

/// Takes an approval back. Revoking twice is revoking once. Refused (never as an undo): `NOT_FOUND`, `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RevokeStrategyApproval {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    pub reason: String,
}
port!(MODULE: RevokeStrategyApproval -> (), Common);

/// Says no to a submitted version. Refused: `REASON_REQUIRED`; `NOT_PERMITTED` as for an approval; `NOT_FOUND`;
/// `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RejectStrategy {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    #[serde(default)]
    pub reason: String,
    /// Who decided, when a saga passes the decision on; otherwise whoever sends this.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decider: Option<Actor>,
}
port!(MODULE: RejectStrategy -> StrategyMoved, RejectRefused);
impl Compensable for RejectStrategy {
    type Undo = DiscardStrategy;
    /// A "no" is taken back with the version it was said to; the decision stays in the history.
    fn undo(&self, _: StepKey) -> DiscardStrategy {
        DiscardStrategy { brief_id: self.brief_id, strategy_id: self.strategy_id, reason: "taken back".to_owned() }
    }
}

/// Writes the next version from an earlier one and a patch; the earlier one stays as it is.
///
/// Refused: `PLACEHOLDER_TEXT`; `INVALID_FIELD` for a patch that is empty or breaks a rule; `NOT_FOUND`; `WRONG_STATE` for
/// a discarded version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AmendStrategy {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    pub patch: StrategyPatch,
}
port!(MODULE: AmendStrategy -> StrategyDoc, AmendRefused);
impl Compensable for AmendStrategy {
    type Undo = DiscardStrategy;
    fn undo(&self, deed: StepKey) -> DiscardStrategy {
        DiscardStrategy { brief_id: self.brief_id, strategy_id: StrategyId::from(deed), reason: COMPENSATED.to_owned() }
    }
}

/// Takes a version off the shelf. Discarding twice is discarding once.
///
/// As an undo it takes back whatever became of the version that its deed wrote: an approval is revoked first; only what
/// a newer version superseded stays, because that is history of another run.
/// Refused (never as an undo): `NOT_FOUND`; `WRONG_STATE` for anything but a draft or a submitted version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DiscardStrategy {
    pub brief_id: BriefId,
    pub strategy_id: StrategyId,
    pub reason: String,
}
port!(MODULE: DiscardStrategy -> (), Common);

/// One version. A discarded one is not found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Get {
    pub strategy_id: StrategyId,
}
port!(MODULE: Get ? StrategyDoc);

/// All versions of a brief that are not discarded, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListVersions {
    pub brief_id: BriefId,
}
port!(MODULE: ListVersions ? Vec<StrategyDoc>);

/// The approved version of a brief; otherwise the newest that waits or is being written; otherwise nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Current {
    pub brief_id: BriefId,
}
port!(MODULE: Current ? Option<StrategyDoc>);

/// What is different between two versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Diff {
    pub a: StrategyId,
    pub b: StrategyId,
}
port!(MODULE: Diff ? StrategyDiff);

/// Everything that waits for an approval, by brief and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PendingApprovals {}
port!(MODULE: PendingApprovals ? Vec<StrategyDoc>);

/// All versions of a client's briefs that were validated at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Shelf {
    pub client_id: ClientId,
}
port!(MODULE: Shelf ? ShelfView);

/// What strategy needs from the outside world. The composition root brings it.
#[derive(Clone)]
pub struct Needs {
    /// Asked first, as long as it is healthy.
    pub writer: Arc<dyn StrategyWriter>,
    /// Asked when the first one fails or is not healthy.
    pub fallback: Option<Arc<dyn StrategyWriter>>,
}

/// Who writes strategies.
#[async_trait]
pub trait StrategyWriter: Send + Sync {
    /// Writes for a brief, in the brief's language. Must tolerate being called again with the same `key`, and answers
    /// within 60 seconds, with `Unknown` if need be.
    async fn write(
        &self,
        key: StepKey,
        brief: &BriefSnapshot,
        context: &BTreeMap<String, String>,
    ) -> Result<Outline, ProviderError>;
}

/// How a provider fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// A final no.
    #[error("rejected: {code}")]
    Rejected { code: String },
    /// Not now.
    #[error("{says}")]
    TryLater { after_ms: u64, says: String },
    /// Not until a person mends what it says: rights, room, a quota. A person is told at once.
    #[error("{says}")]
    Mend { says: String },
    /// It may have happened. Ask again with the same key.
    #[error("the outcome is unknown")]
    Unknown,
}

//! What strategy is asked to do. Each request says its reply, its refusals and its undo.

use super::MODULE;
use super::dtos::{BriefSnapshot, StrategyDoc, StrategyMoved, StrategyPatch};
use super::refusals::{AmendRefused, ApproveRefused, GenerateRefused, RejectRefused, SubmitRefused};
use events::ids::{BriefId, StrategyId};
use saga_core::command::Common;
use saga_core::envelope::Actor;
use saga_core::id::StepKey;
use saga_core::port;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
port!(MODULE: GenerateStrategy -> StrategyDoc, GenerateRefused, undo DiscardStrategy: |cmd, deed| {
    DiscardStrategy { brief_id: cmd.brief_id, strategy_id: StrategyId::from(deed), reason: COMPENSATED.to_owned() }
});

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
port!(MODULE: SubmitStrategy -> StrategyMoved, SubmitRefused, undo WithdrawSubmission: |cmd, deed| {
    let (reason, deed) = (COMPENSATED.to_owned(), Some(deed));
    WithdrawSubmission { brief_id: cmd.brief_id, strategy_id: cmd.strategy_id, reason, deed }
});

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
port!(MODULE: ApproveStrategy -> StrategyMoved, ApproveRefused, undo RevokeStrategyApproval: |cmd, _| {
    let reason = COMPENSATED.to_owned();
    RevokeStrategyApproval { brief_id: cmd.brief_id, strategy_id: cmd.strategy_id, reason }
});

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
// A "no" is taken back with the version it was said to; the decision stays in the history.
port!(MODULE: RejectStrategy -> StrategyMoved, RejectRefused, undo DiscardStrategy: |cmd, _| {
    DiscardStrategy { brief_id: cmd.brief_id, strategy_id: cmd.strategy_id, reason: "taken back".to_owned() }
});

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
port!(MODULE: AmendStrategy -> StrategyDoc, AmendRefused, undo DiscardStrategy: |cmd, deed| {
    DiscardStrategy { brief_id: cmd.brief_id, strategy_id: StrategyId::from(deed), reason: COMPENSATED.to_owned() }
});

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

//! What delivery is asked to do. Each request says its reply, its refusals and its undo.

use super::MODULE;
use super::dtos::{ArtifactSpec, DeliveredReply, ExecuteReply, ExecutionSettings, JobReply, PackageReply};
use super::events::{Destination, JobType, Publication, ResolvedOutcome};
use super::refusals::{PackageRefused, PublishRefused, SettingsRefused};
use events::ids::{AssetId, CampaignId, ClientId, DeliveryPackageId, DraftId, ProjectId, PublishJobId};
use saga_core::port;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Makes the three artifacts of an approved draft and puts them on the shelf. The package's id is the deed's key.
///
/// Refused: `NOT_APPROVED`, `ARTIFACT_MISSING{names}`, `ARTIFACT_REJECTED`, `INVALID_FIELD`.
/// Repeated: the same files (they are named by their content) and the first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CreatePackage {
    pub project_id: ProjectId,
    pub client_id: ClientId,
    pub draft_id: DraftId,
    /// An approval binds to one revision; when given, the approval must be of this one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_revision: Option<u32>,
    /// Whether the client's recorded approval of the draft is a precondition.
    pub requires_client_approval: bool,
    pub artifacts: Vec<ArtifactSpec>,
}
port!(MODULE: CreatePackage -> PackageReply, PackageRefused, undo WithdrawPackage: |_, deed| {
    WithdrawPackage { package_id: deed.into(), reason: "the package was taken back".to_owned() }
});

/// Hands the package over.
///
/// Refused: `PAYMENT_REQUIRED` while the client's payment rule says so, `NOT_FOUND`, `WRONG_STATE`.
/// Repeated: the first answer; a second delivery under another key is `WRONG_STATE`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DeliverPackage {
    pub package_id: DeliveryPackageId,
}
port!(MODULE: DeliverPackage -> DeliveredReply, PackageRefused, undo WithdrawPackage: |cmd, _| {
    WithdrawPackage { package_id: cmd.package_id, reason: "the delivery was taken back".to_owned() }
});

/// Takes a package off the shelf, delivered or not. The files stay in the file store. Undo of creation and delivery.
///
/// Refused: `NOT_FOUND`. Repeated or already withdrawn: done, without a further event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WithdrawPackage {
    pub package_id: DeliveryPackageId,
    pub reason: String,
}
port!(MODULE: WithdrawPackage -> (), PackageRefused);

/// Puts a publication into the queue. The job's id is the deed's key.
///
/// Refused: `EXECUTION_OFF`, `CHANNEL_OFF`, `INVALID_FIELD`, `NOT_FOUND` and `WRONG_STATE` of the package.
/// From an import, or with `hold`, the job is `HELD` until a person releases it, and the switches are asked then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct QueuePublish {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub asset_id: Option<AssetId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package_id: Option<DeliveryPackageId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub campaign_id: Option<CampaignId>,
    #[serde(default = "social_post")]
    pub job_type: JobType,
    pub destination: Destination,
    pub payload: PublishContent,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub not_before: Option<Timestamp>,
    /// Why it shall wait for a person.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hold: Option<String>,
}
port!(MODULE: QueuePublish -> JobReply, PublishRefused, undo CancelPublish: |_, deed| {
    CancelPublish { job_id: deed.into(), reason: "the job was taken back".to_owned() }
});

fn social_post() -> JobType {
    JobType::SocialPost
}

/// What is to be published, with the whole text; the event keeps a long one as a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PublishContent {
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub media_urls: Vec<String>,
}

/// Lets a held job into the queue: `HELD -> QUEUED`. People only.
///
/// Refused: `EXECUTION_OFF`, `CHANNEL_OFF`, `NOT_FOUND`, `WRONG_STATE`, `NOT_PERMITTED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReleasePublish {
    pub job_id: PublishJobId,
    pub reason: String,
}
port!(MODULE: ReleasePublish -> JobReply, PublishRefused);

/// Publishes a queued job; asks the platform about a job whose outcome is unknown and never posts that one again.
///
/// Refused: `GATE{check}` (execution, channel, package, asset), `NOT_PERMITTED` from an import, `NOT_FOUND`, `WRONG_STATE`.
/// Before its slot or next try it is weather. The provider's key belongs to the job, so however many deeds execute
/// it, it posts once. A failure is an answer with its outcome, not a refusal: the try was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExecutePublish {
    pub job_id: PublishJobId,
}
port!(MODULE: ExecutePublish -> ExecuteReply, PublishRefused, undo RetractPublish: |cmd, _| {
    RetractPublish { job_id: cmd.job_id, reason: "the publication was taken back".to_owned() }
});

/// Takes a waiting job back. Undo of queueing: if a post left although nobody recorded it, it is found and retracted.
///
/// Refused: `WRONG_STATE` while it may be out or is out, `NOT_FOUND`. Already cancelled, failed or retracted: done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelPublish {
    pub job_id: PublishJobId,
    pub reason: String,
}
port!(MODULE: CancelPublish -> (), PublishRefused);

/// Takes a publication back. Ends `RETRACTED`, or `RETRACT_FAILED` with a manual task; see the job.
///
/// Refused: `NOT_SUPPORTED{platform}`, `NOT_FOUND`. Nothing out: done, without an event. Outcome unknown: the
/// platform is asked first, and as long as it cannot tell, this is weather.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetractPublish {
    pub job_id: PublishJobId,
    pub reason: String,
}
port!(MODULE: RetractPublish -> (), PublishRefused);

/// Puts a failed job back into the queue with its count of tries at zero. People only.
///
/// Refused: `NOT_FOUND`, `WRONG_STATE`, `NOT_PERMITTED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RetryPublish {
    pub job_id: PublishJobId,
    pub reason: String,
}
port!(MODULE: RetryPublish -> JobReply, PublishRefused);

/// A person says what became of a post whose outcome is unknown, and how they know.
///
/// Refused: `INVALID_FIELD` without evidence, or `PUBLISHED` without publications; `NOT_FOUND`, `WRONG_STATE`,
/// `NOT_PERMITTED`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ResolvePublish {
    pub job_id: PublishJobId,
    pub outcome: ResolvedOutcome,
    pub evidence: String,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub publications: Vec<Publication>,
}
port!(MODULE: ResolvePublish -> JobReply, PublishRefused);

/// Says what may be published. Off, and a rehearsal, until this says otherwise.
///
/// Refused: `NOT_PERMITTED` for clients, imports and the system, `INVALID_FIELD` for an unknown channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetExecution {
    pub enabled: bool,
    pub dry_run: bool,
    pub channels: Vec<String>,
    pub reason: String,
}
port!(MODULE: SetExecution -> ExecutionSettings, SettingsRefused, undo RestoreExecution: |_, deed| {
    RestoreExecution { change: deed.uuid(), reason: "the setting was taken back".to_owned() }
});

/// Takes one change of the settings back. If somebody changed them since, theirs stay: done, without an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreExecution {
    pub change: Uuid,
    pub reason: String,
}
port!(MODULE: RestoreExecution -> (), SettingsRefused);

/// Says whether a client has to pay before packages are delivered. Nobody has to until this says so.
///
/// Refused: `NOT_PERMITTED` for clients and imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetPaymentRule {
    pub client_id: ClientId,
    pub payment_required: bool,
    pub reason: String,
}
port!(MODULE: SetPaymentRule -> (), SettingsRefused);

//! One realistic value per version of each event of delivery: the golden samples.

use super::{
    Artifact, Delivered, Destination, ExecutionSet, FailureClass, JobType, PackageCreated, PackageWithdrawn,
    PaymentRuleSet, Publication, PublishCancelled, PublishCompletedV1, PublishCompletedV2, PublishFailedV1,
    PublishFailedV2, PublishHeld, PublishOutcomeUnknown, PublishPayload, PublishQueued, PublishReleased,
    PublishResolved, PublishRetractFailed, PublishRetracted, PublishRetryScheduled, PublishStarted, ResolvedOutcome,
};
use crate::ids::{AssetId, CampaignId, ClientId, DeliveryPackageId, DraftId, ProjectId, PublishJobId};
use crate::values::Text;
use saga_core::envelope::Actor;
use saga_core::time::Timestamp;
use uuid::Uuid;

const JOB: PublishJobId = PublishJobId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0070));
const PACKAGE: DeliveryPackageId = DeliveryPackageId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0071));
const ASSET: AssetId = AssetId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0072));
const CLIENT: ClientId = ClientId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0073));
/// 2025-12-13T12:00:00Z.
const NOON: Timestamp = Timestamp(1_765_627_200_000_000);

impl Publication {
    pub fn example() -> Self {
        Self {
            platform: "linkedin".to_owned(),
            external_id: Some("urn:li:share:7012".to_owned()),
            url: "https://www.linkedin.com/feed/update/7012".to_owned(),
        }
    }
}
impl PackageCreated {
    pub fn example() -> Self {
        let files = [("content_pack.zip", "zip"), ("strategy_doc.pdf", "pdf"), ("assets_bundle.zip", "zip")];
        let artifact = |(position, (name, format)): (u32, (&str, &str))| Artifact {
            name: name.to_owned(),
            url: format!("file:///packages/{name}"),
            format: format.to_owned(),
            position,
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        };
        Self {
            package_id: PACKAGE,
            project_id: ProjectId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0074)),
            client_id: CLIENT,
            draft_id: DraftId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0075)),
            artifacts: (1..).zip(files).map(artifact).collect(),
        }
    }
}
impl PackageWithdrawn {
    pub fn example() -> Self {
        Self { package_id: PACKAGE, reason: "the client changed the brief".to_owned() }
    }
}
impl Delivered {
    pub fn example() -> Self {
        Self { package_id: PACKAGE, artifact_count: 3 }
    }
}
impl PublishQueued {
    pub fn example() -> Self {
        let text = Text::Inline("Stop losing Fridays. 月曜日を取り戻す".to_owned());
        Self {
            job_id: JOB,
            asset_id: Some(ASSET),
            package_id: Some(PACKAGE),
            campaign_id: Some(CampaignId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0076))),
            job_type: JobType::SocialPost,
            destination: Destination { platform: "linkedin".to_owned(), account: "nordlys".to_owned() },
            payload: PublishPayload { text, title: None, media_urls: vec!["https://media.example/a.svg".to_owned()] },
            not_before: Some(NOON),
        }
    }
}
impl PublishHeld {
    pub fn example() -> Self {
        Self { job_id: JOB, reason: "imported".to_owned() }
    }
}
impl PublishReleased {
    pub fn example() -> Self {
        Self { job_id: JOB, reason: "checked by hand".to_owned(), actor: Actor::operator("mia") }
    }
}
impl PublishCancelled {
    pub fn example() -> Self {
        Self { job_id: JOB, reason: "the offer has ended".to_owned() }
    }
}
impl PublishStarted {
    pub fn example() -> Self {
        Self { job_id: JOB, package_id: Some(PACKAGE), dry_run: true }
    }
}
impl PublishCompletedV1 {
    pub fn example() -> Self {
        Self { job_id: JOB, published_urls: vec!["https://x.example/1".to_owned()] }
    }
}
impl PublishCompletedV2 {
    pub fn example() -> Self {
        Self { job_id: JOB, publications: vec![Publication::example()], at: NOON, asset_id: Some(ASSET) }
    }
}
impl PublishFailedV1 {
    pub fn example() -> Self {
        Self { job_id: JOB, error_message: "rate limited".to_owned() }
    }
}
impl PublishFailedV2 {
    pub fn example() -> Self {
        Self {
            job_id: JOB,
            code: "RATE_LIMITED".to_owned(),
            class: FailureClass::Retryable,
            message: "rate limited".to_owned(),
            tries: 2,
        }
    }
}
impl PublishOutcomeUnknown {
    pub fn example() -> Self {
        Self { job_id: JOB, asked: 1, ask_at: Some(NOON) }
    }
}
impl PublishResolved {
    pub fn example() -> Self {
        Self {
            job_id: JOB,
            outcome: ResolvedOutcome::Published,
            evidence: "seen on the company page".to_owned(),
            actor: Actor::operator("mia"),
        }
    }
}
impl PublishRetryScheduled {
    pub fn example() -> Self {
        Self { job_id: JOB, at: NOON, tries: 1 }
    }
}
impl PublishRetracted {
    pub fn example() -> Self {
        Self { job_id: JOB, publications: vec![Publication::example()], asset_id: Some(ASSET) }
    }
}
impl PublishRetractFailed {
    pub fn example() -> Self {
        Self {
            job_id: JOB,
            code: "GONE".to_owned(),
            manual_task: "remove https://www.linkedin.com/feed/update/7012 by hand".to_owned(),
        }
    }
}
impl ExecutionSet {
    pub fn example() -> Self {
        Self {
            enabled: true,
            dry_run: true,
            channels: vec!["linkedin".to_owned()],
            actor: Actor::operator("mia"),
            reason: "rehearsal before the launch".to_owned(),
            change: Uuid::from_u128(0x018f_3c6e_0000_5000_8000_0000_0000_0077),
        }
    }
}
impl PaymentRuleSet {
    pub fn example() -> Self {
        Self {
            client_id: CLIENT,
            payment_required: true,
            reason: "first engagement".to_owned(),
            actor: Actor::operator("mia"),
        }
    }
}

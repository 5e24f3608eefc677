//! One realistic value per version of each event of production: the golden samples.

use super::{
    ApprovalId, AssetGenerated, AssetPatch, BundleAssembled, BundleDiscarded, CreativeAssetApprovalRevoked,
    CreativeAssetApproved, CreativeAssetArchived, CreativeAssetCreatedV1, CreativeAssetCreatedV2,
    CreativeAssetDiscarded, CreativeAssetEdited, CreativeAssetPublished, CreativeAssetRetracted, DraftAssetAdded,
    DraftAssetRemoved, DraftDiscarded, DraftReadyV1, DraftReadyV2, DraftReleased, DraftRevised, DraftRevisionReverted,
    Media, Publication, RevisionId, RevisionRequest, Rights, asset_content_hash,
};
use crate::ids::{AssetId, BundleId, CampaignId, DraftId, QcResultId, StrategyId};
use crate::values::Text;
use saga_core::envelope::{Actor, sha256_hex};
use uuid::Uuid;

const ASSET: AssetId = AssetId(Uuid::from_u128(0xa1));
const BUNDLE: BundleId = BundleId(Uuid::from_u128(0xb1));
const DRAFT: DraftId = DraftId(Uuid::from_u128(0xd1));

/// Gives each event its sample.
macro_rules! example {
    ($($event:ident { $($body:tt)* })+) => {$(
        impl $event {
            /// A sample.
            pub fn example() -> Self {
                Self { $($body)* }
            }
        }
    )+};
}
example! {
    DraftReadyV1 { draft_id: DRAFT, content_type: "content_pack".to_owned() }
    DraftReadyV2 {
        draft_id: DRAFT, content_type: "content_pack".to_owned(), strategy_id: Some(StrategyId(Uuid::from_u128(0x51))),
        project_id: None, body: Text::Inline("Answers in the tool where the team already works.".to_owned()), revision: 1,
        language: "en".to_owned(),
    }
    DraftRevised {
        draft_id: DRAFT, revision: 2,
        requests: vec![RevisionRequest {
            section: "hook".to_owned(), change: "shorter".to_owned(), priority: "should".to_owned(),
        }],
        body: Text::Inline("Answers where the team works.".to_owned()), revision_id: RevisionId(Uuid::from_u128(0x71)),
    }
    DraftRevisionReverted {
        draft_id: DRAFT, revision_id: RevisionId(Uuid::from_u128(0x71)), revision: 1, reason: "undone".to_owned(),
    }
    DraftDiscarded { draft_id: DRAFT, reason: "undone".to_owned() }
    DraftReleased { draft_id: DRAFT }
    DraftAssetAdded { draft_id: DRAFT, asset_id: ASSET }
    DraftAssetRemoved { draft_id: DRAFT, asset_id: ASSET }
    BundleAssembled { bundle_id: BUNDLE, draft_id: DRAFT, asset_ids: vec![ASSET] }
    BundleDiscarded { bundle_id: BUNDLE, reason: "undone".to_owned() }
    AssetGenerated {
        asset_id: ASSET, asset_type: "image".to_owned(), url: Some("asset://5f1d.svg".to_owned()),
        sha256: Some(sha256_hex(b"<svg/>")),
    }
    CreativeAssetCreatedV1 {
        asset_id: ASSET, campaign_id: Some(CampaignId(Uuid::from_u128(0xc9))), platform: "linkedin".to_owned(),
        format: "post".to_owned(), hook: "Fridays without a report".to_owned(), caption: Some("It writes itself.".to_owned()),
        cta: Some("Book a demo".to_owned()), tone: Some("calm".to_owned()),
    }
    CreativeAssetCreatedV2 {
        asset_id: ASSET, campaign_id: None, platform: "linkedin".to_owned(), format: "post".to_owned(),
        hook: "Fridays without a report".to_owned(), caption: Some(Text::Inline("It writes itself.".to_owned())),
        cta: Some("Book a demo".to_owned()), tone: Some("calm".to_owned()), draft_id: Some(DRAFT),
        strategy_id: Some(StrategyId(Uuid::from_u128(0x51))), variant: 2, language: "en".to_owned(),
        content_hash: asset_content_hash(
            "linkedin", "post", "Fridays without a report", "It writes itself.", "Book a demo",
        ),
        rights: Rights { source: "writer".to_owned(), model: Some("template".to_owned()) },
        media: Some(Media {
            asset_type: "image".to_owned(), url: "asset://5f1d.svg".to_owned(), sha256: sha256_hex(b"<svg/>"),
        }),
    }
    CreativeAssetEdited {
        asset_id: ASSET, patch: AssetPatch { hook: Some("Fridays back".to_owned()), ..AssetPatch::default() }, version: 2,
        content_hash: asset_content_hash("linkedin", "post", "Fridays back", "It writes itself.", "Book a demo"),
        revision_id: RevisionId(Uuid::from_u128(0x72)), reverted: false, reason: Some("shorter".to_owned()), media: None,
    }
    CreativeAssetApproved {
        asset_id: ASSET, actor: Actor::operator("mia"), qc_result_id: Some(QcResultId(Uuid::from_u128(0x92))),
        note: Some("go".to_owned()), approval_id: ApprovalId(Uuid::from_u128(0x81)),
    }
    CreativeAssetApprovalRevoked { asset_id: ASSET, reason: "undone".to_owned() }
    CreativeAssetPublished {
        asset_id: ASSET,
        publications: vec![Publication {
            platform: "linkedin".to_owned(), external_id: Some("urn:17".to_owned()),
            url: "https://linkedin.example/17".to_owned(),
        }],
    }
    CreativeAssetRetracted { asset_id: ASSET, reason: "retracted".to_owned(), publications: vec![] }
    CreativeAssetArchived { asset_id: ASSET, reason: "season over".to_owned() }
    CreativeAssetDiscarded { asset_id: ASSET, reason: "undone".to_owned() }
}

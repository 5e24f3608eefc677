//! Typed ids; alphabetical, append-only.

saga_core::uuid_newtype! {
    AssetId, BriefId, BundleId, CampaignId, ClientId, DeliveryPackageId, DraftId, IntakeId, ProjectId, PublishJobId,
    QcResultId, ReviewPackageId, StrategyId,
}

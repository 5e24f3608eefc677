//! The client's decisions, as far as a module listens to them already: approved, and approval taken back.

use crate::ids::{ClientId, DraftId, ReviewPackageId};
use saga_core::envelope::Actor;
use saga_core::event::Owner;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The module.
#[derive(Debug, Clone, Copy)]
pub enum ClientReview {}
impl Owner for ClientReview {
    const MODULE: &'static str = "client_review";
}

story! {
    /// The story of one review package.
    pub enum ReviewEvent of ClientReview in "client_review_package" { ClientApproved, ApprovalRevoked }
}

/// The client said yes to one revision of one draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ClientApproved {
    pub package_id: ReviewPackageId,
    pub client_id: ClientId,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub draft_id: Option<DraftId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actor: Option<Actor>,
}
impl ClientApproved {
    pub fn example() -> Self {
        Self {
            package_id: ReviewPackageId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0060)),
            client_id: ClientId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0073)),
            draft_id: Some(DraftId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0075))),
            revision: Some(2),
            actor: None,
        }
    }
}

/// The approval was taken back before delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct ApprovalRevoked {
    pub package_id: ReviewPackageId,
    pub reason: String,
}
impl ApprovalRevoked {
    pub fn example() -> Self {
        Self {
            package_id: ReviewPackageId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0060)),
            reason: "the client called".to_owned(),
        }
    }
}

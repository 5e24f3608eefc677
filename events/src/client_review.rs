//! The client's decisions, as far as somebody listens to them already: approved, and approval taken back.

use crate::ids::{ClientId, DraftId, ReviewPackageId};
use saga_core::envelope::Actor;
use saga_core::event::{Event, Genesis, Owner};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The module.
#[derive(Debug, Clone, Copy)]
pub enum ClientReview {}
impl Owner for ClientReview {
    const MODULE: &'static str = "client_review";
}

/// Every version of every event, alphabetical.
pub const CATALOGUE: &[(&str, u16)] = &[("ApprovalRevoked", 1), ("ClientApproved", 1)];

saga_core::event_set! {
    /// The story of one review package.
    pub enum ReviewEvent of ClientReview { ClientApproved, ApprovalRevoked }
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
impl Event for ClientApproved {
    type Owner = ClientReview;
    const NAME: &'static str = "ClientApproved";
    const VERSION: u16 = 1;
    type Previous = Genesis;
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
impl Event for ApprovalRevoked {
    type Owner = ClientReview;
    const NAME: &'static str = "ApprovalRevoked";
    const VERSION: u16 = 1;
    type Previous = Genesis;
}
impl ApprovalRevoked {
    pub fn example() -> Self {
        Self {
            package_id: ReviewPackageId(Uuid::from_u128(0x018f_3c6e_0000_7000_8000_0000_0000_0060)),
            reason: "the client called".to_owned(),
        }
    }
}

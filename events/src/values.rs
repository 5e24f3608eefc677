//! Values that the events of two or more modules share.

use serde::{Deserialize, Serialize};

pub mod world;

pub use saga_core::text::{TEXT_BYTES_MAX, Text};

/// An amount in integer minor units of a currency (ISO 4217).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub minor: i64,
    pub currency: String,
}

/// 100,000,000,000,000 minor units (10^14): more than any client has, and times 10,000 basis points it still is an `i64`.
pub const MONEY_MINOR_MAX: i64 = 100_000_000_000_000;
/// The whole in basis points: 100 %.
pub const WHOLE_BP: u32 = 10_000;

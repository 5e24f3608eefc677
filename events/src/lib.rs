//! The published language: every version of every event there is, as pure data. One file per owner.
#![expect(missing_docs, reason = "the fields of events are described by their schemas, which are generated from here")]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod client_review;
pub mod delivery;
pub mod ids;
pub mod onboarding;
pub mod production;
pub mod qc;
pub mod strategy;
pub mod values;

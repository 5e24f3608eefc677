//! Whole folders of stores: what is done to them, what is found, and what starts.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests")]

mod backups;
mod folder;
mod starts;
mod tampers;

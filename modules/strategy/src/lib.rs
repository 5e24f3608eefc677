//! Strategy turns a normalised brief into versions of a strategy, and remembers what was decided about each.
//!
//! Invariant: versions of one brief count 1, 2, 3 ... without a gap; a number is never used again.
//! Invariant: at most one version of a brief is approved.
//! Invariant: a version never changes; amending one writes the next.
//! Invariant: nobody approves what they wrote themselves.
#![expect(missing_docs, reason = "the fields of documents and views say their meaning by name; commands are described")]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod api {
    //! The door: everything that others may use.

    /// The version of this contract.
    pub const CONTRACT: &str = "1.0";
    const MODULE: &str = <events::Strategy as saga_core::event::Owner>::MODULE;
    pub mod commands;
    pub mod dtos;
    pub mod events;
    pub mod fakes;
    pub mod providers;
    pub mod queries;
    pub mod refusals;
}
mod internal {
    mod contract;
    mod document;
    mod handlers;
    mod projections;
    mod queries;
    mod writers;
    use crate::api::providers::Needs;
    use crate::api::{CONTRACT, events};
    use saga_core::module::Module;

    /// The module, around what it needs from outside.
    pub fn module(needs: Needs) -> Module {
        Module::new::<events::Strategy, _>(CONTRACT, writers::Writers::new(needs))
            .command(handlers::generate)
            .command(handlers::submit)
            .command(handlers::withdraw_submission)
            .command(handlers::approve)
            .command(handlers::revoke_approval)
            .command(handlers::reject)
            .command(handlers::amend)
            .command(handlers::discard)
            .query(queries::get)
            .query(queries::list_versions)
            .query(queries::current)
            .query(queries::diff)
            .query(queries::pending_approvals)
            .query(queries::shelf)
            .projection(projections::versions())
            .projection(projections::briefs())
            .build()
    }
}
pub use internal::module;
#[cfg(test)]
mod tests;

//! Production makes content: drafts and their revisions, creative assets with their versions, and bundles of them.
//!
//! Invariant: a creative asset is owned here and names its campaign by id only; it keeps its lineage (strategy, draft,
//! variant).
//! Invariant: a draft is written only for a strategy that is approved, and has at most twelve assets.
//! Invariant: an asset is approved only with a quality result that passed or was waived, and never edited once published.
//! Invariant: discarded content disappears from the read models, not from the history.
//! Invariant: an undo takes back what its own deed made, and nothing else.
#![deny(clippy::wildcard_enum_match_arm)]
#![expect(missing_docs, reason = "the fields of values that cross the door are said by their names and schemas")]

pub mod api {
    //! What production answers, what it tells, and what it needs.

    /// The version of this contract.
    pub const CONTRACT: &str = "1.0";
    const MODULE: &str = <events::Production as saga_core::event::Owner>::MODULE;
    pub mod commands;
    pub mod dtos;
    pub mod events;
    pub mod fakes;
    pub mod providers;
    pub mod queries;
    pub mod refusals;
}

mod internal {
    mod asset;
    mod bundle;
    mod draft;
    mod gates;
    mod handlers;
    mod limits;
    mod making;
    mod projections;
    mod queries;
    mod reactors;

    use crate::api::events::Production;
    use crate::api::providers::Needs;
    use saga_core::module::Module;

    /// The module, ready to be hosted.
    pub fn module(needs: Needs) -> Module {
        Module::new::<Production, Needs>(crate::api::CONTRACT, needs)
            .command(making::generate_draft)
            .command(making::revise_draft)
            .command(handlers::revert_revision)
            .command(handlers::release_draft)
            .command(handlers::discard_draft)
            .command(handlers::assemble_bundle)
            .command(handlers::discard_bundle)
            .command(making::create_asset)
            .command(making::edit_asset)
            .command(making::regenerate_asset)
            .command(handlers::revert_asset_edit)
            .command(handlers::approve_asset)
            .command(handlers::revoke_asset_approval)
            .command(handlers::mark_published)
            .command(handlers::mark_retracted)
            .command(handlers::archive_asset)
            .command(handlers::discard_asset)
            .query(queries::draft)
            .query(queries::bundle)
            .query(queries::asset)
            .query(queries::gallery)
            .query(queries::lineage)
            .projection(projections::drafts())
            .projection(projections::bundles())
            .projection(projections::assets())
            .projection(gates::strategies())
            .projection(gates::quality())
            .reactor(reactors::publications())
            .build()
    }
}
pub use internal::module;

#[cfg(test)]
mod tests;

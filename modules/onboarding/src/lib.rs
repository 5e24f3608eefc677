//! Onboarding captures what a client said, unchanged, and derives the normalised brief and the project's workspace.
//!
//! Invariant: an intake is never deleted or overwritten; a new form is a new version, and numbers are never used again.
//! Invariant: a normalised brief names the version of the intake it was read from.
//! Invariant: no brief is validated while a required answer is missing.
//! Invariant: an undo takes back what its own deed did, and nothing else.
#![expect(missing_docs, reason = "the fields of forms and views say their meaning by name; commands are described")]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod api {
    //! The door: everything that others may use.

    /// The version of this contract.
    pub const CONTRACT: &str = "1.0";
    const MODULE: &str = <events::Onboarding as saga_core::event::Owner>::MODULE;
    pub mod commands;
    pub mod dtos;
    pub mod events;
    pub mod fakes;
    pub mod providers;
    pub mod queries;
    pub mod refusals;
    pub use crate::internal::rehearse;
}
mod internal {
    mod brief;
    mod form;
    mod handlers;
    mod intake;
    pub(crate) mod language;
    mod normalize;
    mod project;
    mod projections;
    mod queries;
    mod rehearsal;
    mod sagas;
    mod stages;
    use crate::api::providers::Needs;
    use crate::api::{CONTRACT, events};
    use saga_core::module::Module;

    pub use rehearsal::rehearse;

    /// The module, around what it needs from outside.
    pub fn module(needs: Needs) -> Module {
        Module::new::<events::Onboarding, _>(CONTRACT, needs)
            .command(handlers::capture_intake)
            .command(handlers::withdraw_intake)
            .command(handlers::normalize_brief)
            .command(handlers::validate_brief)
            .command(handlers::revert_brief_normalization)
            .command(handlers::cancel_brief)
            .command(handlers::create_project)
            .command(handlers::close_project)
            .query(queries::status)
            .query(queries::brief)
            .query(queries::intake)
            .query(queries::project)
            .query(queries::list)
            .query(queries::funnel)
            .projection(projections::intakes())
            .projection(projections::forms())
            .projection(projections::briefs())
            .projection(projections::projects())
            .projection(stages::nodes())
            .projection(sagas::sagas())
            .build()
    }
}
pub use internal::module;
#[cfg(test)]
mod tests;

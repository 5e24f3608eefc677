//! Delivery hands over finished packages, and is the only module that publishes anything outside.
//!
//! Invariant: one job posts at most once; a post that may be out is `OUTCOME_UNKNOWN` and is asked about, never repeated.
//! Invariant: nothing leaves the house unless a person enabled execution and ended the dry run, both recorded as events.
//! Invariant: every package has the same three artifacts, each with its sha256 and position.
#![expect(missing_docs, reason = "field names are the business's own words; commands, ports and rules are described")]
#![deny(clippy::wildcard_enum_match_arm)]

pub mod api {
    //! The door: requests, values, events, and what has to be brought from outside.

    /// `major.minor` of everything in here.
    pub const CONTRACT: &str = "1.0";
    const MODULE: &str = <events::Delivery as saga_core::event::Owner>::MODULE;
    pub mod commands;
    pub mod dtos;
    pub mod events;
    pub mod fakes;
    pub mod print;
    pub mod providers;
    pub mod queries;
    pub mod refusals;
}
mod internal {
    mod execution;
    mod handlers;
    mod job;
    mod links;
    mod package;
    mod projections;
    mod publishing;
    mod queries;

    use crate::api::CONTRACT;
    use crate::api::events::Delivery;
    use crate::api::providers::Needs;
    use saga_core::module::Module;

    /// The module, ready to be hosted.
    pub fn module(needs: Needs) -> Module {
        Module::new::<Delivery, Needs>(CONTRACT, needs)
            .command(handlers::create_package)
            .command(handlers::deliver_package)
            .command(handlers::withdraw_package)
            .command(publishing::queue)
            .command(publishing::release)
            .command(publishing::execute)
            .command(publishing::cancel)
            .command(publishing::retract)
            .command(publishing::retry)
            .command(publishing::resolve)
            .command(handlers::set_execution)
            .command(handlers::restore_execution)
            .command(handlers::set_payment_rule)
            .query(queries::package)
            .query(queries::packages)
            .query(queries::job)
            .query(queries::jobs)
            .query(queries::timeline)
            .query(queries::unresolved)
            .query(queries::execution)
            .projection(projections::packages())
            .projection(projections::jobs())
            .projection(projections::approvals())
            .projection(projections::assets())
            .projection(projections::execution())
            .build()
    }
}
pub use internal::module;

#[cfg(test)]
mod tests;

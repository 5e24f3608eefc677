//! Quality control judges one version of one subject by named checks, in whatever language it is written.
//!
//! Invariant: a result belongs to exactly one version of one subject, and the newest result that was not voided counts.
//! Invariant: a failed result is kept; a waiver or a voiding is added to it, nothing is taken away.
//! Invariant: a verdict FAIL is a reply, not a refusal: who asked decides what to do with it.
//! Invariant: the same content with the same constraints gets the same verdict; a check that breaks counts as failed.
#![deny(clippy::wildcard_enum_match_arm)]
#![expect(missing_docs, reason = "the fields of values that cross the door are said by their names and schemas")]

pub mod api {
    //! What quality control answers and what it tells.

    /// The version of this contract.
    pub const CONTRACT: &str = "1.0";
    pub mod dtos;
    pub mod events;
    pub mod fakes;
    pub mod ports;
    pub use crate::internal::{placeholder, rehearse, word_in};
}

mod internal {
    mod checks;
    mod handlers;
    mod lexicon;
    mod model;
    mod projections;
    mod rehearsal;
    mod script;
    mod text;

    pub use rehearsal::{placeholder, rehearse, word_in};

    use crate::api::events::Qc;
    use crate::api::ports::Needs;
    use saga_core::module::Module;

    /// The module, ready to be hosted.
    pub fn module(needs: Needs) -> Module {
        Module::new::<Qc, Needs>(crate::api::CONTRACT, needs)
            .command(handlers::evaluate)
            .command(handlers::waive)
            .command(handlers::void)
            .query(projections::result)
            .query(projections::history)
            .query(projections::failing)
            .projection(projections::board())
            .projection(projections::places())
            .build()
    }
}
pub use internal::module;

#[cfg(test)]
mod tests;

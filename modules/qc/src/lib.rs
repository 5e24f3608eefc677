//! Quality control judges one version of one subject by named checks, in whatever language it is written.
//!
//! Invariant: a result belongs to exactly one version of one subject, and the newest result that was not voided counts.
//! Invariant: a failed result is kept; a waiver or a voiding is added to it, nothing is taken away.
//! Invariant: a verdict FAIL is a reply, not a refusal: the caller decides what to do with it.
//! Invariant: the same content with the same constraints gets the same verdict; a check that breaks counts as failed.
#![deny(clippy::wildcard_enum_match_arm)]
#![expect(missing_docs, reason = "the fields of values that cross the door are said by their names and schemas")]

pub mod api {
    //! What quality control answers and what it tells.

    /// The version of this contract.
    pub const CONTRACT: &str = "1.0";
    const MODULE: &str = <events::Qc as saga_core::event::Owner>::MODULE;
    pub mod commands;
    pub mod dtos;
    pub mod events;
    pub mod fakes;
    pub mod providers;
    pub mod queries;
    pub mod refusals;
    pub use crate::internal::{Mixed, Piece, as_one, not_of_one_language, placeholder, rehearse, word_in};
}

mod internal {
    mod checks;
    mod handlers;
    mod judgements;
    mod lexicon;
    mod mixed;
    mod parts;
    mod projections;
    mod queries;
    mod rehearsal;
    mod script;
    mod text;

    pub use mixed::Mixed;
    pub use parts::{Piece, as_one};
    pub use rehearsal::{not_of_one_language, placeholder, rehearse, word_in};

    use crate::api::events::Qc;
    use crate::api::providers::Needs;
    use saga_core::module::Module;

    /// The module, ready to be hosted.
    pub fn module(needs: Needs) -> Module {
        Module::new::<Qc, Needs>(crate::api::CONTRACT, needs)
            .command(handlers::evaluate)
            .command(handlers::waive)
            .command(handlers::void)
            .query(queries::result)
            .query(queries::history)
            .query(queries::failing)
            .projection(projections::board())
            .projection(projections::places())
            .build()
    }
}
pub use internal::module;

#[cfg(test)]
mod tests;

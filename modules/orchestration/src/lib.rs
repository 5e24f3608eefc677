//! Orchestration owns the company's sagas: which module is asked for what, in which order, and where there is no way back.
//!
//! Invariant: no saga touches a module's data except by a command of that module.
//! Invariant: what a client handed in before the saga began is never compensated.
#![deny(clippy::wildcard_enum_match_arm)]

/// What others may know.
pub mod api {
    /// `major.minor` of this api.
    pub const CONTRACT: &str = "1.2";
    pub mod dtos;
    pub mod foreign;
    pub mod languages;
    pub mod providers;
}
mod internal {
    mod client_to_delivery;
    mod door;
    mod headings;
    mod packing;
    mod printed_proof;
    mod rehearsal;
    use crate::api::providers::Performers;
    pub(crate) use headings::language_of_summary;
    use saga_core::fact::Orchestration;
    use saga_core::module::Module;
    use saga_core::saga::define;
    use std::sync::Arc;

    /// The module: it owns sagas and serves nothing. A start that the performers would refuse is refused at once, with
    /// their reason.
    pub fn module(performers: Option<Arc<dyn Performers>>) -> Module {
        let delivery = define::<crate::api::dtos::ClientToDelivery>();
        let delivery = match performers {
            Some(performers) => delivery.also_checked(move |input| rehearsal::rehearse(input, performers.as_ref())),
            None => delivery,
        };
        Module::new::<Orchestration, ()>(crate::api::CONTRACT, ())
            .saga(delivery)
            .saga(define::<crate::api::dtos::PrintedProof>())
            .build()
    }
}
pub use internal::module;

#[cfg(test)]
mod tests;

//! Every module there is, on fakes, to be read as data.

use saga_core::module::Module;

/// The modules, alphabetical.
pub fn modules() -> Vec<Module> {
    let (_, _, production_needs) = production::api::fakes::fakes();
    vec![
        delivery::module(delivery::api::fakes::Fakes::default().needs()),
        onboarding::module(onboarding::api::fakes::needs()),
        orchestration::module(None),
        production::module(production_needs),
        qc::module(qc::api::providers::Needs::default()),
        strategy::module(strategy::api::fakes::needs()),
    ]
}

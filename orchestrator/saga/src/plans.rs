//! Plans as they are registered: sound, each version once, and with everything given that their functions use.

use crate::error::Error;
use saga_core::definition::{Definition, Definitions, Performer};
use saga_core::soundness::PlanFault;
use saga_core::step::{Given, Need, short_name};
use std::sync::Arc;

/// The definitions by name and version, or everything that is wrong with them.
pub(crate) fn checked(definitions: &[Arc<Definition>], given: Option<&Given>) -> Result<Definitions, Error> {
    let mut known = Definitions::new();
    let mut faults = Vec::new();
    for definition in definitions {
        faults.extend(definition.check().err().unwrap_or_default());
        faults.extend(given.map(|given| not_given(definition, given)).unwrap_or_default());
        let name = (definition.name.to_owned(), definition.version);
        if known.insert(name, Arc::clone(definition)).is_some_and(|other| other.digest != definition.digest) {
            let says = format!("version {} is registered twice with different content", definition.version);
            let (code, saga) = (saga_core::codes::PLAN_DIGEST, definition.name.to_owned());
            faults.push(PlanFault { code, saga, says });
        }
    }
    if faults.is_empty() { Ok(known) } else { Err(Error::Plan(faults)) }
}

/// What steps use and nobody gave.
fn not_given(definition: &Definition, given: &Given) -> Vec<PlanFault> {
    let mut faults = Vec::new();
    for (path, step) in definition.steps() {
        let undo_needs =
            if let Performer::Here { undo_needs, .. } = &step.performer { undo_needs.as_slice() } else { &[] };
        for need in step.performer.needs().iter().chain(undo_needs) {
            let Need::Given(name) = need else { continue };
            if !given.has(name) {
                let name = short_name(name);
                let says =
                    format!("step {path:?} takes Using<{name}>, but no {name} was given: see Orchestrator::using");
                let saga = definition.name.to_owned();
                faults.push(PlanFault { code: saga_core::codes::PLAN_MISSING_OUTPUT, saga, says });
            }
        }
    }
    faults
}

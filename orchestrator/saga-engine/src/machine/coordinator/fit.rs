//! Which sagas the definitions of this process fit, and which they strand.

use super::Coordinator;
use crate::execution::{Execution, Signal};
use saga_core::definition::{Fit, shown};
use saga_core::fact::SagaStarted;
use saga_core::waiting::WaitReason;
use std::collections::BTreeMap;

impl Coordinator {
    /// The open sagas that nobody here can go on with, by why and by what they began with.
    pub fn stranded(&self) -> BTreeMap<(WaitReason, String), u64> {
        let mut all = BTreeMap::new();
        for why in self.sagas().filter_map(Execution::stranded) {
            *all.entry(why).or_default() += 1;
        }
        all
    }
    pub(super) fn fit(&self, started: &SagaStarted) -> Fit {
        Fit::of(&self.definitions, started)
    }
    /// A start as it is recorded: an older program that asks for it does not know what its definition means, this one does.
    pub(super) fn understood(&self, mut signal: Signal) -> Signal {
        if let Signal::Begun(started) = &mut signal
            && started.meaning.is_none()
            && let Fit::Same(plan) = self.fit(started)
        {
            (started.meaning, started.deadline_ms) = (Some(plan.meaning.clone()), Some(plan.deadline_ms));
        }
        signal
    }
    /// Why nothing may begin like this here, if it may not: what began would stand still at once.
    pub(super) fn misfit(&self, signal: &Signal) -> Option<String> {
        let Signal::Begun(started) = signal else { return None };
        let wanted = format!("{}@{} {}", started.definition, started.version, shown(&started.digest));
        let missing = self.fit(started).definition().is_none();
        missing.then(|| format!("the coordinator of its group has no {wanted}, or another one; nothing has begun"))
    }
}

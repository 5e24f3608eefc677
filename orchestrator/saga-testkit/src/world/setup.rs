//! How a world begins: its stores, its modules, its sagas, and the seed of everything that comes by chance in it.

use super::{Faults, World};
use crate::effects::Effects;
use crate::stage::STAGE_TIME;
use saga_core::definition::Definition;
use saga_core::id::Epoch;
use saga_core::module::Module;
use saga_core::ports::{Clock, Stores};
use saga_core::soundness::PlanFault;
use saga_core::step::Given;
use saga_engine::machine::coordinator::{Coordinator, Definitions};
use saga_engine::memory::{CountedIds, MemoryStores, StillClock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// The seed of a world that says nothing of it.
pub const SEED: u64 = 7;

impl World {
    /// In memory.
    pub async fn new(definitions: Vec<Definition>, modules: Vec<Module>) -> Result<Self, String> {
        Self::seeded(SEED, definitions, modules).await
    }
    /// In memory, with other ids and another jitter of retries for each seed.
    pub async fn seeded(seed: u64, definitions: Vec<Definition>, modules: Vec<Module>) -> Result<Self, String> {
        let clock = Arc::new(StillClock::at(STAGE_TIME));
        let stores = Arc::new(MemoryStores::new(Arc::clone(&clock) as Arc<dyn Clock>));
        Self::begin(seed, stores, clock, definitions, modules).await
    }
    /// On any stores.
    pub async fn on(
        stores: Arc<dyn Stores>,
        clock: Arc<StillClock>,
        definitions: Vec<Definition>,
        modules: Vec<Module>,
    ) -> Result<Self, String> {
        Self::begin(SEED, stores, clock, definitions, modules).await
    }
    async fn begin(
        seed: u64,
        stores: Arc<dyn Stores>,
        clock: Arc<StillClock>,
        definitions: Vec<Definition>,
        modules: Vec<Module>,
    ) -> Result<Self, String> {
        let open = |why: saga_core::ports::OpenError| why.to_string();
        let journal = stores.open("orchestration").await.map_err(open)?;
        let mut hosted = BTreeMap::new();
        for module in modules {
            let store = stores.open(module.name).await.map_err(open)?;
            hosted.insert(module.name, (module, store));
        }
        let mut known = Definitions::new();
        for definition in definitions {
            definition
                .check()
                .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))?;
            known.insert((definition.name.to_owned(), definition.version), Arc::new(definition));
        }
        let definitions = Arc::new(known);
        let mut world = World {
            clock,
            faults: Faults::default(),
            reached: 0,
            shuffle: None,
            given: Given::default(),
            effects: Effects::default(),
            observes: None,
            told: BTreeMap::new(),
            ids: Arc::new(CountedIds::after((seed ^ SEED) << 32)),
            stores,
            modules: hosted,
            coordinator: Coordinator::new(Arc::clone(&definitions), seed),
            seed,
            definitions,
            journal,
            facts: Arc::default(),
            deeds: Arc::default(),
            epoch: Epoch::ZERO,
            work: VecDeque::new(),
            held: Vec::new(),
            points: 0,
            tickets: 0,
            still: 0,
            asked: BTreeMap::new(),
            read: BTreeMap::new(),
        };
        world.recover().await?;
        Ok(world)
    }
    /// A saga more, or another version of one; nothing has run yet.
    pub(crate) fn learn(&mut self, definition: Definition) -> Result<(), String> {
        let sound = |faults: Vec<PlanFault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        definition.check().map_err(sound)?;
        let mut known = Definitions::clone(&self.definitions);
        known.insert((definition.name.to_owned(), definition.version), Arc::new(definition));
        self.definitions = Arc::new(known);
        self.coordinator = Coordinator::new(Arc::clone(&self.definitions), self.seed);
        Ok(())
    }
}

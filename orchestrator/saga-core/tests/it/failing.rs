//! Whatever becomes of commits and reads, on either side: the end is that of the world without faults, and nothing
//! happens twice.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use crate::everything::everything;
use crate::linear::linear;
use proptest::prelude::*;
use saga_core::fates::{Fate, Fates};
use saga_core::id::Position;
use saga_core::laws::saga::Case;
use saga_core::stage::ready;
use saga_core::view::SagaState;
use saga_core::world::Faults;
use std::collections::BTreeMap;

/// What is left of it in the world: the ending, each story of each module, and how often anything was put down.
type End = (SagaState, BTreeMap<String, Vec<(String, String)>>);

async fn end(mut case: Case, faults: Faults) -> Result<(End, u64), String> {
    // The start is confirmed before anything fails: nobody was promised one that is lost.
    case.world.run_for(1).await?;
    case.world.faults = faults;
    let state = case.run().await?;
    case.world.faults = Faults::default();
    case.audited().await?;
    case.world.agrees_with_its_log().await?;
    let mut stories: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for (module, log) in case.world.logs().iter().skip(1) {
        for event in log.read_log(Position::ZERO, usize::MAX).await.unwrap() {
            let story = stories.entry(format!("{module} {}", event.stream)).or_default();
            story.push((event.name.clone(), event.data.as_str().to_owned()));
        }
    }
    Ok(((state, stories), case.world.fates_met()))
}
async fn in_calm(make: impl AsyncFn() -> Case, faults: &Faults) -> End {
    let refused = Faults { refuse: faults.refuse.clone(), ..Faults::default() };
    end(make().await, refused).await.unwrap().0
}

/// Each commit in its turn has each fate: of the coordinator, and of the modules.
#[test]
fn any_fate_of_any_one_commit_changes_no_end() {
    for refuse in [None, Some("d".to_owned())] {
        let calm = ready(in_calm(linear, &Faults { refuse: refuse.clone(), ..Faults::default() }));
        let mut met = 0;
        for (fate, of) in Fate::ALL.into_iter().flat_map(|fate| ["facts", "late facts", "deeds"].map(|of| (fate, of))) {
            for at in 1.. {
                let faults = Faults { refuse: refuse.clone(), late: of == "late facts", ..Faults::default() };
                let once = Fates::Once(at, fate);
                let faults =
                    if of == "deeds" { Faults { deeds: once, ..faults } } else { Faults { facts: once, ..faults } };
                let (ended, fates) = ready(async { end(linear().await, faults.clone()).await }).unwrap();
                assert_eq!(ended, calm, "{faults:?}");
                met += fates;
                // Some have only a meaning for some commits; the last one that can be met lies within this.
                if fates == 0 && at > 16 {
                    break;
                }
            }
        }
        assert!(met > 80, "{met} fates were met");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn stores_that_fail_now_and_then_change_no_end(seed: u64, one_in in 2_u64..6, late: bool, refuses in 0_usize..3) {
        let any = |salt: u64| Fates::Any { seed: seed ^ salt, one_in };
        let faults = Faults { facts: any(0), deeds: any(1), late, ..Faults::default() };
        let refuse = |steps: [Option<&str>; 3]| steps[refuses].map(str::to_owned);
        let faults = Faults { refuse: refuse([None, Some("c"), Some("p")]), ..faults };
        let (ended, _) = ready(async { end(linear().await, faults.clone()).await }).unwrap();
        prop_assert_eq!(ended, ready(in_calm(linear, &faults)));
        let faults = Faults { refuse: refuse([None, Some("both/left/put-more"), Some("commit")]), ..faults };
        let (ended, _) = ready(async { end(everything().await, faults.clone()).await }).unwrap();
        prop_assert_eq!(ended, ready(in_calm(everything, &faults)));
    }
}

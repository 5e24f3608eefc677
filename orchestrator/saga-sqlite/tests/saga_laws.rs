//! A saga keeps its laws on files too: it completes, unwinds, repeats, and survives a crash at every seventh point.

#[path = "../../saga-engine/tests/it/ledger.rs"]
mod ledger;

use ledger::{Put, ledger};
use saga_core::definition::Definition;
use saga_core::ports::Clock;
use saga_core::saga::{Plan, Saga, define};
use saga_core::step::In;
use saga_engine::memory::StillClock;
use saga_sqlite::SqliteStores;
use saga_testkit::laws::saga::{Case, completes, repeats, survives_every, unwinds};
use saga_testkit::stage::STAGE_TIME;
use saga_testkit::world::World;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Linear {
    note: u32,
}
impl Saga for Linear {
    const NAME: &'static str = "linear";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("a", put).ask("b", put).pivot("p", put).then("t", put).end()
    }
}
fn put(In(job): In<Linear>) -> Put {
    Put::of(format!("note {}", job.note))
}

/// A folder that goes with the test.
struct Folder(PathBuf, AtomicU32);
impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("saga-laws-{}-{name}", std::process::id()));
        Self(path, AtomicU32::new(0))
    }
    #[expect(clippy::expect_used, reason = "what tests share speaks by panicking")]
    async fn case(&self) -> Case {
        let clock = Arc::new(StillClock::at(STAGE_TIME));
        let folder = self.0.join(self.1.fetch_add(1, Ordering::Relaxed).to_string());
        let stores = Arc::new(SqliteStores::new(folder, Arc::clone(&clock) as Arc<dyn Clock>));
        let world = World::on(stores, clock, vec![define::<Linear>()], vec![ledger()]).await;
        let mut world = world.expect("a world on files");
        let saga = world.start(&Linear { note: 7 }).expect("a start");
        Case { world, saga, answer: |_, _| {} }
    }
}
impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_completes_unwinds_and_repeats() {
    let folder = Folder::new("ways");
    completes(|| folder.case()).await.unwrap();
    unwinds(|| folder.case()).await.unwrap();
    repeats(|| folder.case()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_survives_a_crash_at_every_seventh_point() {
    let folder = Folder::new("crashes");
    survives_every(7, || folder.case()).await.unwrap();
}

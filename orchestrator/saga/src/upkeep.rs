//! Looks after the buses and stores of this process: shows what ails them as troubles, and lets buses mend what they lost.

use crate::health::Health;
use crate::relay::AUDIT_EVERY;
use crate::system::Watch;
use crate::tasks::Tasks;
use futures::future::join_all;
use saga_core::bus::{Ailment, AnyBus, Inbox};
use saga_core::incident::Incident;
use saga_core::ports::{Clock, Stores};
use saga_core::time::Jump;
use saga_core::why::age;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// 100 ms: the status should say what is, not what was; looking costs a lock.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The trouble of a store whose file was moved or removed while it is open.
const MOVED: &str = "its file is not in its place any more: it was moved, removed or exchanged while this process has it open, and what is \
     written to it is lost when the process ends. Put that very file back now, or copy it from the open files of the process";

/// Ten minutes: how long a clock that was set is shown as a trouble.
const CLOCK_SHOWN: Duration = Duration::from_secs(600);
/// Its place in the health of the process.
const CLOCK: &str = "clock";

/// The stores are checked every 2 s for being in their places; for a file that is one call of the kernel.
const STORES_EVERY: Duration = Duration::from_secs(2);

/// The buses and stores that are looked after.
#[derive(Clone)]
pub(crate) struct Caretaker {
    buses: Vec<Arc<dyn AnyBus>>,
    stores: Option<Arc<dyn Stores>>,
    /// The modules whose stores this process has open.
    modules: Vec<&'static str>,
    clock: Arc<dyn Clock>,
    health: Health,
    tasks: Tasks,
}

impl Caretaker {
    /// Of these buses; the same one counts once.
    pub(crate) fn new(
        buses: impl IntoIterator<Item = Arc<dyn AnyBus>>,
        clock: &Arc<dyn Clock>,
        health: &Health,
        tasks: &Tasks,
    ) -> Self {
        let mut each: Vec<Arc<dyn AnyBus>> = Vec::new();
        for bus in buses {
            if !each.iter().any(|known| Arc::ptr_eq(known, &bus)) {
                each.push(bus);
            }
        }
        let (clock, stores, modules) = (Arc::clone(clock), None, Vec::new());
        Self { buses: each, stores, modules, clock, health: health.clone(), tasks: tasks.clone() }
    }
    /// After the open stores of these modules, too.
    #[must_use]
    pub(crate) fn of_stores(self, stores: &Arc<dyn Stores>, modules: Vec<&'static str>) -> Self {
        Self { stores: Some(Arc::clone(stores)), modules, ..self }
    }
    /// Until everything ends. A bus that does not answer holds up neither the others nor what is shown.
    pub(crate) async fn run(self) {
        tokio::select! {
            () = self.tasks.stopping() => {}
            () = self.show() => {}
            () = self.watch_stores() => {}
            _ = join_all(self.buses.iter().map(|bus| self.tend(bus))) => {}
        }
    }
    /// Shows what ails the buses, for ever.
    async fn show(&self) {
        let mut shown = BTreeSet::new();
        let (mut watch, mut jumped) = (Watch::of(&*self.clock), None);
        loop {
            if let Some(by) = watch.look(&*self.clock) {
                let says = match by {
                    Jump::Forward(by) => format!("was set forward by {}; deadlines came nearer by as much", age(by)),
                    Jump::Back(by) => format!("was set back by {}; deadlines went away by as much", age(by)),
                };
                self.health.incident(Incident::Clock, &says);
                self.health.trouble(CLOCK, format!("{says}; see to it that this machine's time is kept"));
                jumped = Some(self.clock.passed());
            } else if jumped.is_some_and(|at| self.clock.passed().saturating_sub(at) >= CLOCK_SHOWN) {
                self.health.well(CLOCK);
                jumped = None;
            }
            let ailing = self.buses.iter().flat_map(|bus| bus.ailments()).collect();
            shown = tell(&self.health, &shown, ailing);
            self.clock.pause(LOOK_EVERY).await;
        }
    }
    /// Shows which open stores are not in their places any more, for ever: writes to them are lost when this process
    /// ends.
    async fn watch_stores(&self) {
        let Some(stores) = &self.stores else { return std::future::pending().await };
        loop {
            for module in &self.modules {
                let place = format!("store of {module}");
                match stores.has(module).await {
                    Ok(true) => self.health.well(&place),
                    Ok(false) => self.health.trouble(&place, MOVED),
                    // Another trouble reports a place that cannot be read.
                    Err(why) => tracing::debug!(module, %why, "whether the store is in its place is not known"),
                }
            }
            self.clock.pause(STORES_EVERY).await;
        }
    }
    /// Lets a bus mend itself from time to time, and whenever something of it may have been lost: for ever.
    async fn tend(&self, bus: &Arc<dyn AnyBus>) {
        let mut seen = 0;
        loop {
            bus.tend().await;
            tokio::select! {
                lost = bus.lost(seen) => seen = lost,
                () = self.clock.pause(AUDIT_EVERY) => {}
            }
        }
    }
}

/// The status of a bus: what it promises, or that it is away and promises nothing now.
pub(crate) fn said_of(bus: &dyn AnyBus, promises: &str) -> String {
    match bus.is_deaf(&Inbox::Outside) {
        true => "away: there is no connection; the logs keep what it will carry when it is back".to_owned(),
        // The broker may be another one than at the start.
        false => bus.promises().unwrap_or_else(|| promises.to_owned()),
    }
}

/// Shows what ails, and that what was shown before and does not ail now is well; gives back what is shown.
fn tell(health: &Health, shown: &BTreeSet<String>, ailing: Vec<Ailment>) -> BTreeSet<String> {
    for Ailment { place, says } in &ailing {
        health.trouble(place, says.clone());
    }
    let places: BTreeSet<String> = ailing.into_iter().map(|ailment| ailment.place).collect();
    shown.difference(&places).for_each(|place| health.well(place));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;
    use async_trait::async_trait;
    use saga_core::time::Timestamp;
    use tokio::sync::watch;

    /// What it shows, and how much time has passed: moved apart by the test.
    struct Set(watch::Sender<(i64, Duration)>);
    impl Set {
        /// Time passes for so many looks, and meanwhile the clock is set by so many seconds; what is ready runs.
        async fn moves(&self, by_secs: i64, passes: Duration) {
            self.0.send_modify(|(shown, passed)| {
                *shown += by_secs * 1_000_000 + i64::try_from(passes.as_micros()).unwrap();
                *passed += passes;
            });
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        }
    }
    #[async_trait]
    impl Clock for Set {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.borrow().0)
        }
        async fn sleep_until(&self, due: Timestamp) {
            self.0.subscribe().wait_for(|(shown, _)| *shown >= due.0).await.unwrap();
        }
        fn passed(&self) -> Duration {
            self.0.borrow().1
        }
        async fn pause(&self, time: Duration) {
            let until = self.passed() + time;
            self.0.subscribe().wait_for(|(_, passed)| *passed >= until).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_clock_that_was_set_is_an_incident_and_a_trouble_for_ten_minutes() {
        let clock = Arc::new(Set(watch::Sender::new((3_600_000_000, Duration::ZERO))));
        let shared = Arc::clone(&clock) as Arc<dyn Clock>;
        let health = Health::new(Arc::clone(&shared));
        let tasks = Tasks::new(Arc::clone(&shared), health.clone());
        let caretaker = Caretaker::new([], &shared, &health, &tasks);
        tasks.spawn("clock", async move { caretaker.show().await });
        let says = || health.troubles().into_iter().find(|one| one.place == CLOCK).map(|one| one.says);
        let incidents = || health.incidents().get("clock").copied().unwrap_or(0);
        clock.moves(0, LOOK_EVERY).await;
        assert_eq!((says(), incidents()), (None, 0), "time only passes");
        for (by, count, wanted) in [(-45, 1, "was set back by 45s"), (7_200, 2, "was set forward by 2h")] {
            clock.moves(by, LOOK_EVERY).await;
            assert!(says().is_some_and(|says| says.starts_with(wanted)), "{:?}", says());
            assert_eq!(incidents(), count);
            clock.moves(0, CLOCK_SHOWN - LOOK_EVERY).await;
            assert!(says().is_some(), "not yet ten minutes");
            clock.moves(0, LOOK_EVERY).await;
            assert_eq!((says(), incidents()), (None, count), "it is well, and was counted once");
        }
    }

    #[test]
    fn what_ails_a_bus_is_a_trouble_until_it_does_not() {
        let health = Health::new(Arc::new(SystemClock));
        health.trouble("elsewhere", "is none of its business");
        let ailment = |says: &&str| Ailment { place: "broker".to_owned(), says: (*says).to_owned() };
        let mut shown = BTreeSet::new();
        for (ails, troubles) in [(None, 1), (Some("is away"), 2), (Some("refuses the login"), 2), (None, 1)] {
            shown = tell(&health, &shown, ails.iter().map(ailment).collect());
            let found = health.troubles();
            let broker = found.iter().find(|trouble| trouble.place == "broker").map(|trouble| trouble.says.as_str());
            assert_eq!((broker, found.len()), (ails, troubles));
        }
    }
}

//! One process over a database and a broker, both behind a proxy; and a second way to both, to look and to disturb.

use crate::ledgers::{MODULES, one, three, two};
use saga::core::batch::{Batch, Commit, StreamWrite};
use saga::core::bus::{AnyBus, EventBus};
use saga::core::envelope::NewEvent;
use saga::core::id::{Direction, Position, StepKey, StreamId, Version};
use saga::core::json::Payload;
use saga::core::ports::{Clock, Ids, SharedStore, Stores};
use saga::prelude::*;
use saga::{BOARD_CONSUMER, FreshIds, JOURNAL, Loopback, SystemClock};
use saga_engine::audit::{audit_bus, audit_logs};
use saga_nats::{Nats, Options};
use saga_postgres::{Credentials, Migration, PostgresStores, migrate};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use test_servers::nats::{Nats as Broker, Version as BrokerVersion};
use test_servers::postgres::Postgres;
use test_servers::proxy::Proxy;

/// Longer than anything takes on a slow machine; nothing waits for its end unless it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const LEASE: Duration = Duration::from_millis(1_500);
const GROUPS: u16 = 2;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);
/// Between two turns of the neighbour: shorter than what a saga does between two writes.
const TURN: Duration = Duration::from_millis(2);

pub(crate) struct World {
    pub(crate) sagas: Sagas,
    pub(crate) database: Proxy,
    pub(crate) broker: Proxy,
    pub(crate) server: Broker,
    stores: Arc<PostgresStores>,
    /// Another process on the same logs.
    beside: Arc<PostgresStores>,
    logs: Vec<(String, SharedStore)>,
    bus: Nats,
    neighbours: AtomicU64,
    _postgres: Postgres,
}

fn options(url: String) -> Options {
    Options {
        urls: vec![url],
        patience: Some(DEADLINE),
        // Everything else as in production: what is lost must not be waited for that long.
        ack_wait: Duration::from_secs(1),
        ..Options::default()
    }
}

pub(crate) async fn pass(time: Duration) {
    SystemClock.pause(time).await;
}

/// Looks until the answer is yes; fails with the last "no".
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let end = SystemClock.now().plus(DEADLINE);
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(why) => assert!(SystemClock.now() < end, "{what}: {why}"),
        }
        pass(LOOK).await;
    }
}

impl World {
    /// Everything over the broker.
    pub(crate) async fn start<S: Saga>() -> Self {
        Self::start_with::<S>(|bus| bus).await
    }
    /// With the loopback.
    pub(crate) async fn start_near<S: Saga>() -> Self {
        Self::start_with::<S>(|bus| Arc::new(Loopback::new(Arc::new(SystemClock)).before(bus))).await
    }
    async fn start_with<S: Saga>(way: impl FnOnce(Arc<dyn AnyBus>) -> Arc<dyn AnyBus>) -> Self {
        let (postgres, server) = (Postgres::start(), Broker::start(BrokerVersion::Newest));
        postgres.run("postgres", "CREATE DATABASE cuts");
        let passwords = postgres.folder().join("passwords");
        let modules: Vec<&str> = MODULES.into_iter().chain([JOURNAL]).collect();
        let how = Migration::default().with_password_folder(&passwords);
        migrate(&postgres.url("cuts"), &modules, &how).await.unwrap();
        let (database, broker) = (Proxy::postgres(postgres.port()), Proxy::nats(server.port()));
        let stores_at = |port: u16| {
            let url = format!("postgres://127.0.0.1:{port}/cuts");
            let credentials = Credentials::of_url(&url).unwrap().with_password_folder(&passwords);
            Arc::new(PostgresStores::new(credentials, Arc::new(SystemClock)))
        };
        let (stores, beside) = (stores_at(database.port()), stores_at(postgres.port()));
        let bus = Nats::connect(options(server.url())).await.unwrap();
        bus.ensure(&modules, &(0..GROUPS).collect::<Vec<_>>()).await.unwrap();
        let through = Nats::connect(options(broker.url())).await.unwrap();
        let built = Orchestrator::on(Arc::clone(&stores) as Arc<dyn Stores>).bus(way(Arc::new(through.clone())));
        let built = built.lines(Arc::new(move |module, store| vec![through.log_answerer(module, Arc::clone(store))]));
        let built = built.module(one::module()).module(two::module()).module(three::module());
        let sagas = built.groups(GROUPS).lease(LEASE).register::<S>().start().await.unwrap();
        let mut logs = Vec::new();
        for module in modules {
            logs.push((module.to_owned(), beside.open(module).await.unwrap()));
        }
        let neighbours = AtomicU64::new(0);
        Self { sagas, database, broker, server, stores, beside, logs, bus, neighbours, _postgres: postgres }
    }
    pub(crate) async fn stop(self) {
        self.sagas.shutdown().await.unwrap();
        self.stores.close().await;
        self.beside.close().await;
    }
    /// The names of everything that a deed and its undo left in the log of a module.
    pub(crate) async fn deeds(&self, module: &str, saga: SagaId) -> Vec<String> {
        let key = StepKey::derive(saga.0, module, Direction::Do);
        let stream = StreamId::new(&format!("{module}_note"), key).unwrap();
        let (_, log) = self.logs.iter().find(|(name, _)| name == module).unwrap();
        let found = log.read(&stream, Version::ZERO, usize::MAX).await.unwrap();
        found.into_iter().map(|recorded| recorded.name).collect()
    }
    /// Waits until nothing is under way: the bus has every log, and the read model what the bus has.
    pub(crate) async fn rest(&self, when: &str) {
        until(&format!("{when}: rest"), || async {
            for (module, log) in &self.logs {
                let found = audit_bus(module, log, &self.bus).await?;
                if !found.is_empty() {
                    return Err(format!("{module}: {found:?}"));
                }
            }
            let (tip, (_, journal)) = (self.bus.tip(JOURNAL).await.map_err(|why| why.to_string())?, self.journal());
            let folded = journal.checkpoint(BOARD_CONSUMER).await.map_err(|why| why.to_string())?;
            if folded == Position(tip.seq) { Ok(()) } else { Err(format!("folded to {folded} of {}", tip.seq)) }
        })
        .await;
    }
    fn journal(&self) -> &(String, SharedStore) {
        self.logs.iter().find(|(name, _)| name == JOURNAL).unwrap()
    }
    /// The checker over all logs, at rest, and over what the bus has of them.
    pub(crate) async fn finds_nothing(&self, when: &str) {
        self.rest(when).await;
        let verdicts = audit_logs(Arc::clone(self.sagas.definitions()), &self.logs, true).await.unwrap();
        assert!(verdicts.findings.is_empty(), "{when}: {:?}", verdicts.findings);
    }
    /// Writes into every log, for ever: then the process finds each of them moved, and writes under the lock.
    pub(crate) async fn disturb(&self) {
        let each = self.logs.iter().map(|(_, log)| self.disturb_one(log));
        futures::future::join_all(each).await;
    }
    async fn disturb_one(&self, log: &SharedStore) {
        loop {
            let event = NewEvent {
                id: FreshIds.event(SystemClock.now()),
                name: "Passed",
                version: 1,
                data: Payload::trusted("{}"),
                meta: Payload::trusted("{}"),
                time: SystemClock.now(),
                public: false,
            };
            let number = self.neighbours.fetch_add(1, Ordering::SeqCst);
            let stream = StreamId::new("test_neighbour", number).unwrap();
            let write = StreamWrite { stream, expected: Version::ZERO, events: vec![event] };
            let committed = log.commit(Batch { writes: vec![write], ..Batch::default() }).await;
            assert!(matches!(committed, Commit::Ok(_)), "{committed:?}");
            pass(TURN).await;
        }
    }
}

//! One server for all tests, and a database of its own for each.

use saga_core::batch::{Batch, StreamWrite};
use saga_core::envelope::NewEvent;
use saga_core::id::{EventId, StreamId, Version};
use saga_core::json::Payload;
use saga_core::time::Timestamp;
use saga_engine::memory::StillClock;
use saga_postgres::{Credentials, Migration, PostgresStores, migrate};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use test_servers::postgres::Postgres;
use tokio::sync::OnceCell;
use uuid::Uuid;

static SERVER: OnceCell<Arc<Postgres>> = OnceCell::const_new();
static COUNT: AtomicU64 = AtomicU64::new(0);

/// The modules that every database has a schema for.
pub(crate) const MODULES: &[&str] = &["law", "m", "n"];

/// The shared server, with a database that others are copied from.
pub(crate) async fn server() -> &'static Arc<Postgres> {
    SERVER
        .get_or_init(|| async {
            let server = Postgres::start();
            prepare(&server, "template").await;
            Arc::new(server)
        })
        .await
}
/// Makes a database with all modules in it.
pub(crate) async fn prepare(server: &Postgres, database: &str) {
    server.run("postgres", &format!("CREATE DATABASE {database}"));
    migrate(&server.url(database), MODULES, &migration(server)).await.unwrap();
}
pub(crate) fn passwords(server: &Postgres) -> PathBuf {
    server.folder().join("passwords")
}
pub(crate) fn migration(server: &Postgres) -> Migration {
    // Many tests share a server, and its roles.
    Migration::default().with_password_folder(passwords(server)).with_connections_max(1_000)
}

/// A database of one test.
#[derive(Clone)]
pub(crate) struct Database {
    pub(crate) server: Arc<Postgres>,
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        let server = server().await;
        let name = format!("d{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let make = format!("CREATE DATABASE {name} TEMPLATE template");
        let mut admin = PgConnection::connect(&server.url("postgres")).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(make)).execute(&mut admin).await.unwrap();
        // Rights in a database are the only thing that a copy of one does not have.
        let roles: Vec<String> = MODULES.iter().chain(&["auditor"]).map(|module| format!("aicmo_{module}")).collect();
        let rights = format!(
            "REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC; GRANT CONNECT ON DATABASE {name} TO {}",
            roles.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(rights)).execute(&mut admin).await.unwrap();
        Self { server: Arc::clone(server), name }
    }
    /// On a server where nobody else has a transaction open, not even the server itself: the oldest open transaction is
    /// one number for all its databases.
    pub(crate) fn alone() -> Self {
        let server = Arc::new(Postgres::with_settings(&[("autovacuum", "off")]));
        Self { server, name: "postgres".to_owned() }
    }
    /// With all modules, on a server where nobody else gives rights away: roles are of all its databases.
    pub(crate) async fn of_its_own() -> Self {
        let (server, name) = (Arc::new(Postgres::start()), "d".to_owned());
        prepare(&server, &name).await;
        Self { server, name }
    }
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::of_url(&self.server.url(&self.name)).unwrap().with_password_folder(passwords(&self.server))
    }
    /// Stores of one more process, as it were.
    pub(crate) fn stores(&self) -> PostgresStores {
        PostgresStores::new(self.credentials(), clock())
    }
    pub(crate) async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.server.url(&self.name)).await.unwrap()
    }
}

pub(crate) fn clock() -> Arc<StillClock> {
    Arc::new(StillClock::at(Timestamp(1_700_000_000_000_000)))
}

pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::parse(&format!("test-{name}")).unwrap()
}

pub(crate) fn append(name: &str, expected: u64, numbers: impl IntoIterator<Item = u128>) -> Batch {
    let event = |number: u128| NewEvent {
        id: EventId(Uuid::from_u128(number)),
        name: "Noted",
        version: 1,
        data: Payload::trusted(format!(r#"{{"number":{number},"text":"{}"}}"#, "needle ".repeat(10))),
        meta: Payload::trusted("{}"),
        time: Timestamp(1),
        public: number.is_multiple_of(2),
    };
    let events = numbers.into_iter().map(event).collect();
    let write = StreamWrite { stream: stream(name), expected: Version(expected), events };
    Batch { writes: vec![write], ..Batch::default() }
}

/// Bytes as they are written in a statement.
pub(crate) fn bytes(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("decode('{hex}', 'hex')")
}

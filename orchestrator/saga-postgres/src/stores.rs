//! A database of stores: one schema and one login role for each module.

use crate::access::Credentials;
use crate::appender::Appender;
use crate::connection::{Connector, Role};
use crate::fault::open_error;
use crate::open::{self, Opened};
use crate::store::{Parts, PostgresStore};
use async_trait::async_trait;
use saga_core::ports::{Clock, OpenError, SharedStore, Stores};
use sqlx::Connection as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The coordinator's module.
const JOURNAL: &str = "orchestration";

/// Opens the schema of a module as the role of that module. The same name gives the same store as long as this value
/// lives; other processes, and other values, may have the same store open at the same time and write it.
pub struct PostgresStores {
    credentials: Credentials,
    clock: Arc<dyn Clock>,
    accept_unsafe: bool,
    open: Mutex<BTreeMap<String, Arc<PostgresStore>>>,
    /// Roles that may take as many connections as they like.
    unlimited: std::sync::Mutex<BTreeSet<String>>,
}

impl PostgresStores {
    /// Stores in the database of a URL. Nothing is connected before the first one is opened.
    ///
    /// # Errors
    /// `Unavailable` when the text is not a URL of PostgreSQL.
    pub fn connect(url: &str, clock: Arc<dyn Clock>) -> Result<Self, OpenError> {
        Ok(Self::new(Credentials::of_url(url)?, clock))
    }
    /// Stores for which it is said how each module logs in. The clock stamps what is recorded.
    pub fn new(credentials: Credentials, clock: Arc<dyn Clock>) -> Self {
        Self {
            credentials,
            clock,
            accept_unsafe: false,
            open: Mutex::default(),
            unlimited: std::sync::Mutex::default(),
        }
    }
    /// Opens also on a server that may lose or damage what it has acknowledged: for trials, never for work.
    #[must_use]
    pub fn accept_unsafe(self) -> Self {
        Self { accept_unsafe: true, ..self }
    }
    /// Opens and verifies the store of a module.
    ///
    /// # Errors
    /// `Unavailable` when the server is away or the schema is not there (the message then names the command that makes
    /// it), `Newer`, `Unsafe` and `Corrupt` as they say. No wait is longer than some seconds.
    pub async fn open_store(&self, module: &str) -> Result<Arc<PostgresStore>, OpenError> {
        let mut open = self.open.lock().await;
        if let Some(store) = open.get(module) {
            return Ok(Arc::clone(store));
        }
        let (options, names) = self.credentials.module(module)?;
        let place = self.credentials.place(&names);
        let looks = self.credentials.audits();
        let connector = Connector { options, names, as_the_server_likes: self.accept_unsafe, looks };
        let Opened { ledger, unlimited } = open::open(&connector, &place, open.len()).await?;
        if unlimited {
            let mut all = self.unlimited.lock().unwrap_or_else(PoisonError::into_inner);
            all.insert(connector.names.role.clone());
        }
        let head = ledger.head().position;
        let appender = |Parts { shared, published }| Appender {
            connector: connector.clone(),
            connection: None,
            used: Instant::now(),
            ledger: Some(ledger),
            contended: false,
            shared,
            published,
            clock: Arc::clone(&self.clock),
            place: place.clone(),
        };
        let store = Arc::new(PostgresStore::start(&connector, place.clone(), head, appender));
        open.insert(module.to_owned(), Arc::clone(&store));
        Ok(store)
    }
    /// The modules that have a schema in the database, in the order of their names. Asked under the auditor's login, or
    /// the coordinator's.
    ///
    /// # Errors
    /// As [`open_store`](Self::open_store).
    pub async fn modules(&self) -> Result<Vec<String>, OpenError> {
        let (options, names) = self.credentials.module(JOURNAL)?;
        let (place, prefix) = (self.credentials.place(&names), names.schema.trim_end_matches(JOURNAL).to_owned());
        let failed = |error: sqlx::Error| open_error(&place, &error);
        let connector = Connector { options, names, as_the_server_likes: self.accept_unsafe, looks: true };
        let mut connection = connector.connect(Role::Probe).await.map_err(failed)?;
        let sql = "SELECT schemaname::text FROM pg_tables WHERE tablename = 'es_meta' ORDER BY 1";
        let schemas: Vec<String> = sqlx::query_scalar(sql).fetch_all(&mut connection).await.map_err(failed)?;
        connection.close().await.ok();
        Ok(schemas.iter().filter_map(|schema| schema.strip_prefix(&prefix)).map(str::to_owned).collect())
    }
    /// The roles of open stores that may take as many connections as they like, and with them those of all others.
    pub fn unlimited(&self) -> BTreeSet<String> {
        self.unlimited.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// Closes every store: waits for what was accepted.
    pub async fn close(&self) {
        let open = std::mem::take(&mut *self.open.lock().await);
        for store in open.into_values() {
            store.close().await;
        }
    }
}

#[async_trait]
impl Stores for PostgresStores {
    async fn open(&self, module: &str) -> Result<SharedStore, OpenError> {
        self.open_store(module).await.map(|store| store as SharedStore)
    }
    async fn has(&self, _: &str) -> Result<bool, OpenError> {
        // An opening makes no schema: whether it is there, that will say.
        Ok(true)
    }
    async fn peek(&self, module: &str) -> Result<SharedStore, OpenError> {
        // An opening only reads: the first commit is the first write.
        self.open(module).await
    }
    async fn release(&self) {}
}

//! URL schemes to stores and buses.

use crate::config::{Config, StoreKind};
use crate::service::fault;
use saga::{Buses, Error, Lines};
use saga_core::control::ControlError;
use saga_core::ports::{Clock, OpenError, Stores};
use saga_sqlite::SqliteStores;
use std::sync::Arc;

/// Why something could not be opened.
pub enum Weather {
    /// It is away: waiting helps.
    Away(String),
    /// It is wrong: only a person helps.
    Wrong(ControlError),
}

/// The stores and buses of one process.
pub struct Backends {
    sqlite: Option<Arc<SqliteStores>>,
    stores: Arc<dyn Stores>,
}

impl Backends {
    /// Opens what the configuration names, for these modules.
    pub async fn open(config: &Config, modules: &[&str], clock: &Arc<dyn Clock>) -> Result<Self, Weather> {
        let _ = modules;
        match config.store_kind().map_err(wrong)? {
            StoreKind::Sqlite(folder) => {
                let sqlite = Arc::new(SqliteStores::new(folder, Arc::clone(clock)));
                let stores = crate::service::guarded(Arc::clone(&sqlite) as Arc<dyn Stores>);
                Ok(Self { sqlite: Some(sqlite), stores })
            }
            StoreKind::Postgres(url) => Err(wrong(url)),
        }
    }
    /// The stores.
    pub fn stores(&self) -> Arc<dyn Stores> {
        Arc::clone(&self.stores)
    }
    /// The buses, unless the bus is the one inside the process.
    pub fn buses(&self) -> Option<(Buses, Lines)> {
        None
    }
    /// What the bus is, in a line.
    pub fn bus_says(&self) -> String {
        "in-process, durable".to_owned()
    }
    /// Closes everything.
    pub async fn close(&self) {
        if let Some(sqlite) = &self.sqlite {
            sqlite.close().await;
        }
    }
}

fn wrong(why: String) -> Weather {
    let place = why.clone();
    Weather::Wrong(fault(&Error::Open(OpenError::Unavailable { place, why })))
}

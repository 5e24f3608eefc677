//! Prepares a PostgreSQL database for the modules of this system, and moves their stores into it.

use crate::backends::Backends;
use crate::config::Config;
use crate::modules::{Replaced, modules};
use saga::{FreshIds, JOURNAL, SystemClock};
use saga_core::export::Flaw;
use saga_core::ports::{Clock, Ids};
use saga_engine::journal::regroup as regroup_sagas;
use saga_postgres::{Copied, Migrated, Migration, migrate, roles_sql};
use saga_sqlite::SqliteStores;
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a migration did, and what it could not mend.
#[derive(Debug)]
pub struct Done {
    /// A line for each module.
    pub lines: Vec<String>,
    /// Objects and rights that are not as migrations make them, and belong to others: a line each, once.
    pub left: Vec<String>,
}

/// Migrates these modules, or all of them. The error says what was tried and what the server said, never a password.
pub async fn run(
    admin_url: &str,
    config: &Config,
    names: &[String],
    passwords: Option<PathBuf>,
) -> Result<Done, String> {
    let every: Vec<&str> = modules(Path::new(""), Replaced::default()).iter().map(|module| module.name).collect();
    let wanted: Vec<&str> = if names.is_empty() { every } else { names.iter().map(String::as_str).collect() };
    let mut how = Migration::default().with_prefix(config.database_prefix());
    if let Some(folder) = passwords {
        how = how.with_password_folder(folder);
    }
    let done = migrate(admin_url, &wanted, &how).await.map_err(|why| chain(&why))?;
    // What everybody may do is the same for every module.
    let left: BTreeSet<String> = done.iter().flat_map(left).collect();
    Ok(Done { lines: done.iter().map(line).collect(), left: left.into_iter().collect() })
}
fn left(done: &Migrated) -> impl Iterator<Item = String> {
    done.left.iter().map(|Flaw { place, says }| {
        let own = ["MODULE", "OWNER"].iter().any(|name| place.contains(name)) || !place.ends_with("everybody");
        let whose = if own { format!("{}, ", done.schema) } else { String::new() };
        format!("{whose}{place}: {says}")
    })
}

/// What the script of roles says of itself.
const HEAD: &str = "-- The roles of this system in PostgreSQL, their schemas, and what they may do in the database: what `sagactl store migrate`\n\
-- makes before the tables. Made by `sagactl config postgres-roles`, not by hand. Run by a superuser in the database of the\n\
-- installation, or not at all: store migrate does all of it. Roles have no password here; store migrate gives them one.\n";

/// The roles and rights of every module as a script; an error says which name is wrong.
pub fn roles(config: &Config) -> Result<String, String> {
    let every: Vec<&str> = modules(Path::new(""), Replaced::default()).iter().map(|module| module.name).collect();
    let how = Migration::default().with_prefix(config.database_prefix());
    roles_sql(&every, &how).map(|script| format!("{HEAD}{script}")).map_err(|why| chain(&why))
}

fn line(done: &Migrated) -> String {
    let Migrated { schema, from, to, .. } = done;
    match from {
        None => format!("{schema}  made, version {to}"),
        Some(from) if from == to => format!("{schema}  is at version {to}"),
        Some(from) => format!("{schema}  from version {from} to {to}"),
    }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(why) = source {
        text.push_str(": ");
        text.push_str(&why.to_string());
        source = why.source();
    }
    text
}

/// Spreads the sagas of the configured store over another number of groups, while no coordinator runs.
pub async fn regroup(config: &Config, groups: u16) -> Result<String, String> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (stores, ids) = (Backends::stores_only(config, &clock).map_err(|why| why.to_string())?, FreshIds);
    let store = stores.stores().open(JOURNAL).await.map_err(|why| why.to_string())?;
    let before = regroup_sagas(&store, ids.next(clock.now()), groups).await.map_err(|why| why.to_string())?;
    drop(store);
    stores.close().await;
    Ok(format!("{before} groups before, {groups} now; set coordinator.groups = {groups}"))
}

/// Copies every store of a folder of SQLite files into PostgreSQL, keeping positions, public places, times and the chain.
/// Nobody may write the folder meanwhile. A copy that was interrupted goes on where it was; one that is whole is passed
/// over with a line that says so.
pub async fn copy(from: &Path, admin_url: &str, config: &Config, names: &[String]) -> Result<Vec<String>, String> {
    let every: Vec<&str> = modules(Path::new(""), Replaced::default()).iter().map(|module| module.name).collect();
    let known: Vec<&str> = if names.is_empty() { every } else { names.iter().map(String::as_str).collect() };
    let stores = SqliteStores::new(from, Arc::new(SystemClock));
    let mut lines = Vec::new();
    for module in known {
        if !from.join(format!("{module}.db")).is_file() {
            lines.push(format!("{module}  has no store in {}", from.display()));
            continue;
        }
        // Opened for writing, and never written: the lock keeps everybody else out while it is copied.
        let source = stores.open_store(module).await.map_err(|why| why.to_string())?;
        let copied = saga_postgres::copy(&*source, admin_url, module, Some(&config.database_prefix())).await;
        let Copied { found, events, rows } = copied.map_err(|why| format!("{module}: {}", chain(&why)))?;
        let before = if found == 0 { String::new() } else { format!(", {found} of them before") };
        lines.push(format!("{module}  {events} events{before} and {rows} rows copied, chain verified"));
    }
    stores.close().await;
    Ok(lines)
}

//! Prepares a PostgreSQL database for the modules of this system.

use crate::config::Config;
use crate::modules::{Replaced, modules};
use saga_postgres::{MigrateError, Migrated, Migration, migrate};
use std::path::{Path, PathBuf};

/// Migrates these modules, or all of them; a line for each that was done. The error says what was tried and what the
/// server said, never a password.
pub async fn run(
    admin_url: &str,
    config: &Config,
    names: &[String],
    passwords: Option<PathBuf>,
) -> Result<Vec<String>, String> {
    let every: Vec<&str> = modules(Path::new(""), Replaced::default()).iter().map(|module| module.name).collect();
    let wanted: Vec<&str> = if names.is_empty() { every } else { names.iter().map(String::as_str).collect() };
    let mut how = Migration::default().with_prefix(config.database_prefix());
    if let Some(folder) = passwords {
        how = how.with_password_folder(folder);
    }
    let done = migrate(admin_url, &wanted, &how).await.map_err(|why| says(&why))?;
    Ok(done.iter().map(line).collect())
}

fn line(done: &Migrated) -> String {
    let Migrated { schema, from, to, .. } = done;
    match from {
        None => format!("{schema}  made, version {to}"),
        Some(from) if from == to => format!("{schema}  is at version {to}"),
        Some(from) => format!("{schema}  from version {from} to {to}"),
    }
}

fn says(error: &MigrateError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(why) = source {
        text.push_str(": ");
        text.push_str(&why.to_string());
        source = why.source();
    }
    text
}

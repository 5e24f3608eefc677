//! `sagactl store`: makes what modules need in a PostgreSQL database, and moves their stores into it.

use crate::args::Global;
use crate::cmd::serve::load;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use clap::Subcommand;
use saga_core::codes;
use saga_service::config::Config;
use saga_service::migrate;
use std::path::PathBuf;

/// What can be done with stores.
#[derive(Debug, Clone, Subcommand)]
pub enum StoreCommand {
    /// Make or renew each module's role, schema, tables and rights in PostgreSQL; repeating it changes nothing
    Migrate {
        /// The database, and a role that may create roles and schemas in it: postgres://ADMIN@HOST:PORT/DATABASE
        #[arg(long, value_name = "URL", env = "SAGACTL_ADMIN_URL", hide_env_values = true)]
        admin_url: String,
        /// Take prefix and password folder from this configuration
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Only these modules, separated by commas (default: all)
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        modules: Vec<String>,
        /// Give each role a random password, left in FOLDER/ROLE.password; one that is there is kept
        #[arg(long, value_name = "FOLDER")]
        password_folder: Option<PathBuf>,
    },
    /// Spread sagas over another number of coordinator groups, while no coordinator runs
    Regroup {
        /// The configuration of the store
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// How many: from 1 to 64
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
        groups: u16,
    },
    /// After a store was restored, while nothing runs: set consumers that stand beyond their source's log back, and make
    /// their read models anew; says what it did, and changes nothing where all is well
    Recover {
        /// The configuration of the stores (default: the folder that --data names)
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Move stores from SQLite into PostgreSQL: positions, places on the bus, times and hash chains stay as they are
    Copy {
        /// The folder of SQLite files, which nobody may write meanwhile: sqlite:FOLDER
        #[arg(long, value_name = "sqlite:FOLDER", value_parser = folder)]
        from: PathBuf,
        /// The database, prepared with store migrate, and a role that may write in all of it
        #[arg(long, value_name = "postgres://ADMIN@HOST:PORT/DATABASE")]
        to: String,
        /// Take the prefix from this configuration
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Only these modules, separated by commas (default: all)
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        modules: Vec<String>,
    },
}

fn folder(text: &str) -> Result<PathBuf, String> {
    match text.strip_prefix("sqlite:") {
        Some(folder) if !folder.is_empty() => Ok(PathBuf::from(folder)),
        Some(_) | None => Err("it is sqlite: and a folder".to_owned()),
    }
}

fn configured(file: Option<&PathBuf>) -> Result<Config, Failure> {
    file.map_or_else(|| Ok(Config::default()), |file| load(file))
}

/// Runs it.
pub async fn run(command: &StoreCommand, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let done = match command {
        StoreCommand::Migrate { admin_url, config, modules, password_folder } => {
            let config = configured(config.as_ref())?;
            let folder = password_folder.clone().or_else(|| {
                let folder = &config.store.password_folder;
                (!folder.is_empty()).then(|| PathBuf::from(folder))
            });
            migrate::run(admin_url, &config, modules, folder).await
        }
        StoreCommand::Regroup { config, groups } => {
            migrate::regroup(&load(config)?, *groups).await.map(|line| vec![line])
        }
        StoreCommand::Recover { config } => {
            let config = match config {
                Some(file) => load(file)?,
                None => saga_service::recover::of_folder(&global.data),
            };
            return said(&saga_service::recover::recover(&config).await?, out);
        }
        StoreCommand::Copy { from, to, config, modules } => {
            migrate::copy(from, to, &configured(config.as_ref())?, modules).await
        }
    };
    let done = done.map_err(|why| {
        Failure::new(codes::STORE_UNAVAILABLE, why)
            .hint("what was done stays; run it again, it goes on where it stopped")
    })?;
    said(&done, out)
}

fn said(done: &[String], out: &mut Out) -> Result<Exit, Failure> {
    let text: String = done.iter().map(|line| format!("{line}\n")).collect();
    out.data(&text)?;
    Ok(Exit::DONE)
}

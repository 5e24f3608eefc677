//! `sagactl store`: makes what modules need in a PostgreSQL database, moves their stores into it, backs up files, and sets right
//! what a restore left.

use crate::args::{DATA_FOLDER, Global};
use crate::cmd::serve::load;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::input;
use crate::logins::is_address;
use crate::print::out::Out;
use crate::print::verdicts;
use clap::Subcommand;
use saga_core::codes;
use saga_service::accept::Loss;
use saga_service::backup::BackedUp;
use saga_service::config::Config;
use saga_service::migrate;
use saga_service::refill::Refill;
use std::path::{Path, PathBuf};

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
    /// Copy all stores of a folder, as they are at one moment, into a new folder, also while a process runs them; with the files
    /// beside them, and checked. Put in the place of the data folder, it goes on from that moment
    Backup {
        /// A folder that is not there yet
        #[arg(value_name = "DIR")]
        to: PathBuf,
        /// The configuration of the stores (default: the folder that --data names)
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Go on without what was in a store that is lost (SG0018), or with one that is older than it was (SG0019), while nothing
    /// runs. What is lost stays lost: it is for when there is no backup
    Accept {
        /// The module whose store it is
        #[arg(value_name = "MODULE")]
        module: String,
        /// The configuration of the stores (default: the folder that --data names)
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Do not ask for the name of the module to be typed
        #[arg(short, long)]
        yes: bool,
    },
    /// After a store was restored, while nothing runs: set consumers that stand beyond their source's log back, and make
    /// their read models anew; says what it did, and changes nothing where all is well. Then streams that hold what no log has
    /// are named and, with consent, made anew from the logs. Refused where a store is lost or older than it was (SG0018, SG0019):
    /// put it back or accept the loss first
    Recover {
        /// The configuration of the stores (default: the folder that --data names)
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Do not ask before streams are made anew
        #[arg(short, long)]
        yes: bool,
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
        Some(folder) if !folder.is_empty() && !is_address(folder) => Ok(PathBuf::from(folder)),
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
            migrate::run(admin_url, &config, modules, folder).await.map(|done| {
                done.left.iter().for_each(|left| out.note(left));
                if !done.left.is_empty() {
                    out.note(&format!(
                        "this was not given here, and is not ours to take back: sagactl help {}",
                        codes::RIGHTS.id
                    ));
                }
                done.lines
            })
        }
        StoreCommand::Regroup { config, groups } => {
            migrate::regroup(&load(config)?, *groups).await.map(|line| vec![line])
        }
        StoreCommand::Recover { config, yes } => {
            return recover(&of_stores(config.as_ref(), global)?, *yes, out).await;
        }
        StoreCommand::Backup { to, config } => {
            let config = of_stores(config.as_ref(), global)?;
            let BackedUp { lines, verdicts } = saga_service::backup::backup(&config, to).await?;
            said(&lines, out)?;
            out.view(&verdicts, |style| verdicts::render(&verdicts, style))?;
            return Ok(if verdicts.findings.is_empty() { Exit::DONE } else { Exit::FINDINGS });
        }
        StoreCommand::Accept { module, config, yes } => {
            return accept(module, &of_stores(config.as_ref(), global)?, *yes, global, out).await;
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

/// The stores of a configuration, or of the data folder. The address of a process says nothing of where its stores are.
fn of_stores(config: Option<&PathBuf>, global: &Global) -> Result<Config, Failure> {
    if config.is_none() && global.url.is_some() && global.data == Path::new(DATA_FOLDER) {
        let message = "this works on stores, and --url (or SAGACTL_URL) names a process: which stores are meant?";
        return Err(Failure::usage(message)
            .hint("the folder that the process runs    --data FOLDER")
            .hint("its configuration                   --config FILE"));
    }
    config.map_or_else(|| Ok(saga_service::recover::of_folder(&global.data)), |file| load(file))
}

/// Sets consumers right, then streams. Messages that are in no log go only with consent.
async fn recover(config: &Config, yes: bool, out: &mut Out) -> Result<Exit, Failure> {
    said(&saga_service::recover::recover(config).await?, out)?;
    if let Some(refill) = Refill::of(config, None).await?
        && refill.is_due()
    {
        super::events::republish(refill, yes, out).await?;
    }
    Ok(Exit::DONE)
}

/// Shows what is lost, has the name of the module typed, and accepts it.
async fn accept(module: &str, config: &Config, yes: bool, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let loss = Loss::of(config, module).await?;
    out.note(loss.says());
    let typed = match yes {
        true => Some(module.to_owned()),
        false if out.can_ask() => {
            input::ask(out, &format!("Type the module to go on without what is lost [{module}]: "))
        }
        false => {
            loss.close().await;
            return Err(Failure::usage("what is lost has to be accepted by name, and nobody can be asked here")
                .hint("consent with --yes"));
        }
    };
    if typed.as_deref() != Some(module) {
        loss.close().await;
        out.note("nothing was accepted");
        return Err(Failure::said(Exit::INTERRUPTED));
    }
    let lines = loss.accept(config, &global.actor()?).await?;
    said(&lines, out)
}

fn said(done: &[String], out: &mut Out) -> Result<Exit, Failure> {
    let text: String = done.iter().map(|line| format!("{line}\n")).collect();
    out.data(&text)?;
    Ok(Exit::DONE)
}

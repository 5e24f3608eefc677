//! `sagactl serve` and `sagactl config check`: a service as its configuration says.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::json;
use crate::print::out::Out;
use clap::{Args, Subcommand};
use saga_admin::owner::OwnerFile;
use saga_admin::server::Server;
use saga_core::codes;
use saga_core::control::Control;
use saga_core::view::Verdicts;
use saga_service::accounts::{Others, nats_accounts};
use saga_service::config::{Config, ConfigFault, StoreKind};
use saga_service::crowd::connections;
use saga_service::serve::{Roles, serve};
use saga_service::starting::Starting;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `serve` takes.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// The configuration; every key with its default is in deploy/sagactl.toml
    #[arg(long, value_name = "FILE", default_value = "sagactl.toml")]
    pub config: PathBuf,
    /// Host only these modules, separated by commas (default: all, or none beside --coordinator)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub modules: Vec<String>,
    /// Run sagas (default: yes, unless --modules is given)
    #[arg(long)]
    pub coordinator: bool,
    /// The jitter of all retries comes from this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl ServeArgs {
    /// Neither word means everything; one of them means only that.
    fn roles(&self) -> Roles {
        match (self.modules.is_empty(), self.coordinator) {
            (true, false) => Roles { modules: None, coordinator: true },
            (false, coordinator) => Roles { modules: Some(self.modules.clone()), coordinator },
            (true, true) => Roles { modules: Some(Vec::new()), coordinator: true },
        }
    }
}

/// What can be done with a configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Read and check a configuration, and say what would be used
    Check {
        /// The configuration
        #[arg(long, value_name = "FILE", default_value = "sagactl.toml")]
        config: PathBuf,
    },
    /// Print the roles of a PostgreSQL database and what they may do, as store migrate makes them
    PostgresRoles {
        /// Take the prefix of names from this configuration
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Print the accounts of a NATS server: one for each module, which reaches nothing of another's
    NatsAccounts {
        /// Take the prefix of subjects from this configuration
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// A client that publishes events from outside, below PREFIX.in.NAME
        #[arg(long, value_name = "NAME")]
        publisher: Vec<String>,
        /// A client (or a module of another language) that reads the events of these modules
        #[arg(long, value_name = "NAME=MODULES", value_parser = reader)]
        reader: Vec<(String, Vec<String>)>,
    },
}

fn reader(text: &str) -> Result<(String, Vec<String>), String> {
    match text.split_once('=') {
        Some((name, owners)) if !owners.is_empty() => {
            Ok((name.to_owned(), owners.split(',').map(str::to_owned).collect()))
        }
        Some(_) | None => Err("it is NAME=MODULE, or NAME=MODULE,MODULE".to_owned()),
    }
}

/// Reads a configuration; everything that is wrong with it is one failure.
pub fn load(file: &Path) -> Result<Config, Failure> {
    Config::load(file, std::env::vars()).map_err(|faults| {
        let says = |fault: &ConfigFault| format!("{}: {}", fault.place, fault.says);
        let message = faults.iter().map(says).collect::<Vec<_>>().join("\n");
        faults.iter().filter_map(|fault| fault.hint.clone()).fold(Failure::new(codes::CONFIG, message), Failure::hint)
    })
}

/// Checks every store of a configuration.
pub async fn verify(file: &Path, at_rest: bool) -> Result<Verdicts, Failure> {
    Ok(saga_service::verify::verify(&load(file)?, at_rest).await?)
}

/// Whether there is any store in a folder, the coordinator's or another.
pub fn has_stores(data: &Path) -> bool {
    saga_service::verify::has_stores(data)
}

/// Checks every store of a folder that nobody serves.
pub async fn verify_folder(data: &Path, at_rest: bool) -> Result<Verdicts, Failure> {
    Ok(saga_service::verify::folder(data, at_rest).await?)
}

/// Runs it.
pub fn config(command: &ConfigCommand, out: &mut Out) -> Result<Exit, Failure> {
    let file = match command {
        ConfigCommand::Check { config } => config,
        ConfigCommand::PostgresRoles { config } => {
            let config = config.as_ref().map_or_else(|| Ok(Config::default()), |file| load(file))?;
            out.data(&saga_service::migrate::roles(&config).map_err(|why| Failure::new(codes::CONFIG, why))?)?;
            return Ok(Exit::DONE);
        }
        ConfigCommand::NatsAccounts { config, publisher, reader } => {
            let config = config.as_ref().map_or_else(|| Ok(Config::default()), |file| load(file))?;
            let others = Others { publishers: publisher.clone(), readers: reader.iter().cloned().collect() };
            out.data(&nats_accounts(&config, &others).map_err(|why| Failure::new(codes::CONFIG, why))?)?;
            return Ok(Exit::DONE);
        }
    };
    let config = load(file)?;
    let lines = config.lines();
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    let text = match out.format.is_machine() {
        true => json::config(lines)?,
        false => lines.iter().map(|(key, value)| format!("{key:width$}  {}\n", out.style.clean(value))).collect(),
    };
    out.data(&text)?;
    out.note(&format!("{} can be used", file.display()));
    if let Some(says) = connections(&config) {
        out.note(&says);
    }
    Ok(Exit::DONE)
}

/// Runs until it is told to stop: ctrl-C or SIGTERM.
pub async fn run(args: &ServeArgs, out: &mut Out) -> Result<Exit, Failure> {
    let config = load(&args.config)?;
    let roles = args.roles();
    let mut stop = Box::pin(super::dev::stopping()?);
    let server = Server::bind(config.admin.listen).await?;
    let (url, process) = (server.url(), server.process().to_owned());
    let words = match (&roles.modules, roles.coordinator) {
        (None, _) => "all modules and a coordinator".to_owned(),
        (Some(names), true) if names.is_empty() => "a coordinator".to_owned(),
        (Some(names), true) => format!("{} and a coordinator", names.join(", ")),
        (Some(names), false) => names.join(", "),
    };
    out.note(&format!("sagactl {} serve: {words}", env!("CARGO_PKG_VERSION")));
    out.note(&format!("  api      {url}/v1\n  store    {}\n  bus      {}", config.store_place(), config.bus_place()));
    let starting = Arc::new(Starting::new(config.store_place(), config.bus_place()));
    let (stop_serving, stopped) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move {
        // Dropped is told, too.
        let _told = stopped.await;
    };
    let mut served = std::pin::pin!(server.run(Arc::clone(&starting) as Arc<dyn Control>, stopped));
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel::<String>();
    let say = move |text: &str| drop(tell.send(text.to_owned()));
    let serving = {
        let mut beginning = std::pin::pin!(serve(&config, &roles, args.seed, &say));
        loop {
            tokio::select! {
                serving = &mut beginning => break serving?,
                Some(text) = told.recv() => {
                    starting.waits(&text);
                    out.note(&text);
                }
                ended = &mut served => return Err(api_ended(ended)),
                () = &mut stop => {
                    out.note("stopped before the servers that it waited for were there");
                    return Ok(Exit::DONE);
                }
            }
        }
    };
    starting.serves(serving.control());
    let owner = match roles.coordinator {
        true => sign(&config, (&url, &process))?,
        false => Vec::new(),
    };
    out.note(&format!("look: sagactl --url {url} saga list"));
    let served = tokio::select! {
        ended = &mut served => ended,
        () = stop => {
            let _heard = stop_serving.send(());
            served.await
        }
    };
    out.note("stopping: what is at its commit is finished, leases are given back");
    serving.close().await;
    drop(owner);
    served.map_err(|why| api_ended(Err(why)))?;
    Ok(Exit(0))
}

fn api_ended(ended: std::io::Result<()>) -> Failure {
    let why = ended.err().map_or_else(|| "by itself".to_owned(), |why| why.to_string());
    Failure::new(codes::INTERNAL, format!("the admin API ended: {why}"))
}

/// Says in the files folder where this process answers, and in the folder of the stores if there is another one, so that
/// `sagactl` finds it with `--data`.
fn sign(config: &Config, (url, process): (&str, &str)) -> Result<Vec<OwnerFile>, Failure> {
    let mut folders = vec![config.files.folder.clone()];
    if let Ok(StoreKind::Sqlite(folder)) = config.store_kind()
        && folder != config.files.folder
    {
        folders.push(folder);
    }
    let write = |folder: &PathBuf| {
        std::fs::create_dir_all(folder)
            .and_then(|()| OwnerFile::write(folder, url, process))
            .map_err(|why| Failure::new(codes::STORE_UNAVAILABLE, format!("{}: {why}", folder.display())))
    };
    folders.iter().map(write).collect()
}

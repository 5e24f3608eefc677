//! `sagactl dev`: everything in one process, on a data folder that is kept.

use crate::args::{DATA_FOLDER, Global};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::out::Out;
use clap::Args;
use saga_admin::owner::OwnerFile;
use saga_admin::server::Server;
use saga_core::codes;
use saga_core::control::{Asks, ask};
use saga_core::envelope::Actor;
use saga_service::Service;
use saga_service::modules::Replaced;
use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use tokio::signal::unix::{SignalKind, signal};

/// What `dev` takes.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Where the admin API answers; loopback addresses only, port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7420")]
    pub listen: SocketAddr,
    /// Keep nothing: use a temporary folder
    #[arg(long)]
    pub ephemeral: bool,
    /// The jitter of all retries comes from this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// Runs until it is told to stop: ctrl-C or SIGTERM.
pub async fn run(args: &DevArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    // A name that nobody can guess and a folder that nobody else can enter; removed with all that is in it.
    let ephemeral = args
        .ephemeral
        .then(|| tempfile::Builder::new().prefix("sagactl-").permissions(private()).tempdir())
        .transpose();
    let ephemeral = ephemeral
        .map_err(|why| Failure::new(codes::STORE_UNAVAILABLE, format!("no temporary folder can be made: {why}")))?;
    let data = ephemeral.as_ref().map_or_else(|| global.data.clone(), |folder| folder.path().to_owned());
    let server = Server::bind(args.listen).await.map_err(Failure::from)?;
    let service = Service::open(&data, Replaced::default(), args.seed).await.map_err(Failure::from)?;
    saga_service::demo::keep(&data)
        .map_err(|why| Failure::new(codes::STORE_UNAVAILABLE, format!("{}: {why}", data.display())))?;
    let owner = OwnerFile::write(&data, &server.url(), server.process())
        .map_err(|why| Failure::new(codes::STORE_UNAVAILABLE, format!("{}: {why}", data.display())))?;
    banner((args, global), &data, &server.url(), &service, out).await?;
    let stop = stopping()?;
    let served = server.run(service.control(), stop).await;
    out.note("stopping: what is at its commit is finished, the rest goes on at the next start");
    service.close().await;
    drop(owner);
    if let Some(folder) = ephemeral
        && let Err(why) = folder.close()
    {
        out.note(&format!("{} could not be removed: {why}", data.display()));
    }
    served.map_err(|why| Failure::new(codes::INTERNAL, format!("the admin API ended: {why}")))?;
    Ok(Exit(0))
}

/// For this user and nobody else.
fn private() -> Permissions {
    Permissions::from_mode(0o700)
}

/// Resolves at ctrl-C or SIGTERM.
pub(crate) fn stopping() -> Result<impl Future<Output = ()> + Send, Failure> {
    let of =
        |kind| signal(kind).map_err(|why| Failure::new(codes::INTERNAL, format!("signals cannot be heard: {why}")));
    let (mut interrupt, mut terminate) = (of(SignalKind::interrupt())?, of(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

async fn banner(
    (args, global): (&DevArgs, &Global),
    data: &Path,
    url: &str,
    service: &Service,
    out: &mut Out,
) -> Result<(), Failure> {
    let status = service.control().ask(&Actor::operator("dev"), ask::WhoIsThere {}).await.map_err(Failure::from)?;
    let kept = if args.ephemeral { "removed at the end" } else { "one file per module, kept between runs" };
    // The next command need not name what it finds anyway.
    let program = global.program().name;
    let here = next_to(data, url);
    out.note(&format!(
        "sagactl {} dev\n  api      {url}/v1\n  bus      {}\n  store    {}/*.db   {kept}\n  modules  {}\n  sagas    {}\n\
         next: {program}{here} saga start client-to-delivery --example      {program}{here} saga list",
        status.version,
        status.bus,
        data.display(),
        status.modules.join(" "),
        status.sagas.join(" "),
    ));
    Ok(())
}

/// The options that a command needs to find this process: none, where it looks there anyway.
fn next_to(data: &Path, url: &str) -> String {
    match data == Path::new(DATA_FOLDER) {
        true => String::new(),
        false => format!(" --url {url}"),
    }
}

//! `sagactl dev`: everything in one process, on a data folder that is kept.

use crate::args::Global;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local;
use crate::print::out::Out;
use clap::Args;
use std::net::SocketAddr;

/// What `dev` takes.
#[derive(Debug, Clone, Args)]
pub struct DevArgs {
    /// Where the admin API answers; loopback addresses only, port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7420")]
    pub listen: SocketAddr,
    /// Keep nothing: use a temporary folder
    #[arg(long)]
    pub ephemeral: bool,
}

/// Runs until it is told to stop.
pub async fn run(_args: &DevArgs, _global: &Global, _out: &mut Out) -> Result<Exit, Failure> {
    Err(local::not_wired("dev"))
}

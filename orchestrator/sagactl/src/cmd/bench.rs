//! `sagactl bench`: numbers that can be measured again.

use crate::args::Global;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local;
use crate::print::out::Out;
use crate::words::parse_duration;
use clap::{Args, Subcommand};
use std::time::Duration;

/// What can be measured. Each prints machine, durability settings and seed beside its numbers.
#[derive(Debug, Clone, Subcommand)]
pub enum BenchCommand {
    /// Sagas a second from start to end, with latencies and bytes per saga
    Saga(SagaBenchArgs),
    /// Appends a second of one store
    Append(AppendBenchArgs),
    /// Events a second when a module's read models are rebuilt
    Replay(ReplayBenchArgs),
    /// A steady load for a while: latencies as they are felt, and recovery after it
    Load(LoadBenchArgs),
    /// What the disk alone can do: the floor under every other number
    Floor(FloorBenchArgs),
}

/// What every measurement takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Chance comes from this number
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Measure on this folder instead of a temporary one (its disk counts)
    #[arg(long, value_name = "DIR")]
    pub store: Option<std::path::PathBuf>,
}

/// `bench saga`.
#[derive(Debug, Clone, Args)]
pub struct SagaBenchArgs {
    /// How many sagas
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub sagas: u64,
    /// Steps of each saga
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub steps: u64,
    /// How many are under way at once
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub at_once: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench append`.
#[derive(Debug, Clone, Args)]
pub struct AppendBenchArgs {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub events: u64,
    /// Bytes of each payload
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub bytes: u64,
    /// How many writers commit at once
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub writers: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench replay`.
#[derive(Debug, Clone, Args)]
pub struct ReplayBenchArgs {
    /// How many events
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub events: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench load`.
#[derive(Debug, Clone, Args)]
pub struct LoadBenchArgs {
    /// Sagas started a second
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub rate: u64,
    /// For how long
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    pub during: Duration,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// `bench floor`.
#[derive(Debug, Clone, Args)]
pub struct FloorBenchArgs {
    /// How many synchronised writes
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub writes: u64,
    /// Options of every measurement.
    #[command(flatten)]
    pub common: Common,
}

/// Measures.
pub async fn run(_args: &BenchCommand, _global: &Global, _out: &mut Out) -> Result<Exit, Failure> {
    Err(local::not_wired("bench"))
}

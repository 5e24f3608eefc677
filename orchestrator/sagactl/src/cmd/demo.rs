//! `sagactl demo`: the one-minute story.

use crate::args::Global;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::local;
use crate::print::out::Out;
use clap::Args;

/// What the demo takes.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Without pauses for the reader: two seconds instead of fifteen
    #[arg(long)]
    pub fast: bool,
    /// Chance comes from this number: the same seed tells the same story
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
}

/// Tells the story.
pub async fn run(_args: &DemoArgs, _global: &Global, _out: &mut Out) -> Result<Exit, Failure> {
    Err(local::not_wired("demo"))
}

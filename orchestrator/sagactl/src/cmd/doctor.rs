//! `sagactl doctor`: what is wrong in a running process, and what to do about it; with `--probe`, for machines.

use crate::args::Global;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::doctor;
use crate::print::out::Out;
use clap::{Args, ValueEnum};
use saga_core::control::{Look, View};

/// What `doctor` takes.
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Only ask whether the process lives, or is ready: silent on success, for probes of images without curl
    #[arg(long, value_enum, value_name = "WHAT")]
    pub probe: Option<Probe>,
}

/// What a probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// It answers.
    Live,
    /// It is fit to serve.
    Ready,
}

/// Runs it.
pub async fn run(args: &DoctorArgs, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let view = connect::session(global, out).await?.look(Look::Status).await?;
    let View::Status(status) = &view else { return Err(super::saga::strange(&view)) };
    match args.probe {
        // A folder that nobody runs was looked at.
        Some(_) if status.pid == 0 => return Ok(Exit::FINDINGS),
        Some(Probe::Live) => return Ok(Exit::DONE),
        Some(Probe::Ready) if status.ready => return Ok(Exit::DONE),
        Some(Probe::Ready) => {
            out.note("not ready");
            return Ok(Exit::FINDINGS);
        }
        None => {}
    }
    out.view(&view, |style| doctor::render(status, style))?;
    let urgent = status.attention.iter().any(|attention| attention.urgent);
    Ok(if status.ready && status.troubles.is_empty() && !urgent { Exit::DONE } else { Exit::FINDINGS })
}

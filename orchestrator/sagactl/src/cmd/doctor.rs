//! `sagactl doctor`: what is wrong in a running process, and what to do about it; with `--probe`, for machines.

use crate::args::Global;
use crate::connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print::doctor;
use crate::print::out::Out;
use clap::{Args, ValueEnum};
use saga_core::control::ask;

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
    if let Some(probe) = args.probe {
        return probed(probe, global, out).await;
    }
    let status = connect::quiet_session(global, out).await?.ask(ask::WhoIsThere {}).await?;
    out.view(&status, |style| doctor::render(&status, style))?;
    let urgent = status.attention.iter().any(|attention| attention.urgent);
    // What could not be read may be wrong.
    let well = status.ready && status.troubles.is_empty() && status.not_known.is_empty();
    Ok(if well && !urgent { Exit::DONE } else { Exit::FINDINGS })
}

/// Asks only what a probe is for: counting and stores may take their time in an outage, and a process that lives is not ended
/// for that.
async fn probed(probe: Probe, global: &Global, out: &mut Out) -> Result<Exit, Failure> {
    let Some(client) = connect::running(global, out).await? else { return Ok(Exit::FINDINGS) };
    let (fit, says) = match probe {
        Probe::Live => (client.is_alive().await, "no answer"),
        Probe::Ready => (client.is_ready().await, "not ready"),
    };
    if !fit {
        out.note(says);
    }
    Ok(if fit { Exit::DONE } else { Exit::FINDINGS })
}

//! Finds the face that answers: the address that was given, the process that runs the data folder, or a copy of the
//! folder.

use crate::args::{DATA_FOLDER, Global, OrderArgs};
use crate::failure::Failure;
use crate::local;
use crate::print::out::Out;
use saga_admin::client::AdminClient;
use saga_admin::owner::{self, Found, OWNER_FILE};
use saga_core::control::ask::{Ask, Listed};
use saga_core::control::{Asks, Control};
use saga_core::envelope::Actor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where `dev` and `serve` answer when nothing else is said.
const ADDRESS: &str = "http://127.0.0.1:7420";
/// One second is long for a loopback connection; nobody is there after it.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// A face that answers, and the actor that asks it.
pub struct Session {
    /// The face.
    pub control: Arc<dyn Control>,
    /// The actor.
    pub by: Actor,
    /// What a person should know of the face, such as a folder that no process runs.
    pub notes: Vec<String>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("by", &self.by).field("notes", &self.notes).finish_non_exhaustive()
    }
}

impl Session {
    fn of(control: Arc<dyn Control>, global: &Global) -> Result<Self, Failure> {
        Ok(Self { control, by: Actor::operator(global.actor()?), notes: Vec::new() })
    }
    /// Looks.
    pub async fn ask<A: Ask>(&self, asked: A) -> Result<A::View, Failure> {
        let mut seen = self.control.ask(&self.by, asked).await?;
        if let Some(notes) = seen.notes() {
            notes.extend(self.notes.iter().cloned());
        }
        Ok(seen)
    }
}

/// Finds who answers a look: a running process, or else a private copy of what the folder holds, which is said. Changes nothing.
pub async fn session(global: &Global, out: &mut Out) -> Result<Session, Failure> {
    let session = quiet_session(global, out).await?;
    session.notes.iter().for_each(|says| out.note(says));
    Ok(session)
}

/// The same for a look whose answer says itself that nobody runs the folder.
pub async fn quiet_session(global: &Global, out: &mut Out) -> Result<Session, Failure> {
    if let Some(client) = running(global, out).await? {
        return Session::of(Arc::new(client), global);
    }
    let look = local::look(&global.data).await?;
    if look.is_idle() {
        out.nobody_runs();
    }
    let says = look.says();
    Ok(Session { notes: vec![says], ..Session::of(look, global)? })
}

/// Finds the process that does an order: a running process; or this one, for as long as the command runs and only if
/// that is wanted.
pub async fn ordering(global: &Global, order: &OrderArgs, out: &mut Out) -> Result<Session, Failure> {
    match running(global, out).await? {
        Some(client) => Session::of(Arc::new(client), global),
        None if order.run => Session::of(local::run(&global.data).await?, global),
        None => Err(local::look(&global.data).await?.refusal().into()),
    }
}

/// The process that is meant, if it answers.
pub async fn running(global: &Global, out: &mut Out) -> Result<Option<AdminClient>, Failure> {
    if let Some(url) = &global.url {
        return Ok(Some(AdminClient::new(url, global.within())?));
    }
    if let Some(client) = owner_of(&global.data, global, out).await? {
        return Ok(Some(client));
    }
    // Nothing was named, and there is no data at the default place: a process may answer at the default address.
    if global.data != Path::new(DATA_FOLDER) || local::has_data(&global.data) {
        return Ok(None);
    }
    if let Some((folder, address)) = local::configured() {
        if let Some(client) = owner_of(&folder, global, out).await? {
            return Ok(Some(client));
        }
        if let Some(client) = at(&address, global, out).await? {
            return Ok(Some(client));
        }
    }
    at(ADDRESS, global, out).await
}

/// The process that says in a folder that it runs it.
async fn owner_of(data: &Path, global: &Global, out: &mut Out) -> Result<Option<AdminClient>, Failure> {
    match owner::find(data, global.within()).await? {
        Found::Alive(owner, client) => {
            tracing::debug!(pid = owner.pid, url = owner.url, "found the owner of the data folder");
            Ok(Some(client))
        }
        Found::Stale(owner) => {
            let file = data.join(OWNER_FILE);
            let (pid, url) = (owner.pid, owner.url);
            out.note(&format!(
                "{} names process {pid} at {url}, which does not answer, or runs another folder: ignored",
                file.display()
            ));
            Ok(None)
        }
        Found::Nobody => Ok(None),
    }
}

/// The process that answers at an address that was not named; the output says so.
async fn at(address: &str, global: &Global, out: &mut Out) -> Result<Option<AdminClient>, Failure> {
    let Ok(probe) = AdminClient::new(address, ALIVE_WITHIN.min(global.within().look)) else { return Ok(None) };
    if !probe.is_alive().await {
        return Ok(None);
    }
    out.note(&format!("there is no data in {}; {address} answers", global.data.display()));
    Ok(Some(AdminClient::new(address, global.within())?))
}

//! Who answers: the address that was given, the process that runs the data folder, or a copy of what the folder holds.

use crate::args::{DATA_FOLDER, Global, OrderArgs};
use crate::failure::Failure;
use crate::local;
use crate::print::out::Out;
use saga_admin::client::AdminClient;
use saga_admin::owner::{self, Found, OWNER_FILE};
use saga_core::control::{Control, Look, View};
use saga_core::envelope::Actor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where `dev` and `serve` answer when nothing else is said.
const ADDRESS: &str = "http://127.0.0.1:7420";
/// One second is long for a loopback connection; nobody is there after it.
const ALIVE_WITHIN: Duration = Duration::from_secs(1);

/// Somebody who answers, and who asks.
pub struct Session {
    /// Who answers.
    pub control: Arc<dyn Control>,
    /// Who asks.
    pub by: Actor,
    /// What a person should know of whoever answers.
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
    pub async fn look(&self, what: Look) -> Result<View, Failure> {
        let mut view = self.control.look(&self.by, what).await?;
        match &mut view {
            View::History(page) => page.notes.extend(self.notes.iter().cloned()),
            View::ModuleList(page) => page.notes.extend(self.notes.iter().cloned()),
            View::DefinitionList(page) => page.notes.extend(self.notes.iter().cloned()),
            // A list is put together of pages first.
            View::SagaList(_)
            | View::Saga(_)
            | View::Why(_)
            | View::Verdicts(_)
            | View::Preview(_)
            | View::Status(_) => {}
        }
        Ok(view)
    }
}

/// Finds who answers a look: a running process, or else a private copy of what the folder holds. Changes nothing.
pub async fn session(global: &Global, out: &mut Out) -> Result<Session, Failure> {
    if let Some(client) = running(global, out).await? {
        return Session::of(Arc::new(client), global);
    }
    let look = local::look(&global.data).await?;
    let says = look.says();
    out.note(&says);
    Ok(Session { notes: vec![says], ..Session::of(look, global)? })
}

/// Finds who does an order: a running process; or this one, for as long as the command runs and only if that is wanted.
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
    // Nothing was named, and nothing is where things usually are: somebody may answer where processes usually do.
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
            out.note(&format!("{} names process {pid} at {url}, which does not answer: ignored", file.display()));
            Ok(None)
        }
        Found::Nobody => Ok(None),
    }
}

/// Whoever answers at an address that nobody named, which is said.
async fn at(address: &str, global: &Global, out: &mut Out) -> Result<Option<AdminClient>, Failure> {
    let Ok(probe) = AdminClient::new(address, ALIVE_WITHIN.min(global.within().look)) else { return Ok(None) };
    if !probe.is_alive().await {
        return Ok(None);
    }
    out.note(&format!("there is no data in {}; {address} answers", global.data.display()));
    Ok(Some(AdminClient::new(address, global.within())?))
}

//! Who answers: the address that was given, the process that owns the data folder, or the store opened in this process.

use crate::args::Global;
use crate::failure::Failure;
use crate::print::out::Out;
use saga_admin::client::AdminClient;
use saga_admin::owner::{self, Found, OWNER_FILE};
use saga_core::control::{Control, Look, View};
use saga_core::envelope::Actor;
use std::sync::Arc;

/// Somebody who answers, and who asks.
pub struct Session {
    /// Who answers.
    pub control: Arc<dyn Control>,
    /// Who asks.
    pub by: Actor,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("by", &self.by).finish_non_exhaustive()
    }
}

impl Session {
    /// Looks.
    pub async fn look(&self, what: Look) -> Result<View, Failure> {
        Ok(self.control.look(&self.by, what).await?)
    }
}

/// Finds who answers.
pub async fn session(global: &Global, out: &mut Out) -> Result<Session, Failure> {
    let by = Actor::operator(global.actor());
    if let Some(url) = &global.url {
        let client = AdminClient::new(url, global.timeout)?;
        return Ok(Session { control: Arc::new(client), by });
    }
    match owner::find(&global.data, global.timeout).await? {
        Found::Alive(owner, client) => {
            tracing::debug!(pid = owner.pid, url = owner.url, "found the owner of the data folder");
            return Ok(Session { control: Arc::new(client), by });
        }
        Found::Stale(owner) => {
            let file = global.data.join(OWNER_FILE);
            let (pid, url) = (owner.pid, owner.url);
            out.note(&format!("{} names process {pid} at {url}, which does not answer: ignored", file.display()));
        }
        Found::Nobody => {}
    }
    let control = crate::local::open(&global.data).await?;
    Ok(Session { control, by })
}

//! Of several processes that host one module, one leads: it relays the log, folds the projections and runs the reactors.
//!
//! All of them serve commands. The lease only decides who tries: the bus fences a second relay, and the store fences the
//! commits of a second projector.

use crate::host::Host;
use saga_core::batch::Fence;
use saga_core::id::Epoch;
use saga_core::ports::{Claim, Lease};
use saga_core::telemetry::Metric;
use std::time::Duration;

/// The scope of a module's leader.
pub(crate) const SCOPE: &str = "lead";
/// After a lease could not be asked for.
const PAUSE: Duration = Duration::from_millis(200);
/// A lease that another process holds is asked for again this long after it could have run out.
const GRACE: Duration = Duration::from_millis(50);

impl Host {
    /// Leads whenever it may, until everything ends.
    pub(crate) async fn lead(&self) {
        let owner = self.ids.next(self.clock.now());
        let place = format!("lead of {}", self.module.name);
        let claim = Claim { want: vec![SCOPE.to_owned()], leave: Vec::new() };
        let mut leading: Option<(Epoch, Host)> = None;
        while !self.tasks.is_stopping() {
            let pause = match self.store.lease(owner, &claim, self.lease).await {
                Ok(leases) => {
                    self.health.well(&place);
                    let lease = leases.iter().find(|lease| lease.scope == SCOPE);
                    self.follow(owner, lease, &mut leading).await;
                    let theirs = lease.filter(|lease| lease.owner != owner).map(|lease| lease.left + GRACE);
                    theirs.map_or(self.lease / 3, |left| left.min(self.lease / 3))
                }
                Err(why) => {
                    self.health.trouble(&place, why.to_string());
                    PAUSE
                }
            };
            tokio::select! {
                () = self.tasks.stopping() => {}
                () = self.clock.pause(pause) => {}
            }
        }
        if let Some((_, host)) = leading {
            host.tasks.stop().await;
            let claim = Claim { want: Vec::new(), leave: vec![SCOPE.to_owned()] };
            let _given = self.store.lease(owner, &claim, self.lease).await;
        }
    }
    async fn follow(&self, owner: uuid::Uuid, lease: Option<&Lease>, leading: &mut Option<(Epoch, Host)>) {
        let epoch = lease.filter(|lease| lease.owner == owner).map(|lease| lease.epoch);
        if leading.as_ref().map(|(epoch, _)| *epoch) == epoch {
            return;
        }
        if let Some((epoch, host)) = leading.take() {
            tracing::warn!(module = self.module.name, %epoch, "another process leads this module now");
            host.tasks.stop().await;
            self.forget_leading();
        }
        *leading = epoch.map(|epoch| {
            tracing::debug!(module = self.module.name, %epoch, "leading");
            self.health.meter().add(Metric::Takeovers, &["lead"], 1);
            let fence = Some(Fence { scope: SCOPE.to_owned(), epoch });
            let host = Host { tasks: self.tasks.scope(), fence, ..self.clone() };
            host.start_leading();
            (epoch, host)
        });
    }
}

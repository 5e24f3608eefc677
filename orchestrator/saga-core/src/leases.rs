//! Which process owns which scope of a store, and until when: the rules of [`Leases`](crate::ports::Leases) without a
//! database.
//!
//! Invariant: an epoch grows exactly when a scope changes hands.

use crate::id::Epoch;
use crate::ports::{Claim, Lease};
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// The leases of one store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeaseBook {
    held: BTreeMap<String, Held>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    owner: Uuid,
    epoch: Epoch,
    until: Timestamp,
}

impl LeaseBook {
    /// The scopes that the owner of a claim has from now on, with their epochs. `fence` tells the newest epoch that the store knows of a scope; it is never below the book's.
    pub fn weigh(
        &self,
        owner: Uuid,
        claim: &Claim,
        now: Timestamp,
        fence: impl Fn(&str) -> Epoch,
    ) -> BTreeMap<String, Epoch> {
        let mut taken = BTreeMap::new();
        for scope in &claim.want {
            let held = self.held.get(scope);
            let mine = held.filter(|held| held.owner == owner).map(|held| held.epoch);
            let newest = fence(scope).max(held.map_or(Epoch::ZERO, |held| held.epoch));
            if mine == Some(newest) {
                // Nobody had it in between, or its epoch would be higher.
                taken.insert(scope.clone(), newest);
            } else if mine.is_some() || held.is_none_or(|held| held.until <= now) {
                taken.insert(scope.clone(), newest.next());
            }
        }
        taken
    }
    /// Writes down what [`LeaseBook::weigh`] found, once the raised fences are durable.
    pub fn apply(&mut self, owner: Uuid, claim: &Claim, taken: BTreeMap<String, Epoch>, now: Timestamp, ttl: Duration) {
        for scope in &claim.leave {
            if let Some(held) = self.held.get_mut(scope).filter(|held| held.owner == owner) {
                held.until = now;
            }
        }
        let until = now.plus(ttl);
        self.held.extend(taken.into_iter().map(|(scope, epoch)| (scope, Held { owner, epoch, until })));
    }
    /// Every lease.
    pub fn list(&self, now: Timestamp) -> Vec<Lease> {
        let lease = |(scope, held): (&String, &Held)| Lease {
            scope: scope.clone(),
            owner: held.owner,
            epoch: held.epoch,
            left: held.until.since(now),
        };
        self.held.iter().map(lease).collect()
    }
}

//! Which coordinator groups a process should own: a slot for each process, and the groups spread evenly over the slots.
//!
//! It is only a proposal: leases decide which process has a group, and fences decide which may write.

use saga_core::id::Epoch;
use saga_core::ports::{Claim, Lease};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// 64 processes may coordinate at once; with 16 groups more than 16 of them only wait.
pub const SLOTS: u16 = 64;
/// The pause between the end of another process's lease and the attempt to take it: less than a person notices, more
/// than two clocks of one machine differ.
pub const GRACE: Duration = Duration::from_millis(50);

/// The scope of a group's lease and fence.
pub fn group_scope(group: u16) -> String {
    format!("group:{group}")
}
/// The slot of a process that reaches the bus, or of one that does not: a process of the second kind is no reason for
/// another one to give way. In the leases slots are called seats, the name that older programs know.
fn slot_scope(reaches: bool, slot: u16) -> String {
    if reaches { format!("seat:{slot}") } else { format!("seat-without-bus:{slot}") }
}

/// One process among those that coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    owner: Uuid,
    groups: u16,
}

/// What a process should do next about its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The groups that it owns, with their epochs.
    pub owned: BTreeMap<u16, Epoch>,
    /// The groups that it owns and should end and give back, because another process has fewer.
    pub surplus: Vec<u16>,
    /// What to ask for next; nothing is given back here before its work has ended.
    pub claim: Claim,
    /// Whether the next claim asks for something that it does not have: then there is no reason to wait.
    pub wants_more: bool,
    /// How long until a lease of another process could run out.
    pub patience: Option<Duration>,
}

impl Member {
    /// `owner` is fresh for every start of a process.
    pub fn new(owner: Uuid, groups: u16) -> Self {
        Self { owner, groups }
    }
    /// Looks at the leases as they are. A process that does not reach the bus takes a slot apart: it gives up its
    /// groups while another process reaches the bus, and keeps them while none does.
    pub fn look(&self, leases: &[Lease], reaches: bool) -> Assignment {
        let by_scope: BTreeMap<&str, &Lease> = leases.iter().map(|lease| (lease.scope.as_str(), lease)).collect();
        let holder = |scope: &str| by_scope.get(scope).filter(|lease| !lease.left.is_zero()).map(|lease| lease.owner);
        let slots_of = |reaches| (0..SLOTS).map(move |slot| slot_scope(reaches, slot));
        let slots: Vec<_> = slots_of(reaches).map(|slot| holder(&slot)).collect();
        let others: Vec<_> = slots_of(!reaches).map(|slot| (holder(&slot), slot)).collect();
        let gives_way = !reaches && others.iter().any(|(owner, _)| owner.is_some_and(|owner| owner != self.owner));
        let mine = slots.iter().position(|slot| *slot == Some(self.owner));
        let slot = mine.or_else(|| slots.iter().position(Option::is_none));
        let mut claim = Claim::default();
        claim.want.extend(slot.and_then(|slot| u16::try_from(slot).ok()).map(|slot| slot_scope(reaches, slot)));
        claim.leave.extend(others.into_iter().filter(|(owner, _)| *owner == Some(self.owner)).map(|(_, slot)| slot));
        let mut assigned = Assignment {
            owned: BTreeMap::new(),
            surplus: Vec::new(),
            claim,
            wants_more: mine.is_none() && slot.is_some(),
            patience: None,
        };
        let others = leases.iter().filter(|lease| lease.owner != self.owner && !lease.left.is_zero());
        assigned.patience = others.map(|lease| lease.left + GRACE).min();
        for group in 0..self.groups {
            let lease = by_scope.get(group_scope(group).as_str()).copied();
            if let Some(lease) = lease.filter(|lease| lease.owner == self.owner && !lease.left.is_zero()) {
                assigned.owned.insert(group, lease.epoch);
            }
        }
        if gives_way {
            assigned.surplus = assigned.owned.keys().copied().collect();
            return assigned;
        }
        if mine.is_none() {
            // A process without a slot is not counted by the others, and takes nothing.
            assigned.claim.want.extend(assigned.owned.keys().copied().map(group_scope));
            return assigned;
        }
        let taken = slots.iter().flatten().count().max(1);
        let fair = usize::from(self.groups).div_ceil(taken);
        let surplus = assigned.owned.len().saturating_sub(fair);
        assigned.surplus = assigned.owned.keys().rev().take(surplus).copied().collect();
        let kept = assigned.owned.keys().filter(|group| !assigned.surplus.contains(group)).copied();
        assigned.claim.want.extend(kept.map(group_scope));
        let free = (0..self.groups).filter(|group| holder(&group_scope(*group)).is_none());
        let more: Vec<_> = free.take(fair.saturating_sub(assigned.owned.len())).map(group_scope).collect();
        assigned.wants_more |= !more.is_empty();
        assigned.claim.want.extend(more);
        assigned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saga_core::leases::LeaseBook;
    use saga_core::time::Timestamp;

    const TTL: Duration = Duration::from_secs(10);

    /// Lets each process look and claim in turn, until nobody asks for more. Spare groups are ended at once.
    fn rest(book: &mut LeaseBook, now: Timestamp, owners: &[u128]) -> Vec<usize> {
        rest_but(book, now, owners, &[])
    }
    fn rest_but(book: &mut LeaseBook, now: Timestamp, owners: &[u128], deaf: &[u128]) -> Vec<usize> {
        for _ in 0..20 {
            for owner in owners {
                let member = Member::new(Uuid::from_u128(*owner), 16);
                let mut assigned = member.look(&book.list(now), !deaf.contains(owner));
                assigned.claim.leave.extend(assigned.surplus.iter().copied().map(group_scope));
                let owner = Uuid::from_u128(*owner);
                let taken = book.weigh(owner, &assigned.claim, now, |_| Epoch::ZERO);
                book.apply(owner, &assigned.claim, taken, now, TTL);
            }
        }
        let owned = |owner: &u128| Member::new(Uuid::from_u128(*owner), 16).look(&book.list(now), true).owned.len();
        owners.iter().map(owned).collect()
    }

    #[test]
    fn groups_are_spread_evenly_and_follow_who_comes_and_goes() {
        let (mut book, mut now) = (LeaseBook::default(), Timestamp(0));
        assert_eq!(rest(&mut book, now, &[1]), [16]);
        assert_eq!(rest(&mut book, now, &[1, 2]), [8, 8]);
        let three = rest(&mut book, now, &[1, 2, 3]);
        assert!(three.iter().sum::<usize>() == 16 && three.iter().all(|owned| (4..=6).contains(owned)), "{three:?}");
        // The first is gone without a word: its leases run out.
        now = now.plus(TTL);
        let two = rest(&mut book, now, &[2, 3]);
        assert_eq!(two, [8, 8]);
    }

    #[test]
    fn who_does_not_reach_the_bus_gives_way_to_who_does_and_alone_goes_on() {
        let (mut book, mut now) = (LeaseBook::default(), Timestamp(0));
        assert_eq!(rest(&mut book, now, &[1, 2, 3]).iter().sum::<usize>(), 16);
        assert_eq!(rest_but(&mut book, now, &[1, 2, 3], &[1]), [0, 8, 8], "one of three hears nothing");
        assert_eq!(rest_but(&mut book, now, &[1, 2, 3], &[1, 2]), [0, 0, 16]);
        // Now nobody does: what is held is kept, and shared again when the last has gone.
        assert_eq!(rest_but(&mut book, now, &[1, 2, 3], &[1, 2, 3]).iter().sum::<usize>(), 16);
        now = now.plus(TTL);
        assert_eq!(rest_but(&mut book, now, &[1, 2], &[1, 2]), [8, 8]);
        assert_eq!(rest_but(&mut book, now, &[1, 2], &[2]), [16, 0], "the first hears again");
        assert_eq!(rest(&mut book, now, &[1, 2]), [8, 8]);
        assert_eq!(rest_but(&mut book, now.plus(TTL), &[1], &[1]), [16], "alone");
    }

    #[test]
    fn nobody_asks_for_what_another_holds() {
        let (mut book, now) = (LeaseBook::default(), Timestamp(0));
        rest(&mut book, now, &[1]);
        let assigned = Member::new(Uuid::from_u128(2), 16).look(&book.list(now), true);
        assert_eq!((assigned.claim.want, assigned.patience), (vec!["seat:1".to_owned()], Some(TTL + GRACE)));
    }
}

//! Which coordinator groups a process should own: a seat for each process, and the groups spread evenly over the seats.
//!
//! Only a wish: leases decide who has what, and fences decide who may write.

use crate::id::Epoch;
use crate::ports::{Claim, Lease};
use std::collections::BTreeMap;
use std::time::Duration;
use uuid::Uuid;

/// 64 processes may coordinate at once; with 16 groups more than 16 of them only wait.
pub const SEATS: u16 = 64;
/// After a lease of somebody else has run out, this long is waited before it is tried: less than anybody notices, more
/// than two clocks of one machine differ.
pub const GRACE: Duration = Duration::from_millis(50);

/// The scope of a group's lease and fence.
pub fn group_scope(group: u16) -> String {
    format!("group:{group}")
}
/// The seats of those who reach the bus, and of those who do not: whoever sits there is no reason for anybody to give way.
fn seat_scope(reaches: bool, seat: u16) -> String {
    if reaches { format!("seat:{seat}") } else { format!("seat-without-bus:{seat}") }
}

/// One process among those that coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    owner: Uuid,
    groups: u16,
}

/// What a process should do next about its groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seating {
    /// The groups that it owns, with their epochs.
    pub owned: BTreeMap<u16, Epoch>,
    /// The groups that it owns and should end and give back, because another process has fewer.
    pub spare: Vec<u16>,
    /// What to ask for next; nothing is given back here before its work has ended.
    pub claim: Claim,
    /// Whether the next claim asks for something that it does not have: then there is no reason to wait.
    pub hungry: bool,
    /// How long until a lease of somebody else could run out.
    pub patience: Option<Duration>,
}

impl Seats {
    /// `owner` is fresh for every start of a process.
    pub fn new(owner: Uuid, groups: u16) -> Self {
        Self { owner, groups }
    }
    /// Looks at the leases as they are. Who does not reach the bus sits apart; while somebody else does, it gives up its
    /// groups, and alone it goes on with them.
    pub fn look(&self, leases: &[Lease], reaches: bool) -> Seating {
        let by_scope: BTreeMap<&str, &Lease> = leases.iter().map(|lease| (lease.scope.as_str(), lease)).collect();
        let holder = |scope: &str| by_scope.get(scope).filter(|lease| !lease.left.is_zero()).map(|lease| lease.owner);
        let seats_of = |reaches| (0..SEATS).map(move |seat| seat_scope(reaches, seat));
        let seats: Vec<_> = seats_of(reaches).map(|seat| holder(&seat)).collect();
        let others: Vec<_> = seats_of(!reaches).map(|seat| (holder(&seat), seat)).collect();
        let gives_way = !reaches && others.iter().any(|(owner, _)| owner.is_some_and(|owner| owner != self.owner));
        let mine = seats.iter().position(|seat| *seat == Some(self.owner));
        let seat = mine.or_else(|| seats.iter().position(Option::is_none));
        let mut claim = Claim::default();
        claim.want.extend(seat.and_then(|seat| u16::try_from(seat).ok()).map(|seat| seat_scope(reaches, seat)));
        claim.leave.extend(others.into_iter().filter(|(owner, _)| *owner == Some(self.owner)).map(|(_, seat)| seat));
        let mut seating = Seating {
            owned: BTreeMap::new(),
            spare: Vec::new(),
            claim,
            hungry: mine.is_none() && seat.is_some(),
            patience: None,
        };
        let others = leases.iter().filter(|lease| lease.owner != self.owner && !lease.left.is_zero());
        seating.patience = others.map(|lease| lease.left + GRACE).min();
        for group in 0..self.groups {
            let lease = by_scope.get(group_scope(group).as_str()).copied();
            if let Some(lease) = lease.filter(|lease| lease.owner == self.owner && !lease.left.is_zero()) {
                seating.owned.insert(group, lease.epoch);
            }
        }
        if gives_way {
            seating.spare = seating.owned.keys().copied().collect();
            return seating;
        }
        if mine.is_none() {
            // Who has no seat is not counted by the others, and takes nothing.
            seating.claim.want.extend(seating.owned.keys().copied().map(group_scope));
            return seating;
        }
        let taken = seats.iter().flatten().count().max(1);
        let fair = usize::from(self.groups).div_ceil(taken);
        let surplus = seating.owned.len().saturating_sub(fair);
        seating.spare = seating.owned.keys().rev().take(surplus).copied().collect();
        let kept = seating.owned.keys().filter(|group| !seating.spare.contains(group)).copied();
        seating.claim.want.extend(kept.map(group_scope));
        let free = (0..self.groups).filter(|group| holder(&group_scope(*group)).is_none());
        let more: Vec<_> = free.take(fair.saturating_sub(seating.owned.len())).map(group_scope).collect();
        seating.hungry |= !more.is_empty();
        seating.claim.want.extend(more);
        seating
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leases::LeaseBook;
    use crate::time::Timestamp;

    const TTL: Duration = Duration::from_secs(10);

    /// Lets each process look and claim in turn, until nobody asks for more. Spare groups are ended at once.
    fn settle(book: &mut LeaseBook, now: Timestamp, owners: &[u128]) -> Vec<usize> {
        settle_some(book, now, owners, &[])
    }
    fn settle_some(book: &mut LeaseBook, now: Timestamp, owners: &[u128], deaf: &[u128]) -> Vec<usize> {
        for _ in 0..20 {
            for owner in owners {
                let seats = Seats::new(Uuid::from_u128(*owner), 16);
                let mut seating = seats.look(&book.list(now), !deaf.contains(owner));
                seating.claim.leave.extend(seating.spare.iter().copied().map(group_scope));
                let owner = Uuid::from_u128(*owner);
                let taken = book.weigh(owner, &seating.claim, now, |_| Epoch::ZERO);
                book.settle(owner, &seating.claim, taken, now, TTL);
            }
        }
        let owned = |owner: &u128| Seats::new(Uuid::from_u128(*owner), 16).look(&book.list(now), true).owned.len();
        owners.iter().map(owned).collect()
    }

    #[test]
    fn groups_are_spread_evenly_and_follow_who_comes_and_goes() {
        let (mut book, mut now) = (LeaseBook::default(), Timestamp(0));
        assert_eq!(settle(&mut book, now, &[1]), [16]);
        assert_eq!(settle(&mut book, now, &[1, 2]), [8, 8]);
        let three = settle(&mut book, now, &[1, 2, 3]);
        assert!(three.iter().sum::<usize>() == 16 && three.iter().all(|owned| (4..=6).contains(owned)), "{three:?}");
        // The first is gone without a word: its leases run out.
        now = now.plus(TTL);
        let two = settle(&mut book, now, &[2, 3]);
        assert_eq!(two, [8, 8]);
    }

    #[test]
    fn who_does_not_reach_the_bus_gives_way_to_who_does_and_alone_goes_on() {
        let (mut book, mut now) = (LeaseBook::default(), Timestamp(0));
        assert_eq!(settle(&mut book, now, &[1, 2, 3]).iter().sum::<usize>(), 16);
        assert_eq!(settle_some(&mut book, now, &[1, 2, 3], &[1]), [0, 8, 8], "one of three hears nothing");
        assert_eq!(settle_some(&mut book, now, &[1, 2, 3], &[1, 2]), [0, 0, 16]);
        // Now nobody does: what is held is kept, and shared again when the last has gone.
        assert_eq!(settle_some(&mut book, now, &[1, 2, 3], &[1, 2, 3]).iter().sum::<usize>(), 16);
        now = now.plus(TTL);
        assert_eq!(settle_some(&mut book, now, &[1, 2], &[1, 2]), [8, 8]);
        assert_eq!(settle_some(&mut book, now, &[1, 2], &[2]), [16, 0], "the first hears again");
        assert_eq!(settle(&mut book, now, &[1, 2]), [8, 8]);
        assert_eq!(settle_some(&mut book, now.plus(TTL), &[1], &[1]), [16], "alone");
    }

    #[test]
    fn nobody_asks_for_what_another_holds() {
        let (mut book, now) = (LeaseBook::default(), Timestamp(0));
        settle(&mut book, now, &[1]);
        let seating = Seats::new(Uuid::from_u128(2), 16).look(&book.list(now), true);
        assert_eq!((seating.claim.want, seating.patience), (vec!["seat:1".to_owned()], Some(TTL + GRACE)));
    }
}

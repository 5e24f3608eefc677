//! Laws of ownership: one owner at a time, an epoch that grows with every change of hands, and fences that follow it.

use super::{Reopen, all, append, ok, stream};
use saga_core::batch::{Batch, Commit, Fence};
use saga_core::id::Epoch;
use saga_core::ports::{Claim, Lease, SharedStore};
use std::time::Duration;
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(3_600);
const ADA: Uuid = Uuid::from_u128(1);
const BOB: Uuid = Uuid::from_u128(2);

async fn claim(store: &SharedStore, owner: Uuid, want: &[&str], leave: &[&str], ttl: Duration) -> Vec<Lease> {
    let names = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let claim = Claim { want: names(want), leave: names(leave) };
    store.lease(owner, &claim, ttl).await.expect("leases")
}
fn owned(leases: &[Lease], scope: &str) -> Option<(Uuid, Epoch, bool)> {
    let lease = leases.iter().find(|lease| lease.scope == scope)?;
    Some((lease.owner, lease.epoch, !lease.left.is_zero()))
}
/// A commit as the owner with this epoch.
async fn write(store: &SharedStore, epoch: Epoch, name: &str, number: u128) -> Commit {
    let fence = Some(Fence { scope: "a".to_owned(), epoch });
    store.commit(Batch { fence, ..append(&stream(name), 0, [number]) }).await
}

/// While a lease holds, nobody else gets it; its holder keeps its epoch.
pub async fn a_scope_has_one_owner_at_a_time(store: SharedStore, _: Reopen) {
    let first = claim(&store, ADA, &["a", "b"], &[], LONG).await;
    let (_, epoch, holds) = owned(&first, "a").expect("taken");
    assert!(holds && epoch > Epoch::ZERO);
    let second = claim(&store, BOB, &["a", "c"], &[], LONG).await;
    assert_eq!(owned(&second, "a"), Some((ADA, epoch, true)), "it stays with its owner");
    assert_eq!(owned(&second, "c").map(|(owner, ..)| owner), Some(BOB), "the rest of the claim is granted");
    let renewed = claim(&store, ADA, &["a"], &[], LONG).await;
    assert_eq!(owned(&renewed, "a"), Some((ADA, epoch, true)), "a renewal keeps the epoch");
    assert_eq!(renewed.len(), 3, "the answer lists every lease: {renewed:?}");
}
/// A lease that ran out goes to the first process that asks, with a higher epoch; its old holder cannot write any more.
pub async fn a_lease_that_ran_out_changes_hands_and_fences(store: SharedStore, _: Reopen) {
    let (_, old, holds) = owned(&claim(&store, ADA, &["a"], &[], Duration::ZERO).await, "a").expect("taken");
    assert!(!holds, "it ran out at once");
    assert!(matches!(write(&store, old, "before", 1).await, Commit::Ok(_)), "nobody else has it: the owner may write");
    let (owner, new, _) = owned(&claim(&store, BOB, &["a"], &[], LONG).await, "a").expect("taken");
    assert_eq!((owner, new), (BOB, Epoch(old.0 + 1)));
    // Nothing was written by the new owner yet: the change of hands alone is the fence.
    let late = write(&store, old, "after", 2).await;
    assert!(matches!(late, Commit::Fenced { current } if current == new), "{late:?}");
    assert!(matches!(write(&store, new, "after", 3).await, Commit::Ok(_)));
}
/// The owner whose lease ran out and was taken by nobody keeps its epoch.
pub async fn nobody_between_means_the_same_epoch(store: SharedStore, _: Reopen) {
    let (_, old, _) = owned(&claim(&store, ADA, &["a"], &[], Duration::ZERO).await, "a").expect("taken");
    let (owner, again, holds) = owned(&claim(&store, ADA, &["a"], &[], LONG).await, "a").expect("taken");
    assert_eq!((owner, again, holds), (ADA, old, true));
}
/// A scope that is given back is free at once; one of another owner cannot be given back.
pub async fn only_the_owner_gives_back(store: SharedStore, _: Reopen) {
    let (_, old, _) = owned(&claim(&store, ADA, &["a"], &[], LONG).await, "a").expect("taken");
    let after = claim(&store, BOB, &["a"], &["a"], LONG).await;
    assert_eq!(owned(&after, "a"), Some((ADA, old, true)));
    let after = claim(&store, ADA, &[], &["a"], LONG).await;
    assert_eq!(owned(&after, "a"), Some((ADA, old, false)));
    let after = claim(&store, BOB, &["a"], &[], LONG).await;
    assert_eq!(owned(&after, "a"), Some((BOB, Epoch(old.0 + 1), true)));
}
/// Of many who ask at once, one gets it.
pub async fn a_race_for_a_scope_has_one_winner(store: SharedStore, _: Reopen) {
    let racers = (10..20).map(|number| {
        let store = store.clone();
        async move { claim(&store, Uuid::from_u128(number), &["a"], &[], LONG).await }
    });
    let seen = all(racers).await;
    let winners: Vec<_> = seen.iter().filter_map(|leases| owned(leases, "a")).collect();
    assert_eq!(winners.len(), 10);
    assert!(winners.iter().all(|winner| winner == &winners[0]), "everybody sees the same owner: {winners:?}");
}
/// Epochs survive everything; whether a lease survives its store being closed is the store's to say.
pub async fn epochs_survive_reopening(store: SharedStore, reopen: Reopen) {
    let (_, old, _) = owned(&claim(&store, ADA, &["a"], &[], Duration::ZERO).await, "a").expect("taken");
    ok(&store, append(&stream("some"), 0, [1])).await;
    drop(store);
    let store = reopen().await;
    let (_, new, _) = owned(&claim(&store, BOB, &["a"], &[], LONG).await, "a").expect("taken");
    assert!(new > old, "{new} must be above {old}");
}

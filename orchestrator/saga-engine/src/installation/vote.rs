//! Which installation several stores belong to, when they disagree.

use std::collections::BTreeMap;
use uuid::Uuid;

/// The installation that most stores belong to; the coordinator's store, whose own id is its name, decides where it is not
/// outvoted. So one stranger is told as one, also when it is the coordinator's. `None`: nobody says it, or there is no most.
pub(super) fn elected(own: Option<Uuid>, others: impl Iterator<Item = Uuid>) -> Option<Uuid> {
    let mut votes: BTreeMap<Uuid, usize> = own.into_iter().map(|own| (own, 1)).collect();
    others.for_each(|theirs| *votes.entry(theirs).or_default() += 1);
    let most = votes.values().copied().max()?;
    let mut leaders = votes.iter().filter(|(_, count)| **count == most).map(|(id, _)| *id);
    let (leader, another) = (leaders.next()?, leaders.next());
    match own {
        Some(own) if another.is_some() || votes.get(&own) == Some(&most) => Some(own),
        _ => another.is_none().then_some(leader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What it is, the coordinator's, the others', and who is elected.
    type Row = (&'static str, Option<u128>, &'static [u128], Option<u128>);

    #[test]
    fn the_most_decide_and_the_coordinators_store_where_it_is_not_outvoted() {
        let table: &[Row] = &[
            ("nobody says it", None, &[], None),
            ("the coordinator's alone", Some(1), &[], Some(1)),
            ("all say the same", Some(1), &[1, 1, 1], Some(1)),
            ("one module's is a stranger", Some(1), &[1, 1, 2], Some(1)),
            ("the coordinator's is a stranger", Some(1), &[2, 2, 2], Some(2)),
            ("the coordinator's came with one other", Some(1), &[1, 2, 2, 2], Some(2)),
            ("as many say another", Some(1), &[1, 2, 2], Some(1)),
            ("one against one", Some(1), &[2], Some(1)),
            ("strangers of several", Some(1), &[2, 2, 3, 3], Some(1)),
            ("no coordinator's, and one stranger", None, &[1, 1, 2], Some(1)),
            ("no coordinator's, and as many say another", None, &[1, 2], None),
        ];
        for (what, own, others, expected) in table {
            let others = others.iter().copied().map(Uuid::from_u128);
            assert_eq!(elected(own.map(Uuid::from_u128), others), expected.map(Uuid::from_u128), "{what}");
        }
    }
}

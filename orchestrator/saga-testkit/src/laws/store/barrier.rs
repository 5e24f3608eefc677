//! What the inbox and the fences promise.

use super::{Reopen, all, append, entry, log, ok, stream};
use saga_core::batch::{Batch, Commit, Conflict, Fence, InboxEntry};
use saga_core::id::{Direction, Epoch, StepKey};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use saga_core::ports::{Recollection, Remembered, SharedStore};
use uuid::Uuid;

fn with(entry: InboxEntry, number: u128) -> Batch {
    Batch { inbox: Some(entry), ..append(&stream(&format!("deed{number}")), 0, [number]) }
}
fn undo_of(deed: &InboxEntry) -> InboxEntry {
    let key = deed.unless.unwrap_or(deed.key);
    InboxEntry { key, direction: Direction::Undo, unless: None, ..deed.clone() }
}

/// A key exists once; the second gets the first answer and the hash of its payload, and writes nothing.
pub async fn a_key_is_answered_once(store: SharedStore, reopen: Reopen) {
    let first = entry(1, "pay", r#"{"paid":1}"#);
    ok(&store, with(first.clone(), 1)).await;
    let second =
        InboxEntry { payload_hash: [9; 32], answer: Answer::Done { output: Payload::trusted("2") }, ..first.clone() };
    let expect = |commit: Commit| {
        let Commit::Conflict(Conflict::Answered { answer, payload_hash }) = commit else {
            panic!("must be answered already, but: {commit:?}")
        };
        assert_eq!((answer, payload_hash), (first.answer.clone(), first.payload_hash));
    };
    expect(store.commit(with(second.clone(), 2)).await);
    drop(store);
    let store = reopen().await;
    expect(store.commit(with(second, 3)).await);
    assert_eq!(log(&store).await.len(), 1);
    // Another deed of the same saga is another key.
    ok(&store, with(entry(1, "ship", "1"), 4)).await;
}

/// Of many deliveries of one deed at once, exactly one has its effect.
pub async fn a_key_is_answered_once_under_race(store: SharedStore, _reopen: Reopen) {
    let racers = (0..16_u128).map(|racer| with(entry(1, "pay", &racer.to_string()), 1 + racer));
    let answers = all(racers.map(|batch| store.commit(batch))).await;
    let winner = answers.iter().position(|answer| matches!(answer, Commit::Ok(_)));
    let output = Payload::trusted(winner.map_or_else(String::new, |winner| winner.to_string()));
    let given = Answer::Done { output };
    let losers = answers
        .iter()
        .filter(|answer| matches!(answer, Commit::Conflict(Conflict::Answered { answer, .. }) if *answer == given));
    assert_eq!(losers.count(), 15, "{answers:?}");
    assert_eq!(log(&store).await.len(), 1);
}

/// A deed that names its undo cannot slip past it; the undo itself can come after its deed.
pub async fn an_undone_deed_is_not_done(store: SharedStore, reopen: Reopen) {
    let late = entry(1, "pay", "1");
    ok(&store, with(undo_of(&late), 1)).await;
    let answer = store.commit(with(late.clone(), 2)).await;
    assert!(matches!(answer, Commit::Conflict(Conflict::Undone)), "{answer:?}");
    drop(store);
    let store = reopen().await;
    let answer = store.commit(with(late, 2)).await;
    assert!(matches!(answer, Commit::Conflict(Conflict::Undone)), "{answer:?}");
    assert_eq!(log(&store).await.len(), 1);
    let timely = entry(2, "pay", "1");
    ok(&store, with(timely.clone(), 3)).await;
    ok(&store, with(undo_of(&timely), 4)).await;
    // Both at once: the second sees the first.
    let racing = entry(3, "pay", "1");
    let answers = all([with(undo_of(&racing), 5), with(racing, 6)].map(|batch| store.commit(batch))).await;
    let wrong = |answer: &Commit| !matches!(answer, Commit::Ok(_) | Commit::Conflict(Conflict::Undone));
    assert!(!answers.iter().any(wrong), "{answers:?}");
}

/// Each of the three is found, or missing, on its own; the epoch is that of the whole saga.
pub async fn answered_gives_deed_undo_and_newest_epoch(store: SharedStore, reopen: Reopen) {
    let deed = InboxEntry { epoch: Epoch(3), ..entry(1, "pay", "1") };
    let other = InboxEntry { epoch: Epoch(5), ..entry(1, "ship", "2") };
    let stranger = InboxEntry { epoch: Epoch(8), ..entry(2, "pay", "3") };
    let saga = deed.saga;
    let (do_key, undo_key) = (deed.key, StepKey::derive(saga, "pay", Direction::Undo));
    let remembered = |entry: &InboxEntry| Remembered { payload_hash: entry.payload_hash, answer: entry.answer.clone() };
    let ask = async |store: &SharedStore| store.answered(saga, do_key, undo_key).await.expect("a readable inbox");

    assert_eq!(ask(&store).await, Recollection::default());
    ok(&store, with(stranger, 1)).await;
    ok(&store, with(other, 2)).await;
    assert_eq!(ask(&store).await, Recollection { epoch: Epoch(5), ..Recollection::default() });
    ok(&store, with(deed.clone(), 3)).await;
    let mut expected = Recollection { deed: Some(remembered(&deed)), undo: None, epoch: Epoch(5) };
    assert_eq!(ask(&store).await, expected);
    let undo = InboxEntry { epoch: Epoch(6), ..undo_of(&deed) };
    ok(&store, with(undo.clone(), 4)).await;
    expected = Recollection { undo: Some(remembered(&undo)), epoch: Epoch(6), ..expected };
    assert_eq!(ask(&store).await, expected);
    drop(store);
    assert_eq!(ask(&reopen().await).await, expected);
}

/// Done, refused with and without fields, and weather; outputs to the byte.
pub async fn every_answer_comes_back_as_it_was_given(store: SharedStore, reopen: Reopen) {
    let fields = Some(Payload::trusted(r#"{"left": 9007199254740993}"#));
    let answers = [
        Answer::Done { output: Payload::trusted(r#"{ "spaced": 1.50, "ä": "𝄞" }"#) },
        Answer::Refused(Refused::new("SOLD_OUT", "nothing is left")),
        Answer::Refused(Refused { fields, ..Refused::new("SOLD_OUT", "little is left") }),
        Answer::Retry { after_ms: 250, reason: "rain".to_owned() },
    ];
    for (at, answer) in (1_u128..).zip(&answers) {
        ok(&store, with(InboxEntry { answer: answer.clone(), ..entry(at, "pay", "1") }, at)).await;
    }
    drop(store);
    let store = reopen().await;
    for (at, answer) in (1_u128..).zip(answers) {
        let InboxEntry { saga, key, .. } = entry(at, "pay", "1");
        let found = store.answered(saga, key, StepKey::from_uuid(Uuid::nil())).await.expect("a readable inbox");
        assert_eq!(found.deed.map(|deed| deed.answer), Some(answer));
    }
}

fn fenced(scope: &str, epoch: u64, number: u128) -> Batch {
    let fence = Fence { scope: scope.to_owned(), epoch: Epoch(epoch) };
    Batch { fence: Some(fence), ..append(&stream(&format!("owned{number}")), 0, [number]) }
}

/// An older epoch writes nothing, a newer one is learnt in the same commit, and both survive a restart.
pub async fn an_old_epoch_is_fenced(store: SharedStore, reopen: Reopen) {
    ok(&store, fenced("group:0", 3, 1)).await;
    ok(&store, fenced("group:0", 3, 2)).await;
    ok(&store, fenced("group:1", 1, 3)).await;
    ok(&store, fenced("group:0", 5, 4)).await;
    let old = store.commit(fenced("group:0", 4, 5)).await;
    assert!(matches!(old, Commit::Fenced { current: Epoch(5) }), "{old:?}");
    drop(store);
    let store = reopen().await;
    let old = store.commit(fenced("group:0", 4, 5)).await;
    assert!(matches!(old, Commit::Fenced { current: Epoch(5) }), "{old:?}");
    assert_eq!(log(&store).await.len(), 4);
    // The old owner's repetition is fenced too: it must stop, whatever it wrote before.
    let old = store.commit(fenced("group:0", 3, 1)).await;
    assert!(matches!(old, Commit::Fenced { current: Epoch(5) }), "{old:?}");
    ok(&store, fenced("group:0", 5, 6)).await;
}

/// All or nothing holds for epochs as well.
pub async fn a_refused_batch_teaches_no_epoch(store: SharedStore, _reopen: Reopen) {
    ok(&store, fenced("group:0", 1, 1)).await;
    let mut conflicting = fenced("group:0", 9, 2);
    conflicting.writes.extend(append(&stream("owned1"), 0, [3]).writes);
    let answer = store.commit(conflicting).await;
    assert!(matches!(answer, Commit::Conflict(Conflict::Stream { .. })), "{answer:?}");
    ok(&store, fenced("group:0", 2, 4)).await;
}

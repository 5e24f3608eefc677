//! What a commit promises.

use super::{Reopen, all, append, check_log, entry, event, log, ok, stream};
use saga_core::batch::{
    BLOB_BYTES_MAX, Batch, Blob, Commit, Conflict, DOCUMENTS_PER_BATCH_MAX, DocumentWrite, EVENTS_PER_BATCH_MAX,
    LimitBroken, Mark, Snapshot, StreamWrite,
};
use saga_core::envelope::sha256;
use saga_core::id::{Direction, Position, StepKey, Version};
use saga_core::json::{PAYLOAD_BYTES_MAX, Payload};
use saga_core::ports::{Cached, SharedStore};
use uuid::Uuid;

/// A batch with something of everything.
pub(crate) fn full(number: u128) -> Batch {
    let fresh = stream(&format!("full{number}"));
    let text = format!("long text {number}").into_bytes();
    Batch {
        inbox: Some(entry(number, "pay", "1")),
        marks: vec![Mark { consumer: "full@law".to_owned(), position: Position(7) }],
        documents: vec![document("full", "k", Some("{}"))],
        blobs: vec![Blob { sha256: sha256(&text), bytes: text }],
        snapshots: vec![snapshot(number)],
        ..append(&fresh, 0, [number])
    }
}
fn snapshot(number: u128) -> Snapshot {
    let stream = stream(&format!("full{number}"));
    Snapshot { stream, version: Version(1), digest: "d".to_owned(), state: Payload::trusted("{}") }
}
pub(crate) fn document(projection: &str, key: &str, body: Option<&str>) -> DocumentWrite {
    DocumentWrite {
        projection: projection.to_owned(),
        version: 1,
        key: key.to_owned(),
        body: body.map(Payload::trusted),
        index: Vec::new(),
    }
}

async fn nothing_of(store: &SharedStore, number: u128) {
    let saga = Uuid::from_u128(number);
    let (deed, undo) = (Direction::Do, Direction::Undo);
    let keys = [deed, undo].map(|direction| StepKey::derive(saga, "pay", direction));
    let fresh = stream(&format!("full{number}"));
    let blob = Cached::Blob(sha256(format!("long text {number}").as_bytes()));
    let snapshot = Cached::Snapshot { stream: fresh.clone(), digest: "d".to_owned() };
    assert_eq!(store.read(&fresh, Version::ZERO, 9).await.expect("a readable stream"), []);
    assert_eq!(store.answered(saga, keys[0], keys[1]).await, Ok(Default::default()));
    assert_eq!(store.checkpoint("full@law").await, Ok(Position::ZERO));
    assert_eq!(store.get("full", 1, "k").await, Ok(None));
    assert_eq!(store.cached(&blob).await, Ok(None));
    assert_eq!(store.cached(&snapshot).await, Ok(None));
}

/// A conflict in one of several writes writes nothing at all.
pub async fn a_commit_is_all_or_nothing(store: SharedStore, reopen: Reopen) {
    let moved = stream("moved");
    ok(&store, append(&moved, 0, [1])).await;
    let mut batch = full(2);
    batch.writes.extend(append(&moved, 0, [3]).writes);
    let answer = store.commit(batch).await;
    let Commit::Conflict(Conflict::Stream { stream: which, actual }) = answer else {
        panic!("must conflict, but: {answer:?}")
    };
    assert_eq!((which, actual), (moved, Version(1)));
    nothing_of(&store, 2).await;
    let fresh = stream("full2");
    drop(store);
    let store = reopen().await;
    nothing_of(&store, 2).await;
    assert_eq!(log(&store).await.len(), 1);
    ok(&store, full(2)).await;
    assert_eq!(store.read(&fresh, Version::ZERO, 9).await.map(|events| events.len()), Ok(1));
    assert_eq!(store.checkpoint("full@law").await, Ok(Position(7)));
}

/// Of many appends with the same expected version, exactly one wins, round after round.
pub async fn expected_versions_hold_under_race(store: SharedStore, _reopen: Reopen) {
    let raced = stream("raced");
    for round in 0..5_u64 {
        let racers = (0..16).map(|racer| store.commit(append(&raced, round, [u128::from(round) * 100 + racer + 1])));
        let answers = all(racers).await;
        let mut winners = 0;
        for answer in answers {
            if let Commit::Ok(receipt) = answer {
                winners += 1;
                assert_eq!(receipt.versions, [Version(round + 1)]);
                continue;
            }
            let Commit::Conflict(Conflict::Stream { actual, .. }) = answer else {
                panic!("neither won nor lost: {answer:?}")
            };
            assert_eq!(actual, Version(round + 1));
        }
        assert_eq!(winners, 1);
    }
    check_log(&log(&store).await);
}

/// Each limit has its own refusal, and nothing of the batch is written.
pub async fn too_large_is_refused_whole(store: SharedStore, _reopen: Reopen) {
    let many = EVENTS_PER_BATCH_MAX as u128 + 1;
    let mut wordy = append(&stream("wordy"), 0, [1]);
    wordy.writes[0].events[0].data = Payload::trusted(format!("\"{}\"", "x".repeat(PAYLOAD_BYTES_MAX)));
    let documents = (0..=DOCUMENTS_PER_BATCH_MAX).map(|at| document("large", &at.to_string(), Some("{}"))).collect();
    let mut indexed = document("large", "k", Some("{}"));
    indexed.index = vec![None; 5];
    let blob = Blob { sha256: [0; 32], bytes: vec![0; BLOB_BYTES_MAX + 1] };
    let other = append(&stream("other"), 0, [2]);
    let batches = [
        append(&stream("many"), 0, 1..=many),
        wordy,
        Batch { documents, ..other.clone() },
        Batch { documents: vec![indexed], ..other.clone() },
        Batch { blobs: vec![blob], ..other },
    ];
    let mut refusals = Vec::new();
    for batch in batches {
        let answer = store.commit(batch).await;
        let Commit::Rejected(limit) = answer else { panic!("must be rejected, but: {answer:?}") };
        refusals.push(limit);
    }
    assert!(
        matches!(
            refusals.as_slice(),
            [
                LimitBroken::Events { .. },
                LimitBroken::Payload { .. },
                LimitBroken::Documents { .. },
                LimitBroken::IndexFields { .. },
                LimitBroken::Blob { .. }
            ]
        ),
        "{refusals:?}"
    );
    assert_eq!(store.head().await, Ok(Position::ZERO));
    let most = ok(&store, append(&stream("most"), 0, 1..many)).await;
    assert_eq!(most.last, Position(EVENTS_PER_BATCH_MAX as u64));
}

/// Two expected versions of one stream in one batch could not both be meant.
pub async fn a_stream_may_stand_in_a_batch_once(store: SharedStore, _reopen: Reopen) {
    let twice = stream("twice");
    let mut batch = append(&twice, 0, [1]);
    batch.writes.extend(append(&twice, 1, [2]).writes);
    let answer = store.commit(batch).await;
    assert!(matches!(answer, Commit::Rejected(LimitBroken::StreamTwice { .. })), "{answer:?}");
    assert_eq!(store.head().await, Ok(Position::ZERO));
}

/// A write without events only holds a version, and decides about the rest of its batch.
pub async fn a_guard_without_events_holds_the_version(store: SharedStore, reopen: Reopen) {
    let (guarded, other) = (stream("guarded"), stream("other"));
    let guard = |expected| StreamWrite { stream: guarded.clone(), expected: Version(expected), events: Vec::new() };
    let with_guard = |expected, number: u128| {
        let mut batch = append(&other, u64::try_from(number - 1).unwrap_or(0), [number]);
        batch.writes.insert(0, guard(expected));
        batch
    };
    assert_eq!(ok(&store, with_guard(0, 1)).await.versions, [Version(0), Version(1)]);
    ok(&store, append(&guarded, 0, [9])).await;
    drop(store);
    let store = reopen().await;
    let late = store.commit(with_guard(0, 2)).await;
    assert!(matches!(late, Commit::Conflict(Conflict::Stream { actual: Version(1), .. })), "{late:?}");
    assert_eq!(ok(&store, with_guard(1, 2)).await.versions, [Version(1), Version(2)]);
    let alone = Batch { writes: vec![guard(1)], ..Batch::default() };
    assert_eq!(ok(&store, alone).await.last, Position(3));
}

/// As after an `Unknown`: the same event ids again answer with the first positions and write nothing.
pub async fn a_repeated_batch_gets_its_first_positions(store: SharedStore, reopen: Reopen) {
    let (left, right) = (stream("left"), stream("right"));
    let mut batch = append(&left, 0, [1, 2]);
    batch.writes.extend(append(&right, 0, [3]).writes);
    batch.inbox = Some(entry(1, "pay", "1"));
    let first = ok(&store, batch.clone()).await;
    assert_eq!((first.last, first.versions.as_slice()), (Position(3), [Version(2), Version(1)].as_slice()));
    assert_eq!(ok(&store, batch.clone()).await, first);
    ok(&store, append(&left, 2, [4])).await;
    assert_eq!(ok(&store, batch.clone()).await, first);
    drop(store);
    let store = reopen().await;
    assert_eq!(ok(&store, batch.clone()).await, first);
    assert_eq!(log(&store).await.len(), 4);
    // Also when the two of them are on their way together.
    let again = append(&stream("both"), 0, [5]);
    for answer in all([again.clone(), again].map(|batch| store.commit(batch))).await {
        assert!(matches!(&answer, Commit::Ok(receipt) if receipt.last == Position(5)), "{answer:?}");
    }
    check_log(&log(&store).await);
}

/// Only the same ids are a repetition; a prefix of them is not.
pub async fn a_reused_place_with_another_id_is_a_conflict(store: SharedStore, _reopen: Reopen) {
    let place = stream("place");
    ok(&store, append(&place, 0, [1])).await;
    for numbers in [vec![2], vec![1, 2]] {
        let answer = store.commit(append(&place, 0, numbers)).await;
        assert!(matches!(answer, Commit::Conflict(Conflict::Stream { actual: Version(1), .. })), "{answer:?}");
    }
}

/// Batches that travel in one transaction have their own fates.
pub async fn one_refused_batch_does_not_fail_its_neighbours(store: SharedStore, _reopen: Reopen) {
    let taken = stream("taken");
    ok(&store, append(&taken, 0, [1])).await;
    let batches = (0..20_u128).map(|at| match at % 4 {
        0 => append(&taken, 0, [100 + at]),
        _ => append(&stream(&format!("n{at}")), 0, [100 + at]),
    });
    let answers = all(batches.map(|batch| store.commit(batch))).await;
    for (at, answer) in answers.iter().enumerate() {
        let refused = matches!(answer, Commit::Conflict(_));
        assert_eq!(refused, at % 4 == 0, "batch {at}: {answer:?}");
        assert!(refused || matches!(answer, Commit::Ok(_)), "batch {at}: {answer:?}");
    }
    let log = log(&store).await;
    assert_eq!(log.len(), 16);
    check_log(&log);
}

/// A later batch of a group sees what an earlier one does.
pub async fn batches_of_one_stream_can_travel_together(store: SharedStore, reopen: Reopen) {
    let chained = stream("chained");
    let batches = (0..30_u64).map(|at| append(&chained, at, [u128::from(at) + 1]));
    for answer in all(batches.map(|batch| store.commit(batch))).await {
        assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    }
    drop(store);
    let store = reopen().await;
    // And a gap is refused, whether the version is remembered or not.
    let gap = store.commit(append(&chained, 31, [99])).await;
    assert!(matches!(gap, Commit::Conflict(Conflict::Stream { actual: Version(30), .. })), "{gap:?}");
    let events = store.read(&chained, Version::ZERO, usize::MAX).await.expect("a readable stream");
    assert_eq!(
        events.iter().map(|found| found.id).collect::<Vec<_>>(),
        (1..=30).map(|n| event(n).id).collect::<Vec<_>>()
    );
}

//! What reading the log promises.

use super::{Reopen, all, append, breathe, check_log, event, log, ok, stream};
use saga_core::batch::{Batch, Commit, Mark};
use saga_core::id::{Position, Version};
use saga_core::ports::SharedStore;
use std::collections::BTreeMap;

async fn fill(store: &SharedStore, batches: u64) {
    for at in 0..batches {
        let stream = stream(&format!("s{}", at % 3));
        let numbers = (0..at % 4 + 1).map(|event| u128::from(at * 10 + event + 1));
        let version = store.read(&stream, Version::ZERO, usize::MAX).await.expect("a readable stream").len();
        ok(store, append(&stream, version as u64, numbers)).await;
    }
}

/// Positions and versions count every event, in the order of the commits.
pub async fn positions_have_no_gap_and_follow_commits(store: SharedStore, _reopen: Reopen) {
    let first = ok(&store, append(&stream("a"), 0, [1, 2])).await;
    let second = ok(&store, append(&stream("b"), 0, [3])).await;
    let third = ok(&store, append(&stream("a"), 2, [4])).await;
    let marks = vec![Mark { consumer: "c@law".to_owned(), position: Position(1) }];
    let nothing = ok(&store, Batch { marks, ..Batch::default() }).await;
    let last = [first, second, third, nothing].map(|receipt| receipt.last.0);
    assert_eq!(last, [2, 3, 4, 4]);
    let log = log(&store).await;
    assert_eq!(log.iter().map(|found| found.id).collect::<Vec<_>>(), [1, 2, 3, 4].map(|number| event(number).id));
    check_log(&log);
}

/// Private events have no public place, and leave no gap in the places of the others.
pub async fn public_places_are_dense_over_public_events(store: SharedStore, reopen: Reopen) {
    ok(&store, append(&stream("a"), 0, [1, 2, 3])).await;
    ok(&store, append(&stream("b"), 0, [5])).await;
    drop(store);
    let store = reopen().await;
    ok(&store, append(&stream("c"), 0, [4, 6])).await;
    let places: Vec<_> = log(&store).await.iter().map(|found| found.public_seq).collect();
    assert_eq!(places, [None, Some(1), None, None, Some(2), Some(3)]);
}

/// The time of recording never goes back, whatever the clock does.
pub async fn recorded_time_never_goes_back(store: SharedStore, reopen: Reopen) {
    fill(&store, 4).await;
    drop(store);
    let store = reopen().await;
    ok(&store, append(&stream("later"), 0, [500])).await;
    check_log(&log(&store).await);
}

/// A reader that has seen a position has seen everything before it, while many write.
pub async fn no_reader_passes_an_open_position(store: SharedStore, _reopen: Reopen) {
    const WRITERS: u128 = 8;
    const COMMITS: u128 = 20;
    let (total, shared) = (WRITERS * COMMITS * 2, &store);
    let write = |writer: u128| async move {
        for commit in 0..COMMITS {
            let number = 1 + (writer * COMMITS + commit) * 2;
            let version = u64::try_from(commit * 2).unwrap_or(0);
            ok(shared, append(&stream(&format!("w{writer}")), version, [number, number + 1])).await;
        }
    };
    let read = |page: usize| async move {
        let mut seen = Vec::new();
        while (seen.len() as u128) < total {
            let after = Position(seen.len() as u64);
            seen.extend(shared.read_log(after, page).await.expect("a readable log"));
            assert_eq!(seen.last().map_or(0, |last| last.position.0), seen.len() as u64, "nothing was skipped");
            breathe().await;
        }
        check_log(&seen);
    };
    let writers =
        (0..WRITERS).map(|writer| Box::pin(write(writer)) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>);
    let readers = [1, 3, 1_000].map(|page| Box::pin(read(page)) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>);
    all(writers.chain(readers)).await;
}

/// Paging from anywhere with any limit gives the same list.
pub async fn reads_restart_anywhere(store: SharedStore, reopen: Reopen) {
    fill(&store, 12).await;
    let whole = log(&store).await;
    drop(store);
    let store = reopen().await;
    ok(&store, append(&stream("near"), 0, [900, 901])).await;
    let whole_now = log(&store).await;
    assert_eq!(whole_now[..whole.len()], whole);
    for after in 0..=whole_now.len() {
        for limit in [0, 1, 2, 5, 100] {
            let page = store.read_log(Position(after as u64), limit).await.expect("a readable log");
            let expected: Vec<_> = whole_now.iter().skip(after).take(limit).cloned().collect();
            assert_eq!(page, expected, "after {after}, limit {limit}");
        }
    }
    // Behind everything is nothing, also where a number of the database ends and where ours does.
    let beyond = [10_000, i64::MAX.cast_unsigned(), i64::MAX.cast_unsigned() + 1, u64::MAX];
    for after in beyond {
        let page = store.read_log(Position(after), 5).await.expect("a readable log");
        assert_eq!(page, [], "after {after}");
    }
    let mut streams = BTreeMap::<_, Vec<_>>::new();
    whole_now.iter().for_each(|event| streams.entry(event.stream.clone()).or_default().push(event.clone()));
    for (stream, events) in streams {
        for after in beyond {
            let page = store.read(&stream, Version(after), 5).await.expect("a readable stream");
            assert_eq!(page, [], "{stream} after {after}");
        }
        for after in 0..=events.len() {
            for limit in [0, 1, 3, usize::MAX] {
                let page = store.read(&stream, Version(after as u64), limit).await.expect("a readable stream");
                let expected: Vec<_> = events.iter().skip(after).take(limit).cloned().collect();
                assert_eq!(page, expected, "{stream} after {after}, limit {limit}");
            }
        }
    }
}

/// An event that was read once is read again to the byte, also after more was written and after a restart.
pub async fn nothing_is_rewritten(store: SharedStore, reopen: Reopen) {
    fill(&store, 6).await;
    let before = log(&store).await;
    let wanted = event(1);
    assert_eq!((&before[0].data, &before[0].meta, before[0].time), (&wanted.data, &wanted.meta, wanted.time));
    ok(&store, append(&stream("more"), 0, [700])).await;
    assert_eq!(log(&store).await[..before.len()], before);
    drop(store);
    let store = reopen().await;
    let after = log(&store).await;
    assert_eq!(after[..before.len()], before);
    check_log(&after);
}

/// Counting goes on where it stopped.
pub async fn the_log_survives_reopening(store: SharedStore, reopen: Reopen) {
    ok(&store, append(&stream("a"), 0, [1, 2])).await;
    drop(store);
    let store = reopen().await;
    assert_eq!(store.head().await, Ok(Position(2)));
    let stale = store.commit(append(&stream("a"), 0, [3])).await;
    assert!(matches!(stale, Commit::Conflict(_)), "{stale:?}");
    assert_eq!(ok(&store, append(&stream("a"), 2, [3])).await.last, Position(3));
    check_log(&log(&store).await);
}

/// A reader that waits for growth is woken by it; a reader that is behind does not wait; a cancelled wait loses
/// nothing.
pub async fn the_head_wakes_who_waits_for_growth(store: SharedStore, _reopen: Reopen) {
    assert_eq!(store.head().await, Ok(Position::ZERO));
    let mut cancelled = Box::pin(store.grown(Position::ZERO));
    std::future::poll_fn(|cx| {
        assert!(cancelled.as_mut().poll(cx).is_pending(), "nothing has grown");
        std::task::Poll::Ready(())
    })
    .await;
    drop(cancelled);
    let (waiter, writer) = (&store, &store);
    type Step<'a> = std::pin::Pin<Box<dyn Future<Output = Position> + Send + 'a>>;
    let wait: Step<'_> = Box::pin(waiter.grown(Position::ZERO));
    let write: Step<'_> = Box::pin(async move { ok(writer, append(&stream("a"), 0, [1])).await.last });
    assert_eq!(all([wait, write]).await, [Position(1), Position(1)]);
    assert_eq!(store.grown(Position::ZERO).await, Position(1));
    assert_eq!(store.head().await, Ok(Position(1)));
}

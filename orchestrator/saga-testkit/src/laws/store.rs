//! The laws of a store: what [`EventStore`](saga_core::ports::EventStore), [`Documents`](saga_core::ports::Documents) and [`Tail`](saga_core::ports::Tail)
//! promise, as tests that any implementation runs through [`store_laws!`](crate::store_laws).
#![expect(clippy::panic, clippy::expect_used, reason = "a law is a test that other crates run: it speaks by panicking")]

pub mod barrier;
pub mod commit;
pub mod documents;
pub mod leases;
pub mod log;

use saga_core::batch::{Batch, Commit, InboxEntry, Receipt, StreamWrite};
use saga_core::envelope::{NewEvent, Recorded, chain};
use saga_core::id::{Direction, Epoch, EventId, Position, StepKey, StreamId, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::SharedStore;
use saga_core::time::Timestamp;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use uuid::Uuid;

/// Closes the store that was given out and opens the same data again.
pub type Reopen = Box<dyn Fn() -> Pin<Box<dyn Future<Output = SharedStore> + Send>> + Send + Sync>;

/// Writes one test for each law of a store. `$make` is an async function that gives a fresh, empty store and its
/// [`Reopen`](crate::laws::store::Reopen); the caller needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! store_laws {
    ($make:path) => {
        $crate::store_laws! { $make;
            commit: a_commit_is_all_or_nothing, expected_versions_hold_under_race, too_large_is_refused_whole,
                a_stream_may_stand_in_a_batch_once, a_guard_without_events_holds_the_version,
                a_repeated_batch_gets_its_first_positions, a_reused_place_with_another_id_is_a_conflict,
                one_refused_batch_does_not_fail_its_neighbours, batches_of_one_stream_can_travel_together;
            barrier: a_key_is_answered_once, a_key_is_answered_once_under_race, an_undone_deed_is_not_done,
                answered_gives_deed_undo_and_newest_epoch, every_answer_comes_back_as_it_was_given,
                an_old_epoch_is_fenced, a_refused_batch_teaches_no_epoch;
            log: positions_have_no_gap_and_follow_commits, public_places_are_dense_over_public_events,
                recorded_time_never_goes_back, no_reader_passes_an_open_position, reads_restart_anywhere,
                nothing_is_rewritten, the_log_survives_reopening, the_head_wakes_who_waits_for_growth;
            documents: marks_and_documents_move_with_their_commit, a_stranger_has_no_checkpoint,
                documents_are_found_by_filter, keys_are_found_by_their_ending, documents_are_ordered, every_page_size_gives_the_same_list,
                a_removed_document_vanishes, versions_of_a_projection_are_apart, blobs_are_kept_by_hash,
                the_last_snapshot_of_the_right_type_is_kept;
            leases: a_scope_has_one_owner_at_a_time, a_lease_that_ran_out_changes_hands_and_fences,
                nobody_between_means_the_same_epoch, only_the_owner_gives_back, a_race_for_a_scope_has_one_winner,
                epochs_survive_reopening;
        }
    };
    ($make:path; $($part:ident: $($law:ident),+;)+) => { $($(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $law() {
            let (store, reopen) = $make().await;
            $crate::laws::store::$part::$law(store, reopen).await;
        }
    )+)+ };
}

/// A stream of the tests.
pub(crate) fn stream(name: &str) -> StreamId {
    StreamId::parse(&format!("law-{name}")).expect("a legal name")
}

/// An event whose id is its number.
pub(crate) fn event(number: u128) -> NewEvent {
    NewEvent {
        id: EventId(Uuid::from_u128(number)),
        name: "Noted",
        version: 1,
        data: Payload::trusted(format!(r#"{{"number":{number},"text":"ä 𝄞 \"quoted\"","big":9007199254740993}}"#)),
        meta: Payload::trusted(r#"{ "spaces" : "are kept" }"#),
        time: Timestamp(1_700_000_000_000_000 + i64::try_from(number % 1_000).unwrap_or(0)),
        public: number.is_multiple_of(2),
    }
}

/// A batch that appends events with these numbers to one stream.
pub(crate) fn append(stream: &StreamId, expected: u64, numbers: impl IntoIterator<Item = u128>) -> Batch {
    let events = numbers.into_iter().map(event).collect();
    let write = StreamWrite { stream: stream.clone(), expected: Version(expected), events };
    Batch { writes: vec![write], ..Batch::default() }
}

/// An inbox entry of saga `saga` for the step `path`, answered with `output`.
pub(crate) fn entry(saga: u128, path: &str, output: &str) -> InboxEntry {
    let saga = Uuid::from_u128(saga);
    InboxEntry {
        saga,
        key: StepKey::derive(saga, path, Direction::Do),
        direction: Direction::Do,
        unless: Some(StepKey::derive(saga, path, Direction::Undo)),
        payload_hash: saga_core::envelope::sha256(path.as_bytes()),
        epoch: Epoch(1),
        answer: Answer::Done { output: Payload::trusted(output) },
    }
}

/// Commits what must be written.
pub(crate) async fn ok(store: &SharedStore, batch: Batch) -> Receipt {
    let answer = store.commit(batch).await;
    let Commit::Ok(receipt) = answer else { panic!("must be written, but: {answer:?}") };
    receipt
}

/// The whole log.
pub(crate) async fn log(store: &SharedStore) -> Vec<Recorded> {
    store.read_log(Position::ZERO, usize::MAX).await.expect("a readable log")
}

/// A log is well formed: positions, versions and public places without a gap, times that do not go back, and the chain.
pub fn check_log(log: &[Recorded]) {
    let mut versions = std::collections::BTreeMap::<&StreamId, u64>::new();
    let (mut public, mut last, mut recorded_at) = (0, [0; 32], Timestamp(i64::MIN));
    for (at, event) in log.iter().enumerate() {
        assert_eq!(event.position.0, at as u64 + 1, "positions have no gap");
        let version = versions.entry(&event.stream).or_default();
        *version += 1;
        assert_eq!(event.version.0, *version, "versions of {} have no gap", event.stream);
        if let Some(seq) = event.public_seq {
            public += 1;
            assert_eq!(seq, public, "public places have no gap");
        }
        assert!(event.recorded_at >= recorded_at, "recorded times never go back");
        recorded_at = event.recorded_at;
        last = chain(&last, event.position, &event.digest());
        assert_eq!(event.chain, last, "the chain holds at {}", event.position);
    }
}

/// Runs futures side by side on this task.
pub(crate) async fn all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut running {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    Poll::Ready(value) => *output = Some(value),
                    Poll::Pending => pending = true,
                }
            }
        }
        if pending { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

/// Lets the others run once.
pub(crate) async fn breathe() {
    let mut passed = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut passed, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

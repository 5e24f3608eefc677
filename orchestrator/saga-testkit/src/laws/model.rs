//! The model law: any history of batches gives the same answers, the same log and the same documents as in memory.
//!
//! A history is told by bytes, whichever a property test comes up with: it can be shrunk, and needs no generator of ours.
#![expect(clippy::expect_used, reason = "a law is a test that other crates run: it speaks by panicking")]

use super::store::{append, stream};
use async_trait::async_trait;
use saga_core::batch::{Batch, Commit, DocumentWrite, Fence, InboxEntry, Mark, Snapshot, StreamWrite};
use saga_core::envelope::sha256;
use saga_core::id::{Direction, Epoch, Position, StepKey, Version};
use saga_core::json::Payload;
use saga_core::outcome::Answer;
use saga_core::ports::{Cached, Find, SharedStore};
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use uuid::Uuid;

/// The store that is tried.
#[async_trait]
pub trait Subject: Send {
    /// Closes what is open and opens it again, as a restart does. Called once before anything else.
    async fn reopen(&mut self) -> SharedStore;
}

/// What happens next, drawn from bytes; at their end every draw is 0.
struct Tape<'a>(std::slice::Iter<'a, u8>);
impl Tape<'_> {
    /// A number below `bound`.
    fn draw(&mut self, bound: u8) -> u8 {
        self.0.next().map_or(0, |byte| byte % bound)
    }
    /// Whether something that happens so many times out of ten happens.
    fn happens(&mut self, of_ten: u8) -> bool {
        self.draw(10) >= 10 - of_ten
    }
    fn is_over(&self) -> bool {
        self.0.len() == 0
    }
    fn maybe<T>(&mut self, of_ten: u8, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.happens(of_ten).then(|| draw(self))
    }
}

/// 40 steps are enough for every pair of things to meet.
const STEPS_MAX: usize = 40;

/// Plays the history that `bytes` tell against the store and against one in memory with the same clock. Numbers are small,
/// so that batches collide.
pub async fn same_story(bytes: &[u8], memory: &SharedStore, subject: &mut dyn Subject) {
    let mut tape = Tape(bytes.iter());
    let mut store = subject.reopen().await;
    let (mut number, mut sent) = (0, Vec::<Batch>::new());
    for _ in 0..STEPS_MAX {
        if tape.is_over() {
            break;
        }
        let batches = match tape.draw(11) {
            0..8 => {
                let mut batches = Vec::new();
                for _ in 0..=tape.draw(5) {
                    batches.push(batch(&mut tape, memory, &mut number).await);
                }
                batches
            }
            // The batch of an earlier step again.
            8 | 9 => match sent.get(usize::from(tape.draw(u8::MAX)) % sent.len().max(1)) {
                Some(again) => vec![again.clone()],
                None => continue,
            },
            _ => {
                store = subject.reopen().await;
                continue;
            }
        };
        sent.extend(batches.iter().cloned());
        let found = at_once(&store, &batches).await;
        for (batch, found) in batches.into_iter().zip(found) {
            let shown = format!("{batch:?}");
            let expected = memory.commit(batch).await;
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{shown}");
        }
        assert_eq!(picture(&store).await, picture(memory).await);
    }
    store = subject.reopen().await;
    assert_eq!(picture(&store).await, picture(memory).await);
}

/// Sends all of them before the first is answered, so that a store that writes groups decides them as one.
async fn at_once(store: &SharedStore, batches: &[Batch]) -> Vec<Commit> {
    type Sent<'a> = Pin<Box<dyn Future<Output = Commit> + Send + 'a>>;
    let mut open: Vec<Option<Sent<'_>>> = batches.iter().map(|batch| Some(store.commit(batch.clone()))).collect();
    let mut answers: Vec<Option<Commit>> = open.iter().map(|_| None).collect();
    poll_fn(|cx| {
        for (sent, answer) in open.iter_mut().zip(&mut answers) {
            if let Some(Poll::Ready(found)) = sent.as_mut().map(|sent| sent.as_mut().poll(cx)) {
                (*sent, *answer) = (None, Some(found));
            }
        }
        if open.iter().all(Option::is_none) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// A batch whose expected versions are right, or off by one now and then.
async fn batch(tape: &mut Tape<'_>, memory: &SharedStore, number: &mut u128) -> Batch {
    let mut batch = Batch::default();
    for _ in 0..tape.draw(3) {
        let (name, off, events) = (stream(&tape.draw(4).to_string()), tape.maybe(1, |tape| tape.draw(2)), tape.draw(3));
        if batch.writes.iter().any(|write| write.stream == name) {
            continue;
        }
        let actual = memory.read(&name, Version::ZERO, usize::MAX).await.expect("read").len() as u64;
        let numbers = (0..events).map(|_| {
            *number += 1;
            *number
        });
        let events = append(&name, 0, numbers).writes.remove(0).events;
        let expected = match off {
            None => actual,
            Some(0) => actual.saturating_sub(1),
            Some(_) => actual + 1,
        };
        batch.writes.push(StreamWrite { stream: name, expected: Version(expected), events });
    }
    batch.inbox = tape.maybe(4, |tape| entry(tape, number));
    batch.fence =
        tape.maybe(3, |tape| Fence { scope: format!("group:{}", tape.draw(2)), epoch: Epoch(tape.draw(6).into()) });
    let mark =
        |tape: &mut Tape<'_>| Mark { consumer: format!("c{}", tape.draw(2)), position: Position(tape.draw(20).into()) };
    batch.marks = tape.maybe(3, mark).into_iter().collect();
    batch.documents = tape.maybe(5, document).into_iter().collect();
    let snapshot = |tape: &mut Tape<'_>| {
        let (name, digest) = (tape.draw(3), tape.draw(2));
        let (stream, version) = (stream(&name.to_string()), Version(digest.into()));
        Snapshot { stream, version, digest: format!("d{digest}"), state: Payload::trusted("{}") }
    };
    batch.snapshots = tape.maybe(2, snapshot).into_iter().collect();
    batch
}
fn entry(tape: &mut Tape<'_>, number: &mut u128) -> InboxEntry {
    let (saga, path) = (Uuid::from_u128(tape.draw(3).into()), tape.draw(3).to_string());
    let key = |direction| StepKey::derive(saga, &path, direction);
    let direction = if tape.happens(5) { Direction::Undo } else { Direction::Do };
    *number += 1;
    InboxEntry {
        saga,
        key: key(direction),
        direction,
        unless: (direction == Direction::Do).then(|| key(Direction::Undo)),
        payload_hash: sha256(&number.to_be_bytes()),
        epoch: Epoch(tape.draw(5).into()),
        answer: Answer::Done { output: Payload::trusted(number.to_string()) },
    }
}
fn document(tape: &mut Tape<'_>) -> DocumentWrite {
    let field = |tape: &mut Tape<'_>| tape.maybe(5, |tape| tape.draw(3).to_string());
    DocumentWrite {
        projection: "list".to_owned(),
        version: 1,
        key: format!("k{}", tape.draw(5)),
        body: tape.maybe(8, |tape| Payload::trusted(tape.draw(9).to_string())),
        index: vec![field(tape), field(tape)],
    }
}

/// Everything that a store can be asked, as text: two stores with the same picture are the same to their users.
pub async fn picture(store: &SharedStore) -> String {
    let log = store.read_log(Position::ZERO, usize::MAX).await.expect("the log");
    let streams: BTreeSet<_> = log.iter().map(|recorded| recorded.stream.clone()).collect();
    let mut lines = vec![format!("{log:?}")];
    for stream in streams {
        lines.push(format!("{:?}", store.read(&stream, Version(1), 3).await.expect("a stream")));
        for digest in 0..2 {
            let what = Cached::Snapshot { stream: stream.clone(), digest: format!("d{digest}") };
            let found = store.cached(&what).await.expect("a snapshot");
            lines.push(format!("{:?}", found.map(|found| found.read::<serde_json::Value>().expect("JSON"))));
        }
    }
    for saga in (0..3_u128).map(Uuid::from_u128) {
        for path in 0..3_u8 {
            let [deed, undo] =
                [Direction::Do, Direction::Undo].map(|way| StepKey::derive(saga, &path.to_string(), way));
            lines.push(format!("{:?}", store.answered(saga, deed, undo).await.expect("the inbox")));
        }
    }
    for who in 0..2 {
        lines.push(format!("{:?}", store.checkpoint(&format!("c{who}")).await.expect("a checkpoint")));
    }
    let keys: Vec<String> = (0..5).map(|key| format!("k{key}")).collect();
    let mut documents = store.get_all("list", 1, &keys).await.expect("documents");
    documents.sort_by(|left, right| left.key.cmp(&right.key));
    lines.push(format!("{documents:?}"));
    for (order_by, descending) in [(None, false), (Some(0), true), (Some(1), false)] {
        for after in [None, Some((order_by.map(|_| "1".to_owned()), "k2".to_owned())), Some((None, "k2".to_owned()))] {
            let filters = if descending { vec![(1, "1".to_owned())] } else { Vec::new() };
            let find =
                Find { projection: "list".to_owned(), version: 1, filters, order_by, descending, after, limit: 4 };
            lines.push(format!("{:?}", store.find(&find).await.expect("a page")));
        }
    }
    lines.push(format!("{:?}", store.head().await.expect("the head")));
    lines.join("\n")
}

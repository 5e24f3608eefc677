//! The bus inside one process. Commands and replies wait in memory, because the log re-derives them after a crash;
//! events are not copied at all: they are read from the modules' logs, up to where the relay has published.

use async_trait::async_trait;
use saga_core::bus::{
    Answerer, Aside, Bus, BusError, Calls, DeadLetters, Delivery, EventBus, Inbox, Line, Message, Settle, Standing,
    Tip, Traffic, Upkeep,
};
use saga_core::envelope::Recorded;
use saga_core::id::Position;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use saga_core::ports::{Clock, SharedStore};
use saga_core::public_log::{place, public_head, standing};
use saga_core::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// 100,000 messages in one inbox: past that, senders are told to slow down.
pub const INBOX_MAX: usize = 100_000;
/// A delivery that is not settled after this long comes back: longer than any handler's patience.
pub const SETTLE_WITHIN: Duration = Duration::from_secs(120);
/// Delivered this often without being settled, a message is put aside.
pub const DELIVERIES_MAX: u32 = 20;
/// 10,000 messages put aside are kept for a look; what they were for is in the log.
pub const ASIDE_MAX: usize = 10_000;

/// A message that can be received.
struct Ready {
    message: Message,
    times: u32,
    since: Timestamp,
}
#[derive(Default)]
struct Queue {
    ready: VecDeque<Ready>,
    later: BTreeMap<(Timestamp, u64), (Message, u32)>,
    in_flight: BTreeMap<u64, (Message, u32, Timestamp)>,
    /// A receiver has received here and did not leave.
    attended: bool,
}
#[derive(Default)]
struct State {
    queues: BTreeMap<Inbox, Queue>,
    aside: VecDeque<Aside>,
    next_tag: u64,
}
struct Source {
    store: SharedStore,
    published: watch::Sender<u64>,
}

/// The in-process bus.
pub struct LocalBus {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    wakers: Mutex<BTreeMap<Inbox, Arc<Notify>>>,
    sources: Mutex<BTreeMap<String, Arc<Source>>>,
    carried: Notify,
    /// The servers of each line: there may be several, and each takes down its own.
    lines: Mutex<BTreeMap<Line, Vec<(u64, Answerer)>>>,
}

impl LocalBus {
    /// An empty bus.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (wakers, sources, lines) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { clock, state: Mutex::default(), wakers, sources, carried: Notify::new(), lines }
    }
    /// Lets the bus deliver the events of a module from its log; up to `published` they were published before.
    pub fn carry(&self, module: &str, store: SharedStore, published: u64) {
        let source = Arc::new(Source { store, published: watch::Sender::new(published) });
        lock(&self.sources).insert(module.to_owned(), source);
        self.carried.notify_waiters();
    }
    fn source(&self, module: &str) -> Result<Arc<Source>, BusError> {
        let found = lock(&self.sources).get(module).cloned();
        found.ok_or_else(|| BusError::Unavailable(format!("nobody publishes events of {module}")))
    }
    /// A module that is not hosted here has no events, yet.
    async fn carried(&self, module: &str) -> Arc<Source> {
        loop {
            let carried = self.carried.notified();
            match self.source(module) {
                Ok(source) => return source,
                Err(_) => carried.await,
            }
        }
    }
    /// Moments of passed time: when the clock is set, messages wait here neither longer nor shorter.
    fn passed(&self) -> Timestamp {
        Timestamp::default().plus(self.clock.passed())
    }
    fn waker(&self, inbox: &Inbox) -> Arc<Notify> {
        let mut wakers = lock(&self.wakers);
        match wakers.get(inbox) {
            Some(waker) => Arc::clone(waker),
            None => Arc::clone(wakers.entry(inbox.clone()).or_default()),
        }
    }
    /// Takes a message if its inbox is received in this process and fewer than `room` wait in it; otherwise it comes
    /// back.
    pub(crate) fn offer(&self, message: Message, room: usize) -> Result<(), Message> {
        let (inbox, since) = (message.inbox(), self.passed());
        match lock(&self.state).queues.get_mut(&inbox) {
            Some(queue) if queue.attended && queue.ready.len() < room => {
                queue.ready.push_back(Ready { message, times: 0, since });
            }
            Some(_) | None => return Err(message),
        }
        self.waker(&inbox).notify_one();
        Ok(())
    }
    /// Takes away what nobody has received within `patience`.
    pub(crate) fn take_old(&self, patience: Duration) -> Vec<Message> {
        let now = self.passed();
        let mut old = Vec::new();
        for queue in lock(&self.state).queues.values_mut() {
            let fresh = |ready: &Ready| ready.since.plus(patience) > now;
            // Oldest first, but for what came back.
            let count = queue.ready.iter().position(fresh).unwrap_or(queue.ready.len());
            old.extend(queue.ready.drain(..count).map(|ready| ready.message));
        }
        old
    }
    /// Takes away everything, because nobody receives here any more.
    pub(crate) fn vacate(&self, inbox: &Inbox) -> Vec<Message> {
        let queue = lock(&self.state).queues.remove(inbox).unwrap_or_default();
        let open = queue.in_flight.into_values().map(|(message, ..)| message);
        let ready = queue.ready.into_iter().map(|ready| ready.message);
        open.chain(ready).chain(queue.later.into_values().map(|(message, _)| message)).collect()
    }
    /// Takes away the messages that were put aside, for a caller that keeps them.
    pub(crate) fn take_aside(&self) -> VecDeque<Aside> {
        std::mem::take(&mut lock(&self.state).aside)
    }
    /// How many messages wait in an inbox.
    pub fn waiting(&self, inbox: &Inbox) -> usize {
        let state = lock(&self.state);
        state.queues.get(inbox).map_or(0, |queue| queue.ready.len() + queue.later.len() + queue.in_flight.len())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn put_aside(kept: &mut VecDeque<Aside>, aside: Aside) {
    kept.push_back(aside);
    if kept.len() > ASIDE_MAX {
        kept.pop_front();
    }
}

impl State {
    /// Moves what is due to the ready queue, then takes from it.
    fn take(&mut self, inbox: &Inbox, max: usize, now: Timestamp) -> (Vec<Delivery>, Option<Timestamp>) {
        let queue = self.queues.entry(inbox.clone()).or_default();
        queue.attended = true;
        while let Some(entry) = queue.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let (message, times) = entry.remove();
            queue.ready.push_back(Ready { message, times, since: now });
        }
        // Tags and the times by which they are due grow together: only the first ones can be overdue.
        let overdue = queue.in_flight.iter().take_while(|(_, (.., due))| *due <= now).map(|(tag, _)| *tag);
        let overdue: Vec<u64> = overdue.collect();
        for (message, times, _) in overdue.iter().filter_map(|tag| queue.in_flight.remove(tag)) {
            if times >= DELIVERIES_MAX {
                let reason = format!("delivered {times} times and never settled");
                put_aside(&mut self.aside, Aside { inbox: inbox.clone(), message, times, reason });
            } else {
                queue.ready.push_back(Ready { message, times, since: now });
            }
        }
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(Ready { message, times, .. }) = queue.ready.pop_front() else { break };
            self.next_tag += 1;
            queue.in_flight.insert(self.next_tag, (message.clone(), times + 1, now.plus(SETTLE_WITHIN)));
            taken.push(Delivery { tag: self.next_tag, times: times + 1, message });
        }
        let later = queue.later.keys().next().map(|(due, _)| *due);
        let overdue = queue.in_flight.values().next().map(|(.., due)| *due);
        (taken, later.into_iter().chain(overdue).min())
    }
}

#[async_trait]
impl Bus for LocalBus {
    async fn publish(&self, message: Message) -> Result<(), BusError> {
        let (inbox, since) = (message.inbox(), self.passed());
        {
            let mut state = lock(&self.state);
            let queue = state.queues.entry(inbox.clone()).or_default();
            if queue.ready.len() >= INBOX_MAX {
                return Err(BusError::Full(queue.ready.len()));
            }
            queue.ready.push_back(Ready { message, times: 0, since });
        }
        self.waker(&inbox).notify_one();
        Ok(())
    }
    async fn receive(&self, inbox: &Inbox, max: usize) -> Result<Vec<Delivery>, BusError> {
        let waker = self.waker(inbox);
        loop {
            let (taken, due) = lock(&self.state).take(inbox, max, self.passed());
            if !taken.is_empty() {
                return Ok(taken);
            }
            // Without anything due, another receiver may take a message and never settle it: look again in time.
            let wait = due.map_or(SETTLE_WITHIN, |due| due.since(self.passed()));
            tokio::select! {
                () = waker.notified() => {}
                () = self.clock.pause(wait) => {}
            }
        }
    }
    async fn settle(&self, inbox: &Inbox, settled: Vec<(u64, Settle)>) -> Result<(), BusError> {
        let now = self.passed();
        let mut state = lock(&self.state);
        let mut wake = false;
        for (tag, how) in settled {
            let queue = state.queues.entry(inbox.clone()).or_default();
            let Some((message, times, _)) = queue.in_flight.remove(&tag) else { continue };
            match how {
                Settle::Done => {}
                Settle::Later(pause) => {
                    queue.later.insert((now.plus(pause), tag), (message, times));
                    wake = true;
                }
                Settle::Park(reason) => {
                    put_aside(&mut state.aside, Aside { inbox: inbox.clone(), message, times, reason });
                }
            }
        }
        drop(state);
        if wake {
            self.waker(inbox).notify_one();
        }
        Ok(())
    }
    async fn leave(&self, inbox: &Inbox) -> Result<(), BusError> {
        let since = self.passed();
        if let Some(queue) = lock(&self.state).queues.get_mut(inbox) {
            let open = std::mem::take(&mut queue.in_flight);
            // They were first in line, and are again.
            let open = open.into_values().rev().map(|(message, times, _)| Ready { message, times, since });
            open.for_each(|ready| queue.ready.push_front(ready));
            queue.attended = false;
        }
        self.waker(inbox).notify_one();
        Ok(())
    }
}

#[async_trait]
impl DeadLetters for LocalBus {
    async fn put_aside(&self, aside: Aside) -> Result<(), BusError> {
        put_aside(&mut lock(&self.state).aside, aside);
        Ok(())
    }
    async fn aside_count(&self, module: &str) -> Result<u64, BusError> {
        Ok(lock(&self.state).aside.iter().filter(|aside| is_of(aside, module)).count() as u64)
    }
    async fn aside(&self, module: &str, limit: usize) -> Result<Vec<Aside>, BusError> {
        Ok(lock(&self.state).aside.iter().filter(|aside| is_of(aside, module)).take(limit).cloned().collect())
    }
}
/// Whose a letter is: who should have taken the message.
fn is_of(aside: &Aside, module: &str) -> bool {
    match &aside.inbox {
        Inbox::Commands(commands) => commands == module,
        Inbox::Replies(_) => module == crate::limits::JOURNAL,
        Inbox::Outside => module == "in",
    }
}

#[async_trait]
impl Traffic for LocalBus {
    async fn queued(&self, inbox: &Inbox) -> Result<u64, BusError> {
        let state = lock(&self.state);
        Ok(state.queues.get(inbox).map_or(0, |queue| queue.ready.len() as u64))
    }
}

impl Source {
    async fn standing(&self, seq: u64) -> Result<Standing, BusError> {
        standing(&self.store, seq).await.map_err(|why| BusError::Unread(why.to_string()))
    }
    /// The position of the last event up to this public sequence.
    async fn place(&self, public: u64) -> Result<Position, BusError> {
        place(&self.store, public).await.map_err(|why| BusError::Unread(why.to_string()))
    }
}

#[async_trait]
impl EventBus for LocalBus {
    async fn publish_events(&self, module: &str, events: &[Recorded]) -> Result<u64, BusError> {
        let source = self.source(module)?;
        let last = *source.published.borrow();
        let Some(first) = events.first().and_then(|first| first.public_seq) else { return Ok(last) };
        if first > last + 1 {
            return Err(BusError::OutOfSequence { module: module.to_owned(), last, got: first });
        }
        let upto = events.last().and_then(|last| last.public_seq).unwrap_or(first);
        source.published.send_if_modified(|published| {
            let grown = upto > *published;
            *published = upto.max(*published);
            grown
        });
        Ok(upto)
    }
    async fn tip(&self, module: &str) -> Result<Tip, BusError> {
        let source = self.source(module)?;
        let seq = *source.published.borrow();
        let Position(at) = source.place(seq).await?;
        let last = source.store.read_log(Position(at.saturating_sub(1)), 1).await;
        let last = last.map_err(|why| BusError::Unread(why.to_string()))?;
        let of_seq = last.first().filter(|recorded| seq > 0 && recorded.public_seq == Some(seq));
        Ok(Tip { seq, id: of_seq.map(|recorded| recorded.id), ..Tip::default() })
    }
    async fn events(&self, module: &str, after: u64, max: usize) -> Result<Vec<Recorded>, BusError> {
        let source = self.carried(module).await;
        let mut published = source.published.subscribe();
        if *published.borrow() < after
            && let Some(astray) = source.standing(after).await?.astray(module, after, |_| true)
        {
            return Err(astray);
        }
        let mut read_to = None;
        loop {
            let upto = *published.borrow_and_update();
            if upto > after {
                let from = match read_to {
                    Some(from) => from,
                    None => source.place(after).await?,
                };
                let page = source.store.read_log(from, max).await;
                let page = page.map_err(|why| BusError::Unread(why.to_string()))?;
                let open = |recorded: &Recorded| recorded.public_seq.is_none_or(|seq| seq <= upto);
                let read: Vec<Recorded> = page.into_iter().take_while(open).collect();
                let end = read.last().map(|last| last.position);
                // Private events stay with their module: a reader passes over those between two public ones.
                let page: Vec<Recorded> = read.into_iter().filter(|recorded| recorded.public_seq.is_some()).collect();
                if !page.is_empty() {
                    return Ok(page);
                }
                if end.is_some() {
                    read_to = end;
                    continue;
                }
            }
            published.changed().await.map_err(|_| BusError::Unavailable("the bus has ended".to_owned()))?;
        }
    }
    async fn owner_head(&self, module: &str) -> Result<u64, BusError> {
        let store = Arc::clone(&self.source(module)?.store);
        public_head(&store).await.map_err(|why| BusError::Unread(why.to_string()))
    }
    async fn standing(&self, module: &str, seq: u64) -> Result<Standing, BusError> {
        self.carried(module).await.standing(seq).await
    }
    async fn missing(&self, module: &str, head: u64) -> Result<Vec<RangeInclusive<u64>>, BusError> {
        let last = *self.source(module)?.published.borrow();
        Ok(if last < head { vec![last + 1..=head] } else { Vec::new() })
    }
}

/// It lives and dies with its process, and its events with the logs.
impl Upkeep for LocalBus {}

#[async_trait]
impl Calls for LocalBus {
    async fn serve(&self, lines: Vec<(Line, Answerer)>) -> Result<(), BusError> {
        let server = {
            let mut state = lock(&self.state);
            state.next_tag += 1;
            state.next_tag
        };
        let _serving = Serving { bus: self, server };
        for (line, answerer) in lines {
            lock(&self.lines).entry(line).or_default().push((server, answerer));
        }
        std::future::pending().await
    }
    async fn call(
        &self,
        line: &Line,
        question: &Payload,
        patience: Duration,
    ) -> Result<Result<Payload, Refused>, BusError> {
        let answer = lock(&self.lines).get(line).and_then(|servers| Some(Arc::clone(&servers.last()?.1)));
        let answer = answer.ok_or_else(|| BusError::Unavailable(format!("nobody answers {line:?}")))?;
        tokio::select! {
            answered = answer(question.clone()) => Ok(answered),
            () = self.clock.pause(patience) => {
                Err(BusError::Unanswered(format!("{line:?} said nothing within {patience:?}")))
            }
        }
    }
}

/// Takes its lines down when their server is gone.
struct Serving<'a> {
    bus: &'a LocalBus,
    server: u64,
}
impl Drop for Serving<'_> {
    fn drop(&mut self) {
        lock(&self.bus.lines).retain(|_, servers| {
            servers.retain(|(server, _)| *server != self.server);
            !servers.is_empty()
        });
    }
}

//! The loop around the coordinator machine: it performs what the machine says and feeds back what became of it.
//! It decides nothing.

mod commits;
mod local;
mod replies;
mod waiters;

pub(crate) use local::Locals;

use crate::groups::Groups;
use crate::health::Health;
use crate::limits::{FACTS, not_published};
use crate::questions::{Answered, Input, Question, others};
use crate::system::Watch;
use crate::tasks::Tasks;
use futures::FutureExt;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use saga_core::batch::{Commit, Conflict, LimitBroken};
use saga_core::bus::{AnyBus, CommandMessage, Delivery, Inbox, Message};
use saga_core::codes;
use saga_core::definition::CommandName;
use saga_core::fact::SagaFact;
use saga_core::id::{Epoch, SagaId};
use saga_core::incident::Incident;
use saga_core::json::Payload;
use saga_core::ports::{Clock, Ids, SharedStore};
use saga_core::telemetry::Metric;
use saga_core::time::Timestamp;
use saga_engine::execution::{Act, Deed, Execution, OrderRefused, Signal};
use saga_engine::journal::{self, HistoryError};
use saga_engine::listing::{Part, UNREAD_MAX};
use saga_engine::machine::Machine;
use saga_engine::machine::coordinator::{Coordinator, In, Out, Standing, Ticket, Told, Unreadable};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use waiters::{Waiter, Waiters};

/// 512 inputs in one go: enough to fill a group commit, little enough to answer orders within a millisecond or two.
const INPUTS_AT_ONCE: usize = 512;
/// After a read or commit that did not work, the store gets this long to recover.
const STORE_PAUSE: Duration = Duration::from_millis(100);

/// Everything the loop works with.
pub(crate) struct Shell {
    pub(crate) coordinator: Coordinator,
    pub(crate) store: SharedStore,
    pub(crate) bus: Arc<dyn AnyBus>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) tasks: Tasks,
    pub(crate) health: Health,
    pub(crate) groups: Arc<Groups>,
    pub(crate) locals: Locals,
    pub(crate) group: u16,
    pub(crate) epoch: Epoch,
    pub(crate) back: mpsc::Sender<Input>,
    pub(crate) fenced: bool,
    /// Notices a clock that is set.
    pub(crate) watch: Watch,
    /// Whether replies cannot be heard now, as of the last check.
    pub(crate) deaf: bool,
}

enum Stored {
    Written(SagaId, Vec<SagaFact>),
    NotWritten(SagaId, Commit),
    /// These facts can never be written.
    Rejected(SagaId, LimitBroken, Vec<SagaFact>),
    Loaded(SagaId, Result<Vec<(SagaFact, Timestamp)>, HistoryError>),
}
type Storing = FuturesUnordered<BoxFuture<'static, Stored>>;
/// What became of something that was sent.
enum Sent {
    /// A command: the machine hears of it.
    Heard(In),
    /// Another group has taken an answer: the ticket that waits for that is told.
    Told(Option<(Ticket, Told)>),
}
/// Commands on their way to the bus, and answers on their way to other groups.
type Sending = FuturesUnordered<BoxFuture<'static, Sent>>;
/// How many new connections the first one is.
const FIRST_CONNECTION: u64 = 1;

impl Shell {
    /// Runs until everything should end, and then waits for the commits in flight.
    pub(crate) async fn run(
        mut self,
        open: Vec<SagaId>,
        mut inputs: mpsc::Receiver<Input>,
        mut back: mpsc::Receiver<Input>,
    ) {
        let (mut storing, mut sending) = (Storing::new(), Sending::new());
        // The first connection is no loss: recovery sends what is owed then.
        let mut losses = FIRST_CONNECTION;
        let mut waiters = Waiters::default();
        let mut out = Vec::new();
        for saga in open {
            self.coordinator.step(self.clock.now(), In::Recover { saga }, &mut out);
        }
        self.perform(&mut out, &mut waiters, &mut storing, &mut sending).await;
        let (mut some, mut own) = (Vec::new(), Vec::new());
        let tasks = self.tasks.clone();
        let inbox = Inbox::Replies(self.group);
        loop {
            self.look_at_clock(&mut out);
            let due = self.coordinator.next_due();
            let clock = Arc::clone(&self.clock);
            let timer = async move {
                match due {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = tasks.stopping() => break,
                Some(stored) = storing.next(), if !storing.is_empty() => {
                    // A signal that waited for the store is decided next, if its caller still waits.
                    for (saga, ticket) in waiters.over(self.clock.now()) {
                        self.coordinator.step(self.clock.now(), In::GivenUp { saga, ticket }, &mut out);
                    }
                    self.stored(stored, &mut waiters, &mut out);
                    // Whatever else one flush has finished is taken in with it.
                    while let Some(Some(stored)) = storing.next().now_or_never() {
                        self.stored(stored, &mut waiters, &mut out);
                    }
                }
                Some(sent) = sending.next(), if !sending.is_empty() => {
                    self.sent(sent, &mut waiters, &mut out);
                    while let Some(Some(sent)) = sending.next().now_or_never() {
                        self.sent(sent, &mut waiters, &mut out);
                    }
                }
                seen = self.bus.lost(losses) => {
                    losses = seen;
                    tracing::info!(group = self.group, "messages may have been lost; what is owed is sent again");
                    self.listen(&inbox, &mut out);
                    self.coordinator.step(self.clock.now(), In::Remind, &mut out);
                }
                _ = back.recv_many(&mut own, INPUTS_AT_ONCE) => {
                    others(&mut back, &mut own, INPUTS_AT_ONCE).await;
                    for input in own.drain(..) {
                        self.input(input, &mut waiters, &mut out);
                    }
                }
                replies = self.receive(&inbox) => {
                    for delivery in replies {
                        self.reply(delivery, &mut waiters, &mut out);
                    }
                }
                n = inputs.recv_many(&mut some, INPUTS_AT_ONCE) => {
                    if n == 0 {
                        break;
                    }
                    others(&mut inputs, &mut some, INPUTS_AT_ONCE).await;
                    for input in some.drain(..) {
                        self.input(input, &mut waiters, &mut out);
                    }
                }
                () = timer => {
                    let late = due.map(|due| self.clock.now().since(due)).unwrap_or_default();
                    self.health.meter().took(Metric::TimerLateness, &[], late);
                    self.listen(&inbox, &mut out);
                    self.coordinator.step(self.clock.now(), In::Tick, &mut out);
                }
            }
            if self.fenced {
                break;
            }
            self.perform(&mut out, &mut waiters, &mut storing, &mut sending).await;
            if !waiters.settled.is_empty()
                && let Err(why) = self.bus.settle(&inbox, std::mem::take(&mut waiters.settled)).await
            {
                tracing::warn!(group = self.group, %why, "replies could not be acknowledged; they come again");
            }
        }
        while storing.next().await.is_some() {}
        // The next owner of the group need not wait until the replies that came here come again.
        if self.bus.leave(&inbox).await.is_err() {
            tracing::debug!(group = self.group, "the bus was away at the end; what was received comes again");
        }
    }
    fn sent(&mut self, sent: Sent, waiters: &mut Waiters, out: &mut Vec<Out>) {
        match sent {
            Sent::Heard(input) => self.coordinator.step(self.clock.now(), input, out),
            Sent::Told(told) => {
                if let Some((ticket, what)) = told {
                    waiters.tell(ticket, what);
                }
            }
        }
    }
    fn input(&mut self, input: Input, waiters: &mut Waiters, out: &mut Vec<Out>) {
        match input {
            Input::Machine(input) => self.coordinator.step(self.clock.now(), input, out),
            Input::Asked(question, tell) => self.asked(question, tell, waiters, out),
            Input::Look(look) => look(&self.coordinator),
        }
    }
    /// A clock that was set moves deadlines, and nothing else.
    fn look_at_clock(&mut self, out: &mut Vec<Out>) {
        if let Some(by) = self.watch.look(&*self.clock) {
            tracing::warn!(group = self.group, ?by, "the clock was set; pauses go on by the time that has passed");
            self.coordinator.step(self.clock.now(), In::Jumped { by }, out);
        }
    }
    /// Whether replies can be heard: checked before a try counts as silent, and after every new connection.
    fn listen(&mut self, inbox: &Inbox, out: &mut Vec<Out>) {
        let deaf = self.bus.is_deaf(inbox);
        if std::mem::replace(&mut self.deaf, deaf) != deaf {
            self.coordinator.step(self.clock.now(), if deaf { In::Deaf } else { In::Heard }, out);
        }
    }
    /// Replies, when there are some; a bus that is away is asked again after a pause.
    async fn receive(&self, inbox: &Inbox) -> Vec<Delivery> {
        let place = format!("replies to group {}", self.group);
        loop {
            match self.bus.receive(inbox, INPUTS_AT_ONCE).await {
                Ok(replies) => {
                    self.health.well(&place);
                    return replies;
                }
                Err(why) => self.health.trouble(&place, why.to_string()),
            }
            self.clock.pause(STORE_PAUSE).await;
        }
    }
    fn asked(
        &mut self,
        question: Question,
        tell: oneshot::Sender<Answered>,
        waiters: &mut Waiters,
        out: &mut Vec<Out>,
    ) {
        let now = self.clock.now();
        match question {
            Question::Start { until: Some(until), .. } | Question::Order { until: Some(until), .. } if until < now => {
                let message = "its caller had given up before its turn came; nothing was done".to_owned();
                let refusal = OrderRefused { code: codes::TOO_LATE, message, hint: None };
                let _gone = tell.send(Answered::Told(Told::Refused(refusal)));
            }
            Question::Start { saga, started, until } => {
                let ticket = Some(waiters.ticket_until(saga, until, Waiter::Asker(tell)));
                self.coordinator.step(now, In::Signal { saga, signal: Signal::Begun(*started), ticket }, out);
            }
            Question::Heard { saga, signal } => {
                let ticket = Some(waiters.ticket(Waiter::Asker(tell)));
                self.coordinator.step(now, In::Signal { saga, signal: *signal, ticket }, out);
            }
            Question::Order { saga, ordered, until } => {
                let ticket = Some(waiters.ticket_until(saga, until, Waiter::Asker(tell)));
                self.coordinator.step(now, In::Signal { saga, signal: Signal::Ordered(*ordered), ticket }, out);
            }
            Question::Moved { saga, after } => {
                let settled = match (self.coordinator.standing(saga), after) {
                    (Standing::Away, _) => true,
                    // The state in memory may be ahead of the log: the caller is told when it is durable.
                    (Standing::Moving, _) => false,
                    (Standing::At { rests, .. }, None) => rests,
                    (Standing::At { rev, .. }, Some(after)) => rev > after,
                };
                if settled {
                    let _gone = tell.send(Answered::Moved);
                } else {
                    waiters.moves.entry(saga).or_default().push((after, tell));
                }
            }
            Question::Rows(selector) => {
                let rows = self.coordinator.sagas().map(Execution::row).chain(self.coordinator.unreadable().cloned());
                let _gone = tell.send(Answered::Rows(rows.filter(|row| selector.fits_row(row, now)).collect()));
            }
            Question::Part(asked) => {
                let unread: Vec<SagaId> = self.coordinator.unread().take(UNREAD_MAX + 1).collect();
                let standing = self.coordinator.unreadable().map(|row| row.id);
                let settled = unread.len() <= UNREAD_MAX;
                let unread = unread.into_iter().chain(standing).collect();
                let _gone = tell.send(match settled {
                    true => Answered::Part(Box::new(Part { unread, ..Part::of(self.coordinator.sagas(), &asked) })),
                    false => Answered::Still,
                });
            }
            Question::Ending(digits) => {
                let fits = |exec: &&Execution| exec.saga().0.simple().to_string().ends_with(&digits);
                let ids = self.coordinator.sagas().filter(fits).map(Execution::saga).collect();
                let _gone = tell.send(Answered::Ids(ids));
            }
            Question::Troubles => {
                let _gone = tell.send(Answered::Troubles(self.health.troubles()));
            }
        }
    }
    fn stored(&mut self, stored: Stored, waiters: &mut Waiters, out: &mut Vec<Out>) {
        let input = match stored {
            Stored::Written(saga, facts) => {
                self.health.well(FACTS);
                // What was written before an answer got lost is read back, and not counted: nobody would know how often.
                if let Some(exec) = self.coordinator.saga(saga) {
                    self.health.meter().facts(&facts, exec);
                }
                In::Committed { saga }
            }
            Stored::NotWritten(saga, Commit::Retryable(why) | Commit::Unknown(why)) => {
                tracing::warn!(%saga, %why, "the commit did not happen, or nobody knows; reading anew");
                self.health.trouble(FACTS, format!("what sagas decide cannot be written: {why}"));
                In::NotCommitted { saga }
            }
            Stored::NotWritten(saga, Commit::Fenced { current }) => {
                tracing::error!(group = self.group, epoch = %self.epoch, newest = %current, "fenced: another coordinator owns this group");
                // Every waiting caller hears that this process does not own its saga any more, and no reply is
                // acknowledged: all of it belongs to the new owner.
                waiters.give_up();
                self.fenced = true;
                self.health
                    .incident(Incident::Fenced, "another coordinator owns the group; this one steps down from it");
                // Calls of this group's sagas end with it.
                self.tasks.end();
                In::NotCommitted { saga }
            }
            Stored::Rejected(saga, why, facts) => {
                let step = journal::suspect(&facts);
                tracing::error!(%saga, ?step, %why, "the store can never keep what was decided; its step is parked");
                self.health
                    .incident(Incident::Unstorable, "a fact that no store can keep; its saga waits for a person");
                In::Rejected { saga, step, why: why.to_string() }
            }
            Stored::NotWritten(saga, Commit::Conflict(Conflict::Answered { payload_hash: digest, .. })) => {
                In::Known { saga, digest }
            }
            Stored::NotWritten(saga, other) => {
                tracing::warn!(%saga, answer = ?other, "the commit did not happen, or nobody knows; reading anew");
                In::NotCommitted { saga }
            }
            Stored::Loaded(saga, Ok(history)) => In::Loaded { saga, history },
            Stored::Loaded(saga, Err(HistoryError::Read(why))) => {
                tracing::warn!(%saga, %why, "the history cannot be read now");
                In::LoadFailed { saga, for_good: None }
            }
            Stored::Loaded(saga, Err(HistoryError::Decode { stream, version, why, started })) => {
                let why = format!("{stream} version {version}: {why}");
                tracing::error!(%saga, %why, "the history cannot be understood; the saga waits for a newer program");
                self.health.incident(Incident::UnreadableSaga, &format!("{saga}: {why}"));
                In::LoadFailed { saga, for_good: Some(Unreadable { why, started }) }
            }
        };
        self.coordinator.step(self.clock.now(), input, out);
    }
    async fn perform(
        &mut self,
        out: &mut Vec<Out>,
        waiters: &mut Waiters,
        storing: &mut Storing,
        sending: &mut Sending,
    ) {
        let mut calls = Vec::new();
        for output in std::mem::take(out) {
            match output {
                Out::Commit { saga, expected, facts, once, at } => {
                    self.commit(saga, expected, (facts, at, once), storing);
                }
                Out::Load { saga, after_failure } => self.load(saga, after_failure, storing),
                Out::Perform { saga, act } => match &act.deed {
                    Deed::Run => calls.extend(self.call(saga, &act)),
                    Deed::Send { command, payload } => self.send(saga, &act, (command, payload), false, sending),
                    Deed::Probe { command, payload } => self.send(saga, &act, (command, payload), true, sending),
                },
                Out::AskQueue { module } => {
                    sending.push(replies::queue_of(Arc::clone(&self.bus), module, self.group).boxed());
                }
                Out::Tell { ticket, what } => {
                    waiters.tell(ticket, what);
                }
                Out::Moved { saga, rev, rests } => waiters.moved(saga, rev, rests),
                Out::HandOn { saga, group, signal, ticket } => self.hand_on(saga, group, signal, ticket, sending),
                Out::Counted { saga, many } => {
                    let says = format!("{many} of saga {saga}: kept before, or too many");
                    self.health.incident(Incident::StrangeMessages, &says);
                }
                Out::Stray { saga, what, ticket } => {
                    tracing::warn!(%saga, what, "a message for a saga that does not exist");
                    let kept = match journal::anomaly(saga, &what, &*self.ids, self.clock.now()) {
                        Some(batch) => self.store.commit(batch).await,
                        None => continue,
                    };
                    match (kept, ticket) {
                        // Written now, or by an earlier delivery of the same message.
                        (Commit::Ok(_) | Commit::Conflict(_), Some(ticket)) => waiters.tell(ticket, Told::Taken),
                        // Not acknowledged, so that it comes again and is kept then.
                        (kept, _) => tracing::warn!(%saga, answer = ?kept, "the stray message is not kept yet"),
                    }
                }
            }
        }
        self.locals.run(calls);
        waiters.wake();
    }
    fn load(&self, saga: SagaId, after_failure: bool, storing: &Storing) {
        let (store, clock) = (Arc::clone(&self.store), Arc::clone(&self.clock));
        storing.push(
            async move {
                if after_failure {
                    clock.pause(STORE_PAUSE).await;
                }
                Stored::Loaded(saga, journal::history(&store, saga).await)
            }
            .boxed(),
        );
    }
    /// Hands a command to the bus, beside this loop: a bus that is slow or away holds up nobody else.
    fn send(
        &self,
        saga: SagaId,
        act: &Act,
        (command, payload): (&CommandName, &Payload),
        probe: bool,
        sending: &Sending,
    ) {
        let delivered = act.delivered(saga, (command, payload), self.epoch);
        let (module, delivered) = (command.module.clone(), Arc::new(delivered));
        let message = CommandMessage { module, delivered, reply_to: self.group, probe };
        let (bus, step, direction, attempt) = (Arc::clone(&self.bus), act.step.clone(), act.direction, act.attempt);
        let (health, place) = (self.health.clone(), not_published(&command.module));
        let sent = async move {
            Sent::Heard(match bus.publish(Message::Command(message)).await {
                Ok(()) => {
                    health.well(&place);
                    In::Taken { saga, step, direction, attempt }
                }
                Err(why) => {
                    health.trouble(&place, why.to_string());
                    tracing::warn!(%saga, step, %why, "the bus has not taken the command; it is handed over again");
                    In::NotTaken { saga, step, direction, attempt, why: why.to_string() }
                }
            })
        };
        sending.push(sent.boxed());
    }
}

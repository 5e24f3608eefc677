//! Finds the owner of a saga's group, in this process or another one, and asks it.

use crate::error::Error;
use crate::health::Health;
use crate::limits::FACTS;
use crate::limits::{LIST_WITHIN, OWNER_WITHIN};
use crate::questions::Input;
use crate::questions::{Answered, Question};
use crate::tasks::Tasks;
use saga_core::bus::{Answerer, AnyBus, BusError, Inbox, Line};
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::outcome::Refused;
use saga_core::ports::Clock;
use saga_core::time::Timestamp;
use saga_engine::journal::group_of;
use saga_engine::listing::{Asked, Part};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// 1 s: a store that takes nothing for so long is told, and not waited for.
const REFUSED_WITHIN: Duration = Duration::from_secs(1);
/// Between two questions to a group that is reading its histories.
const READ_AGAIN: Duration = Duration::from_millis(10);
/// Between two questions to a group that nobody owns.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// An owner in another process answers within this time, if only to say that nothing has moved.
const REMOTE_PATIENCE: Duration = Duration::from_secs(8);
/// How long an owner waits for a saga to move before it says so: shorter than the patience of the caller.
const MOVE_WITHIN: Duration = Duration::from_secs(5);

/// What became of asking once.
enum Heard {
    Answer(Answered),
    /// The question has reached nobody.
    Nothing,
    /// It may have reached the owner, which has not said what became of it.
    Silence,
    /// The owner says that the time for it is over, by its own clock, which shows this.
    TooLate(Timestamp),
}

/// The groups of this process, and the way to the others.
pub(crate) struct Groups {
    pub(crate) count: u16,
    here: Mutex<BTreeMap<u16, mpsc::Sender<Input>>>,
    bus: Arc<dyn AnyBus>,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    health: Health,
}

impl Groups {
    pub(crate) fn new(count: u16, bus: Arc<dyn AnyBus>, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        let health = tasks.health().clone();
        Self { count, here: Mutex::default(), bus, clock, tasks, health }
    }
    /// Of sagas that no process coordinates: every caller is told so at once.
    pub(crate) fn nobody(bus: Arc<dyn AnyBus>, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        Self::new(0, bus, clock, tasks)
    }
    /// Whether there is no group, here or anywhere.
    pub(crate) fn is_nobody(&self) -> bool {
        self.count == 0
    }
    /// What a broker that is away says of itself: other processes cannot be asked then, whatever they own.
    pub(crate) fn broker_away(&self) -> Option<String> {
        let away = self.bus.is_deaf(&Inbox::Outside);
        away.then(|| self.bus.ailments().into_iter().next().map_or_else(|| "the bus is away".to_owned(), |it| it.says))
    }
    fn here(&self) -> MutexGuard<'_, BTreeMap<u16, mpsc::Sender<Input>>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }
    pub(crate) fn arrive(&self, group: u16, inputs: mpsc::Sender<Input>) {
        self.here().insert(group, inputs);
    }
    pub(crate) fn depart(&self, group: u16) {
        self.here().remove(&group);
    }
    /// The groups that this process owns.
    pub(crate) fn owned(&self) -> Vec<u16> {
        self.here().keys().copied().collect()
    }
    pub(crate) fn inputs(&self) -> Vec<mpsc::Sender<Input>> {
        self.here().values().cloned().collect()
    }
    /// Asks the owner of a saga.
    pub(crate) async fn ask_for(&self, saga: SagaId, question: &Question) -> Result<Answered, Error> {
        self.ask(group_of(saga, self.count), question).await
    }
    /// Asks the owner of a group, wherever it is; while it changes hands, or is not heard, again: the same question is
    /// carried out once. After this has given up, nothing of it is begun.
    pub(crate) async fn ask(&self, group: u16, question: &Question) -> Result<Answered, Error> {
        if self.is_nobody() {
            return Err(Error::Nobody);
        }
        let until = self.clock.passed() + OWNER_WITHIN;
        // How far the owner's clock is ahead; and whether the owner may have begun it.
        let (mut ahead, mut is_open) = (0, false);
        loop {
            let left = until.saturating_sub(self.clock.passed());
            let end = Timestamp(self.clock.now().plus(left).0.saturating_add(ahead));
            let question = question.not_after(end);
            let inputs = self.here().get(&group).cloned();
            let heard = match inputs {
                Some(inputs) => tokio::select! {
                    heard = ask_here(&inputs, question.clone()) => heard,
                    // Waiting for a saga to move has no end of its own; everything else is written at once or not now.
                    why = self.unwritten(left), if !matches!(question, Question::Moved { .. }) => {
                        return Err(Error::Unanswered { group, why });
                    }
                },
                None => self.ask_there(group, &question, left).await?,
            };
            match heard {
                // The owner has it, and has not written it yet.
                Heard::Answer(Answered::Still) if question.changes() => is_open = true,
                Heard::Answer(answered) => return Ok(answered),
                Heard::Silence => is_open |= question.changes(),
                Heard::TooLate(shows) => ahead = shows.0.saturating_sub(self.clock.now().0),
                Heard::Nothing => {}
            }
            match (self.tasks.is_stopping(), is_open) {
                (false, _) if self.clock.passed() < until => self.clock.pause(ASK_AGAIN).await,
                (_, true) => return Err(Error::Unheard { group }),
                (true, false) => return Err(Error::Stopped),
                (false, false) => return Err(Error::Unowned { group, why: self.broker_away() }),
            }
        }
    }
    /// Ends when what is asked is not written: when the time for it is over, and much sooner when the store says that it
    /// takes nothing, in the store's words.
    async fn unwritten(&self, left: Duration) -> String {
        let until = self.clock.passed() + left;
        while self.clock.passed() < until {
            self.clock.pause(REFUSED_WITHIN.min(left)).await;
            let refused = self.health.troubles().into_iter().find(|trouble| trouble.place == FACTS);
            if let Some(trouble) = refused {
                return format!("; the store says: {}", trouble.says);
            }
        }
        format!(" within {} s", OWNER_WITHIN.as_secs())
    }
    /// Asks every group at once. Those that do not answer within [`LIST_WITHIN`] are named in the second list: they are
    /// changing hands, or their owner is away. Asking changes nothing.
    pub(crate) async fn ask_all(&self, question: &Question) -> Result<(Vec<Answered>, Vec<u16>), Error> {
        let asking = (0..self.count).map(|group| async move {
            let answered = tokio::select! {
                answered = self.ask(group, question) => answered.map(Some),
                () = self.clock.pause(LIST_WITHIN) => Ok(None),
            };
            answered.map(|answered| (group, answered))
        });
        let (mut all, mut silent) = (Vec::new(), Vec::new());
        for (group, answered) in futures::future::try_join_all(asking).await? {
            match answered {
                Some(answered) => all.push(answered),
                None => silent.push(group),
            }
        }
        Ok((all, silent))
    }
    /// Asks every group for its part of a list, and one that is still reading its histories again. Those that have no
    /// answer within [`LIST_WITHIN`], or whose owner does not understand the question, are named in the second list.
    pub(crate) async fn ask_parts(&self, asked: &Asked) -> Result<(Vec<Part>, Vec<u16>), Error> {
        let question = Question::Part(Box::new(asked.clone()));
        let asking = (0..self.count).map(|group| {
            let question = &question;
            async move {
                let part = async {
                    loop {
                        match self.ask(group, question).await {
                            Ok(Answered::Part(part)) => return Ok(Some(*part)),
                            Ok(Answered::Still) => self.clock.pause(READ_AGAIN).await,
                            Err(Error::Stopped) => return Err(Error::Stopped),
                            Ok(_) | Err(_) => return Ok(None),
                        }
                    }
                };
                let part = tokio::select! {
                    part = part => part,
                    () = self.clock.pause(LIST_WITHIN) => Ok(None),
                };
                part.map(|part| (group, part))
            }
        });
        let (mut parts, mut silent) = (Vec::new(), Vec::new());
        for (group, part) in futures::future::try_join_all(asking).await? {
            match part {
                Some(part) => parts.push(part),
                None => silent.push(group),
            }
        }
        Ok((parts, silent))
    }
    async fn ask_there(&self, group: u16, question: &Question, left: Duration) -> Result<Heard, Error> {
        let data = |why: serde_json::Error| Error::Data(why.to_string());
        let question = Payload::of(question).map_err(data)?;
        match self.bus.call(&Line::Group(group), &question, REMOTE_PATIENCE.min(left)).await {
            Ok(Ok(answer)) => answer.read().map(Heard::Answer).map_err(data),
            // The owner is just losing the group, and does not say what it has begun by then.
            Ok(Err(refused)) if refused.code == DEPARTED => Ok(Heard::Silence),
            Ok(Err(refused)) if refused.code == TOO_LATE => match refused.fields.map(|shows| shows.read()) {
                Some(Ok(shows)) => Ok(Heard::TooLate(shows)),
                Some(Err(_)) | None => Ok(Heard::Nothing),
            },
            Ok(Err(refused)) => Err(Error::Data(format!("{}: {}", refused.code, refused.reason))),
            Err(BusError::Unavailable(_) | BusError::Full(_)) => Ok(Heard::Nothing),
            Err(BusError::Unanswered(_)) => Ok(Heard::Silence),
            Err(other) => Err(Error::Data(other.to_string())),
        }
    }
    /// Answers the questions of other processes to a group of this one.
    pub(crate) fn answerer(&self, inputs: mpsc::Sender<Input>) -> Answerer {
        let clock = Arc::clone(&self.clock);
        Arc::new(move |question: Payload| {
            let (inputs, clock) = (inputs.clone(), Arc::clone(&clock));
            Box::pin(async move {
                let malformed = |why: serde_json::Error| Refused::new("MALFORMED", why.to_string());
                let question: Question = question.read().map_err(malformed)?;
                let now = clock.now();
                if question.until().is_some_and(|until| until < now) {
                    let fields = Some(Payload::of(&now).map_err(malformed)?);
                    return Err(Refused { fields, ..Refused::new(TOO_LATE, "nobody waits for this any more") });
                }
                let patience = clock.pause(MOVE_WITHIN);
                let heard = tokio::select! {
                    heard = ask_here(&inputs, question) => heard,
                    () = patience => Heard::Answer(Answered::Still),
                };
                match heard {
                    Heard::Answer(answered) => Payload::of(&answered).map_err(malformed),
                    Heard::Nothing | Heard::Silence | Heard::TooLate(_) => {
                        Err(Refused::new(DEPARTED, "the group is changing hands; ask again"))
                    }
                }
            })
        })
    }
}

/// The owner of a group has just stopped owning it.
const DEPARTED: &str = "DEPARTED";
/// The caller has given up, by the clock of the owner; the answer says what that clock shows.
const TOO_LATE: &str = "TOO_LATE";

async fn ask_here(inputs: &mpsc::Sender<Input>, question: Question) -> Heard {
    let (tell, told) = oneshot::channel();
    match inputs.send(Input::Asked(question, tell)).await {
        Ok(()) => told.await.map_or(Heard::Silence, Heard::Answer),
        Err(_) => Heard::Nothing,
    }
}

/// Which groups did not answer in time, as the beginning of a sentence.
pub(crate) fn who(silent: &[u16]) -> String {
    let names = silent.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    let groups = if silent.len() == 1 { "group" } else { "groups" };
    format!("{groups} {names} did not answer within {} s", LIST_WITHIN.as_secs())
}

//! The bus on NATS JetStream: at least once, in order per module, and repaired exactly from the logs after any loss.
//!
//! [`Nats`] is the ports of a bus (`Bus`, `DeadLetters`, `Traffic`, `EventBus`, `Calls`, `Upkeep`) over one connection. The sequence of an event in
//! the stream of its module is its `public_seq`, fenced by the broker itself with every publish.
//!
//! # What a process serves beside its queries
//!
//! A module that is hosted over this bus answers its own queries by itself. Two more lines are handed to the orchestrator
//! (`Orchestrator::lines`, a function of the module's name and its store), because only a bus with a network needs them:
//! - [`Nats::log_answerer`], for every module: its events out of its own log. Without it a reader that meets a gap, an
//!   event that was too large for the stream, or one that the stream has forgotten, waits for ever;
//! - [`Nats::readers_answerer`], for the coordinators' module where the broker has accounts: consumers for readers.
//!
//! Commands come from sagas only: there is no way yet to send a module a command that belongs to none.
//!
//! # What differs between servers
//!
//! Servers 2.9 to 2.15 work; nothing newer than 2.9 is used. Known differences:
//! - A repeated publish with an expected sequence: 2.9 looks at the message id first and answers "duplicate" with the
//!   sequence; 2.14 and later look at the sequence first and refuse with error 10071. Both are taken as what they are: the
//!   stream is asked what it has.
//! - A consumer that begins behind the end of its stream: servers before 2.14 begin at the end instead. The reader
//!   passes over what is delivered too early.
//! - A consumer whose stream was restored from an older copy: 2.9 leaves it ahead, and it delivers nothing until the
//!   stream has caught up; 2.15 sets it back. Consumer and stream are compared, and the consumer is made anew.
//! - A stream that is made anew at once after it was deleted: 2.9 may still be removing files, also those of the new
//!   one. So a stream is made anew only after a second.
//! - A question to another account that nobody serves: newer servers say so at once, 2.9 says nothing, and the caller
//!   waits for its whole patience.
//! - `sync_interval` in the server's configuration (the strict profile): servers before 2.10 refuse to start with it.

pub mod accounts;
mod anew;
mod api;
mod calls;
mod connect;
mod consume;
mod dlq;
mod doctor;
pub mod event;
pub mod headers;
mod health;
mod idle;
mod link;
pub mod message;
mod order;
mod ports;
mod publish;
mod pull;
mod read;
mod read_log;
mod readers;
mod refill;
mod refusal;
mod seldom;
mod strange;
mod stray;
pub mod subject;
pub mod topology;
mod upkeep;
mod weed;

pub use connect::{Account, ConnectError, Creates, Login, Options, Tls};
pub use doctor::{Diagnosis, Sync};
pub use health::{Health, Subscription};
pub use publish::WINDOW;
pub use refill::Compared;
pub use topology::{Difference, TopologyError, WHO_CREATES};

use api::Api;
use consume::Receiver;
use health::Progress;
use idle::IdleReaders;
use link::Link;
use publish::Publisher;
use saga_core::bus::{BusError, Inbox};
use saga_core::ports::SharedStore;
use saga_core::time::Timestamp;
use seldom::Seldom;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use strange::Strange;
use subject::{Replies, Subjects};
use topology::Wanted;
use upkeep::Kept;

/// 1 s before a stream that is missing is made anew. Servers 2.9 remove the files of a deleted stream after they have said
/// that it is gone, and with them those of a new one of the same name: its first messages are counted and cannot be read.
const PUT_AWAY_WITHIN: Duration = Duration::from_secs(1);

/// A bus on one connection. Cheap to clone; the connection ends with the last clone.
#[derive(Clone)]
pub struct Nats {
    inner: Arc<Inner>,
}

struct Inner {
    link: Arc<Link>,
    api: Api,
    subjects: Subjects,
    options: Options,
    progress: Progress,
    /// By inbox, and whether it is that of the shared replies.
    receivers: Mutex<BTreeMap<(Inbox, bool), Arc<Receiver>>>,
    /// By module and coordinator group; as many as there are of both.
    wishes: Mutex<BTreeMap<(String, u16), Replies>>,
    publishers: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<Publisher>>>>,
    idle: Arc<IdleReaders>,
    /// Messages in streams of events that are not their owners'.
    strange: Strange,
    /// Events that this process has put aside already: module and incarnation of its stream, sequence.
    parked: Mutex<BTreeSet<(String, u64)>>,
    /// The streams and consumers that were wanted, and are looked after.
    kept: Kept,
    /// What was put aside, by whose it is: a sender without an end fills no log.
    put_aside: Mutex<BTreeMap<String, Seldom>>,
    /// Logs that this process reads itself: nobody is asked for what stands in them.
    logs: Mutex<BTreeMap<String, SharedStore>>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time on the messages themselves; nothing is decided by it.
pub(crate) fn now() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "it only stands on the envelope of a message")]
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

impl Nats {
    /// Connects, and tries again until it works or `options.patience` ends; dropping the future gives up. What cannot get
    /// better by trying (a login or certificate that is not accepted, on either side) is an error at once. Afterwards the
    /// connection is kept up by itself. Streams and consumers are checked by [`Nats::ensure`], or when first needed.
    pub async fn connect(options: Options) -> Result<Self, ConnectError> {
        let subjects = Subjects::new(&options.prefix)?;
        let link = Arc::new(Link::connect(options.clone()).await?);
        let api = Api { link: Arc::clone(&link), patience: options.answer_within, prefix: options.account.api() };
        let inner = Inner {
            link,
            api,
            subjects,
            options,
            progress: Progress::default(),
            receivers: Mutex::default(),
            wishes: Mutex::default(),
            publishers: Mutex::default(),
            idle: Arc::default(),
            strange: Strange::default(),
            parked: Mutex::default(),
            kept: Kept::default(),
            put_aside: Mutex::default(),
            logs: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }
    /// Creates the streams and consumers that are missing for these modules and coordinator groups. One that differs is
    /// named and refused, or changed with `repair`. Repeating it is harmless.
    pub async fn ensure(&self, modules: &[&str], groups: &[u16]) -> Result<(), TopologyError> {
        let inner = &self.inner;
        let mut differing = Vec::new();
        for wanted in topology::whole(&inner.subjects, modules, groups, &inner.options.settings()) {
            match inner.ensure(&wanted).await {
                Ok(()) => {}
                // All of them in one message: nobody likes to mend one after another.
                Err(TopologyError::Differs(more)) => differing.extend(more),
                Err(why) => return Err(why),
            }
        }
        if differing.is_empty() { Ok(()) } else { Err(TopologyError::Differs(differing)) }
    }
    /// The streams of these modules, and the shared ones, that are not on the broker; by name. Creates nothing.
    pub async fn missing_streams(&self, modules: &[&str]) -> Result<Vec<String>, TopologyError> {
        let inner = &self.inner;
        let mut missing = Vec::new();
        for wanted in topology::whole(&inner.subjects, modules, &[], &inner.options.settings()) {
            if wanted.consumer.is_none() && inner.api.stream(&wanted.stream, None).await?.is_none() {
                missing.push(wanted.name());
            }
        }
        Ok(missing)
    }
    /// Removes the streams of these modules and the shared ones, if their subjects begin with `prefix`: for measurements on
    /// a broker of their own. Streams of anybody else are left alone, and named in the error.
    pub async fn remove_streams(&self, modules: &[&str], prefix: &str) -> Result<(), TopologyError> {
        let settings = self.inner.options.settings();
        let wanted = topology::whole(&self.inner.subjects, modules, &[], &settings);
        for wanted in wanted.iter().filter(|wanted| wanted.consumer.is_none()) {
            let Some(found) = self.inner.api.stream(&wanted.stream, None).await? else { continue };
            let subject = found.config["subjects"][0].as_str().unwrap_or_default();
            if !subject.starts_with(prefix) {
                let why = format!("stream {} carries {subject}, which is somebody else's", wanted.stream);
                return Err(TopologyError::Unavailable(why));
            }
            self.inner.api.delete_stream(&wanted.stream).await?;
        }
        Ok(())
    }
    /// How the connection and each subscription are.
    pub fn health(&self) -> Health {
        let (link, subscriptions) = (&self.inner.link, self.inner.progress.subscriptions());
        Health { connected: link.is_connected(), last_error: link.last_complaint(), subscriptions }
    }
    /// The names on the wire.
    pub fn subjects(&self) -> &Subjects {
        &self.inner.subjects
    }
}

impl Inner {
    /// Whether a stream or consumer may be created by this process.
    fn may_create(&self, wanted: &Wanted) -> bool {
        match (&self.options.account, self.options.creates) {
            (Account::Own(_), _) | (_, Creates::Nothing) => false,
            (_, Creates::Everything) => true,
            (_, Creates::OwnEvents) if wanted.consumer.is_some() => wanted.stream == subject::COMMANDS,
            (_, Creates::OwnEvents) => wanted.stream.starts_with("EVT_"),
        }
    }
    async fn ensure(&self, wanted: &Wanted) -> Result<(), TopologyError> {
        if !self.may_create(wanted) {
            return Ok(());
        }
        self.kept.keep(wanted);
        if wanted.ensure(&self.api, self.options.repair).await? {
            tracing::info!("{} was not there and was created", wanted.name());
        }
        Ok(())
    }
    /// Creates what was lost, a stream not before the broker has put the lost one away.
    pub(crate) async fn ensure_again(&self, wanted: &Wanted) -> Result<bool, TopologyError> {
        if wanted.consumer.is_none() && self.api.stream(&wanted.stream, None).await?.is_none() {
            connect::pause_for(PUT_AWAY_WITHIN).await;
        }
        wanted.ensure(&self.api, self.options.repair).await
    }
    /// Creates the stream with this name anew, after the broker said that it is missing.
    async fn recreate(&self, stream: &str) -> Result<(), BusError> {
        let settings = self.options.settings();
        let wanted = match stream.strip_prefix("EVT_") {
            Some(module) => Some(topology::events_stream(&self.subjects, module, &settings)),
            None => {
                topology::shared_streams(&self.subjects, &settings).into_iter().find(|wanted| wanted.stream == stream)
            }
        };
        let Some(wanted) = wanted.filter(|wanted| self.may_create(wanted)) else {
            return Err(BusError::Missing { what: format!("stream {stream}"), next: topology::WHO_CREATES.to_owned() });
        };
        match self.ensure_again(&wanted).await {
            Ok(created) => {
                if created {
                    tracing::error!("{} was missing and was created anew", wanted.name());
                    self.link.lost();
                }
                Ok(())
            }
            Err(why) => Err(BusError::Unavailable(why.to_string())),
        }
    }
}

//! Connecting, and staying connected: until the caller gives up, and for ever afterwards. Every change is logged.

use crate::refusal::{Refusal, chain};
use crate::subject::{PrefixError, token};
use crate::topology::Settings;
use async_nats::{Client, ConnectOptions, Event};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// 50 ms before the second attempt; each further one waits twice as long.
const RETRY_FIRST: Duration = Duration::from_millis(50);
/// 2 s between attempts at most: a broker that is back is noticed at once by human standards.
const RETRY_LAST: Duration = Duration::from_secs(2);
/// 5 s between pings: a dead peer is noticed within ten.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How to show who we are. Secrets stand in files, which are read once, when connecting.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Login {
    /// Not at all: a broker that trusts every client that reaches it.
    #[default]
    None,
    /// A user and a file with the password; a line break at its end is not part of it.
    Password {
        /// The user.
        user: String,
        /// Where the password is.
        file: PathBuf,
    },
    /// A file with the seed of an nkey.
    Nkey(PathBuf),
    /// A credentials file: JWT and seed.
    Credentials(PathBuf),
}

/// Certificates. Without any, the system's are trusted as soon as a URL says `tls://`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// The authority to trust.
    pub authority: Option<PathBuf>,
    /// Our certificate and key, where the broker asks for one.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// Which streams this process may create when they are missing. Consumers of its own it always may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Creates {
    /// All of them: coordinators and single processes.
    #[default]
    Everything,
    /// Only those of the events that it publishes: modules with a credential of their own.
    OwnEvents,
    /// None, and no consumer that lasts either: processes that only look. Reading events makes a consumer in the memory
    /// of the broker, which forgets it by itself.
    Nothing,
}

/// In which account of the broker a connection lives.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Account {
    /// There is one for everybody: a client that may publish anything can write into every stream, through a reply
    /// subject.
    #[default]
    Shared,
    /// That of the coordinators, which has the streams; others have accounts of their own.
    Coordinators,
    /// One of its own, of this name: it reaches exactly what the coordinators' account lends it.
    Own(String),
}

impl Account {
    /// What the JetStream API is called there.
    pub(crate) fn api(&self) -> &'static str {
        match self {
            Account::Shared | Account::Coordinators => "$JS.API",
            Account::Own(_) => crate::accounts::API,
        }
    }
}

/// Everything that can be chosen.
#[derive(Debug, Clone)]
pub struct Options {
    /// Servers of one cluster: `nats://HOST:PORT` or `tls://HOST:PORT`, without a login in them.
    pub urls: Vec<String>,
    /// In front of every subject.
    pub prefix: String,
    /// The client's name, as the broker shows it; without a user also the name of its inboxes.
    pub name: String,
    /// How to show who we are.
    pub login: Login,
    /// Certificates; `Some` insists on TLS.
    pub tls: Option<Tls>,
    /// How long connecting may take at first; `None` tries until it is given up by dropping it.
    pub patience: Option<Duration>,
    /// How long one answer of the broker may take.
    pub answer_within: Duration,
    /// A message that is received and not settled after this long comes back.
    pub ack_wait: Duration,
    /// Delivered this often without being settled, a message is put aside.
    pub deliveries_max: u32,
    /// How long one waiting pull lives; after each that brought nothing, broker and consumer are compared.
    pub look_every: Duration,
    /// How often the broker shows during a waiting pull that it is there; two missed ones end the pull.
    pub heartbeat: Duration,
    /// How many servers keep each stream.
    pub replicas: usize,
    /// Change streams and consumers that differ instead of refusing them.
    pub repair: bool,
    /// Which streams may be created.
    pub creates: Creates,
    /// In which account it is.
    pub account: Account,
    /// Older processes (which have no reply subject for each module) take part: replies are asked for on the subject that all modules share, where nothing
    /// proves who answers, and the coordinators' line is served under its old name too. Only in a shared account.
    pub older_processes: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            urls: vec!["nats://127.0.0.1:4222".to_owned()],
            prefix: saga_core::bus::PREFIX.to_owned(),
            name: "saga".to_owned(),
            login: Login::None,
            tls: None,
            patience: None,
            answer_within: Duration::from_secs(5),
            ack_wait: Duration::from_secs(30),
            deliveries_max: 20,
            look_every: Duration::from_secs(10),
            heartbeat: Duration::from_secs(2),
            replicas: 1,
            repair: false,
            creates: Creates::Everything,
            account: Account::Shared,
            older_processes: true,
        }
    }
}

impl Options {
    pub(crate) fn settings(&self) -> Settings {
        let shared_replies = self.account == Account::Shared;
        Settings { replicas: self.replicas, ack_wait: self.ack_wait, shared_replies }
    }
    /// Whether what older processes say is believed.
    pub(crate) fn believes_older(&self) -> bool {
        self.older_processes && self.account == Account::Shared
    }
    /// The user that shows who we are, where one is named; otherwise nothing.
    pub(crate) fn who(&self) -> &str {
        match &self.login {
            Login::Password { user, .. } => user,
            Login::None | Login::Nkey(_) | Login::Credentials(_) => "",
        }
    }
    /// The servers, for people: without what stands in front of an `@`.
    pub(crate) fn servers(&self) -> String {
        let bare = |url: &String| match (url.split_once("://"), url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            (None, Some((_, host))) => host.to_owned(),
            (_, None) => url.clone(),
        };
        self.urls.iter().map(bare).collect::<Vec<_>>().join(", ")
    }
    /// What all inboxes begin with: each user sees only its own answers.
    pub fn inbox(&self) -> String {
        let user = match &self.login {
            Login::Password { user, .. } => user,
            Login::None | Login::Nkey(_) | Login::Credentials(_) => &self.name,
        };
        format!("_INBOX_{}", token(user))
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The prefix cannot stand in front of subjects.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A file with a secret or certificate cannot be read.
    #[error("{path} cannot be read: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A URL holds a user or a password, where it would be shown and logged.
    #[error("{url} has a login in it; {next}")]
    LoginInUrl {
        /// Which, without the login.
        url: String,
        /// The next step.
        next: String,
    },
    /// Server and client do not agree on who they are: trying again does not help, a person has to.
    #[error("no connection to {urls}: {why}; {next}")]
    Refused {
        /// Where.
        urls: String,
        /// What is wrong: login, certificate, encryption. Never a secret.
        why: String,
        /// The next step.
        next: String,
    },
    /// The patience has ended; the last attempt failed with this.
    #[error("no connection to {urls} within {patience:?}: {why}")]
    Unreachable {
        /// Where.
        urls: String,
        /// For how long.
        patience: Duration,
        /// Why the last attempt failed.
        why: String,
    },
}

/// What the connection last complained about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Complaints(Arc<Mutex<Option<String>>>, Arc<watch::Sender<u64>>);
impl Complaints {
    /// Messages may have been lost: the connection is a new one, or something that holds messages was.
    pub(crate) fn lost(&self) {
        self.1.send_modify(|times| *times += 1);
    }
    /// How often that was so.
    pub(crate) fn losses(&self) -> watch::Receiver<u64> {
        self.1.subscribe()
    }
    pub(crate) fn set(&self, why: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
    }
    pub(crate) fn last(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn log(event: &Event, complaints: &Complaints) {
    match event {
        Event::Connected => {
            tracing::info!("connected to the broker");
            complaints.lost();
        }
        Event::LameDuckMode | Event::Draining => tracing::warn!(%event, "the broker is about to stop"),
        Event::Disconnected | Event::Closed => {
            tracing::warn!(%event, "no connection to the broker");
            complaints.set(event.to_string());
        }
        Event::SlowConsumer(_) | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::error!(%event, "the broker complains");
            complaints.set(event.to_string());
        }
    }
}

/// How long to wait before attempt `n`.
fn backoff(attempt: usize) -> Duration {
    let factor = 1_u32.checked_shl(u32::try_from(attempt).unwrap_or(u32::MAX)).unwrap_or(u32::MAX);
    RETRY_FIRST.saturating_mul(factor).min(RETRY_LAST)
}

async fn read(path: &PathBuf) -> Result<String, ConnectError> {
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|why| ConnectError::File { path: path.clone(), why: why.to_string() })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// A login in a URL is not used by the client, and would stand in every message.
fn without_login(urls: &[String]) -> Result<(), ConnectError> {
    for url in urls {
        if let Some((login, host)) = url.rsplit_once('@') {
            let scheme = login.split_once("://").map_or("", |(scheme, _)| scheme);
            let next = "name it by bus.user, with the password in bus.password_file".to_owned();
            return Err(ConnectError::LoginInUrl { url: format!("{scheme}://{host}"), next });
        }
    }
    Ok(())
}

async fn prepare(options: &Options, complaints: &Complaints) -> Result<ConnectOptions, ConnectError> {
    without_login(&options.urls)?;
    let complaints = complaints.clone();
    let mut connect = ConnectOptions::new()
        .name(&options.name)
        .custom_inbox_prefix(options.inbox())
        .ping_interval(PING_EVERY)
        .request_timeout(Some(options.answer_within))
        .reconnect_delay_callback(backoff)
        .event_callback(move |event| {
            log(&event, &complaints);
            std::future::ready(())
        });
    connect = match &options.login {
        Login::None => connect,
        Login::Password { user, file } => connect.user_and_password(user.clone(), read(file).await?),
        Login::Nkey(file) => connect.nkey(read(file).await?),
        Login::Credentials(file) => connect
            // The client takes no last line without its end.
            .credentials(&format!("{}\n", read(file).await?))
            .map_err(|why| ConnectError::File { path: file.clone(), why: why.to_string() })?,
    };
    if let Some(tls) = &options.tls {
        connect = connect.require_tls(true);
        if let Some(authority) = &tls.authority {
            connect = connect.add_root_certificates(authority.clone());
        }
        if let Some((certificate, key)) = &tls.certificate {
            connect = connect.add_client_certificate(certificate.clone(), key.clone());
        }
    }
    Ok(connect)
}

/// Tries until there is a connection, until it is clear that only a person can help, or until the patience ends.
pub(crate) async fn connect(options: &Options, complaints: &Complaints) -> Result<Client, ConnectError> {
    let connect = prepare(options, complaints).await?;
    let mut made = complaints.losses();
    let give_up = options.patience.map(|patience| tokio::time::Instant::now() + patience);
    for attempt in 0_usize.. {
        let why = match connect.clone().connect(&options.urls).await {
            Ok(client) => {
                // The event comes on a way of its own; behind this, it must not look like a second connection.
                let _counted = tokio::time::timeout(options.answer_within, made.changed()).await;
                return Ok(client);
            }
            Err(error) => match Refusal::of(&error, options) {
                Some(Refusal { why, next }) => {
                    let refused = ConnectError::Refused { urls: options.urls.join(", "), why, next };
                    complaints.set(refused.to_string());
                    return Err(refused);
                }
                None => chain(&error),
            },
        };
        let urls = options.urls.join(", ");
        tracing::warn!(url = urls, why, "the broker cannot be reached; trying again");
        let pause = backoff(attempt);
        if let (Some(patience), Some(at)) = (options.patience, give_up)
            && tokio::time::Instant::now() + pause > at
        {
            return Err(ConnectError::Unreachable { urls, patience, why });
        }
        pause_for(pause).await;
    }
    // An endless loop has no end, and the language does not know it.
    Err(ConnectError::Unreachable { urls: String::new(), patience: Duration::MAX, why: String::new() })
}

/// A short pause between attempts.
pub(crate) async fn pause_for(pause: Duration) {
    #[expect(clippy::disallowed_methods, reason = "a pause before the network is tried again decides nothing")]
    tokio::time::sleep(pause).await;
}
/// A pause that grows with failures in a row.
pub(crate) async fn pause_after(failures: u32) {
    pause_for(backoff(usize::try_from(failures).unwrap_or(usize::MAX))).await;
}

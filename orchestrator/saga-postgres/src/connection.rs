//! Connections to the server: what every one of them is told, and how long anybody waits for it.

use crate::access::{Names, quoted};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use std::time::Duration;
use tokio::time::timeout;

/// Four: two cores' worth of readers and two that wait for the network.
pub(crate) const READERS_MAX: u32 = 4;
/// 2 s: a server that has not taken a connection by then is away for whoever waits for a commit.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// 1 s: a connection that has rested for this long is asked whether it still stands before it is trusted with a commit.
pub(crate) const RESTED: Duration = Duration::from_secs(1);
/// 3 s: a reader waits this long for one of the connections.
const ACQUIRE_MAX: Duration = Duration::from_secs(3);
/// 15 s: longer than the server gives a statement of ours. Whoever has no answer by then will get none.
pub(crate) const ANSWER_MAX: Duration = Duration::from_secs(15);
/// The purpose of a connection that hears of what other processes write.
pub(crate) const LISTENS: &str = "listen";

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// To ask the server for its own settings.
    Probe,
    /// To write.
    Appender,
    /// To take and give back leases.
    Writer,
    /// To read.
    Reader,
    /// To hear of what other processes write.
    Listener,
}

/// How the connections of one store are made.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) options: PgConnectOptions,
    pub(crate) names: Names,
    /// Whether the server's own `synchronous_commit` is left as it is, because its user has accepted it.
    pub(crate) as_the_server_likes: bool,
    /// Whoever only looks is nobody's audience, and greets nobody.
    pub(crate) looks: bool,
}

impl Line {
    fn options(&self, role: Role) -> PgConnectOptions {
        let name = match role {
            Role::Probe => "open",
            Role::Appender => "append",
            Role::Writer => "lease",
            Role::Reader => "read",
            Role::Listener => LISTENS,
        };
        let mut options = self
            .options
            .clone()
            .application_name(&self.names.connection(name))
            .options([("search_path", quoted(&self.names.schema))])
            // Every question here goes by a key. Plans are kept for the life of a connection, and one that was made
            // while a table was nearly empty must not read all of it when it has grown.
            .options([("enable_seqscan", "off"), ("enable_hashjoin", "off"), ("enable_mergejoin", "off")])
            .options([("plan_cache_mode", "force_generic_plan"), ("jit", "off")]);
        match role {
            Role::Probe | Role::Listener => options,
            Role::Appender | Role::Writer => {
                if !self.as_the_server_likes {
                    options = options.options([("synchronous_commit", "on")]);
                }
                // Who waits for the lock of the head, or holds it and says nothing (a paused process), gives way.
                options
                    .options([("lock_timeout", "5s"), ("statement_timeout", "10s")])
                    .options([("idle_in_transaction_session_timeout", "5s")])
            }
            // A notification is a commit too, and a hint is not worth a flush.
            Role::Reader => options
                .options([("default_transaction_read_only", "on"), ("synchronous_commit", "off")])
                .options([("statement_timeout", "60s")]),
        }
    }
    /// A new connection.
    pub(crate) async fn connect(&self, role: Role) -> Result<PgConnection, sqlx::Error> {
        match timeout(CONNECT_MAX, self.options(role).connect()).await {
            Ok(connected) => connected,
            Err(late) => Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, late))),
        }
    }
    /// Connections that read; made when they are needed.
    pub(crate) fn readers(&self) -> PgPool {
        self.pool(Role::Reader, READERS_MAX)
    }
    /// The connection of the leases: they are asked for every few seconds.
    pub(crate) fn writers(&self) -> PgPool {
        self.pool(Role::Writer, 1)
    }
    /// The connection that listens.
    pub(crate) fn listening(&self) -> PgPool {
        self.pool(Role::Listener, 1)
    }
    fn pool(&self, role: Role, connections: u32) -> PgPool {
        PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_MAX)
            // Asking a busy connection whether it stands would double the time of a short read.
            .test_before_acquire(false)
            .before_acquire(|connection, rest| {
                Box::pin(async move {
                    match rest.idle_for > RESTED {
                        true => connection.ping().await.map(|()| true),
                        false => Ok(true),
                    }
                })
            })
            .connect_lazy_with(self.options(role))
    }
}

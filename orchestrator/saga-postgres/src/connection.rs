//! Connections to the server: the settings of each, and how long a caller waits for it.

use crate::access::{Names, quoted};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};
use std::time::Duration;
use tokio::time::timeout;

/// Two: one long read, and one beside it.
pub(crate) const READERS_MAX: u32 = 2;
/// Two for short questions, which travel in company: one under way, and one that gathers behind it.
pub(crate) const LANES_MAX: u32 = 2;
/// 7: as many connections as a process holds for each store at most. Beside those that read and ask, one appends, one takes
/// leases and one listens. Two processes with all modules of a small system are let in by a server that takes 100 clients.
pub const CONNECTIONS_MAX: u32 = READERS_MAX + LANES_MAX + 3;
/// 28 connections of one role, unless the server's operator says another number: four processes that serve the module, two that
/// go and two that come while a version is exchanged. Without a limit one module could take every connection of the server.
pub const ROLE_CONNECTIONS_MAX: u32 = 4 * CONNECTIONS_MAX;
/// Values of `synchronous_commit` that wait for the local disk, and for a standby more or less.
pub(crate) const FLUSHED: &[&str] = &["on", "local", "remote_write", "remote_apply"];
/// 2 s: for a caller that waits for a commit, a server that has not taken a connection by then is away.
const CONNECT_MAX: Duration = Duration::from_secs(2);
/// 1 s: a connection that has rested for this long is asked whether it still stands before it is trusted with a commit.
pub(crate) const RESTED: Duration = Duration::from_secs(1);
/// 3 s: a reader waits this long for one of the connections.
const ACQUIRE_MAX: Duration = Duration::from_secs(3);
/// 15 s: longer than the server gives a statement of ours. A caller that has no answer by then will get none.
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
pub(crate) struct Connector {
    pub(crate) options: PgConnectOptions,
    pub(crate) names: Names,
    /// Whether the server's own `synchronous_commit` is left as it is, because its user has accepted it.
    pub(crate) as_the_server_likes: bool,
    /// A process that only looks counts as no listener, and greets nobody.
    pub(crate) looks: bool,
}

impl Connector {
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
                // A session that waits too long for the lock of the head, or holds it and does nothing (a paused
                // process), gives way.
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
        let connecting = async {
            let mut connection = self.options(role).connect().await?;
            if role == Role::Appender && !self.as_the_server_likes {
                flushes(&mut connection).await?;
            }
            Ok(connection)
        };
        match timeout(CONNECT_MAX, connecting).await {
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
        let writes = role == Role::Writer && !self.as_the_server_likes;
        PgPoolOptions::new()
            .after_connect(move |connection, _| {
                Box::pin(async move { if writes { flushes(connection).await } else { Ok(()) } })
            })
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

/// A connection that writes has asked for flushed commits; a proxy in between, or the server, may have ignored that. An
/// error when a commit that is acknowledged could be lost.
async fn flushes(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let found: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(connection).await?;
    match FLUSHED.contains(&found.as_str()) {
        true => Ok(()),
        false => Err(sqlx::Error::Protocol(format!(
            "synchronous_commit is {found} on a connection that asked for on (sagactl help SG0004)"
        ))),
    }
}

//! How readers learn that the log has grown: at once in this process, by a notification between processes, and by a
//! slow poll of the head if both fail.
//!
//! A notification is only a hint to look: any role of the database may send one. It is sent after the commit and on
//! another connection, because a notification within a transaction takes a lock of the whole server. And it wakes every
//! listener in the database, all modules of all processes: so it is sent only while another process has the same module
//! open. A process that begins to listen greets the others.

use crate::access::Names;
use crate::connection::{Connector, LISTENS};
use crate::store::Shared;
use saga_core::id::Position;
use saga_core::ports::ReadError;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

/// 250 ms: how late a reader may be that has missed every notification.
pub(crate) const POLL: Duration = Duration::from_millis(250);
/// 20 ms between notifications: each is a transaction that wakes every process. The first after a rest goes at once,
/// and a reader that is woken reads everything that came in between.
const APART: Duration = Duration::from_millis(20);
/// 1 s between questions whether another process still listens. A process that comes makes itself known, one that
/// leaves does not.
const AUDIENCE: Duration = Duration::from_secs(1);
/// The greeting of a process that begins to listen. It is no position, so that no reader looks because of it.
const HERE: &str = "here";
/// 1 s: a notification that takes longer is given up; the slow look finds what it was about.
const ANNOUNCE_MAX: Duration = Duration::from_secs(1);
/// 500 ms between attempts to listen again on a server that is away.
const RELISTEN: Duration = Duration::from_millis(500);

/// The last position that the server has committed.
pub(crate) async fn head(readers: &PgPool, place: &str) -> Result<Position, ReadError> {
    let head: i64 = sqlx::query_scalar("SELECT position FROM es_head WHERE id = 1")
        .fetch_one(readers)
        .await
        .map_err(|error| crate::fault::read_error(place, &error))?;
    Ok(Position(head.cast_unsigned()))
}

/// Whether other processes listen, as far as this one knows.
pub(crate) struct Audience {
    /// Another process may listen.
    others: AtomicBool,
    /// The server's number for our own listening connection; zero while there is none.
    own: AtomicI32,
}
impl Audience {
    /// Until it is known that no other process listens, one may.
    pub(crate) fn new() -> Self {
        Self { others: AtomicBool::new(true), own: AtomicI32::new(0) }
    }
    /// Asks the server. A greeting that arrives meanwhile is not forgotten; without an answer another process may be
    /// there.
    async fn ask(&self, readers: &PgPool, names: &Names) {
        self.others.store(false, Ordering::SeqCst);
        let others = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = $1 AND application_name = $2 AND pid <> $3)",
        )
        .bind(&names.role)
        .bind(names.connection(LISTENS))
        .bind(self.own.load(Ordering::SeqCst))
        .fetch_one(readers);
        if timeout(ANNOUNCE_MAX, others).await.ok().and_then(Result::ok).unwrap_or(true) {
            self.others.store(true, Ordering::SeqCst);
        }
    }
    pub(crate) fn is_there(&self) -> bool {
        self.others.load(Ordering::SeqCst)
    }
}

/// Tells the other processes, if there are any, that the log has grown, at most every few milliseconds. Ends with the
/// appender.
pub(crate) async fn announce(readers: PgPool, names: Names, shared: Arc<Shared>, mut published: watch::Receiver<u64>) {
    let mut asked = Instant::now();
    while published.changed().await.is_ok() {
        let position = published.borrow_and_update().to_string();
        if !shared.audience.is_there() {
            continue;
        }
        notify(&readers, &names, &position).await;
        if asked.elapsed() > AUDIENCE {
            shared.audience.ask(&readers, &names).await;
            asked = Instant::now();
        }
        rest(APART).await;
    }
}
async fn notify(readers: &PgPool, names: &Names, payload: &str) {
    let sent = sqlx::query("SELECT pg_notify($1, $2)").bind(&names.channel).bind(payload).execute(readers);
    // A reader that misses it polls before long.
    timeout(ANNOUNCE_MAX, sent).await.ok();
}

/// Keeps what is known of the head up to date, as long as anybody waits for growth. Runs until it is aborted.
pub(crate) async fn follow(connector: Connector, readers: PgPool, shared: Arc<Shared>, place: String) {
    let listening = connector.listening();
    loop {
        let heard = async {
            let mut listener = PgListener::connect_with(&listening).await?;
            listener.ignore_pool_close_event(false);
            listener.eager_reconnect(false);
            listener.listen(&connector.names.channel).await?;
            let own = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut listener).await?;
            shared.audience.own.store(own, Ordering::SeqCst);
            notify(&readers, &connector.names, HERE).await;
            // One look finds everything that was announced before we listened.
            look(&readers, &shared, &place).await;
            while let Some(hint) = listener.try_recv().await? {
                if hint.payload() == HERE {
                    shared.audience.others.store(true, Ordering::SeqCst);
                }
                // Our own announcements come back too, and name nothing new.
                if hint.payload().parse().is_ok_and(|position| shared.lacks(Position(position))) {
                    look(&readers, &shared, &place).await;
                }
            }
            Ok::<(), sqlx::Error>(())
        };
        let watched = async {
            loop {
                rest(POLL).await;
                poll(&readers, &shared, &place).await;
            }
        };
        tokio::select! {
            lost = heard => if let Err(error) = lost {
                tracing::debug!(place, why = %error, "nothing is heard from the other processes");
            },
            () = watched => {}
        }
        // The server is away. It is polled while nothing can listen.
        let relisten = timeout(RELISTEN, async {
            loop {
                rest(POLL).await;
                poll(&readers, &shared, &place).await;
            }
        });
        let _: Result<(), _> = relisten.await;
    }
}
async fn look(readers: &PgPool, shared: &Shared, place: &str) {
    if let Ok(head) = head(readers, place).await {
        shared.seen(head);
    }
}
/// Looks only if anybody waits for the answer.
async fn poll(readers: &PgPool, shared: &Shared, place: &str) {
    if shared.awaited() {
        look(readers, shared, place).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a wait for the network, not for a deadline of the business")]
async fn rest(pause: Duration) {
    tokio::time::sleep(pause).await;
}

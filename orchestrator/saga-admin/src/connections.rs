//! Connections of the admin API, bounded in number and in time: a client that is slow, idle or one of too many costs a
//! place for a while, and never the answer to a health probe.

use crate::metrics::{OpenConnection, OpenConnections};
use crate::server::STOP_MS_MAX;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{AbortHandle, JoinSet};

/// 256 connections at once: more people and scripts than ever look at one process.
pub const CONNECTIONS_MAX: usize = 256;
/// 8 more that only answer the health routes, the oldest of which makes room for a further one: a health probe is not
/// locked out by other clients, however many there are and however idle.
pub const HEALTH_CONNECTIONS_MAX: usize = 8;
/// A quarter of the descriptors of the process at most: the others are for stores, brokers and files.
const SHARE_OF_DESCRIPTORS: u64 = 4;
/// 10 s for the head of a request, and for silence between two: a program on this machine needs milliseconds.
pub const HEAD_WITHIN: Duration = Duration::from_secs(10);
/// 15 minutes for a connection as a whole: longer than the longest answer, a check of every promise, may take.
pub(crate) const CONNECTION_WITHIN: Duration = Duration::from_secs(900);
/// 64 streams of changes at once: more people than ever look at one process, and three quarters of all connections stay for
/// looks and orders.
pub const STREAMS_MAX: usize = 64;
/// Of the connections that there may be, a quarter at most are streams.
const SHARE_OF_CONNECTIONS: usize = 4;
/// After the system refused a connection for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections that may ask anything.
    pub connections: usize,
    /// Those of them that may be streams of changes.
    pub streams: usize,
    /// Connections beyond them that may ask how things are.
    pub health: usize,
    /// How long the head of a request may take, and the silence before it.
    pub head: Duration,
    /// How long the body of a request may take.
    pub body: Duration,
}

impl Bounds {
    /// For this process: the numbers above, and never more than its share of the descriptors.
    pub fn of_process() -> Self {
        Self::of_descriptors(rustix::process::getrlimit(rustix::process::Resource::Nofile).current)
    }
    /// For a process that may have so many descriptors; nothing means any number.
    fn of_descriptors(descriptors: Option<u64>) -> Self {
        let share =
            descriptors.map_or(usize::MAX, |most| usize::try_from(most / SHARE_OF_DESCRIPTORS).unwrap_or(usize::MAX));
        let connections = CONNECTIONS_MAX.min(share.saturating_sub(HEALTH_CONNECTIONS_MAX)).max(1);
        Self {
            connections,
            streams: STREAMS_MAX.min(connections / SHARE_OF_CONNECTIONS).max(1),
            health: HEALTH_CONNECTIONS_MAX,
            head: HEAD_WITHIN,
            body: crate::server::BODY_WITHIN,
        }
    }
}

/// Serves `all` to as many connections as there may be, and `health` to some more, until `stopping` turns true; then
/// requests under way get [`STOP_MS_MAX`].
pub(crate) async fn serve(
    listener: TcpListener,
    (all, health): (Router, Router),
    (bounds, open): (Bounds, OpenConnections),
    stopping: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(bounds.connections));
    let mut reserve: VecDeque<AbortHandle> = VecDeque::new();
    let mut tasks = JoinSet::new();
    let mut told = stopping.clone();
    loop {
        // Those that have ended are forgotten.
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            _ = told.wait_for(|stopping| *stopping) => break,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(why) => {
                tracing::warn!(%why, "a connection could not be taken");
                let _told = tokio::time::timeout(ACCEPT_PAUSE, told.wait_for(|stopping| *stopping)).await;
                continue;
            }
        };
        if let Ok(place) = Arc::clone(&places).try_acquire_owned() {
            tasks.spawn(connection(stream, all.clone(), (Some(place), open.one()), bounds, stopping.clone()));
            continue;
        }
        reserve.retain(|open| !open.is_finished());
        // How things are is asked and answered within a moment: the oldest has asked, or never will.
        if reserve.len() >= bounds.health
            && let Some(oldest) = reserve.pop_front()
        {
            oldest.abort();
        }
        reserve.push_back(tasks.spawn(connection(
            stream,
            health.clone(),
            (None, open.one()),
            bounds,
            stopping.clone(),
        )));
    }
    drop(listener);
    let ended = async { while tasks.join_next().await.is_some() {} };
    // Connections that have not ended by then are cut off with the set.
    let _late = tokio::time::timeout(Duration::from_millis(STOP_MS_MAX), ended).await;
}

async fn connection(
    stream: TcpStream,
    router: Router,
    place: (Option<OwnedSemaphorePermit>, OpenConnection),
    bounds: Bounds,
    mut stopping: watch::Receiver<bool>,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.head);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    let serve = async {
        tokio::select! {
            ended = serving.as_mut() => return ended,
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        serving.as_mut().graceful_shutdown();
        serving.as_mut().await
    };
    match tokio::time::timeout(CONNECTION_WITHIN, serve).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => tracing::debug!(%why, "a connection ended early"),
        Err(_) => tracing::debug!("a connection was held open too long"),
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_take_a_quarter_of_the_descriptors_at_most_and_one_at_least() {
        for (descriptors, connections) in [
            (None, CONNECTIONS_MAX),
            (Some(u64::MAX), CONNECTIONS_MAX),
            (Some(SHARE_OF_DESCRIPTORS * (CONNECTIONS_MAX + HEALTH_CONNECTIONS_MAX) as u64), CONNECTIONS_MAX),
            (Some(SHARE_OF_DESCRIPTORS * (20 + HEALTH_CONNECTIONS_MAX) as u64), 20),
            (Some(SHARE_OF_DESCRIPTORS * HEALTH_CONNECTIONS_MAX as u64), 1),
            (Some(0), 1),
        ] {
            let bounds = Bounds::of_descriptors(descriptors);
            assert_eq!((bounds.connections, bounds.health), (connections, HEALTH_CONNECTIONS_MAX), "{descriptors:?}");
        }
        let Bounds { connections, health, .. } = Bounds::of_process();
        let most = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
        assert!(connections == 1 || (connections + health) as u64 * SHARE_OF_DESCRIPTORS <= most);
    }
}

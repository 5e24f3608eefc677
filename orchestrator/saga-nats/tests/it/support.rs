//! What the tests share: a bus on a fresh server, a log, and waiting with a deadline.

use saga::SystemClock;
use saga_core::memory::MemoryStore;
use saga_core::ports::SharedStore;
use saga_nats::{Nats, Options};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use test_servers::nats::Nats as Server;

/// Longer than anything takes on a slow machine; nothing waits for its end unless it fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Short, so that the tests are.
pub(crate) const ACK_WAIT: Duration = Duration::from_secs(2);
pub(crate) const DELIVERIES_MAX: u32 = 3;

pub(crate) fn options(url: String) -> Options {
    Options {
        urls: vec![url],
        patience: Some(DEADLINE),
        ack_wait: ACK_WAIT,
        deliveries_max: DELIVERIES_MAX,
        look_every: Duration::from_secs(1),
        heartbeat: Duration::from_millis(200),
        answer_within: Duration::from_secs(2),
        ..Options::default()
    }
}
pub(crate) async fn connect(server: &Server) -> Nats {
    let bus = Nats::connect(options(server.url())).await.unwrap();
    bus.ensure(&["law"], &[3, 4]).await.unwrap();
    bus
}
pub(crate) fn store() -> SharedStore {
    Arc::new(MemoryStore::new(Arc::new(SystemClock)))
}
/// Asks until the answer is yes; fails with the last "no" when the deadline has passed.
pub(crate) async fn until<T, F: Future<Output = Result<T, String>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let end = tokio::time::Instant::now() + DEADLINE;
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(why) if tokio::time::Instant::now() > end => panic!("{what}: {why}"),
            Err(_) => pass(Duration::from_millis(20)).await,
        }
    }
}
/// Real time passes: only between two looks, or where a law asks for it.
pub(crate) async fn pass(duration: Duration) {
    let end = tokio::time::Instant::now() + duration;
    tokio::time::sleep_until(end).await;
}

//! How far read models are behind, and asking within a time, so that nobody waits for a bus or a store that is away.

use crate::host::Host;
use crate::limits::COUNTED_WITHIN;
use futures::future::{Either, select, try_join_all};
use saga_core::ports::{Clock, ReadError};
use saga_core::view::ProjectionRow;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

/// What is answered within a time; or why it is not known.
pub(crate) async fn in_time<T, E: Display>(
    asked: impl Future<Output = Result<T, E>>,
    clock: &dyn Clock,
    time: Duration,
) -> Result<T, String> {
    let (asked, patience) = (std::pin::pin!(asked), clock.pause(time));
    match select(asked, patience).await {
        Either::Left((answer, _)) => answer.map_err(|why| why.to_string()),
        Either::Right(_) => Err(format!("no answer within {} s", time.as_secs())),
    }
}

/// An answer of the bus, if there is one within a second.
pub(crate) async fn within<T>(asked: impl Future<Output = T>, clock: &dyn Clock) -> Option<T> {
    let (asked, patience) = (std::pin::pin!(asked), clock.pause(COUNTED_WITHIN));
    match select(asked, patience).await {
        Either::Left((answer, _)) => Some(answer),
        Either::Right(_) => None,
    }
}

/// The read models of a module, and how far each is behind.
pub(crate) async fn projections(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
) -> Result<Vec<ProjectionRow>, ReadError> {
    let lag = async |consumer: String, source: &str| {
        // The end of a log in another process is on the bus; an unknown end counts as caught up.
        let end = match modules.get(source) {
            Some(theirs) => theirs.store.head().await?.0,
            None => within(host.bus.tip(source), &*host.clock).await.and_then(Result::ok).map_or(0, |tip| tip.seq),
        };
        Ok::<u64, ReadError>(end.saturating_sub(host.store.checkpoint(&consumer).await?.0))
    };
    // All at once: while the bus is away, each source would be waited for as long.
    let rows = host.module.projections.iter().map(async |def| {
        let lags = def.sources().into_iter().map(|source| lag(def.consumer(source), source));
        let lag = try_join_all(lags).await?.into_iter().sum();
        Ok(ProjectionRow { name: def.name.clone(), version: def.version, lag })
    });
    try_join_all(rows).await
}

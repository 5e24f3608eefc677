//! How far read models and reactors are behind, and asking within a time, so that nobody waits for a bus or a store that is away.

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

/// How many events of this log a consumer has not taken; `None` where the end of the log is not known.
async fn lag(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
    (consumer, source): (&str, &str),
) -> Result<Option<u64>, ReadError> {
    let end = match modules.get(source) {
        Some(theirs) => Some(theirs.store.head().await?.0),
        // The end of a log in another process is on the bus.
        None => within(host.bus.tip(source), &*host.clock).await.and_then(Result::ok).map(|tip| tip.seq),
    };
    let taken = host.store.checkpoint(consumer).await?.0;
    Ok(end.map(|end| end.saturating_sub(taken)))
}

/// The reactors of a module, and how far each is behind over all its sources; `None` where that is not known.
pub(crate) async fn reactors(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
) -> Result<Vec<(&'static str, Option<u64>)>, ReadError> {
    let rows = host.module.reactors.iter().map(async |reactor| {
        let lags = reactor
            .sources()
            .into_iter()
            .map(async |source| lag(host, modules, (&reactor.consumer(host.module.name, source), source)).await);
        Ok((reactor.name, try_join_all(lags).await?.into_iter().sum()))
    });
    try_join_all(rows).await
}

/// The read models of a module, and how far each is behind.
pub(crate) async fn projections(
    host: &Host,
    modules: &BTreeMap<&'static str, Host>,
) -> Result<Vec<ProjectionRow>, ReadError> {
    // All at once: while the bus is away, each source would be waited for as long.
    let rows = host.module.projections.iter().map(async |def| {
        let lags = def
            .sources()
            .into_iter()
            .map(async |source| Ok((source, lag(host, modules, (&def.consumer(source), source)).await?)));
        let lags: Vec<(&str, Option<u64>)> = try_join_all(lags).await?;
        let unknown = lags.iter().filter(|(_, lag)| lag.is_none()).map(|(source, _)| (*source).to_owned()).collect();
        let lag = lags.iter().filter_map(|(_, lag)| *lag).sum();
        Ok(ProjectionRow { name: def.name.clone(), version: def.version, lag, unknown })
    });
    try_join_all(rows).await
}

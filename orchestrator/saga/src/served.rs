//! Whether somebody serves a module that runs elsewhere, as far as the bus tells.

use crate::lags::within;
use saga_core::bus::{AnyBus, Inbox, Served};
use saga_core::ports::Clock;
use std::time::Duration;

/// One minute: what was handed out for so long and is not settled was handed out again meanwhile, if anybody asked for it.
const TAKES_AT_MOST: Duration = Duration::from_secs(60);

/// Whether nobody takes what waits for a module, going by its queue alone: a receiver that asks for more is there, and one that was
/// handed something a moment ago may be at it.
fn is_left(served: &Served, age: Duration) -> bool {
    served.takers.is_none_or(|takers| takers == 0)
        && (served.queued > 0 || (served.under_way > 0 && served.takers.is_some() && age >= TAKES_AT_MOST))
}

/// What was seen of a module that nobody serves: commands wait, no process asks for them, and nobody answers for its log. An
/// error says what could not be seen in time.
pub(crate) async fn left_alone(
    module: &str,
    bus: &dyn AnyBus,
    clock: &dyn Clock,
    age: Duration,
) -> Result<Option<String>, String> {
    let inbox = Inbox::Commands(module.to_owned());
    let served = within(bus.served(&inbox), clock).await;
    let served = served.ok_or("no answer in time")?.map_err(|why| why.to_string())?;
    if !is_left(&served, age) {
        return Ok(None);
    }
    let nobody = match within(bus.owner_head(module), clock).await {
        // The owner of its log is there, and busy.
        Some(Ok(_)) => return Ok(None),
        Some(Err(why)) => why.to_string(),
        None => "nobody answers for its log".to_owned(),
    };
    let asks = if served.takers.is_some() { ", and no process asks for them" } else { "" };
    Ok(Some(format!("{} commands wait for it{asks}; {nobody}", served.queued + served.under_way)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_left_alone_where_something_waits_and_nobody_asks_for_it() {
        let of = |queued, under_way, takers| Served { queued, under_way, takers };
        for (served, secs, left) in [
            (of(3, 0, Some(0)), 0, true),
            (of(3, 0, None), 0, true),
            (of(3, 0, Some(1)), 600, false),
            (of(0, 0, Some(0)), 600, false),
            (of(0, 1, Some(0)), 5, false),
            (of(0, 1, Some(0)), 60, true),
            (of(0, 1, None), 600, false),
        ] {
            assert_eq!(is_left(&served, Duration::from_secs(secs)), left, "{served:?} after {secs} s");
        }
    }
}

//! Compares a module's log with the bus: which events are missing there, should not be there, or are under way.

use super::RELAY;
use crate::journal::LOG_PAGE;
use saga_core::bus::{BusError, EventBus, Tip};
use saga_core::id::Position;
use saga_core::ports::{ReadError, SharedStore};
use saga_core::view::Finding;
use std::collections::VecDeque;

/// 500 events are asked of the bus at a time.
const BUS_PAGE: usize = 500;
/// The promises that are checked between a log and the bus.
pub const BUS_PROMISES: &[&str] = &["L4", "L5", "L6"];

/// The stream that should carry events of `module` is not on the bus: no event reaches a reader (L4).
pub fn missing(module: &str, what: &str, next: &str) -> Finding {
    let (place, says) = (format!("{module}, {what}"), format!("missing on the bus; {next}"));
    Finding { promise: "L4".to_owned(), place, says }
}

/// What comparing a log with the bus came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carried {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The events that have not been on the bus yet: their relay publishes them as soon as it runs.
    pub under_way: Option<String>,
}

/// [`compare_bus`] of what is at rest: every event has had the time to reach the bus.
pub async fn audit_bus(module: &str, store: &SharedStore, bus: &dyn EventBus) -> Result<Vec<Finding>, String> {
    Ok(compare_bus(module, store, bus, true).await?.findings)
}

/// Compares a module's log with what the bus has of it: every public event reached the bus (L4), nothing is on the bus that
/// the log does not know (L5), and it stands in the order of the log (L6). Nothing may be written meanwhile. The log is the
/// outbox: unless all is `at_rest`, what its relay has never been acknowledged is still under way, and no fault.
///
/// # Errors
/// The store or the bus cannot be read, in words. Repeating it is harmless.
pub async fn compare_bus(
    module: &str,
    store: &SharedStore,
    bus: &dyn EventBus,
    at_rest: bool,
) -> Result<Carried, String> {
    let text = |why: ReadError| why.to_string();
    let acknowledged = store.checkpoint(RELAY).await.map_err(text)?;
    let mut findings = Vec::new();
    let mut finding = |promise: &str, seq: u64, says: &str| {
        let (place, says) = (format!("{module} sequence {seq}"), says.to_owned());
        findings.push(Finding { promise: promise.to_owned(), place, says });
    };
    let (mut at, mut head, mut had) = (Position::ZERO, 0, 0);
    let (tip, absent) = match bus.tip(module).await {
        Ok(tip) => (tip, None),
        // A module that was never started has nothing to carry.
        Err(BusError::Missing { what, next }) => (Tip::default(), Some(missing(module, &what, &next))),
        Err(why) => return Err(why.to_string()),
    };
    let mut theirs = VecDeque::new();
    loop {
        let page = store.read_log(at, LOG_PAGE).await.map_err(text)?;
        let Some(last) = page.last() else { break };
        at = last.position;
        for ours in page.iter().filter(|recorded| recorded.public_seq.is_some()) {
            if theirs.is_empty() && head < tip.seq {
                theirs.extend(bus.events(module, head, BUS_PAGE).await.map_err(|why| why.to_string())?);
            }
            head = ours.public_seq.unwrap_or(head);
            had = if ours.position <= acknowledged { head } else { had };
            if head > tip.seq {
                continue;
            }
            match theirs.pop_front() {
                Some(found) if found.id == ours.id && found.data == ours.data && found.chain == ours.chain => {}
                Some(found) if found.id == ours.id => finding("L5", head, "the bus has the event with another content"),
                Some(_) | None => finding("L6", head, "the bus has another event in this place"),
            }
        }
    }
    if let Some(absent) = absent.filter(|_| head > 0) {
        return Ok(Carried { findings: vec![absent], under_way: None });
    }
    // An event that was acknowledged once is not under way any more: the bus has lost it.
    let under_way = (!at_rest && tip.seq < head && tip.seq >= had).then(|| {
        let many = head - tip.seq;
        format!("{module} is not at rest: {many} events are not on the bus yet, from sequence {} on", tip.seq + 1)
    });
    if tip.seq < head && under_way.is_none() {
        finding("L4", tip.seq + 1, &format!("the bus ends here, the log at {head}"));
    }
    if tip.seq > head {
        finding("L5", tip.seq, &format!("the log ends at {head}"));
    }
    Ok(Carried { findings, under_way })
}

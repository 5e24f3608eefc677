//! Names and times that several files of this crate share.

use saga_core::control::ORDER_ANSWERED_WITHIN;
use std::time::Duration;

/// The module whose store holds the coordinator's facts.
pub const JOURNAL: &str = "orchestration";
/// 100,000 inputs wait for the coordinator at most; past that, callers wait.
pub const INPUTS_MAX: usize = 100_000;
/// A group without an owner gets one within its lease time and two seconds; a caller waits a little longer.
pub const OWNER_WITHIN: Duration = ORDER_ANSWERED_WITHIN;
/// 2 s: the reader of a list would rather see what is known than wait for a takeover.
pub const LIST_WITHIN: Duration = Duration::from_secs(2);
/// One second: an operator needs the status most of all while the bus is away.
pub(crate) const COUNTED_WITHIN: Duration = Duration::from_secs(1);
/// 2 s for everything that is read: longer than one count, so that a count which did not come leaves what was read beside it.
pub(crate) const LOOKED_WITHIN: Duration = Duration::from_secs(2);
/// The place of the store that holds the coordinator's facts.
pub(crate) const FACTS: &str = "facts of sagas";

/// The place of commands to a module that the bus does not take.
pub(crate) fn not_published(module: &str) -> String {
    format!("commands to {module}")
}

//! The outside world of a test, as sums: what providers and functions do to it, so that laws see what no log tells.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The effects outside. A clone is the same world: hand one to the module's fake provider, or to the functions of a
/// saga as [`Using<Effects>`](saga_core::step::Using), and the law looks at the other.
#[derive(Clone, Default)]
pub struct Effects(Arc<Mutex<Outside>>);

#[derive(Default)]
struct Outside {
    sums: BTreeMap<String, i64>,
    /// The effects under a key, by name and key.
    keys: BTreeMap<(String, String), i64>,
}

impl Outside {
    fn add(&mut self, what: &str, by: i64) {
        let sum = self.sums.entry(what.to_owned()).or_default();
        *sum = sum.saturating_add(by);
        self.sums.retain(|_, sum| *sum != 0);
    }
}

impl Effects {
    fn outside(&self) -> MutexGuard<'_, Outside> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// A provider that is called with a key, and tolerates being called again with it: the same key and name is once.
    pub fn once(&self, key: impl fmt::Display, what: &str, by: i64) {
        let mut outside = self.outside();
        if let Entry::Vacant(place) = outside.keys.entry((what.to_owned(), key.to_string())) {
            place.insert(by);
            outside.add(what, by);
        }
    }
    /// Takes back what was done under a key, if it was: also when it was never done, or is taken back already.
    pub fn take_back(&self, key: impl fmt::Display, what: &str) {
        let mut outside = self.outside();
        if let Some(by) = outside.keys.get_mut(&(what.to_owned(), key.to_string())).map(std::mem::take) {
            outside.add(what, -by);
        }
    }
    /// A provider that is called without a key: every call happens.
    pub fn each_time(&self, what: &str, by: i64) {
        self.outside().add(what, by);
    }
    /// The sum of one name.
    pub fn sum(&self, what: &str) -> i64 {
        self.outside().sums.get(what).copied().unwrap_or(0)
    }
}

impl fmt::Display for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums: Vec<String> = self.outside().sums.iter().map(|(what, sum)| format!("{what} {sum}")).collect();
        f.write_str(&if sums.is_empty() { "nothing outside".to_owned() } else { sums.join(", ") })
    }
}
impl fmt::Debug for Effects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

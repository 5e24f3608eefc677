//! The log of a fake provider: what it was asked, and how it fails next.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a fake was asked, and the failures that it was told to give first. A clone is the same log: the fake has one, the test
/// looks at the other.
pub struct Calls<Call, Failure = Infallible>(Arc<Mutex<Log<Call, Failure>>>);

struct Log<Call, Failure> {
    calls: Vec<Call>,
    failures: VecDeque<Failure>,
}

impl<Call, Failure> Calls<Call, Failure> {
    fn log(&self) -> MutexGuard<'_, Log<Call, Failure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Keeps a call.
    ///
    /// # Errors
    /// The next failure that the test told.
    pub fn call(&self, call: Call) -> Result<(), Failure> {
        let mut log = self.log();
        log.calls.push(call);
        log.failures.pop_front().map_or(Ok(()), Err)
    }
    /// The next call fails like this; several queue up.
    pub fn fail_next(&self, failure: Failure) {
        self.log().failures.push_back(failure);
    }
    /// Every call so far, in order, also those that failed.
    pub fn all(&self) -> Vec<Call>
    where
        Call: Clone,
    {
        self.log().calls.clone()
    }
}
impl<Call, Failure> Default for Calls<Call, Failure> {
    fn default() -> Self {
        Calls(Arc::new(Mutex::new(Log { calls: Vec::new(), failures: VecDeque::new() })))
    }
}
impl<Call, Failure> Clone for Calls<Call, Failure> {
    fn clone(&self) -> Self {
        Calls(Arc::clone(&self.0))
    }
}
impl<Call: fmt::Debug, Failure> fmt::Debug for Calls<Call, Failure> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.log().calls).finish()
    }
}

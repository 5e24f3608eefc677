//! What `sagactl bench` measures: the same workloads as others are measured by, beside a hand-written minimum on the same
//! disk in the same run.
//!
//! A number is printed with everything that it hangs on: how many at once, the durability settings, the machine, the seed.

pub mod events;
pub mod floor;
pub mod meter;
pub mod place;
pub mod report;
pub mod restart;
pub mod sagas;
pub mod workload;

pub use place::{Broker, Place, Store};
pub use report::{Report, Row};

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BenchError {
    /// The options make no sense.
    #[error("{0}")]
    Usage(String),
    /// The folder cannot be used.
    #[error("{place}: {why}")]
    Folder {
        /// Which.
        place: String,
        /// Why.
        why: String,
    },
    /// A store does not open.
    #[error(transparent)]
    Open(#[from] saga_core::ports::OpenError),
    /// The orchestrator.
    #[error(transparent)]
    Sagas(#[from] saga::Error),
    /// The measured system did not do what it should.
    #[error("{0}")]
    Broken(String),
}

impl BenchError {
    /// Something that should have worked did not.
    pub(crate) fn broken(why: impl std::fmt::Display) -> Self {
        Self::Broken(why.to_string())
    }
}

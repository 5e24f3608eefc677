//! What quality control tells the world.
pub use ::events::qc::*;

//! What production tells the world.
pub use ::events::production::*;

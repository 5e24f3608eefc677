//! What strategy tells the world.

pub use ::events::strategy::*;

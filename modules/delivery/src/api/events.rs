//! What delivery tells the world.

pub use ::events::delivery::*;

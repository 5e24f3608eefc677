//! What onboarding tells the world.

pub use ::events::onboarding::*;

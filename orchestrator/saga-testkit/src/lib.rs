//! What proves a store, a bus, a module or a saga: the laws of each, and a world without servers to keep them in.
//!
//! A dev-dependency. Reading order: [`harness`] (the tests of a program), [`calls`] (what a fake was asked), [`laws`] (what must hold), [`stage`] (one module), [`world`] (sagas over modules, with any
//! weather), [`effects`] (what is outside of every log), [`fates`] and [`between`] (commits that fail in every way), [`fixtures`]
//! (an example of every view).
#![deny(clippy::wildcard_enum_match_arm)]

pub mod between;
pub mod calls;
pub mod effects;
pub mod fates;
pub mod fixtures;
pub mod harness;
pub mod laws;
pub mod stage;
pub mod world;

// What the macros of this crate write uses these, wherever it is written.
#[doc(hidden)]
pub use saga_core as core;

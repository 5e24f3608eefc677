//! What the house checks itself with: every module on fakes, every port and event as data, their schemas, and the rules of
//! growing them.

pub mod compat;
pub mod modules;
pub mod ports;
pub mod schemas;

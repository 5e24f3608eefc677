//! What the house checks itself with: every module on fakes, every port and event as data, their schemas, the rules of
//! growing them, and the document about all of them.

pub mod asyncapi;
pub mod compat;
pub mod modules;
pub mod ports;
pub mod schemas;

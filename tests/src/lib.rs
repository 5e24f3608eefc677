//! What the house checks itself with: every module on fakes, every port and event as data, their schemas, the rules of
//! growing them, the document about all of them, the map of all files, and what a new
//! module begins with.

pub mod asyncapi;
pub mod compat;
pub mod map;
pub mod modules;
pub mod new_module;
pub mod openapi;
pub mod ports;
pub mod schemas;

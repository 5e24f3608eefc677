//! The ports of every module, as the modules have them.

use crate::modules::modules;
use saga_core::port::Port;

/// Modules in other languages, which no crate owns, with the folder below `tests/foreign` that holds each and its schemas.
pub const FOREIGN: [(&str, &str); 2] = [("printshop", "python"), ("courier", "javascript")];

/// Every port of a module that is hosted here.
pub fn ports() -> Vec<Port> {
    modules().iter().flat_map(|module| module.ports().cloned().collect::<Vec<_>>()).collect()
}

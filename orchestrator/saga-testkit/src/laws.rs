//! Laws: what every store, bus, saga and module must keep, as suites that an implementation adopts in one line.

pub mod bus;
pub mod model;
pub mod module;
pub mod saga;
pub mod store;

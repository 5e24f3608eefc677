//! The core from outside: its stores, its sagas, its plans and its modules.

mod chaos;
mod checker;
mod definitions;
mod everything;
mod laws;
mod ledger;
mod linear;
mod modules;
mod sagas;
mod wire;

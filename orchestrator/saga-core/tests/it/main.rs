//! The core from outside: its stores, its sagas, its plans and its modules.

mod answers;
mod chaos;
mod checker;
mod definitions;
mod everything;
mod gates;
mod laws;
mod ledger;
mod linear;
mod modules;
mod sagas;
mod wire;

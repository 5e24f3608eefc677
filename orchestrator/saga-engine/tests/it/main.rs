//! The core from outside: its stores, its sagas, its plans and its modules.

mod answers;
mod bounds;
mod changes;
mod chaos;
mod checker;
mod clock;
mod consumer;
mod definitions;
mod everything;
mod faces;
mod failing;
mod gates;
mod harness;
mod laws;
mod ledger;
mod limits;
mod linear;
mod modules;
mod overload;
mod patience;
mod planted;
mod requests;
mod sagas;
mod tuning;
mod wire;

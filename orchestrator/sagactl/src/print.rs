//! Printing: pure functions from views to text, and the one type that writes text anywhere.

pub mod doctor;
pub mod error;
pub mod history;
pub mod json;
pub mod list;
pub mod module;
pub mod out;
pub mod sheet;
pub mod show;
pub mod style;
pub mod table;
pub mod verdicts;
pub mod why;

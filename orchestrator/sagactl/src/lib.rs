//! The command line: parse, find the face that answers, look or order, print. It can do nothing that `Control` cannot.
//!
//! Reading order: [`args`], [`run`], [`connect`], one file per verb under [`cmd`], and [`mod@print`], which owns every byte
//! that leaves the program.

pub mod args;
pub mod clock;
pub mod cmd;
pub mod connect;
pub mod exit;
pub mod failure;
pub mod input;
pub mod local;
mod logins;
pub mod print;
pub mod program;
pub mod run;
pub mod words;

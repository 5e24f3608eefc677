//! Being written.

pub mod bench;

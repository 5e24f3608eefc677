//! The SQLite store at its boundary: the laws of stores, and what is special about a file.

mod file;
mod folder;
mod laws;
mod model;

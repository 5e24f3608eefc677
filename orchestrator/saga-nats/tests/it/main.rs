//! The bus on real servers of both versions: its laws, and what becomes of it when a server loses something.

mod laws;
mod support;

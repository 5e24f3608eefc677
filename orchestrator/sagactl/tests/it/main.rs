//! The command line, tested at its boundary: pure rendering over the state fixtures, and the binary against a served fixtures.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

mod accounts;
mod binary;
mod causes;
mod help;
mod inputs;
mod looks;
mod machine;
mod metrics;
mod pages;
mod pipes;
mod private;
mod render;
mod restored;
mod secured;
mod serve;
mod served;
mod stores;
mod told;

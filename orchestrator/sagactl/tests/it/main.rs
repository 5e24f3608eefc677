//! The command line, tested at its boundary: pure rendering over the state zoo, and the binary against a served zoo.

mod binary;
mod help;
mod inputs;
mod machine;
mod pipes;
mod render;
mod served;

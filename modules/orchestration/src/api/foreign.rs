//! Commands of modules that are written in other languages. No crate owns those modules, so what is asked of them stands
//! here, with the sagas that ask it. Their contract lies beside them, in `tests/foreign/*/schemas`, and a test compares.

use saga_core::command::{Command, Common};
use saga_core::id::StepKey;
use saga_core::port;
use saga_core::port::Port;
use serde::{Deserialize, Serialize};
use std::num::NonZeroU32;

/// What is asked here, as data: no module of this workspace answers it.
pub fn ports() -> Vec<Port> {
    vec![BookPickup::port(), CancelPickup::port(), CancelProof::port(), PrintProof::port()]
}

const PRINTSHOP: &str = "printshop";
const COURIER: &str = "courier";

/// Prints copies for a person to look at. The proof's id is the deed's key. Refused: `TOO_MANY` with what fits the
/// press.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PrintProof {
    /// How many.
    pub copies: NonZeroU32,
    /// What stands on them.
    pub title: String,
}
port!(PRINTSHOP: PrintProof -> Printed, PrintRefused, undo CancelProof: |_, deed| CancelProof { proof: deed });

/// A proof left the press.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Printed {
    /// Its id.
    pub proof: StepKey,
}

saga_core::refusals! {
    /// Why nothing was printed.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum PrintRefused {
        /// As for every command.
        Common,
        /// More than the press takes.
        #[error("at most {max} copies fit the press")]
        TooMany {
            /// What it takes.
            max: u32,
        } = "TOO_MANY",
    }
}

/// Takes a proof back. Refused: `NOT_FOUND`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelProof {
    /// Which one.
    pub proof: StepKey,
}
port!(PRINTSHOP: CancelProof -> (), Common);

/// Orders a courier. The pickup's id is the deed's key. Refused: `NO_ADDRESS`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BookPickup {
    /// Where to.
    pub address: String,
    /// How many he carries.
    pub parcels: NonZeroU32,
}
port!(COURIER: BookPickup -> Booked, BookRefused, undo CancelPickup: |_, deed| CancelPickup { pickup: deed });

/// A courier will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Booked {
    /// Its id.
    pub pickup: StepKey,
}

saga_core::refusals! {
    /// Why nobody was sent.
    #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
    pub enum BookRefused {
        /// As for every command.
        Common,
        /// The address is empty.
        #[error("a courier needs an address to go to")]
        NoAddress = "NO_ADDRESS",
    }
}

/// Calls a courier off. Refused: `NOT_FOUND`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CancelPickup {
    /// Which one.
    pub pickup: StepKey,
}
port!(COURIER: CancelPickup -> (), Common);

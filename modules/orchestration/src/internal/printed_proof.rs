//! A printed proof: one module prints it, another has it fetched, and neither of the two is written in Rust.
//!
//! No pivot: whatever is refused is taken back, to the first sheet.

use crate::api::dtos::PrintedProof;
use crate::api::foreign::{BookPickup, PrintProof};
use saga_core::definition::Definition;
use saga_core::policy::{Deadline, Retry};
use saga_core::saga::{Plan, Saga};
use saga_core::step::In;
use std::num::NonZeroU32;
use std::time::Duration;

/// Both modules answer from a file of their own: three seconds of silence are a lost answer, and asking again is harmless.
const PATIENCE: Deadline = Deadline::seconds(3);
/// A module that is started again is back within seconds, but not at once.
const SHOP: Retry = Retry::brief().pausing(Duration::from_millis(200), Duration::from_secs(30)).tries(8);

impl Saga for PrintedProof {
    const NAME: &'static str = "printed-proof";
    const VERSION: u16 = 1;
    fn plan(plan: Plan) -> Definition {
        plan.ask("print-proof", print_proof)
            .patience(PATIENCE)
            .retry(SHOP)
            .ask("book-pickup", book_pickup)
            .patience(PATIENCE)
            .retry(SHOP)
            .end()
    }
    fn example() -> Option<Self> {
        Some(Self {
            title: "Café menu".to_owned(),
            copies: NonZeroU32::MIN,
            address: "Quayside 4".to_owned(),
            parcels: NonZeroU32::MIN,
        })
    }
}

fn print_proof(In(job): In<PrintedProof>) -> PrintProof {
    PrintProof { copies: job.copies, title: job.title }
}

fn book_pickup(In(job): In<PrintedProof>) -> BookPickup {
    BookPickup { address: job.address, parcels: job.parcels }
}

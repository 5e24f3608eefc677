//! Event-sourced sagas: steps with compensations in place of shared transactions, recorded first and done second.
//!
//! ```
//! use saga::prelude::*;
//!
//! #[derive(Serialize, Deserialize)]
//! struct PublishPost {
//!     words: u32,
//! }
//! impl Saga for PublishPost {
//!     const NAME: &'static str = "publish-post";
//!     const VERSION: u16 = 1;
//!     fn plan(plan: Plan) -> Definition {
//!         plan.step("slot", hold_slot, free_slot).pivot("post", post).end()
//!     }
//! }
//! async fn hold_slot(key: StepKey) -> Step<StepKey> {
//!     Ok(key) // every attempt has the same key: what is held under it is held once
//! }
//! async fn free_slot(Undoing(key): Undoing) -> Step<()> {
//!     println!("slot {} is free again", key.short());
//!     Ok(())
//! }
//! async fn post(In(job): In<PublishPost>) -> Step<()> {
//!     if job.words > 300 { Err(refuse("too long for this channel")) } else { Ok(()) }
//! }
//! #[tokio::main]
//! async fn main() -> Result<(), saga::Error> {
//!     let sagas = Orchestrator::in_memory().register::<PublishPost>().start().await?;
//!     println!("{}", sagas.run(PublishPost { words: 400 }).await?);
//!     sagas.shutdown().await
//! }
//! ```

mod attention;
mod because;
mod belonging;
mod board;
mod changes;
mod consumers;
mod control;
mod coordination;
mod drive;
mod error;
mod evidence;
mod feed;
mod gauges;
mod groups;
mod health;
mod host;
mod hosting;
mod lags;
mod lead;
mod limits;
mod listing;
mod local_bus;
mod loopback;
mod meter;
mod metered;
mod orchestrator;
mod outside;
mod plans;
mod port;
mod questions;
mod relay;
mod report;
mod run_queue;
mod sagas;
mod served;
mod shell;
mod system;
mod tasks;
mod upkeep;

pub use board::{BOARD_CONSUMER, board};
pub use control::LocalControl;
pub use coordination::LEASE;
pub use error::Error;
pub use health::Health;
pub use host::HANDLERS_AT_ONCE;
pub use hosting::{HostControl, Hosting};
pub use limits::{INPUTS_MAX, JOURNAL, LIST_WITHIN, OWNER_WITHIN};
pub use local_bus::{ASIDE_MAX, DELIVERIES_MAX, INBOX_MAX, LocalBus, SETTLE_WITHIN};
pub use loopback::{LOOPBACK_MAX, LOOPBACK_WITHIN, Loopback, LoopbackBus};
pub use orchestrator::{Buses, Lines, Orchestrator};
pub use relay::{AUDIT_EVERY, RELAY};
pub use report::Report;
pub use saga_core as core;
pub use saga_core::{refusals, story, uuid_newtype};
pub use sagas::{Begun, QUERY_WITHIN, Sagas, keyed};
pub use system::{FreshIds, SystemClock};
pub use tasks::Tasks;

// For programs that depend on this crate alone: `#[serde(crate = "saga::serde")]`, `#[saga::tokio::main(crate = "saga::tokio")]`.
pub use {serde, tokio};

/// What a saga is written with.
pub mod prelude {
    pub use crate::{Orchestrator, Report, Sagas};
    pub use saga_core::definition::Definition;
    pub use saga_core::id::{SagaId, StepKey};
    pub use saga_core::input::Misfit;
    pub use saga_core::policy::{AtMost, Deadline, OnUnknown, Retry};
    pub use saga_core::saga::{Plan, Saga};
    pub use saga_core::step::{
        Gate, In, Item, Maybe, Out, Outs, Step, Stop, Undoing, Until, Using, mend, refuse, retry,
    };
    pub use serde::{Deserialize, Serialize};
}

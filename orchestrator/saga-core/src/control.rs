//! Control: everything a person may look at or order. One interface for the command line, the admin API and later faces.

pub mod ask;
mod changes;
mod error;
mod moment;
mod order;
mod page;
mod selector;
mod status;
pub mod words;

pub use ask::{Ask, Look, View};
pub use changes::{Change, Changes, Watch, WatchSaga, WatchSagas};
pub use error::ControlError;
pub use moment::Moment;
pub use order::{Order, OrderKind, Receipt, What};
pub use page::{PAGE_MAX, Page};
pub use selector::Selector;
pub use status::{Attention, DefinitionRow, Status};

use crate::codes;
use crate::envelope::Actor;
use crate::view::SagaShow;
use ask::Seen as _;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::time::Duration;

/// 20 s: the coordinator answers an order within this time, at least that its result is not known (SG0220). A caller
/// must wait longer than that, or it never hears the answer.
pub const ORDER_ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// One interface for every face; closed enums, so that a new verb is a new variant and the compiler lists who must learn it.
#[async_trait]
pub trait Control: Send + Sync {
    /// Reads. Changes nothing.
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError>;
    /// Orders. Idempotent by request id; answers "accepted" with a receipt, never with a promise of success.
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError>;
    /// Waits until a saga ends, needs a person, waits for a signal, or has more than `after` facts; `None` when `patience` ran out.
    async fn outcome(&self, by: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError>;
    /// Follows what changes, from now on or after a cursor. Changes nothing, and keeps nothing for a slow reader: the
    /// log does. A cursor of another log, or none at all, is refused ([`codes::CURSOR`]): begin anew, with a list.
    async fn watch(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError>;
}

/// Asks by type, of everything that is a [`Control`].
pub trait Asks: Control {
    /// Looks, and gets what was asked for.
    ///
    /// # Errors
    /// Those of the look; an answer of another kind is a bug of the process that answers: [`codes::INTERNAL`].
    fn ask<A: Ask>(&self, by: &Actor, asked: A) -> impl Future<Output = Result<A::View, ControlError>> + Send {
        let what = asked.into();
        async move {
            A::View::of(self.look(by, what).await?).map_err(|other| {
                let message = format!("the answer is a {}, which was not asked for", other.kind());
                ControlError::new(codes::INTERNAL, message)
            })
        }
    }
}
impl<C: Control + ?Sized> Asks for C {}

/// What to wait for with [`Control::outcome`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AwaitSaga {
    /// Which saga, in any form of an id.
    pub id: String,
    /// Return when it has more facts than this; `None`: when it ended or needs a person.
    pub after: Option<u64>,
}

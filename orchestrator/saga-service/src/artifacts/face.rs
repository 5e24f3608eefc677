//! The face of a process, with files among what it checks: wherever it compares its promises, it compares what events name.

use super::{MODULE, Place};
use async_trait::async_trait;
use saga_core::control::{AwaitSaga, Changes, Control, ControlError, Look, Order, Receipt, View, Watch};
use saga_core::envelope::Actor;
use saga_core::ports::SharedStore;
use saga_core::view::SagaShow;
use std::sync::Arc;
use std::time::Duration;

/// A face of a process that compares files too, where it checks its promises.
pub(crate) struct WithFiles {
    control: Arc<dyn Control>,
    place: Place,
    /// The log that names files; `None`: another process has it.
    log: Option<SharedStore>,
}

impl WithFiles {
    /// Around the face of a process with these logs.
    pub(crate) fn around(
        control: Arc<dyn Control>,
        place: Place,
        logs: Vec<(String, SharedStore)>,
    ) -> Arc<dyn Control> {
        let log = logs.into_iter().find_map(|(name, log)| (name == MODULE).then_some(log));
        Arc::new(Self { control, place, log })
    }
}

#[async_trait]
impl Control for WithFiles {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        let mut view = self.control.look(by, what).await?;
        if let View::Verdicts(verdicts) = &mut view {
            match &self.log {
                Some(log) => self.place.compare(log, verdicts).await,
                None => verdicts
                    .notes
                    .push(format!("not compared: files that events of {MODULE} name; its log is not in this process")),
            }
        }
        Ok(view)
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        self.control.act(by, order).await
    }
    async fn outcome(&self, by: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError> {
        self.control.outcome(by, of, patience).await
    }
    async fn watch(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        self.control.watch(by, what).await
    }
}

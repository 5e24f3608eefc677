//! What a process answers before it serves: that it lives, is not ready, and what it waits for.

use async_trait::async_trait;
use saga::SystemClock;
use saga_core::codes;
use saga_core::control::{AwaitSaga, Changes, Control, ControlError, Look, Order, Receipt, Status, View, Watch};
use saga_core::envelope::Actor;
use saga_core::ports::Clock;
use saga_core::view::{SagaShow, Trouble};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// The admin API's first answerer, which later hands every request on to the running service.
pub struct Starting {
    serving: OnceLock<Arc<dyn Control>>,
    waits: Mutex<Option<Trouble>>,
    store: String,
    bus: String,
}

impl Starting {
    /// Before anything is there; `store` and `bus` say where things will be kept.
    pub fn new(store: String, bus: String) -> Self {
        Self { serving: OnceLock::new(), waits: Mutex::default(), store, bus }
    }
    /// Says what the start waits for.
    pub fn waits(&self, says: &str) {
        let trouble = Trouble { place: "start".to_owned(), since: SystemClock.now(), says: says.to_owned() };
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = Some(trouble);
    }
    /// From here on everything is answered by this one.
    pub fn serves(&self, control: Arc<dyn Control>) {
        let _first = self.serving.set(control);
    }
    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: self.store.clone(),
            bus: self.bus.clone(),
            modules: Vec::new(),
            sagas: Vec::new(),
            ready: false,
            pid: std::process::id(),
            groups: Vec::new(),
            attention: Vec::new(),
            troubles: self.waits.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect(),
            incidents: BTreeMap::new(),
            not_compared: Vec::new(),
            not_known: Vec::new(),
        }
    }
    fn not_yet<T>(&self) -> Result<T, ControlError> {
        let waits = self.status().troubles.into_iter().next().map_or_else(String::new, |trouble| trouble.says);
        Err(ControlError::new(codes::STORE_UNAVAILABLE, format!("this process is only starting: {waits}"))
            .hint("sagactl doctor says when it is ready"))
    }
}

#[async_trait]
impl Control for Starting {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        match (self.serving.get(), what) {
            (Some(serving), what) => serving.look(by, what).await,
            (None, Look::Status(_)) => Ok(View::Status(self.status())),
            (None, _) => self.not_yet(),
        }
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        match self.serving.get() {
            Some(serving) => serving.act(by, order).await,
            None => self.not_yet(),
        }
    }
    async fn outcome(&self, by: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError> {
        match self.serving.get() {
            Some(serving) => serving.outcome(by, of, patience).await,
            None => self.not_yet(),
        }
    }
    async fn watch(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        match self.serving.get() {
            Some(serving) => serving.watch(by, what).await,
            None => self.not_yet(),
        }
    }
}

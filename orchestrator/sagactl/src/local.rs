//! The seam to the composition root: with the commands that run everything, the only file that may name it.

use async_trait::async_trait;
use saga_core::control::{AwaitSaga, Control, ControlError, Look, Order, Receipt, View};
use saga_core::envelope::Actor;
use saga_core::view::{SagaShow, SagaState};
use saga_service::Service;
use saga_service::modules::Replaced;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// Opens the stores under `data` in this process, for looking and ordering when nobody runs on them.
///
/// For as long as the command runs, this process is the coordinator: open sagas go on meanwhile, as they would in `dev`.
pub async fn open(data: &Path) -> Result<Arc<dyn Control>, ControlError> {
    // Looking at a folder never makes stores in it.
    if !data.join("orchestration.db").is_file() {
        let message = format!("there is no data in {}", data.display());
        return Err(ControlError::new(saga_core::codes::UNREACHABLE, message)
            .hint("see something first   sagactl demo")
            .hint("start one             sagactl dev")
            .hint("or name another one   --url http://127.0.0.1:PORT, or --data DIR"));
    }
    let service = Service::open(data, Replaced::default(), 0).await?;
    let control = service.control();
    *OPENED.lock().await = Some(service);
    Ok(Arc::new(Here { control }))
}

/// What this process has opened, so that it can be closed when the command is done, wherever the command ended.
static OPENED: Mutex<Option<Service>> = Mutex::const_new(None);

/// Closes what [`open`] has opened. Without it nothing would be lost, but files would be left that the next one cleans up.
pub async fn close() {
    if let Some(service) = OPENED.lock().await.take() {
        service.close().await;
    }
}

/// Control of this process, which ends with the command: after an order it stays until the saga rests.
struct Here {
    control: Arc<dyn Control>,
}

/// Ten seconds for a saga to come to its next rest; what is not done by then goes on with the next command.
const REST_WITHIN: Duration = Duration::from_secs(10);

impl Here {
    /// Waits until the saga ended, waits for somebody, or is put on hold.
    async fn rest(&self, by: &Actor, receipt: &Receipt) -> Result<(), ControlError> {
        let id = receipt.saga.to_string();
        let mut after = 0;
        let waiting = async {
            loop {
                let of = AwaitSaga { id: id.clone(), after: Some(after) };
                let Some(show) = self.control.outcome(by, of, REST_WITHIN).await? else { return Ok(()) };
                let moves =
                    matches!(show.row.state, SagaState::Running | SagaState::Retrying | SagaState::Compensating);
                if !moves {
                    return Ok(());
                }
                after = show.rev;
            }
        };
        tokio::time::timeout(REST_WITHIN, waiting).await.unwrap_or(Ok(()))
    }
}

#[async_trait]
impl Control for Here {
    async fn look(&self, by: &Actor, what: Look) -> Result<View, ControlError> {
        self.control.look(by, what).await
    }
    async fn act(&self, by: &Actor, order: Order) -> Result<Receipt, ControlError> {
        let receipt = self.control.act(by, order).await?;
        self.rest(by, &receipt).await?;
        Ok(receipt)
    }
    async fn outcome(&self, by: &Actor, of: AwaitSaga, patience: Duration) -> Result<Option<SagaShow>, ControlError> {
        self.control.outcome(by, of, patience).await
    }
}

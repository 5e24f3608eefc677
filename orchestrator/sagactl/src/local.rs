//! The seam to the composition root: with the commands that run everything, the only file that may name it.

use async_trait::async_trait;
use saga_core::codes;
use saga_core::control::{AwaitSaga, Changes, Control, ControlError, Look, Order, Receipt, View, Watch};
use saga_core::envelope::Actor;
use saga_core::view::{SagaShow, SagaState};
use saga_service::Service;
use saga_service::config::Config;
use saga_service::look::FolderLook;
use saga_service::modules::Replaced;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

pub use saga_service::look::has_data;

/// The configuration that `serve` reads when none is named.
const CONFIG_FILE: &str = "sagactl.toml";

/// Looks at the stores under `data`, when nobody runs on them: at a private copy, and nothing moves.
pub async fn look(data: &Path) -> Result<Arc<FolderLook>, ControlError> {
    if !has_data(data) {
        let message = format!("there is no data in {}", data.display());
        return Err(ControlError::new(codes::UNREACHABLE, message)
            .hint("see something first   sagactl demo")
            .hint("start one             sagactl dev")
            .hint("or name another one   --url http://127.0.0.1:PORT, or --data DIR"));
    }
    let look = Arc::new(FolderLook::at(data));
    *OPENED.lock().await = Some(Opened::Look(Arc::clone(&look)));
    Ok(look)
}

/// Runs the stores under `data` in this process, as `--run` says: for as long as the command runs it is the
/// coordinator, and open sagas go on meanwhile, as they would in `dev`.
pub async fn run(data: &Path) -> Result<Arc<dyn Control>, ControlError> {
    let service = Service::open(data, Replaced::default(), 0).await?;
    let control = service.control();
    *OPENED.lock().await = Some(Opened::Run(Box::new(service)));
    Ok(Arc::new(Here { control }))
}

/// Where the configuration in this folder says that things are: the folder with `owner.json`, and the address.
pub fn configured() -> Option<(PathBuf, String)> {
    let file = Path::new(CONFIG_FILE);
    let config = file.is_file().then(|| Config::load(file, std::env::vars()).ok()).flatten()?;
    Some((config.files.folder, format!("http://{}", config.admin.listen)))
}

enum Opened {
    Run(Box<Service>),
    Look(Arc<FolderLook>),
}

/// What this process has opened, so that it can be closed when the command is done, wherever the command ended.
static OPENED: Mutex<Option<Opened>> = Mutex::const_new(None);

/// Closes what [`run`] has opened and removes what [`look`] has copied. Without it nothing would be lost, but files would be
/// left.
pub async fn close() {
    match OPENED.lock().await.take() {
        Some(Opened::Run(service)) => service.close().await,
        Some(Opened::Look(look)) => look.close().await,
        None => {}
    }
}

/// Control of this process, which ends with the command: after an order it stays until the saga rests.
struct Here {
    control: Arc<dyn Control>,
}

/// Ten seconds for a saga to come to its next rest; a saga that does not rest by then goes on with the next command.
const REST_WITHIN: Duration = Duration::from_secs(10);

impl Here {
    /// Waits until the saga ended, waits for a person, or is put on hold.
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
    async fn watch(&self, by: &Actor, what: Watch) -> Result<Box<dyn Changes>, ControlError> {
        self.control.watch(by, what).await
    }
}

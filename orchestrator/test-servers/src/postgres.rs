//! A PostgreSQL server in a temporary folder, on a free port of the loopback and on a socket in the folder.
//!
//! Invariant: the server ends with the test process, however that ends. A guard, which is a shell that waits for the end of
//! its input, stops it by its process id and removes the folder.

use crate::certificates::Identity;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// What to do when there is nothing to start.
const MISSING: &str = "these tests start PostgreSQL 15 or newer themselves, and found no `initdb`, neither in PATH nor in \
                       /usr/lib/postgresql/*/bin; run: apt-get install postgresql";
/// Waits for what was started: a read of its input ends when this process does. Then the server is stopped, by the process
/// id that it has written itself, and the folder is removed.
const GUARD: &str = r#"trap '' INT TERM HUP
while read -r line; do :; done
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
  kill -QUIT "$pid" 2>/dev/null
  while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
rm -rf "$1""#;
/// The logins that are let in by default.
const ACCESS: &str = "local all postgres trust\nhost all postgres 127.0.0.1/32 trust\nlocal all all scram-sha-256\n\
                      host all all 127.0.0.1/32 scram-sha-256\n\
                      host all postgres ::1/128 trust\nhost all all ::1/128 scram-sha-256\n";
/// 20 ms between looks whether a server has started or ended.
const LOOK: Duration = Duration::from_millis(20);
/// 1,500 looks: 30 s, which a start with recovery on a busy machine does not need.
const LOOKS_MAX: usize = 1_500;

/// A running server. Its administrator `postgres` is let in from the socket and the loopback without a password; all
/// others need theirs.
pub struct Postgres {
    folder: PathBuf,
    programs: PathBuf,
    port: u16,
    server: Mutex<Option<Child>>,
    guard: Child,
}

impl Postgres {
    /// Starts a fresh server with its own settings.
    ///
    /// # Panics
    /// When the programs are missing or the server does not start, with what it said.
    pub fn start() -> Self {
        Self::with_settings(&[])
    }
    /// Starts a fresh server with some settings different.
    ///
    /// # Panics
    /// Like [`Postgres::start`].
    pub fn with_settings(settings: &[(&str, &str)]) -> Self {
        Self::with(settings, ACCESS, &[])
    }
    /// Starts a fresh server that speaks TLS with this certificate, trusts clients' certificates of this authority, and
    /// lets in the logins that `access` (the lines of `pg_hba.conf`) names. [`Postgres::run`] needs a line for
    /// `postgres` that trusts it on loopback.
    ///
    /// # Panics
    /// Like [`Postgres::start`].
    pub fn with_tls(server: &Identity, clients: &Path, access: &str) -> Self {
        let files = [("server.pem", &*server.certificate), ("server.key", &*server.key), ("clients.pem", clients)];
        let settings = [
            ("ssl", "on"),
            ("ssl_cert_file", "server.pem"),
            ("ssl_key_file", "server.key"),
            ("ssl_ca_file", "clients.pem"),
        ];
        Self::with(&settings, access, &files)
    }
    fn with(settings: &[(&str, &str)], access: &str, files: &[(&str, &Path)]) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new().prefix("pg-").tempdir().expect("a temporary folder").keep();
        let guard = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("a shell");
        give_away(&folder);
        let data = folder.join("data");
        let made = as_postgres(&programs.join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"])
            .arg(&data)
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        fs::write(data.join("pg_hba.conf"), access).expect("pg_hba.conf");
        for (name, from) in files {
            let file = data.join(name);
            fs::copy(from, &file).expect("a file for the server");
            // PostgreSQL reads no key that others can read.
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("our own file");
            owned_by_postgres(&file);
        }
        let mut lines = String::from("max_connections = 400\nshared_buffers = 64MB\nlogging_collector = off\n");
        for (name, value) in settings {
            lines.push_str(&format!("{name} = '{value}'\n"));
        }
        let file = data.join("postgresql.conf");
        let before = fs::read_to_string(&file).expect("postgresql.conf");
        fs::write(&file, before + &lines).expect("postgresql.conf");
        let server = Self { port: free_port(), folder, programs, server: Mutex::new(None), guard };
        server.restart();
        server
    }

    /// The URL of a database, for the administrator.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }
    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// A folder that lives as long as the server.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
    /// Runs a script as the administrator, each statement a transaction of its own, and gives what it printed.
    ///
    /// # Panics
    /// When the server refuses a statement.
    pub fn run(&self, database: &str, sql: &str) -> String {
        let mut psql = Command::new(self.programs.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]).arg(self.url(database));
        let done = psql.output().expect("psql runs");
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim_end().to_owned()
    }

    /// Kills the server and every process of it, as a crash would (`kill -9`). The children too: an orphan goes on serving
    /// its connection until it notices.
    pub fn kill(&self) {
        self.signal("KILL");
    }
    /// Stops the server without letting anybody finish; the next start recovers.
    pub fn stop_at_once(&self) {
        self.signal("QUIT");
    }
    fn signal(&self, signal: &str) {
        let mut server = self.server.lock().expect("no panic while it was held");
        let Some(mut child) = server.take() else { return };
        let mut ids = vec![child.id().to_string()];
        if signal == "KILL" {
            let children = Command::new("ps").args(["-o", "pid=", "--ppid", &ids[0]]).output().expect("ps runs");
            ids.extend(String::from_utf8_lossy(&children.stdout).split_whitespace().map(str::to_owned));
        }
        // One of them may have ended by itself in the meantime.
        Command::new("kill").arg(format!("-{signal}")).args(&ids).stderr(Stdio::null()).status().expect("kill runs");
        child.wait().expect("the server ends");
    }
    /// Starts the server again on the same data and port, and waits until it answers.
    ///
    /// # Panics
    /// When it does not start, with the end of its log.
    pub fn restart(&self) {
        let mut server = self.server.lock().expect("no panic while it was held");
        for _ in 0..LOOKS_MAX {
            let child = server.get_or_insert_with(|| self.spawn());
            // Right after a kill, children of the old server may still hold its memory; then the new one gives up.
            if child.try_wait().expect("a child").is_some() {
                *server = None;
            } else if self.answers() {
                return;
            }
            thread::sleep(LOOK);
        }
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        panic!("PostgreSQL does not start: {}", log.lines().rev().take(20).collect::<Vec<_>>().join("\n"));
    }
    fn spawn(&self) -> Child {
        let log = fs::File::options().create(true).append(true).open(self.folder.join("log")).expect("a log file");
        as_postgres(&self.programs.join("postgres"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1,::1", "-k"])
            .arg(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres runs")
    }
    fn answers(&self) -> bool {
        let mut ready = Command::new(self.programs.join("pg_isready"));
        ready.args(["-q", "-t", "1", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        ready.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop_at_once();
        // The end of its input tells the guard to remove the folder.
        drop(self.guard.stdin.take());
        self.guard.wait().ok();
    }
}

/// The folder of the newest installed programs.
fn programs() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    versions.sort();
    let installed = versions.pop().map(|(_, folder)| folder);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let complete = |folder: &PathBuf| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists());
    installed.or_else(|| std::env::split_paths(&path).find(complete)).unwrap_or_else(|| panic!("{MISSING}"))
}

/// A command in a process group of its own, so that an interrupt from the keyboard reaches the tests alone. PostgreSQL
/// refuses to run as root: then it is run as the user `postgres`.
fn as_postgres(program: &Path) -> Command {
    let mut command = match is_root() {
        false => Command::new(program),
        true => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
            command
        }
    };
    command.process_group(0).current_dir("/");
    command
}
fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}
fn give_away(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("our own folder");
    owned_by_postgres(folder);
}
fn owned_by_postgres(path: &Path) {
    if is_root() {
        let given = Command::new("chown").arg("postgres:postgres").arg(path).status().expect("chown runs");
        assert!(given.success(), "there is no user `postgres`; run: apt-get install postgresql");
    }
}
/// A port that nobody listens on at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

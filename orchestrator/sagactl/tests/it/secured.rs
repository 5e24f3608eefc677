//! The shipped configuration with TLS and logins everywhere (`deploy/secured.toml`), served by the real binary over servers
//! that insist on them; and what an operator sees when one of them is wrong. No password is ever shown.

use crate::accounts::{MODULES, broker};
use crate::serve::{ends_well, sagactl, start, until};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use test_servers::certificates::Authority;
use test_servers::nats::{Nats, Version};
use test_servers::postgres::Postgres;

const HOSTS: &[&str] = &["localhost", "127.0.0.1"];
/// The password of the administrator and, as it stands in a URL, the same.
const ADMIN: (&str, &str) = ("sword fish", "sword%20fish");
/// Passwords and certificates for everybody but the administrator of the tests.
const ACCESS: &str = "hostssl all postgres 127.0.0.1/32 trust\n\
                      hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";

/// Servers that insist on TLS, certificates and passwords, and a folder with what a service needs for them.
struct Secured {
    folder: TempDir,
    postgres: Postgres,
    nats: Nats,
}

impl Secured {
    fn start(version: Version) -> Self {
        let folder = TempDir::new().unwrap();
        let (tls, secrets) = (folder.path().join("etc/tls"), folder.path().join("etc/secrets"));
        fs::create_dir_all(&tls).unwrap();
        fs::create_dir_all(&secrets).unwrap();
        let authority = Authority::new(&tls, "authority");
        let (server, _client) = (authority.server("server", HOSTS), authority.client("client"));
        let _unknown = Authority::new(&tls, "unknown");
        let postgres = Postgres::with_tls(&server, authority.file(), ACCESS);
        postgres.run("postgres", &format!("CREATE ROLE chief SUPERUSER LOGIN PASSWORD '{}'", ADMIN.0));
        for module in MODULES {
            fs::write(secrets.join(format!("{module}.nats")), format!("{}\n", bus_password(module))).unwrap();
        }
        let config = include_str!("../../../../deploy/nats/tls.conf");
        let config = config.replace("/etc/nats/tls", &tls.to_string_lossy());
        let nats = broker(version, &config, bus_password);
        Self { folder, postgres, nats }
    }
    fn path(&self) -> &Path {
        self.folder.path()
    }
    /// The shipped file, with the places of this test; further changes make it wrong.
    fn configure(&self, changes: &[(&str, &str)]) {
        let text = include_str!("../../../../deploy/secured.toml")
            .replace("db.example.org:5432/aicmo", &format!("127.0.0.1:{}/postgres", self.postgres.port()))
            .replace("bus.example.org:4222", &format!("127.0.0.1:{}", self.nats.port()))
            .replace("/etc/aicmo", &self.path().join("etc").to_string_lossy())
            .replace("/var/lib/aicmo", &self.path().join("data").to_string_lossy());
        // A free port; beside that, every line is as it is shipped.
        let text = format!("{text}\n[admin]\nlisten = '127.0.0.1:0'\n");
        let change = |text: String, (from, to): &(&str, &str)| {
            assert!(text.contains(from), "{from} is not there to be changed");
            text.replace(from, to)
        };
        fs::write(self.path().join("c.toml"), changes.iter().fold(text, change)).unwrap();
    }
    /// How the administrator connects.
    fn admin_url(&self, authority: &str) -> String {
        let (port, tls) = (self.postgres.port(), self.path().join("etc/tls"));
        let file = |name: &str| tls.join(name).display().to_string();
        format!(
            "postgres://chief:{}@127.0.0.1:{port}/postgres?sslmode=verify-full&sslrootcert={}&sslcert={}&sslkey={}",
            ADMIN.1,
            file(authority),
            file("client.pem"),
            file("client.key")
        )
    }
    /// Runs a command; whatever it says, it says no password.
    fn sagactl(&self, words: &[&str]) -> (i32, String, String) {
        let (exit, said, errors) = sagactl(self.path(), words);
        self.keeps_secrets(&said);
        self.keeps_secrets(&errors);
        (exit, said, errors)
    }
    fn keeps_secrets(&self, said: &str) {
        let mut secrets = vec![ADMIN.0.to_owned(), ADMIN.1.to_owned()];
        let files = fs::read_dir(self.path().join("etc/secrets")).unwrap();
        secrets.extend(files.map(|file| fs::read_to_string(file.unwrap().path()).unwrap().trim_end().to_owned()));
        for secret in secrets {
            assert!(!said.contains(&secret), "{secret:?} is shown: {said}");
        }
    }
    fn log(&self) -> String {
        fs::read_to_string(self.path().join("log")).unwrap()
    }
    fn migrate(&self) {
        let migrate = ["store", "migrate", "--config", "c.toml", "--admin-url"];
        let admin = self.admin_url("unknown.pem");
        let wrong = [&migrate[..], &[&admin]].concat();
        let (exit, _, errors) = self.sagactl(&wrong);
        assert!(exit != 0 && errors.contains("name the certificate of the server's authority"), "{errors}");
        let (exit, said, errors) = self.sagactl(&[&migrate[..], &[&self.admin_url("authority.pem")]].concat());
        assert!(exit == 0 && said.contains("aicmo_qc  made"), "{said}{errors}");
    }
}

fn bus_password(module: &str) -> String {
    format!("the word of {module}")
}

fn everything_secured_works(version: Version) {
    let secured = Secured::start(version);
    let path = secured.path();
    secured.configure(&[]);
    let (exit, said, errors) = secured.sagactl(&["config", "check", "--config", "c.toml"]);
    assert!(exit == 0 && said.contains("sslmode=verify-full"), "{said}{errors}");
    secured.migrate();
    // With everything that can be logged.
    let mut child = start(path, &["serve", "--config", "c.toml", "-vvv"]);
    let owner = path.join("data/owner.json");
    until(path, "it says where it is", || owner.is_file());
    let ready = ["doctor", "--probe", "ready", "--data", "data"];
    until(path, "it is ready", || secured.sagactl(&ready).0 == 0);
    let begin = ["saga", "start", "client-to-delivery", "--example", "--key", "k", "--data", "data", "-o", "id"];
    let (exit, id, errors) = secured.sagactl(&begin);
    assert_eq!(exit, 0, "{errors}");
    fs::write(path.join("approved.json"), r#"{"approved":true,"by":"test"}"#).unwrap();
    let approve = ["saga", "signal", id.trim(), "strategy-approved", "--data", "approved.json", "--data-dir", "data"];
    until(path, "the gate is open", || secured.sagactl(&approve).0 == 0);
    let list = ["saga", "list", "--all", "--data", "data"];
    until(path, "the saga ends", || secured.sagactl(&list).1.contains("completed"));
    let (exit, said, errors) = secured.sagactl(&["doctor", "--data", "data"]);
    assert!(exit == 0 && said.contains("ready, nothing is wrong"), "{said}{errors}");
    // Every connection of every role is encrypted.
    let asked = "SELECT bool_and(ssl) AND count(DISTINCT usename) = 6 FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE usename LIKE 'aicmo_%'";
    assert_eq!(secured.postgres.run("postgres", asked), "t");
    ends_well(&mut child);
    let (exit, said, errors) = secured.sagactl(&["events", "verify", "--at-rest", "--config", "c.toml"]);
    assert!(exit == 0 && said.contains("every promise kept"), "{said}{errors}");
    secured.keeps_secrets(&secured.log());
}

/// A service that can never come up waits for nothing: it ends by itself and says why.
fn what_is_wrong_ends_the_service_with_the_next_step(version: Version) {
    let secured = Secured::start(version);
    let path = secured.path();
    secured.configure(&[]);
    secured.migrate();
    fs::write(path.join("etc/secrets/qc.wrong"), "another word").unwrap();
    for (changes, wanted) in [
        (&[("{module}.nats", "qc.wrong")][..], "correct bus.user"),
        (&[("authority.pem\"", "unknown.pem\"")], "name the certificate of its authority: bus.tls_ca_file"),
        (&[("tls_cert_file", "# "), ("tls_key_file", "# ")], "show a certificate that the broker trusts"),
        (&[("authority.pem&", "unknown.pem&")], "sslrootcert in the URL"),
        (
            &[("&sslcert=", "&application_name="), ("&sslkey=", "&application_name=")],
            "name sslcert and sslkey in the URL",
        ),
    ] {
        secured.configure(changes);
        let (exit, _, errors) = secured.sagactl(&["serve", "--config", "c.toml", "-vvv"]);
        assert!(exit == 9 && errors.contains(wanted), "{wanted}: {exit} {errors}");
        assert!(!errors.contains("waiting: "), "{wanted}: {errors}");
    }
}

#[test]
fn everything_secured_works_on_the_server_of_debian() {
    everything_secured_works(Version::Debian);
}
#[test]
fn everything_secured_works_on_the_newest_server() {
    everything_secured_works(Version::Newest);
}
#[test]
fn what_is_wrong_is_said_on_the_server_of_debian() {
    what_is_wrong_ends_the_service_with_the_next_step(Version::Debian);
}
#[test]
fn what_is_wrong_is_said_on_the_newest_server() {
    what_is_wrong_ends_the_service_with_the_next_step(Version::Newest);
}

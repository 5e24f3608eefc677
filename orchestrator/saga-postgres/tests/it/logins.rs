//! Secured connections, against a server that insists on them; and everything that can be wrong, which is said at once,
//! with the next step and without a password.

use crate::database::{MODULES, append, clock};
use saga_core::batch::Commit;
use saga_core::ports::{EventStore as _, OpenError};
use saga_postgres::{Credentials, MigrateError, Migration, PostgresStores, migrate};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use test_servers::certificates::{Authority, Identity};
use test_servers::postgres::Postgres;

const HOSTS: &[&str] = &["localhost", "127.0.0.1"];
/// Everybody by TLS alone, and with a password; only the administrator of the tests without one.
const TLS_ONLY: &str = "hostssl all postgres 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
/// The same, and with a certificate that the server's authority issued.
const WITH_CERTIFICATE: &str = "hostssl all postgres 127.0.0.1/32 trust\n\
                                hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n";

/// A server, who issued its certificate, and the passwords of its roles.
struct Secured {
    folder: TempDir,
    authority: Authority,
    other: Authority,
    server: Postgres,
}

impl Secured {
    async fn start(access: &str, certificate: impl Fn(&Authority) -> Identity) -> Self {
        let folder = TempDir::new().unwrap();
        let (authority, other) = (Authority::new(folder.path(), "authority"), Authority::new(folder.path(), "other"));
        let server = Postgres::with_tls(&certificate(&authority), authority.file(), access);
        let secured = Self { folder, authority, other, server };
        let how = Migration::default().with_password_folder(secured.passwords());
        migrate(&secured.url("sslmode=require"), MODULES, &how).await.unwrap();
        secured
    }
    fn passwords(&self) -> PathBuf {
        self.folder.path().join("passwords")
    }
    fn password(&self) -> String {
        std::fs::read_to_string(self.passwords().join("aicmo_m.password")).unwrap()
    }
    fn url(&self, options: &str) -> String {
        format!("{}?{options}", self.server.url("postgres"))
    }
    fn verified(&self, mode: &str, authority: &Authority) -> String {
        self.url(&format!("sslmode={mode}&sslrootcert={}", authority.file().display()))
    }
    fn showing(&self, shown: &Identity) -> String {
        let (certificate, key) = (shown.certificate.display(), shown.key.display());
        format!("{}&sslcert={certificate}&sslkey={key}", self.verified("verify-full", &self.authority))
    }
    fn stores(&self, url: &str) -> Result<PostgresStores, OpenError> {
        let credentials = Credentials::of_url(url)?.with_password_folder(self.passwords());
        Ok(PostgresStores::new(credentials, clock()))
    }
    /// A commit is made and read, and the server counts the connections as encrypted.
    async fn works(&self, url: &str, stream: &str) {
        let stores = self.stores(url).unwrap();
        let store = stores.open_store("m").await.unwrap();
        let number = stream.bytes().map(u128::from).sum();
        let answer = store.commit(append(stream, 0, [number])).await;
        assert!(matches!(answer, Commit::Ok(_)), "{url}: {answer:?}");
        let asked = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'aicmo_m'";
        assert_eq!(self.server.run("postgres", asked), "t", "{url}");
        stores.close().await;
    }
    /// Why the store is not opened; never with a password.
    async fn refusal(&self, url: &str) -> OpenError {
        let refusal = match self.stores(url) {
            Err(refusal) => refusal,
            Ok(stores) => stores.open_store("m").await.err().expect("it is not opened"),
        };
        assert!(!refusal.to_string().contains(&self.password()), "{refusal}");
        refusal
    }
    /// It is said what is wrong, as something that only a person can mend.
    async fn refused(&self, url: &str, wanted: &[&str]) {
        let refusal = self.refusal(url).await;
        let OpenError::Refused { .. } = &refusal else { panic!("{url}: {refusal:?}") };
        let said = refusal.to_string();
        wanted.iter().for_each(|words| assert!(said.contains(words), "{words:?} is not said: {said}"));
    }
}

#[tokio::test]
async fn every_mode_of_tls_works_and_plain_text_is_refused() {
    let secured = Secured::start(TLS_ONLY, |authority| authority.server("server", HOSTS)).await;
    secured.works(&secured.url("sslmode=require"), "require").await;
    secured.works(&secured.verified("verify-ca", &secured.authority), "ca").await;
    secured.works(&secured.verified("verify-full", &secured.authority), "full").await;
    let by_name = secured.verified("verify-full", &secured.authority).replace("127.0.0.1", "localhost");
    secured.works(&by_name, "name").await;
    let plain = ["no encryption", "?sslmode=verify-full&sslrootcert=FILE"];
    secured.refused(&secured.url("sslmode=disable"), &plain).await;
    let file = secured.other.file().to_owned();
    for mode in ["verify-ca", "verify-full"] {
        let unknown = ["UnknownIssuer", "name the certificate of the server's authority: sslrootcert"];
        secured.refused(&secured.verified(mode, &secured.other), &unknown).await;
        secured.refused(&secured.url(&format!("sslmode={mode}")), &unknown).await;
        let nowhere = format!("sslmode={mode}&sslrootcert={}.not", file.display());
        secured.refused(&secured.url(&nowhere), &["other.pem.not", "name a PEM file"]).await;
    }
}

#[tokio::test]
async fn a_certificate_of_another_name_or_time_is_refused() {
    let secured = Secured::start(TLS_ONLY, |authority| authority.server("server", &["db.example"])).await;
    // What was asked for is that the authority is known, whatever the name.
    secured.works(&secured.verified("verify-ca", &secured.authority), "ca").await;
    let name = ["db.example", "connect by a name that stands in the server's certificate"];
    secured.refused(&secured.verified("verify-full", &secured.authority), &name).await;
    let secured = Secured::start(TLS_ONLY, |authority| authority.expired_server("server", HOSTS)).await;
    for mode in ["verify-ca", "verify-full"] {
        let time = ["certificate expired", "renew the server's certificate"];
        secured.refused(&secured.verified(mode, &secured.authority), &time).await;
    }
}

#[tokio::test]
async fn a_client_shows_a_certificate_where_it_must() {
    let secured = Secured::start(WITH_CERTIFICATE, |authority| authority.server("server", HOSTS)).await;
    secured.works(&secured.showing(&secured.authority.client("client")), "client").await;
    let none = ["client certificate", "name sslcert and sslkey"];
    secured.refused(&secured.verified("verify-full", &secured.authority), &none).await;
    let half = format!("sslcert={}", secured.authority.file().display());
    secured.refused(&secured.url(&format!("sslmode=require&{half}")), &["together", "sslcert and sslkey"]).await;
}

#[tokio::test]
async fn a_server_without_tls_is_not_trusted_with_a_password() {
    let secured = Secured::start(TLS_ONLY, |authority| authority.server("server", HOSTS)).await;
    let plain = Postgres::start();
    let url = secured.verified("verify-full", &secured.authority);
    let url = url.replace(&secured.server.port().to_string(), &plain.port().to_string());
    secured.refused(&url, &["does not support TLS", "sslmode"]).await;
}

#[tokio::test]
async fn a_password_is_checked_and_never_shown() {
    let secured = Secured::start(TLS_ONLY, |authority| authority.server("server", HOSTS)).await;
    let kept =
        "SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid WHERE rolname IN ('aicmo_m', 'aicmo_n')";
    assert_eq!(secured.server.run("postgres", kept), "t");
    let url = secured.verified("verify-full", &secured.authority);
    let with = |folder: &Path| Credentials::of_url(&url).unwrap().with_password_folder(folder);
    assert!(!format!("{:?}", with(&secured.passwords())).contains(&secured.password()));
    // Another role's password; and one in the URL.
    let wrong = secured.folder.path().join("wrong");
    std::fs::create_dir(&wrong).unwrap();
    std::fs::copy(secured.passwords().join("aicmo_n.password"), wrong.join("aicmo_m.password")).unwrap();
    let in_url = url.replace("postgres@", "postgres:secret%20word@");
    for credentials in [with(&wrong), Credentials::of_url(&in_url).unwrap()] {
        let refusal = PostgresStores::new(credentials, clock()).open_store("m").await.err().expect("a wrong password");
        // A migration mends it, so the service waits.
        let said = refusal.to_string();
        assert!(matches!(refusal, OpenError::Unavailable { .. }) && said.contains("sagactl store migrate"), "{said}");
        assert!(said.contains("password authentication failed"), "{said}");
        for secret in ["secret", &secured.password()] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    for (mode, authority, words) in [
        ("verify-full", &secured.other, "name the certificate of the server's authority"),
        ("no-such-mode", &secured.authority, "modes are disable, allow"),
    ] {
        let admin = secured.verified(mode, authority).replace("postgres@", "postgres:secret%20word@");
        let error = migrate(&admin, MODULES, &Migration::default()).await.unwrap_err();
        let said = format!("{error} {:?}", std::error::Error::source(&error).map(ToString::to_string));
        assert!(said.contains(words) && !said.contains("secret"), "{said}");
        assert!(matches!(error, MigrateError::Refused(_)), "{said}");
    }
}

/// Every client of a URL takes a number with colons in it, and logs in with what the server was told of its password.
#[tokio::test]
async fn a_server_is_found_by_a_number_with_colons() {
    let (server, folder) = (Postgres::start(), TempDir::new().unwrap());
    let url = server.url("postgres").replace("127.0.0.1", "[::1]");
    assert!(url.contains("@[::1]:"), "{url}");
    let how = Migration::default().with_password_folder(folder.path());
    migrate(&url, MODULES, &how).await.unwrap();
    let credentials = Credentials::of_url(&url).unwrap().with_password_folder(folder.path());
    let stores = PostgresStores::new(credentials, clock());
    let store = stores.open_store("m").await.unwrap();
    let answer = store.commit(append("colons", 0, [1])).await;
    assert!(matches!(answer, Commit::Ok(_)), "{answer:?}");
    stores.close().await;
    saga_postgres::checkpoint(&url).await.unwrap();
    saga_postgres::remove(&url, "aicmo", MODULES).await.unwrap();
}

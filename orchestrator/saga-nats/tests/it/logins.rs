//! Every way to log in and to encrypt, against servers that insist on it; and everything that can be wrong with it, which
//! is said at once, with the next step.

use crate::relay::Relaying;
use crate::support::{Admin, DEADLINE, grow, on_both, options, public, read, store, until};
use crate::tokens::Operator;
use nkeys::KeyPair;
use saga_core::bus::{Bus, CommandMessage, Delivered, Inbox, Message, Settle};
use saga_core::envelope::Actor;
use saga_core::json::Payload;
use saga_nats::{ConnectError, Login, Nats, Options, Tls};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use test_servers::certificates::{Authority, Identity};
use test_servers::nats::{Nats as Server, Version};
use uuid::Uuid;

const HOSTS: &[&str] = &["localhost", "127.0.0.1"];
const PASSWORD: &str = "correct horse";
const USERS: &str = "authorization { users: [ { user: \"law\", password: $SECRET } ] }";

/// A command arrives and an event is read: the connection is good for everything.
async fn works(options: Options) {
    let bus = Nats::connect(options).await.unwrap();
    bus.ensure(&["law"], &[3]).await.unwrap();
    let store = store();
    let _relaying = Relaying::start(&bus, &store);
    grow(&store, 3).await;
    assert_eq!(read(&bus, 0, 2).await, public(&store).await);
    let delivered = Arc::new(Delivered::direct("Do", 1, Payload::null(), Uuid::from_u128(1), Actor::operator("test")));
    let command = Message::Command(CommandMessage { module: "law".to_owned(), delivered, reply_to: 3, probe: false });
    bus.publish(command.clone()).await.unwrap();
    let inbox = Inbox::Commands("law".to_owned());
    let got = bus.receive(&inbox, 9).await.unwrap();
    assert_eq!(got[0].message, command);
    bus.settle(&inbox, vec![(got[0].tag, Settle::Done)]).await.unwrap();
    assert_eq!(bus.health().last_error, None);
}

async fn a_server_is_found_by_a_number_with_colons(version: Version) {
    let mut server = Server::start(version);
    // The last word of a configuration counts: it listens there, and nowhere else.
    server.reconfigure(&format!("listen: \"[::1]:{}\"", server.port()));
    let url = server.url().replace("127.0.0.1", "[::1]");
    assert!(url.starts_with("nats://[::1]:"), "{url}");
    works(options(url)).await;
}

/// What is said about a connection that cannot be; long before the end of the patience for a server that is down.
async fn refused(options: Options, wanted: &[&str]) {
    assert_eq!(options.patience, Some(DEADLINE));
    let said = match tokio::time::timeout(DEADLINE / 6, Nats::connect(options)).await {
        Ok(Err(error @ ConnectError::Refused { .. })) => error.to_string(),
        Ok(Err(error)) => panic!("{wanted:?}: not refused but {error}"),
        Ok(Ok(_)) => panic!("{wanted:?}: let in"),
        Err(_) => panic!("{wanted:?}: it tries and tries"),
    };
    for words in wanted {
        assert!(said.contains(words), "{words:?} is not said: {said}");
    }
    assert!(!said.contains(PASSWORD), "{said}");
}

fn path(path: &Path) -> String {
    format!("{:?}", path.to_string_lossy())
}
fn speaks(identity: &Identity) -> String {
    format!("tls {{ cert_file: {}, key_file: {} }}\n", path(&identity.certificate), path(&identity.key))
}
fn speaks_to(identity: &Identity, clients: &Authority) -> String {
    let (certificate, key, clients) = (path(&identity.certificate), path(&identity.key), path(clients.file()));
    format!("tls {{ cert_file: {certificate}, key_file: {key}, ca_file: {clients}, verify: true }}\n")
}
fn trusts(authority: &Authority) -> Option<Tls> {
    Some(Tls { authority: Some(authority.file().to_owned()), certificate: None })
}
fn shows(authority: &Authority, identity: Identity) -> Option<Tls> {
    let certificate = Some((identity.certificate, identity.key));
    Some(Tls { authority: Some(authority.file().to_owned()), certificate })
}
fn with_password(folder: &TempDir, user: &str, password: &str) -> Login {
    let file = folder.path().join(format!("{user}-{}", password.len()));
    std::fs::write(&file, format!("{password}\n")).unwrap();
    Login::Password { user: user.to_owned(), file }
}
fn users(version: Version, more: &str) -> Server {
    Server::start_with(version, &format!("{USERS}\n{more}"), &[("SECRET", &format!("{PASSWORD:?}"))])
}

async fn a_certificate_of_a_known_authority_is_accepted_and_no_other(version: Version) {
    let folder = TempDir::new().unwrap();
    let (authority, other) = (Authority::new(folder.path(), "authority"), Authority::new(folder.path(), "other"));
    let server = Server::start_with(version, &speaks(&authority.server("server", HOSTS)), &[]);
    works(Options { tls: trusts(&authority), ..options(server.url()) }).await;
    // By name, and without a word of TLS in the options beside the URL's.
    let by_name = format!("tls://localhost:{}", server.port());
    let by_name_too = Nats::connect(Options { tls: trusts(&authority), ..options(by_name.clone()) }).await.unwrap();
    by_name_too.ensure(&["law"], &[3]).await.unwrap();
    let file = other.file().display().to_string();
    refused(Options { tls: trusts(&other), ..options(server.url()) }, &[&server.url(), &file, "bus.tls_ca_file"]).await;
    // The server demands TLS, the client does not care, and the system knows nothing of this authority.
    for url in [server.url(), by_name] {
        refused(options(url.clone()), &[&url, "does not know", "bus.tls_ca_file"]).await;
    }
    // A file that holds no certificate trusts nobody.
    let none = folder.path().join("none.pem");
    std::fs::write(&none, "nothing").unwrap();
    let tls = Some(Tls { authority: Some(none), certificate: None });
    refused(Options { tls, ..options(server.url()) }, &["none.pem"]).await;
    let tls = Some(Tls { authority: Some(folder.path().join("nowhere.pem")), certificate: None });
    refused(Options { tls, ..options(server.url()) }, &["bus.tls_ca_file"]).await;
}

async fn a_certificate_that_is_old_or_of_another_is_named(version: Version) {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let server = Server::start_with(version, &speaks(&authority.expired_server("server", HOSTS)), &[]);
    let of_time = ["out of its time", "renew it"];
    refused(Options { tls: trusts(&authority), ..options(server.url()) }, &of_time).await;
    let server = Server::start_with(version, &speaks(&authority.server("server", &["broker.example"])), &[]);
    let of_name = ["has another name", "broker.example", "connect by a name that stands in it"];
    refused(Options { tls: trusts(&authority), ..options(server.url()) }, &of_name).await;
    // And a server that has none.
    let server = Server::start(version);
    let of_none = ["speaks no TLS", "switch TLS on at the broker"];
    refused(Options { tls: trusts(&authority), ..options(server.url()) }, &of_none).await;
}

async fn a_client_shows_a_certificate_where_it_must(version: Version) {
    let folder = TempDir::new().unwrap();
    let (authority, other) = (Authority::new(folder.path(), "authority"), Authority::new(folder.path(), "other"));
    let server = authority.server("server", HOSTS);
    let server = Server::start_with(version, &speaks_to(&server, &authority), &[]);
    works(Options { tls: shows(&authority, authority.client("client")), ..options(server.url()) }).await;
    let of_none = ["asks for a certificate", "bus.tls_cert_file and bus.tls_key_file"];
    refused(Options { tls: trusts(&authority), ..options(server.url()) }, &of_none).await;
    let stranger = other.client("stranger");
    let of_other = ["stranger.pem", "an authority that the broker trusts"];
    refused(Options { tls: shows(&authority, stranger), ..options(server.url()) }, &of_other).await;
    let mixed = Identity { key: other.client("mixed").key, ..authority.client("half") };
    refused(Options { tls: shows(&authority, mixed), ..options(server.url()) }, &["bus.tls_key_file"]).await;
}

async fn a_user_is_let_in_by_its_password(version: Version) {
    let folder = TempDir::new().unwrap();
    let authority = Authority::new(folder.path(), "authority");
    let server = users(version, &speaks(&authority.server("server", HOSTS)));
    let good = with_password(&folder, "law", PASSWORD);
    works(Options { tls: trusts(&authority), login: good, ..options(server.url()) }).await;
    for (user, password) in [("law", "wrong"), ("nobody", PASSWORD)] {
        let login = with_password(&folder, user, password);
        let wanted = [&format!("user {user:?}"), "authorization violation", "bus.user"];
        refused(Options { tls: trusts(&authority), login, ..options(server.url()) }, &wanted).await;
    }
    refused(Options { tls: trusts(&authority), ..options(server.url()) }, &["without a login", "bus.nkey_file"]).await;
}

async fn a_seed_is_a_login(version: Version) {
    let folder = TempDir::new().unwrap();
    let (known, unknown) = (KeyPair::new_user(), KeyPair::new_user());
    let lines = format!("authorization {{ users: [ {{ nkey: {} }} ] }}", known.public_key());
    let server = Server::start_with(version, &lines, &[]);
    let seed = |name: &str, text: String| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        Login::Nkey(file)
    };
    works(Options { login: seed("known", known.seed().unwrap() + "\n"), ..options(server.url()) }).await;
    let stranger = Options { login: seed("unknown", unknown.seed().unwrap()), ..options(server.url()) };
    let file = folder.path().join("unknown").display().to_string();
    refused(stranger, &[&file, "authorization violation", "the public key of this seed"]).await;
    let broken = Options { login: seed("broken", "SUnonsense".to_owned()), ..options(server.url()) };
    refused(broken, &["broken", "check the seed"]).await;
}

async fn a_credentials_file_is_a_login(version: Version) {
    let folder = TempDir::new().unwrap();
    let operator = Operator::new(folder.path());
    let authority = Authority::new(folder.path(), "authority");
    let lines = operator.config.clone() + &speaks(&authority.server("server", HOSTS));
    let server = Server::start_with(version, &lines, &[]);
    let with = |file: &PathBuf| {
        let login = Login::Credentials(file.clone());
        Options { login, tls: trusts(&authority), ..options(server.url()) }
    };
    works(with(&operator.good)).await;
    for file in [&operator.revoked, &operator.expired, &operator.stranger] {
        refused(with(file), &[&file.display().to_string(), "revoked and not expired"]).await;
    }
    let nonsense = folder.path().join("nonsense.creds");
    std::fs::write(&nonsense, "nonsense").unwrap();
    for file in [nonsense, folder.path().join("nowhere.creds")] {
        let said = Nats::connect(with(&file)).await.err().unwrap();
        assert!(matches!(&said, ConnectError::File { path, .. } if *path == file), "{said}");
    }
}

async fn a_login_in_a_url_is_refused_and_not_repeated(version: Version) {
    let server = users(version, "");
    let url = server.url().replace("nats://", &format!("nats://law:{PASSWORD}@"));
    let said = Nats::connect(options(url)).await.err().unwrap().to_string();
    assert!(said.contains(&server.url()) && said.contains("bus.password_file"), "{said}");
    assert!(!said.contains("law") && !said.contains(PASSWORD), "{said}");
}

/// A service that has been let in before does not end: its work is safe meanwhile, and the broker may come to its senses.
async fn who_is_refused_later_keeps_trying_and_says_so(version: Version) {
    let (folder, mut server) = (TempDir::new().unwrap(), users(version, ""));
    let login = with_password(&folder, "law", PASSWORD);
    let bus = Nats::connect(Options { login, ..options(server.url()) }).await.unwrap();
    server.reconfigure(&USERS.replace("$SECRET", "\"another word\""));
    until("the refusal is seen", || async {
        let health = bus.health();
        let said = health.last_error.unwrap_or_default();
        if !health.connected && said.contains("authorization violation") { Ok(()) } else { Err(said) }
    })
    .await;
    server.reconfigure(USERS);
    until("it is let in again", || async { bus.ensure(&["law"], &[3]).await.map_err(|why| why.to_string()) }).await;
}

/// A consumer that gives no sign of life, while everything else answers, is made anew: this one, because what is asked of
/// it never arrives there.
async fn a_consumer_without_a_sign_of_life_is_made_anew(version: Version) {
    const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.>";
    let users = format!(
        "authorization {{ users: [ {{ user: admin, password: {PASSWORD:?} }}, \
         {{ user: law, password: {PASSWORD:?}, permissions: {{ publish: {{ deny: {NEXT:?} }} }} }} ] }}"
    );
    let (server, folder) = (Server::start_with(version, &users, &[]), TempDir::new().unwrap());
    let heartbeat = Duration::from_millis(50);
    let login = with_password(&folder, "law", PASSWORD);
    let bus = Nats::connect(Options { login, heartbeat, ..options(server.url()) }).await.unwrap();
    bus.ensure(&["law"], &[3]).await.unwrap();
    let admin = async_nats::ConnectOptions::with_user_and_password("admin".to_owned(), PASSWORD.to_owned());
    let admin = Admin::of(admin.connect(server.url()).await.unwrap());
    let created = || async {
        let list = admin.api("CONSUMER.LIST.RPL", Value::Null).await?;
        list["consumers"][0]["created"].as_str().map(str::to_owned).ok_or_else(|| list.to_string())
    };
    let anew = async {
        let first = until("the consumer is there", created).await;
        let other = || async { created().await.and_then(|now| if now == first { Err(now) } else { Ok(()) }) };
        until("the consumer is another one", other).await;
    };
    tokio::select! {
        got = bus.receive(&Inbox::Replies(3), 9) => panic!("{got:?}"),
        () = anew => {}
    }
}

on_both! {
    a_consumer_without_a_sign_of_life_is_made_anew,
    a_server_is_found_by_a_number_with_colons,
    a_certificate_of_a_known_authority_is_accepted_and_no_other,
    a_certificate_that_is_old_or_of_another_is_named,
    a_client_shows_a_certificate_where_it_must,
    a_user_is_let_in_by_its_password,
    a_seed_is_a_login,
    a_credentials_file_is_a_login,
    a_login_in_a_url_is_refused_and_not_repeated,
    who_is_refused_later_keeps_trying_and_says_so,
}

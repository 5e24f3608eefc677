//! The real binary, killed: fifty sagas, thirty times SIGKILL at a counted commit, and nothing is lost or doubled.
//!
//! The crash points count commits of all stores, so a run is the same on every machine, however fast it is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use saga_admin::client::AdminClient;
use saga_admin::owner::{Found, find};
use saga_core::control::{Asks, Control, Order, OrderKind, Selector, What};
use saga_core::envelope::Actor;
use saga_core::id::RequestId;
use saga_core::json::Payload;
use saga_core::view::{SagaRow, SagaState};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use test_servers::waiting::within_at_most;
use uuid::Uuid;

const SAGAS: usize = 50;
const KILLS: u64 = 30;
const SIGKILL: i32 = 9;
const TIMEOUT: Duration = Duration::from_secs(10);
/// As long as one life may take, in a debug build on a busy machine.
const LIFE_MAX: Duration = Duration::from_secs(900);

const GOOD: &str = include_str!("../../../../tests/data/briefs/02-radhaus-tannert.json");
const REJECTED: &str = include_str!("../../../../tests/data/briefs/07-torrealta-rejected.json");

/// Every tenth brief gets no strategy that anybody approves.
fn brief(index: usize) -> Payload {
    Payload::parse(if index % 10 == 7 { REJECTED } else { GOOD }).unwrap()
}

fn dev(data: &Path, kill_at: Option<String>) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sagactl"));
    command.args(["dev", "--listen", "127.0.0.1:0", "--data"]).arg(data);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match kill_at {
        Some(at) => command.env("SAGA_KILL_AT", at),
        None => command.env_remove("SAGA_KILL_AT"),
    };
    command.spawn().unwrap()
}

/// Lets the other process go on; nothing is asserted about how long this takes.
async fn breathe() {
    #[expect(clippy::disallowed_methods, reason = "the test waits for another process, by looking again")]
    tokio::time::sleep(Duration::from_millis(5)).await;
}

/// The client of the process, or nothing when it died before it answered.
async fn client(data: &Path, child: &mut Child) -> Option<AdminClient> {
    loop {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        match find(data, TIMEOUT).await.unwrap() {
            Found::Alive(owner, client) if owner.pid == child.id() => return Some(client),
            Found::Alive(..) | Found::Stale(_) | Found::Nobody => breathe().await,
        }
    }
}

fn order(name: &str, what: What) -> Order {
    let request = RequestId(Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()));
    Order { request, reason: None, what, if_rev: None }
}

/// Starts everything (again) and answers open gates, until all sagas rest or the process is gone.
async fn work(client: &AdminClient, child: &mut Child) -> Option<Vec<SagaRow>> {
    let by = Actor::operator("test");
    for index in 0..SAGAS {
        let (kind, key) = ("client-to-delivery".to_owned(), Some(format!("kill-{index:02}")));
        let start = What::Start { kind, version: None, key, input: brief(index) };
        client.act(&by, order(&format!("start {index}"), start)).await.ok()?;
    }
    loop {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        let all = Selector { all: true, limit: 0, ..Selector::default() };
        let page = client.ask(&by, all).await.ok()?;
        for row in page.items.iter().filter(|row| row.state == SagaState::Waiting) {
            let approved = !row.key.ends_with('7');
            let data = Payload::parse(&format!(r#"{{"approved":{approved},"by":"test","note":"seen"}}"#)).unwrap();
            let opening = row.waiting.first().and_then(|waiting| waiting.opening.clone());
            let decided = format!("decide {} {opening:?}", row.id);
            let signal =
                OrderKind::Signal { gate: "strategy-approved".to_owned(), data, opening }.of(row.id.to_string());
            // The saga may have gone on since the list was made: then the gate is decided already.
            let _refused = client.act(&by, order(&decided, signal)).await;
        }
        let ended = page.items.iter().filter(|row| row.state.is_end()).count();
        if ended == SAGAS {
            return Some(page.items);
        }
        breathe().await;
    }
}

fn sagactl(data: &Path, words: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sagactl")).args(words).arg("--data").arg(data).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test]
async fn fifty_sagas_survive_thirty_kills_and_keep_every_promise() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut killed = 0;
    for life in 0..KILLS {
        // Spread over 3 to 95 commits of each life, half of them right before, half right after the commit.
        let at = 3 + (life * 41) % 93;
        let when = if life % 2 == 0 { "before" } else { "after" };
        let mut child = dev(data, Some(format!("{at}:{when}")));
        let begins = within_at_most(LIFE_MAX, format!("life {life} to begin"), client(data, &mut child)).await;
        if let Some(client) = begins {
            let done = within_at_most(LIFE_MAX, format!("the end of life {life}"), work(&client, &mut child)).await;
            assert!(
                done.is_none(),
                "life {life} had nothing left to commit before its crash point {at}: more sagas are needed"
            );
        }
        killed += u64::from(child.wait().unwrap().signal() == Some(SIGKILL));
    }
    assert_eq!(killed, KILLS, "every life ended at its crash point");
    let mut child = dev(data, None);
    let client = within_at_most(LIFE_MAX, "the last life to begin", client(data, &mut child)).await.unwrap();
    let rows = within_at_most(LIFE_MAX, "the end of every saga", work(&client, &mut child)).await.unwrap();
    let of = |state: SagaState| rows.iter().filter(|row| row.state == state).count();
    assert_eq!((of(SagaState::Completed), of(SagaState::Compensated)), (SAGAS - SAGAS / 10, SAGAS / 10));
    let stop = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stop.success() && child.wait().unwrap().success(), "SIGTERM ends it well");
    let (exit, said, errors) = sagactl(data, &["events", "verify"]);
    assert_eq!(exit, Some(0), "{said}{errors}");
    // S1 is shown by the fifty endings above; the command checks the others, because sagas may be under way then.
    for promise in ["S2", "S3", "S4", "S5", "S6", "S7", "S8", "S10", "X1", "L1", "L2", "L3", "L8"] {
        assert!(said.contains(promise), "{promise} was not checked: {said}");
    }
}

//! Moving up: what began in files on one machine goes on in a database and over a broker, under the same ids and places.

use crate::world::{World, breathe, sagactl};
use crate::{END_WITHIN, order};
use saga_core::control::{Asks, Control, OrderKind, Selector};
use saga_core::envelope::Actor;
use saga_core::json::Payload;
use saga_core::view::SagaState;
use test_servers::nats::Version;

/// A command of the real binary that must work.
fn ok(words: &[&str]) -> String {
    let (exit, said, errors) = sagactl(words);
    assert_eq!(exit, Some(0), "{words:?}: {said}{errors}");
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sagas_that_began_in_files_end_in_the_database() {
    let mut world = World::prepare(Version::Newest);
    let data = world.folder().join("small");
    let data = data.to_str().unwrap();
    ok(&["demo", "--fast", "--data", data]);
    ok(&["saga", "start", "client-to-delivery", "--example", "--key", "moves", "--data", data, "--run"]);
    let (from, to) = (format!("sqlite:{data}"), world.postgres.url("postgres"));
    let copied = ok(&["store", "copy", "--from", &from, "--to", &to]);
    assert_eq!(copied.matches("chain verified").count(), 6, "{copied}");
    // A whole copy is not made twice: nothing that was written since could be overwritten.
    let (exit, _, errors) = sagactl(&["store", "copy", "--from", &from, "--to", &to]);
    assert!(exit == Some(9) && errors.contains("a copy into it was finished"), "{errors}");
    let config = world.processes[0].config();
    let config = config.to_str().unwrap();
    let regrouped = ok(&["store", "regroup", "--config", config, "--groups", "16"]);
    assert!(regrouped.contains("1 groups before, 16 now"), "{regrouped}");
    world.launch().await;
    let (by, until) = (Actor::operator("test"), world.patience(END_WITHIN));
    let rows = loop {
        let client = world.any_coordinator().await;
        let all = Selector { all: true, ..Selector::default() };
        let page = match client.ask(&by, all).await {
            Ok(page) => page,
            Err(why) => {
                assert!(!until.is_over(), "{why}\n{}", world.logs());
                continue;
            }
        };
        for row in page.items.iter().filter(|row| row.state == SagaState::Waiting) {
            let data = Payload::parse(r#"{"approved":true,"by":"test"}"#).unwrap();
            let signal =
                OrderKind::Signal { gate: "strategy-approved".to_owned(), data, opening: None }.of(row.id.to_string());
            let _later = client.act(&by, order(&format!("approve {}", row.id), signal)).await;
        }
        if page.items.len() == 11 && page.items.iter().all(|row| row.state.is_end()) {
            break page.items;
        }
        assert!(!until.is_over(), "{:#?}\n{}", page.items, world.logs());
        breathe().await;
    };
    let moved = rows.iter().find(|row| row.key == "moves").unwrap();
    assert_eq!(moved.state, SagaState::Completed, "what waited in a file ended in the database");
    world.finds_nothing("after the move").await;
    world.stop_well();
}

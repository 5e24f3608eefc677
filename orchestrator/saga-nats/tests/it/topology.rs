//! Streams and consumers that differ are named and refused, and changed only on request.

use crate::support::{Admin, connect, grow, on_both, options, public, store, until};
use saga_core::bus::{EventBus, Upkeep};
use saga_engine::audit::audit_bus;
use saga_nats::{Creates, Nats, Options, TopologyError};
use serde_json::{Value, json};
use std::time::Duration;
use test_servers::nats::{Nats as Server, Version};

/// Nobody who starts a server for a test waits longer for five streams.
const MADE_TOGETHER_AT_MOST: Duration = Duration::from_secs(30);

async fn what_differs_is_refused_by_name_and_repaired_on_request(version: Version) {
    let server = Server::start(version);
    let admin = Admin::connect(&server).await;
    let subjects = ["aicmo.cmd.>"];
    let other = json!({ "name": "CMD", "subjects": subjects, "retention": "workqueue", "storage": "file",
        "num_replicas": 1, "max_age": 60_000_000_000_u64, "duplicate_window": 60_000_000_000_u64 });
    admin.api("STREAM.CREATE.CMD", other).await.unwrap();
    let bus = Nats::connect(options(server.url())).await.unwrap();
    let refused = bus.ensure(&["law"], &[3]).await.unwrap_err();
    let TopologyError::Differs(differences) = &refused else { panic!("{refused}") };
    let said: Vec<String> = differences.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "stream CMD: duplicate_window is 60000000000, 100000000 is wanted",
            "stream CMD: max_age is 60000000000, 604800000000000 is wanted"
        ]
    );
    // Everything else is there by now, and the second look finds the same.
    assert_eq!(bus.ensure(&["law"], &[3]).await, Err(refused));
    let repairing = Nats::connect(Options { repair: true, ..options(server.url()) }).await.unwrap();
    repairing.ensure(&["law"], &[3]).await.unwrap();
    bus.ensure(&["law"], &[3]).await.unwrap();
    let slower = Options { ack_wait: Duration::from_secs(7), ..options(server.url()) };
    let slower = Nats::connect(slower).await.unwrap().ensure(&["law"], &[]).await.unwrap_err().to_string();
    assert!(
        slower.contains("consumer cmd-law of stream CMD: ack_wait is 2000000000, 7000000000 is wanted"),
        "{slower}"
    );
}

async fn the_doctor_knows_the_server(version: Version) {
    let server = Server::start(version);
    let diagnosis = connect(&server).await.doctor(saga_nats::Sync::Unknown).await.unwrap();
    let begins = match version {
        Version::Debian => "broker 2.9.",
        Version::Newest => "broker 2.15.",
    };
    assert!(diagnosis.to_string().starts_with(begins), "{diagnosis}");
    assert_eq!((diagnosis.replicas, diagnosis.payload_bytes_max), (1, 1_048_576));
}

/// A question of how things are is answered of the server that is there now.
async fn a_server_that_was_exchanged_is_named_by_its_new_version(version: Version) {
    let other = if version == Version::Debian { Version::Newest } else { Version::Debian };
    let (mut server, names) = (Server::start(other), ["broker 2.9.", "broker 2.15."]);
    let bus = connect(&server).await;
    bus.doctor(saga_nats::Sync::Unknown).await.unwrap();
    let named =
        |says: Option<String>| names.iter().position(|name| says.as_ref().is_some_and(|it| it.starts_with(name)));
    assert_eq!(named(bus.promises()), Some(usize::from(other == Version::Newest)));
    server.exchange(version);
    until("the other one", || async {
        match named(bus.promises()) == Some(usize::from(version == Version::Newest)) {
            true => Ok(()),
            false => Err(format!("{:?}", bus.promises())),
        }
    })
    .await;
}

async fn who_only_looks_creates_nothing_and_names_what_is_missing(version: Version) {
    let server = Server::start(version);
    let admin = Admin::connect(&server).await;
    let looking = Options { creates: Creates::Nothing, ..options(server.url()) };
    let bus = Nats::connect(looking).await.unwrap();
    bus.ensure(&["law"], &[3]).await.unwrap();
    let all = ["stream CMD", "stream RPL", "stream IN", "stream DLQ", "stream EVT_law"];
    assert_eq!(bus.missing_streams(&["law"]).await.unwrap(), all);
    let store = store();
    grow(&store, 3).await;
    let findings = audit_bus("law", &store, &bus).await.unwrap();
    let found: Vec<String> = findings.iter().map(|it| format!("{} {}: {}", it.promise, it.place, it.says)).collect();
    assert!(found.len() == 1 && found[0].starts_with("L4 law, stream EVT_law: missing on the bus; "), "{found:?}");
    assert!(found[0].contains("sagactl serve"), "{found:?}");
    assert_eq!(admin.api("STREAM.NAMES", Value::Null).await.unwrap()["total"], 0);
    // What is there is read as ever.
    let relayed = connect(&server).await;
    relayed.publish_events("law", &public(&store).await).await.unwrap();
    assert_eq!(bus.missing_streams(&["law"]).await.unwrap(), [""; 0]);
    assert_eq!(audit_bus("law", &store, &bus).await.unwrap(), []);
}

/// What was removed and made anew is told by every process, if no log has what lay in it.
async fn a_queue_that_was_made_anew_is_told_by_its_age(version: Version) {
    let server = Server::start(version);
    let admin = Admin::connect(&server).await;
    let (bus, looking) = (connect(&server).await, Options { creates: Creates::Nothing, ..options(server.url()) });
    let looking = Nats::connect(looking).await.unwrap();
    // As far apart as one start has made them here.
    let mut apart = Duration::from_millis(10);
    while !bus.made_anew_apart(apart).await.unwrap().is_empty() {
        apart *= 2;
    }
    assert!(apart < MADE_TOGETHER_AT_MOST, "{apart:?}");
    for (removed, told) in [("CMD", ""), ("RPL", ""), ("IN", "stream IN"), ("DLQ", "stream IN, stream DLQ")] {
        until(removed, || async {
            admin.api(&format!("STREAM.DELETE.{removed}"), json!({})).await?;
            bus.tend().await;
            let found = looking.made_anew_apart(apart).await.map_err(|why| why.to_string())?;
            let names: Vec<&str> = found.iter().map(|anew| anew.what.as_str()).collect();
            if names.join(", ") == told { Ok(()) } else { Err(format!("{apart:?}: {found:?}")) }
        })
        .await;
    }
}

on_both! { a_server_that_was_exchanged_is_named_by_its_new_version, a_queue_that_was_made_anew_is_told_by_its_age, who_only_looks_creates_nothing_and_names_what_is_missing, what_differs_is_refused_by_name_and_repaired_on_request, the_doctor_knows_the_server }

//! Streams and consumers that differ are named and refused, and changed only on request.

use crate::support::{Admin, connect, on_both, options};
use saga_nats::{Nats, Options, TopologyError};
use serde_json::json;
use std::time::Duration;
use test_servers::nats::{Nats as Server, Version};

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

on_both! { what_differs_is_refused_by_name_and_repaired_on_request, the_doctor_knows_the_server }

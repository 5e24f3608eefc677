//! Dead letters of each sender are bounded: a sender that makes them without an end loses its own, and nobody else's.

use crate::accounts::{coordinate, start};
use crate::attack::Attacker;
use crate::support::on_both;
use saga_core::bus::{DeadLetters, Dropped, Upkeep};
use saga_nats::topology::LETTERS_OF_ONE_MAX;
use serde_json::json;
use test_servers::nats::Version;
use tokio::task::JoinSet;

/// The stream as the version before made it, with room for fewer letters than one module sends here.
async fn older_stream(admin: &Attacker) {
    let config = json!({ "name": "DLQ", "subjects": ["aicmo.dlq.>"], "retention": "limits", "storage": "file",
        "num_replicas": 1, "duplicate_window": 120_000_000_000_u64, "discard": "old", "max_msgs": LETTERS_OF_ONE_MAX + 100 });
    let made = admin.api("STREAM.CREATE.DLQ", &config.to_string()).await;
    assert_eq!(made["error"], json!(null), "{made}");
}

async fn a_flood_from_one_account_takes_no_letter_of_another(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let admin = Attacker::connect(&server, "orchestration").await;
    older_stream(&admin).await;
    let (law, cam) = (Attacker::connect(&server, "law").await, Attacker::connect(&server, "cam").await);
    assert!(cam.ask("aicmo.dlq.cam", "{}").await.unwrap().contains("\"seq\":1"));
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    assert_eq!(coordinator.dropped().await, Ok(None));
    let flood = LETTERS_OF_ONE_MAX + 200;
    for _ in 1..flood {
        law.says("aicmo.dlq.law", "{}", None).await;
    }
    assert!(law.ask("aicmo.dlq.law", "{}").await.unwrap().contains(&format!("\"seq\":{}", flood + 1)));
    assert_eq!(coordinator.aside_count("cam").await, Ok(1));
    assert_eq!(coordinator.aside_count("law").await, Ok(LETTERS_OF_ONE_MAX));
    let of = vec!["aicmo.dlq.law".to_owned()];
    assert_eq!(coordinator.dropped().await, Ok(Some(Dropped { of, kept: LETTERS_OF_ONE_MAX, gone: 200 })));
}

/// What coordinators put aside of many senders is bounded by the sender, too.
async fn letters_to_the_coordinators_lie_by_their_sender(version: Version) {
    let (server, folder, mut serves) = (start(version), tempfile::tempdir().unwrap(), JoinSet::new());
    let coordinator = coordinate(&server, &folder, &mut serves).await;
    for (user, subject) in
        [("law", "aicmo.reply.g99.law"), ("cam", "aicmo.reply.g99.cam"), ("cam", "aicmo.reply.g98.cam")]
    {
        let sender = Attacker::connect(&server, user).await;
        assert!(sender.ask(subject, "{}").await.unwrap().contains("\"seq\""));
    }
    coordinator.tend().await;
    let admin = Attacker::connect(&server, "orchestration").await;
    let info = admin.api("STREAM.INFO.DLQ", &json!({ "subjects_filter": "aicmo.dlq.>" }).to_string()).await;
    let lie = json!({ "aicmo.dlq.orchestration.cam": 2, "aicmo.dlq.orchestration.law": 1 });
    assert_eq!(info["state"]["subjects"], lie);
    assert_eq!(coordinator.aside_count("orchestration").await, Ok(3));
    let aside = coordinator.aside("orchestration", 2).await.unwrap();
    assert_eq!(aside.len(), 2);
    assert!(coordinator.letters_at("orchestration").contains("aicmo.dlq.orchestration.>"));
}

on_both! { a_flood_from_one_account_takes_no_letter_of_another, letters_to_the_coordinators_lie_by_their_sender }

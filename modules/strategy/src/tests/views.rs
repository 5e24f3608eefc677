//! What the queries answer.

use super::{BRIEF, CLIENT, amend, ana, approved, mia, new_summary, reject, stage, submitted, versions, written};
use crate::api::dtos::{Change, StrategyPatch};
use crate::api::events::{Layer, StrategyGenerated};
use crate::api::queries::{Diff, Get, PendingApprovals, Shelf};
use events::ids::BriefId;
use events::onboarding::{BriefNormalizationReverted, BriefValidated};
use events::values::Text;
use saga_core::module::Docs;
use saga_testkit::stage::{Stage, ready};
use uuid::Uuid;

fn validate(stage: &mut Stage, brief_id: BriefId) {
    let validated = BriefValidated { brief_id, client_id: CLIENT, ..BriefValidated::example() };
    stage.hear("onboarding_brief", brief_id, &validated).unwrap();
}

#[test]
fn a_version_shows_who_did_what() {
    let mut stage = stage();
    let id = submitted(&mut stage);
    stage.send(&reject(id), mia()).unwrap();
    let doc = stage.query(&Get { strategy_id: id }).unwrap();
    assert_eq!((doc.author, doc.decided_by), (Some(ana()), Some(mia())));
    assert_eq!((doc.note.as_deref(), doc.reviewers), (Some("too many channels"), vec!["mia".to_owned()]));
    assert_eq!(doc.channels.iter().map(|channel| channel.share_bp).sum::<u32>(), 10_000);
}

#[test]
fn the_inbox_holds_what_waits() {
    let mut stage = stage();
    approved(&mut stage);
    written(&mut stage);
    let waiting = submitted(&mut stage);
    let inbox = stage.query(&PendingApprovals {}).unwrap();
    assert_eq!(inbox.into_iter().map(|doc| doc.strategy_id).collect::<Vec<_>>(), [waiting]);
}

#[test]
fn a_diff_tells_what_an_amendment_changed() {
    let mut stage = stage();
    let a = written(&mut stage);
    let mut layers = stage.query(&Get { strategy_id: a }).unwrap().layers;
    layers.retain(|layer, _| *layer == Layer::Narrative);
    layers.insert(Layer::Narrative, "The evening is the story.".to_owned());
    let mut channels = stage.query(&Get { strategy_id: a }).unwrap().channels;
    channels[1].platform = "instagram".to_owned();
    let patch = StrategyPatch { layers, channels: Some(channels), ..new_summary() };
    let b = stage.send(&amend(a, patch), mia()).unwrap();
    assert_eq!((b.version, b.author.clone()), (2, Some(mia())));
    let b = b.strategy_id;
    let changes = stage.query(&Diff { a, b }).unwrap().changes;
    let fields: Vec<_> = changes.iter().map(|Change { field, .. }| field.as_str()).collect();
    assert_eq!(fields, ["channels/email", "channels/instagram", "layers/narrative", "summary"]);
    assert_eq!((changes[0].to.is_none(), changes[1].from.is_none()), (true, true));
    assert_eq!(stage.query(&Diff { a, b: a }).unwrap().changes, []);
    let docs = versions(&stage);
    assert_ne!(docs[0].content_hash, docs[1].content_hash);
}

#[test]
fn a_version_is_stale_while_its_brief_is_reverted() {
    let mut stage = stage();
    let id = written(&mut stage);
    let stale = |stage: &Stage| stage.query(&Get { strategy_id: id }).unwrap().stale;
    assert!(!stale(&stage), "a brief nobody told of is not known to be reverted");
    validate(&mut stage, BRIEF);
    assert!(!stale(&stage));
    let reverted = BriefNormalizationReverted { brief_id: BRIEF, reason: "wrong form".to_owned() };
    stage.hear("onboarding_brief", BRIEF, &reverted).unwrap();
    assert!(stale(&stage));
    validate(&mut stage, BRIEF);
    assert!(!stale(&stage));
}

#[test]
fn the_shelf_holds_all_versions_of_a_client() {
    let mut stage = stage();
    written(&mut stage);
    approved(&mut stage);
    validate(&mut stage, BRIEF);
    validate(&mut stage, BriefId(Uuid::from_u128(5)));
    let shelf = stage.query(&Shelf { client_id: CLIENT }).unwrap();
    assert_eq!(shelf.versions.iter().map(|doc| doc.version).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_long_summary_lives_beside_the_log_and_survives_an_amendment() {
    let mut stage = stage();
    let id = written(&mut stage);
    let long = "A summary that nobody will read to its end. ".repeat(2_000);
    let patch = StrategyPatch { summary: Some(long.clone()), ..StrategyPatch::default() };
    let second = stage.send(&amend(id, patch), mia()).unwrap();
    let Text::Ref { bytes, head, .. } = &second.summary else { panic!("too long to stand in an event") };
    assert_eq!(*bytes, long.len() as u64);
    let docs = Docs::new(stage.store.clone());
    let kept = ready(docs.text(&second.summary)).unwrap();
    assert_eq!(kept, Some(long));
    let elsewhere = Text::Ref { sha256: "00".repeat(32), bytes: *bytes, head: head.clone() };
    assert_eq!(ready(docs.text(&elsewhere)).unwrap(), None);
    assert_eq!(ready(docs.shown(&elsewhere)).unwrap(), *head);
    let patch = StrategyPatch { kpis: Some(Vec::new()), ..StrategyPatch::default() };
    let third = stage.send(&amend(second.strategy_id, patch), mia()).unwrap();
    assert_eq!(third.summary, second.summary);
    assert_eq!(stage.events::<StrategyGenerated>().len(), 3);
}

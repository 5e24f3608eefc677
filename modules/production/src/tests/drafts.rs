//! Drafts and bundles: gates, refusals, states.

use super::*;
use crate::api::commands::{AssembleBundle, DiscardAsset, DiscardBundle, DiscardDraft, ReleaseDraft, RevertRevision};
use crate::api::dtos::{BundleStatus, DraftStatus};
use crate::api::providers::ProviderError;
use crate::api::queries::Bundle;
use crate::api::refusals::DraftRefused;
use ::events::ids::BundleId;
use ::events::strategy::{StrategyApprovalRevoked, StrategyDiscarded};
use saga_core::command::{Common, Refusal};

fn discard(draft_id: DraftId) -> DiscardDraft {
    DiscardDraft { draft_id, reason: "not needed".to_owned() }
}

#[test]
fn a_draft_needs_an_approved_strategy_and_waits_for_word_of_it() {
    let mut world = World::without_strategy();
    // All that strategy told is known, and an approval is not among it: that is a no.
    assert_eq!(code(world.attempt(&generate(), 1, 1)), "STRATEGY_NOT_APPROVED");
    world.approve_strategy_unheard();
    for attempt in [1, 2, 6, 5_000] {
        let weather = world.attempt(&generate(), 9, attempt).unwrap_err();
        assert_eq!(weather.code, "RETRY", "not known yet is never no, at no try");
        assert!(weather.reason.contains("strategy is read up to event 0 of 1"), "{}", weather.reason);
        assert_eq!(code(world.stage.send(&generate(), mia())), "RETRY", "nor for a person");
    }
    assert_eq!(world.writer.calls(), [], "nobody writes for a strategy that is not approved");
    world.stage.project().unwrap();
    assert_eq!(world.stage.send(&generate(), mia()).unwrap().revision, 1);

    let revoked = StrategyApprovalRevoked { strategy_id: STRATEGY, reason: "late".to_owned(), actor: mia() };
    world.stage.hear("strategy_document", "b", &revoked).unwrap();
    world.stage.project().unwrap();
    let refused = world.attempt(&generate(), 2, 1).unwrap_err();
    assert_eq!(refused.code, "STRATEGY_NOT_APPROVED");
    assert!(refused.fields.unwrap().as_str().contains(r#""state":"REVOKED""#));
    world.approve_strategy();
    assert!(world.attempt(&generate(), 3, 1).is_ok(), "approved again");
    let discarded = StrategyDiscarded { strategy_id: STRATEGY, reason: "undone".to_owned() };
    world.stage.hear("strategy_document", "b", &discarded).unwrap();
    world.stage.hear("strategy_document", "b", &revoked).unwrap();
    world.stage.project().unwrap();
    assert!(world.attempt(&generate(), 4, 1).unwrap_err().fields.unwrap().as_str().contains("DISCARDED"));
}

#[test]
fn the_writer_can_refuse_and_can_be_busy() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    let rejected = || ProviderError::Rejected { code: "POLICY".to_owned() };
    for (error, expected) in [
        (rejected(), "WRITER_REJECTED"),
        (ProviderError::TryLater { after_ms: 700, says: "is busy".to_owned() }, "RETRY"),
        (ProviderError::Mend { says: "the key has expired".to_owned() }, "RETRY"),
        (ProviderError::Unknown, "RETRY"),
    ] {
        world.writer.fail_next(error.clone());
        assert_eq!(code(world.stage.send(&generate(), mia())), expected);
        world.writer.fail_next(error);
        assert_eq!(code(world.stage.send(&revise(draft, "shorter"), mia())), expected);
    }
    // The same deed, asked again after weather, is done once, and the writer saw one key.
    world.writer.fail_next(ProviderError::Unknown);
    assert_eq!(code(world.stage.ask(&generate(), saga(1), "draft")), "RETRY");
    world.stage.ask(&generate(), saga(1), "draft").unwrap();
    let keys: Vec<_> = world.writer.calls().iter().rev().take(2).map(|call| call.key).collect();
    assert_eq!(keys, [key(saga(1), "draft"); 2]);
}

#[test]
fn every_refusal_of_drafts_has_its_code() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    let nobody = DraftId(Uuid::from_u128(404));
    let blank = |change: fn(&mut GenerateDraft)| {
        let mut command = generate();
        change(&mut command);
        command
    };
    for command in [
        blank(|c| c.content_type.clear()),
        blank(|c| c.language = " ".to_owned()),
        blank(|c| c.brief.client_name.clear()),
        blank(|c| c.content_type = "x".repeat(201)),
    ] {
        assert_eq!(code(world.stage.send(&command, mia())), "INVALID_FIELD");
    }
    let none = ReviseDraft { draft_id: draft, requests: vec![] };
    assert_eq!(code(world.stage.send(&none, mia())), "NO_REQUESTS");
    assert_eq!(code(world.stage.send(&revise(draft, " "), mia())), "NO_REQUESTS");
    assert_eq!(code(world.stage.send(&revise(nobody, "x"), mia())), "NOT_FOUND");
    assert_eq!(code(world.stage.send(&ReleaseDraft { draft_id: nobody }, mia())), "NOT_FOUND");
    assert_eq!(code(world.stage.send(&discard(nobody), mia())), "NOT_FOUND");
    let revert = RevertRevision {
        draft_id: draft,
        revision_id: crate::api::events::RevisionId(Uuid::from_u128(404)),
        reason: "x".to_owned(),
    };
    assert_eq!(code(world.stage.send(&revert, mia())), "NOT_FOUND");
    let refused: Vec<DraftRefused> = vec![
        DraftRefused::NoRequests,
        DraftRefused::WriterRejected { why: "POLICY".to_owned() },
        Common::DeadlinePassed.into(),
    ];
    for refused in refused {
        let json = serde_json::to_string(&refused).unwrap();
        assert!(json.contains(&format!(r#""code":"{}""#, refused.code())), "{json}");
        assert_eq!(serde_json::from_str::<DraftRefused>(&json).unwrap(), refused);
    }
}

/// Rows: the state of a draft. Columns: revise, release, discard, create an asset of it.
#[test]
fn the_status_machine_of_drafts() {
    let table = [
        (DraftStatus::Ready, ["ok", "ok", "ok", "ok"]),
        (DraftStatus::Released, ["WRONG_STATE", "ok", "WRONG_STATE", "ok"]),
        (DraftStatus::Discarded, ["WRONG_STATE", "WRONG_STATE", "ok", "WRONG_STATE"]),
    ];
    for (state, expected) in table {
        for (column, expected) in expected.into_iter().enumerate() {
            let mut world = World::new();
            let draft = world.draft().draft_id;
            match state {
                DraftStatus::Released => drop(world.stage.send(&ReleaseDraft { draft_id: draft }, mia()).unwrap()),
                DraftStatus::Discarded => world.stage.send(&discard(draft), mia()).unwrap(),
                DraftStatus::Ready | DraftStatus::Absent => {}
            }
            let outcome = match column {
                0 => world.stage.send(&revise(draft, "x"), mia()).map(drop),
                1 => world.stage.send(&ReleaseDraft { draft_id: draft }, mia()).map(drop),
                2 => world.stage.send(&discard(draft), mia()),
                _ => world.stage.send(&create(Some(draft)), mia()).map(drop),
            };
            let found = outcome.map_or_else(|refused| refused.code, |()| "ok".to_owned());
            assert_eq!(found, expected, "{state:?} column {column}");
        }
    }
}

#[test]
fn an_undo_discards_even_what_was_released() {
    let mut world = World::new();
    world.stage.ask(&generate(), saga(1), "draft").unwrap();
    let draft = DraftId::from(key(saga(1), "draft"));
    world.stage.send(&ReleaseDraft { draft_id: draft }, mia()).unwrap();
    assert_eq!(world.stage.undo(&generate(), saga(1), "draft"), Ok(true));
    assert_eq!(world.shown_draft(draft), None);
    assert_eq!(world.stage.send(&discard(draft), mia()), Ok(()), "gone already is fine");
    assert_eq!(world.stage.names().iter().filter(|name| *name == "DraftDiscarded").count(), 1);
}

#[test]
fn a_revision_is_written_from_the_one_that_counts() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    world.stage.ask(&revise(draft, "one"), saga(1), "r").unwrap();
    let second = world.stage.ask(&revise(draft, "two"), saga(2), "r").unwrap();
    assert!(second.body.ends_with("[one] [two]"), "{}", second.body);
    world.stage.undo(&revise(draft, "two"), saga(2), "r").unwrap();
    let shown = world.shown_draft(draft).unwrap();
    assert_eq!((shown.revision, shown.requests[0].change.as_str()), (2, "one"));
    assert!(world.stage.send(&revise(draft, "three"), mia()).unwrap().body.ends_with("[one] [three]"));
}

#[test]
fn a_long_text_is_kept_beside_the_log_and_read_back_whole() {
    let mut world = World::new();
    let mut long = generate();
    long.brief.must_include = vec!["ж".repeat(70_000)];
    let reply = world.stage.send(&long, mia()).unwrap();
    assert!(world.stage.log()[0].data.as_str().len() < 10_000);
    let shown = world.shown_draft(reply.draft_id).unwrap();
    assert_eq!(shown.body, reply.body);
    let revised = world.stage.send(&revise(reply.draft_id, "shorter"), mia()).unwrap();
    assert!(revised.body.starts_with(&reply.body), "the writer saw all of it");
}

#[test]
fn a_bundle_takes_only_assets_that_are_there() {
    let mut world = World::new();
    let (draft, other) = (world.draft().draft_id, world.draft().draft_id);
    let asset = world.asset(Some(draft)).asset_id;
    let foreign = world.asset(Some(other)).asset_id;
    let gone = world.asset(Some(draft)).asset_id;
    world.stage.send(&DiscardAsset { asset_id: gone, reason: "x".to_owned() }, mia()).unwrap();
    let nobody = AssetId(Uuid::from_u128(404));
    let bundle = |asset_ids: Vec<AssetId>| AssembleBundle { draft_id: draft, asset_ids };
    let refused = world.stage.send(&bundle(vec![asset, foreign, gone, nobody]), mia()).unwrap_err();
    assert_eq!(refused.code, "ASSET_MISSING");
    let fields = refused.fields.unwrap();
    assert_eq!(fields.as_str(), format!(r#"{{"code":"ASSET_MISSING","asset_ids":["{foreign}","{gone}","{nobody}"]}}"#));
    assert_eq!(code(world.stage.send(&bundle(vec![]), mia())), "INVALID_FIELD");
    assert_eq!(code(world.stage.send(&bundle(vec![asset, asset]), mia())), "INVALID_FIELD");
    assert_eq!(code(world.stage.send(&bundle(vec![asset; 13]), mia())), "INVALID_FIELD");
    let lost = AssembleBundle { draft_id: DraftId(Uuid::from_u128(404)), asset_ids: vec![asset] };
    assert_eq!(code(world.stage.send(&lost, mia())), "NOT_FOUND");

    let made = world.stage.send(&bundle(vec![asset]), mia()).unwrap();
    let shown = |world: &World| world.stage.query(&Bundle { bundle_id: made.bundle_id }).unwrap();
    assert_eq!(shown(&world).unwrap().status, BundleStatus::Assembled);
    let drop_it = |id| DiscardBundle { bundle_id: id, reason: "x".to_owned() };
    world.stage.send(&drop_it(made.bundle_id), mia()).unwrap();
    world.stage.send(&drop_it(made.bundle_id), mia()).unwrap();
    assert_eq!(shown(&world), None);
    assert_eq!(code(world.stage.send(&drop_it(BundleId(Uuid::from_u128(404))), mia())), "NOT_FOUND");
    world.stage.send(&discard(draft), mia()).unwrap();
    assert_eq!(code(world.stage.send(&bundle(vec![asset]), mia())), "WRONG_STATE");
}

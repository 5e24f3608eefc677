//! Assets: limits, gates, versions, states, gallery and lineage.

use super::*;
use crate::api::commands::{
    ApproveAsset, ArchiveAsset, AssembleBundle, DiscardAsset, MarkAssetPublished, MarkAssetRetracted, RegenerateAsset,
    RevertAssetEdit, RevokeAssetApproval,
};
use crate::api::providers::ProviderError;
use crate::api::queries::Lineage;
use crate::api::refusals::AssetRefused;
use ::events::ids::CampaignId;
use ::events::qc::{QcResultVoided, QcWaived};
use saga_core::command::Refusal;

fn discard(asset_id: AssetId) -> DiscardAsset {
    DiscardAsset { asset_id, reason: "x".to_owned() }
}
fn approve(asset_id: AssetId) -> ApproveAsset {
    ApproveAsset { asset_id, note: Some("go".to_owned()) }
}
fn revoke(asset_id: AssetId) -> RevokeAssetApproval {
    RevokeAssetApproval { asset_id, approval_id: None, reason: "x".to_owned() }
}
fn publish(asset_id: AssetId, which: &[u32]) -> MarkAssetPublished {
    MarkAssetPublished { asset_id, publications: which.iter().map(|n| publication(*n)).collect() }
}
fn retract(asset_id: AssetId, which: &[u32]) -> MarkAssetRetracted {
    let publications = which.iter().map(|n| publication(*n)).collect();
    MarkAssetRetracted { asset_id, publications, reason: "x".to_owned() }
}
fn archive(asset_id: AssetId) -> ArchiveAsset {
    ArchiveAsset { asset_id, reason: "x".to_owned() }
}

#[test]
fn platforms_formats_and_lengths_are_checked() {
    let long = |platform: &str, format: &str, chars: usize| CreateAsset {
        spec: spec(platform, format),
        content: AssetContent::Given(AssetCopy { caption: Some("ж".repeat(chars)), ..words("hook") }),
        ..create(None)
    };
    let table = [
        ("twitter", "thread", 280, ""),
        ("twitter", "thread", 281, "INVALID_FIELD"),
        ("linkedin", "carousel", 3_000, ""),
        ("linkedin", "post", 3_001, "INVALID_FIELD"),
        ("instagram", "story", 2_200, ""),
        ("instagram", "reel", 2_201, "INVALID_FIELD"),
        ("tiktok", "video", 2_201, "INVALID_FIELD"),
        ("youtube", "video", 5_001, "INVALID_FIELD"),
        ("facebook", "post", 63_206, ""),
        ("facebook", "post", 63_207, "INVALID_FIELD"),
        ("email", "email", 100_000, ""),
        ("email", "email", 100_001, "INVALID_FIELD"),
        ("email", "reel", 10, "FORMAT_UNSUPPORTED"),
        ("linkedin", "email", 10, "FORMAT_UNSUPPORTED"),
        ("myspace", "post", 10, "FORMAT_UNSUPPORTED"),
        ("linkedin", "hologram", 10, "FORMAT_UNSUPPORTED"),
    ];
    for (platform, format, chars, expected) in table {
        let outcome = World::new().stage.send(&long(platform, format, chars), mia());
        let found = outcome.map_or_else(|refused| refused.code, |_| String::new());
        assert_eq!(found, expected, "{platform} {format} {chars}");
    }
    let mut world = World::new();
    let zero = CreateAsset { spec: AssetSpec { variant: 0, ..spec("linkedin", "post") }, ..create(None) };
    assert_eq!(code(world.stage.send(&zero, mia())), "INVALID_FIELD");
    let empty = CreateAsset { content: AssetContent::Given(words("  ")), ..create(None) };
    assert_eq!(code(world.stage.send(&empty, mia())), "INVALID_FIELD");
}

#[test]
fn a_long_caption_survives_an_edit_of_the_hook() {
    let mut world = World::new();
    let long = "ж".repeat(60_000);
    let caption = Some(long.clone());
    let content = AssetContent::Given(AssetCopy { caption: caption.clone(), ..words("hook") });
    let made = world.stage.send(&CreateAsset { spec: spec("email", "email"), content, ..create(None) }, mia()).unwrap();
    let edited = world.stage.send(&edit(made.asset_id, "better"), mia()).unwrap();
    assert_eq!(edited.copy.caption, caption);
    assert_eq!(world.shown(made.asset_id).unwrap().copy.caption, caption);
    let expected = crate::api::events::asset_content_hash("email", "email", "better", &long, "Order a sample");
    assert_eq!(edited.content_hash, expected);
}

#[test]
fn providers_can_refuse_and_be_busy() {
    let mut world = World::new();
    let content = AssetContent::Given(words("unrenderable"));
    assert_eq!(code(world.stage.send(&CreateAsset { content, ..create(None) }, mia())), "RENDER_REJECTED");
    let asset = world.asset(None);
    assert_eq!(code(world.stage.send(&edit(asset.asset_id, "unrenderable"), mia())), "RENDER_REJECTED");
    for (weather, said) in [
        (ProviderError::TryLater { after_ms: 5, says: "is busy".to_owned() }, "is busy"),
        (ProviderError::Mend { says: "quota".to_owned() }, "MEND: quota"),
    ] {
        world.renderer.fail_next(weather);
        let refused = world.stage.send(&create(None), mia()).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.reason.as_str()), ("RETRY", said));
    }
    world.writer.fail_next(ProviderError::Rejected { code: "POLICY".to_owned() });
    assert_eq!(code(world.stage.send(&written(None), mia())), "WRITER_REJECTED");
    world.writer.fail_next(ProviderError::Rejected { code: "POLICY".to_owned() });
    let again = RegenerateAsset { asset_id: asset.asset_id, reason: "dull".to_owned() };
    assert_eq!(code(world.stage.send(&again, mia())), "WRITER_REJECTED");
    assert_eq!(world.stage.send(&again, mia()).unwrap().version, 2);
    assert_eq!(asset.media.unwrap().sha256, asset.content_hash, "the placeholder's hash is the content hash");
}

#[test]
fn a_draft_has_at_most_twelve_assets_and_discarding_frees_a_place() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    let made: Vec<_> = (0..12).map(|_| world.asset(Some(draft)).asset_id).collect();
    assert_eq!(code(world.stage.send(&create(Some(draft)), mia())), "INVALID_FIELD");
    world.stage.send(&discard(made[3]), mia()).unwrap();
    assert!(world.stage.send(&create(Some(draft)), mia()).is_ok());
    assert_eq!(world.shown_draft(draft).unwrap().asset_ids.len(), 12);
    let lost = create(Some(DraftId(Uuid::from_u128(404))));
    assert_eq!(code(world.stage.send(&lost, mia())), "NOT_FOUND");
}

#[test]
fn an_approval_rests_on_a_judgement_of_what_is_there() {
    let mut world = World::new();
    let draft = world.draft();
    let asset = world.asset(Some(draft.draft_id)).asset_id;
    let refused = world.stage.send(&approve(asset), mia()).unwrap_err();
    assert_eq!(
        (refused.code.as_str(), refused.fields.unwrap().as_str()),
        ("QC_MISSING", r#"{"code":"QC_MISSING","version":1}"#)
    );
    assert_eq!(code(world.attempt(&approve(asset), 1, 1)), "QC_MISSING", "all that was told is known");

    let failed = world.judge(SubjectKind::Draft, draft.draft_id.0, 1, false);
    assert_eq!(code(world.stage.send(&approve(asset), mia())), "QC_FAILED");
    let subject = Subject { kind: SubjectKind::Draft, id: draft.draft_id.0, version: 1 };
    let waived = QcWaived { result_id: failed, subject, actor: mia(), reason: "agreed".to_owned() };
    world.stage.hear("qc_result", draft.draft_id, &waived).unwrap();
    for attempt in [1, 6, 5_000] {
        let waits = world.attempt(&approve(asset), 3, attempt);
        assert_eq!(code(waits), "RETRY", "a waiver that is on its way is waited for");
    }
    assert_eq!(code(world.stage.send(&approve(asset), mia())), "RETRY");
    world.stage.project().unwrap();
    assert_eq!(world.stage.send(&approve(asset), mia()), Ok(AssetStatus::Approved));
    let shown = world.shown(asset).unwrap().approval.unwrap();
    assert_eq!((shown.qc_result_id, shown.actor), (Some(failed), mia()));

    world.stage.send(&revoke(asset), mia()).unwrap();
    let voided = QcResultVoided { result_id: failed, subject, reason: "undone".to_owned() };
    world.stage.hear("qc_result", draft.draft_id, &voided).unwrap();
    world.stage.project().unwrap();
    assert_eq!(code(world.stage.send(&approve(asset), mia())), "QC_MISSING", "a voided result counts neither way");
    world.judge(SubjectKind::Draft, draft.draft_id.0, 1, true);
    world.stage.send(&edit(asset, "new"), mia()).unwrap();
    assert_eq!(
        code(world.stage.send(&approve(asset), mia())),
        "QC_MISSING",
        "the draft's result says nothing of an edit"
    );
    world.judge(SubjectKind::Asset, asset.0, 2, true);
    assert!(world.stage.send(&approve(asset), mia()).is_ok());
}

/// Rows: the state of an asset. Columns: what a person may do with it.
#[test]
fn the_status_machine_of_assets() {
    const NO: &str = "WRONG_STATE";
    let columns = ["edit", "approve", "revoke", "publish", "retract", "archive", "discard"];
    let table = [
        ("DRAFT", ["DRAFT", "APPROVED", NO, NO, NO, "ARCHIVED", "gone"]),
        ("APPROVED", ["DRAFT", NO, "DRAFT", "PUBLISHED", NO, "ARCHIVED", "gone"]),
        ("PUBLISHED", [NO, NO, NO, "PUBLISHED", "RETRACTED", NO, NO]),
        ("RETRACTED", [NO, NO, NO, NO, "RETRACTED", NO, "gone"]),
        ("ARCHIVED", [NO, NO, NO, NO, NO, "ARCHIVED", "gone"]),
        ("DISCARDED", [NO, NO, NO, NO, NO, NO, "gone"]),
    ];
    assert_eq!(table.map(|(state, _)| state), status_words().map(AssetStatus::word));
    for (state, expected) in table {
        for (column, expected) in columns.into_iter().zip(expected) {
            let mut world = World::new();
            let asset = world.approved_asset();
            let to: &[&str] = match state {
                "DRAFT" => &["revoke"],
                "PUBLISHED" => &["publish"],
                "RETRACTED" => &["publish", "retract"],
                "ARCHIVED" => &["archive"],
                "DISCARDED" => &["discard"],
                _ => &[],
            };
            for column in to {
                act(&mut world, asset, column).unwrap();
            }
            let found =
                act(&mut world, asset, column).map_or_else(|refused| refused.code, |()| world.status(asset).to_owned());
            assert_eq!(found, expected, "{state} {column}");
        }
    }
}

fn act(world: &mut World, asset: AssetId, what: &str) -> Result<(), Refused> {
    match what {
        "edit" => world.stage.send(&edit(asset, "new"), mia()).map(drop),
        "approve" => world.stage.send(&approve(asset), mia()).map(drop),
        "revoke" => world.stage.send(&revoke(asset), mia()),
        "publish" => world.stage.send(&publish(asset, &[1]), mia()).map(drop),
        "retract" => world.stage.send(&retract(asset, &[]), mia()),
        "archive" => world.stage.send(&archive(asset), mia()).map(drop),
        _ => world.stage.send(&discard(asset), mia()),
    }
}

#[test]
fn what_does_not_exist_is_not_found() {
    let mut world = World::new();
    let nobody = AssetId(Uuid::from_u128(404));
    for what in ["edit", "approve", "revoke", "publish", "retract", "archive", "discard"] {
        assert_eq!(act(&mut world, nobody, what).unwrap_err().code, "NOT_FOUND", "{what}");
    }
    let asset = world.asset(None).asset_id;
    let revision_id = crate::api::events::RevisionId(Uuid::from_u128(404));
    let revert = RevertAssetEdit { asset_id: asset, revision_id, reason: "x".to_owned() };
    assert_eq!(code(world.stage.send(&revert, mia())), "NOT_FOUND");
    let nothing = EditAsset { asset_id: asset, patch: AssetChanges::default() };
    assert_eq!(code(world.stage.send(&nothing, mia())), "INVALID_FIELD");
    let out = world.approved_asset();
    assert_eq!(code(world.stage.send(&publish(out, &[]), mia())), "INVALID_FIELD");
}

#[test]
fn publications_are_counted_one_by_one() {
    let mut world = World::new();
    let asset = world.approved_asset();
    world.stage.send(&publish(asset, &[1, 1]), mia()).unwrap();
    world.stage.send(&publish(asset, &[1, 2]), mia()).unwrap();
    world.stage.send(&publish(asset, &[2]), mia()).unwrap();
    assert_eq!(world.shown(asset).unwrap().publications, [publication(1), publication(2)]);
    assert_eq!(world.stage.names().iter().filter(|name| *name == "CreativeAssetPublished").count(), 2);
    world.stage.send(&retract(asset, &[1]), mia()).unwrap();
    world.stage.send(&retract(asset, &[7]), mia()).unwrap();
    assert_eq!(world.status(asset), "PUBLISHED");
    world.stage.send(&retract(asset, &[2]), mia()).unwrap();
    assert_eq!(world.status(asset), "RETRACTED");
}

#[test]
fn an_undo_never_fails_for_what_happened_in_between() {
    let mut world = World::new();
    let made = world.stage.ask(&create(None), saga(1), "asset").unwrap().asset_id;
    world.judge(SubjectKind::Asset, made.0, 1, true);
    world.stage.ask(&edit(made, "new"), saga(1), "edit").unwrap();
    world.judge(SubjectKind::Asset, made.0, 2, true);
    world.stage.ask(&approve(made), saga(1), "approve").unwrap();
    world.stage.send(&publish(made, &[1]), mia()).unwrap();
    assert_eq!(world.stage.undo(&approve(made), saga(1), "approve"), Ok(true));
    assert_eq!(world.stage.undo(&edit(made, "new"), saga(1), "edit"), Ok(true));
    assert_eq!(world.status(made), "PUBLISHED", "what is out cannot be changed by taking an edit back");
    assert_eq!(world.stage.undo(&create(None), saga(1), "asset"), Ok(true));
    assert_eq!(world.status(made), "gone");
}

#[test]
fn an_empty_text_clears_and_a_missing_one_keeps() {
    let mut world = World::new();
    let asset = world.asset(None).asset_id;
    let patch = AssetChanges { caption: Some(String::new()), ..AssetChanges::default() };
    let edited = world.stage.send(&EditAsset { asset_id: asset, patch }, mia()).unwrap();
    let shown = world.shown(asset).unwrap();
    assert_eq!((shown.copy.caption, shown.copy.cta.as_deref()), (None, Some("Order a sample")));
    assert_eq!(shown.content_hash, edited.content_hash);
    let at = saga_testkit::stage::STAGE_TIME;
    let patch = AssetChanges { schedule: Some(at), ..AssetChanges::default() };
    world.stage.send(&EditAsset { asset_id: asset, patch }, mia()).unwrap();
    assert_eq!(world.shown(asset).unwrap().schedule, Some(at));
}

#[test]
fn the_gallery_filters_and_pages() {
    let mut world = World::new();
    let campaign = CampaignId(Uuid::from_u128(0xc9));
    let of_campaign = CreateAsset { campaign_id: Some(campaign), spec: spec("twitter", "post"), ..create(None) };
    let one = world.stage.send(&of_campaign, mia()).unwrap().asset_id;
    let two = world.approved_asset();
    let ids = |world: &World, gallery: Gallery| -> Vec<AssetId> {
        world.stage.query(&gallery).unwrap().iter().map(|asset| asset.asset_id).collect()
    };
    assert_eq!(ids(&world, Gallery { campaign: Some(campaign), ..Gallery::default() }), [one]);
    assert_eq!(ids(&world, Gallery { status: Some(AssetStatus::Approved), ..Gallery::default() }), [two]);
    assert_eq!(ids(&world, Gallery { platform: Some("twitter".to_owned()), ..Gallery::default() }), [one]);
    let mut all = [one, two];
    all.sort();
    assert_eq!(ids(&world, Gallery { limit: Some(1), ..Gallery::default() }), all[..1]);
    assert_eq!(ids(&world, Gallery { limit: Some(1), after: Some(all[0]), ..Gallery::default() }), all[1..]);
}

#[test]
fn an_asset_keeps_its_lineage() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    let asset = world.stage.send(&written(Some(draft)), mia()).unwrap().asset_id;
    let sibling = world.asset(Some(draft)).asset_id;
    let bundle = AssembleBundle { draft_id: draft, asset_ids: vec![asset] };
    let bundle = world.stage.send(&bundle, mia()).unwrap().bundle_id;
    world.stage.send(&edit(asset, "new"), mia()).unwrap();
    let lineage = world.stage.query(&Lineage { asset_id: asset }).unwrap().unwrap();
    assert_eq!((lineage.strategy_id, lineage.draft_id, lineage.draft_revision), (Some(STRATEGY), Some(draft), Some(1)));
    assert_eq!((lineage.siblings, lineage.bundle_ids, lineage.versions.len()), (vec![sibling], vec![bundle], 2));
    let rights = world.shown(asset).unwrap().rights;
    assert_eq!((rights.source.as_str(), rights.model.as_deref()), ("writer", Some("fake")));
}

#[test]
fn refusals_read_back_as_they_were_written() {
    let refused = AssetRefused::FormatUnsupported { platform: "x".to_owned(), format: "y".to_owned() };
    let json = r#"{"code":"FORMAT_UNSUPPORTED","platform":"x","format":"y"}"#;
    assert_eq!(serde_json::to_string(&refused).unwrap(), json);
    let read: AssetRefused = serde_json::from_str(r#"{"code":"WRONG_STATE","state":"PUBLISHED"}"#).unwrap();
    assert_eq!(read.code(), "WRONG_STATE");
}

//! Events: old shapes, reactions, and the door as data.

use super::*;
use crate::api::commands::MarkAssetPublished;
use crate::api::events::*;
use ::events::delivery::{self, PublishCompleted, PublishRetracted};
use ::events::ids::PublishJobId;
use ::events::values::Text;
use saga_core::event::{Event, Origin};
use saga_core::id::EventId;
use saga_core::module::Reaction;
use saga_testkit::stage::STAGE_TIME;

fn origin() -> Origin {
    Origin { id: EventId(Uuid::from_u128(1)), recorded_at: STAGE_TIME }
}

#[test]
fn old_assets_are_read_as_new_ones() {
    let (asset, campaign) = (Uuid::from_u128(0xa1), Uuid::from_u128(0xc9));
    let head = format!(r#"{{"asset_id":"{asset}","campaign_id":"{campaign}","#);
    let table = [
        (
            r#""platform":"linkedin","format":"post","hook":"Stop losing Fridays","caption":"Body","cta":"Book a demo","tone":"bold""#,
            "7bf32e691eb2c9281eace99a318847628d14091fc6466925595d88c7b9e75991",
        ),
        (
            r#""platform":"instagram","format":"reel","hook":"月曜日を取り戻す""#,
            "1132851d91daa8d85e66c0de3ea141145ec241afe09a411587f7e080aa357aa3",
        ),
    ];
    for (body, hash) in table {
        let v1 = Payload::trusted(format!("{head}{body}}}"));
        let created = CreativeAssetCreated::decode(1, &v1, &origin()).unwrap();
        let v2 = format!(
            r#"{head}{body},"variant":1,"language":"und","content_hash":"{hash}","rights":{{"source":"legacy"}}}}"#
        );
        assert_eq!(Payload::of(&created).unwrap().as_str(), v2);
    }
}

#[test]
fn old_drafts_are_read_as_new_ones() {
    let v1 = Payload::of(&DraftReadyV1::example()).unwrap();
    let ready = DraftReady::decode(1, &v1, &origin()).unwrap();
    assert_eq!(
        (ready.strategy_id, ready.body, ready.revision, ready.language.as_str()),
        (None, Text::default(), 1, "und")
    );
}

fn reactions<E: Event>(world: &mut World, event: &E) -> Vec<Reaction> {
    world.stage.hear("delivery_job", "j", event).unwrap();
    let log = ready(world.stage.others["delivery"].read_log(saga_core::id::Position::ZERO, 100)).unwrap();
    let recorded = log.last().unwrap();
    let at = saga_core::projection::At::of("delivery", recorded);
    let reactors = &world.stage.module.reactors;
    let heard = reactors.iter().flat_map(|reactor| &reactor.reactions).filter(|(_, name, _)| *name == recorded.name);
    heard.flat_map(|(_, _, react)| react(recorded, &at).unwrap()).collect()
}

#[test]
fn what_delivery_publishes_is_marked_here() {
    let mut world = World::new();
    let asset = world.approved_asset();
    let publications = vec![delivery::Publication {
        platform: "linkedin".to_owned(),
        external_id: Some("urn:1".to_owned()),
        url: "https://linkedin.example/1".to_owned(),
    }];
    let job_id = PublishJobId(Uuid::from_u128(0x10));
    let completed =
        PublishCompleted { job_id, publications: publications.clone(), at: STAGE_TIME, asset_id: Some(asset) };
    let found = reactions(&mut world, &completed);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].command, "MarkAssetPublished");
    let mark: MarkAssetPublished = found[0].payload.read().unwrap();
    assert_eq!(mark, MarkAssetPublished { asset_id: asset, publications: vec![publication(1)] });
    world.stage.send(&mark, Actor::system("reactor")).unwrap();
    assert_eq!(world.status(asset), "PUBLISHED");

    let retracted = PublishRetracted { job_id, publications: publications.clone(), asset_id: Some(asset) };
    let found = reactions(&mut world, &retracted);
    assert_eq!(found[0].command, "MarkAssetRetracted");
    let mark: crate::api::commands::MarkAssetRetracted = found[0].payload.read().unwrap();
    world.stage.send(&mark, Actor::system("reactor")).unwrap();
    assert_eq!(world.status(asset), "RETRACTED");

    let package = PublishCompleted { asset_id: None, ..completed };
    assert_eq!(reactions(&mut world, &package), []);
    let empty = PublishRetracted { publications: vec![], ..retracted };
    assert_eq!(reactions(&mut world, &empty), [], "nothing named is not everything");
}

#[test]
fn the_door_is_what_the_contract_says() {
    let module = World::new().stage.module;
    let commands: Vec<_> = module.commands.keys().map(|(name, _)| *name).collect();
    let expected = [
        "ApproveAsset",
        "ArchiveAsset",
        "AssembleBundle",
        "CreateAsset",
        "DiscardAsset",
        "DiscardBundle",
        "DiscardDraft",
        "EditAsset",
        "GenerateDraft",
        "MarkAssetPublished",
        "MarkAssetRetracted",
        "RegenerateAsset",
        "ReleaseDraft",
        "RevertAssetEdit",
        "RevertRevision",
        "ReviseDraft",
        "RevokeAssetApproval",
    ];
    assert_eq!(commands, expected);
    let queries: Vec<_> = module.queries.keys().map(|(name, _)| *name).collect();
    assert_eq!(queries, ["Asset", "Bundle", "Draft", "Gallery", "Lineage"]);
    assert_eq!((module.name, module.contract), ("production", "1.0"));
    let unknown = r#"{"draft_id":"00000000-0000-0000-0000-000000000001","colour":"red"}"#;
    assert!(serde_json::from_str::<crate::api::commands::ReleaseDraft>(unknown).is_err());
}

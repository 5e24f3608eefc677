//! The law of compensation, for every command that has one: undone is as before, undone first is a tombstone, twice is
//! once.

use super::*;
use crate::api::commands::{ApproveAsset, AssembleBundle, MarkAssetPublished, RegenerateAsset};
use crate::api::queries::Bundle;
use ::events::ids::BundleId;
use saga_core::command::Compensable;

/// Checks the law for one command in one world. `residue` is what the undo may leave behind in the queries.
fn law<C: Compensable>(world: &mut World, command: &C, draft: DraftId, residue: impl Fn(&mut Vec<AssetDoc>))
where
    C::Reply: PartialEq + std::fmt::Debug,
{
    let name = C::NAME;
    let before = world.business(draft);
    assert_eq!(world.stage.undo(command, saga(1), "first"), Ok(false), "{name}");
    assert_eq!(code(world.stage.ask(command, saga(1), "first")), "TOMBSTONED", "{name}");
    assert_eq!(world.business(draft), before, "{name}");

    let count = world.stage.names().len();
    let reply = world.stage.ask(command, saga(2), "second").unwrap();
    let done = world.stage.names().len();
    assert!(done > count, "{name} tells nothing");
    assert_eq!(world.stage.ask(command, saga(2), "second").unwrap(), reply, "{name}");
    assert_eq!(world.stage.names().len(), done, "{name} twice is not once");

    assert_eq!(world.stage.undo(command, saga(2), "second"), Ok(true), "{name}");
    let undone = world.stage.names().len();
    assert!(undone > done, "the undo of {name} tells nothing");
    assert_eq!(world.stage.undo(command, saga(2), "second"), Ok(true), "{name}");
    assert_eq!(world.stage.names().len(), undone);
    let mut after = world.business(draft);
    residue(&mut after.1);
    assert_eq!(after, before, "{name} is not undone");
}

fn none(_: &mut Vec<AssetDoc>) {}

#[test]
fn generating_a_draft() {
    let mut world = World::new();
    let draft = DraftId::from(key(saga(2), "second"));
    law(&mut world, &generate(), draft, none);
    assert_eq!(world.stage.names(), ["DraftReady", "DraftDiscarded"]);
    assert_eq!(world.writer.calls().len(), 1, "a tombstone costs no writing");
}

#[test]
fn revising_a_draft() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    law(&mut world, &revise(draft, "shorter"), draft, none);
    let next = world.stage.send(&revise(draft, "again"), mia()).unwrap();
    assert_eq!(next.revision, 3, "the number of a revision that was taken back is not given again");
}

#[test]
fn creating_an_asset() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    law(&mut world, &create(Some(draft)), draft, none);
    law(&mut World::new(), &create(None), draft, none);
}

#[test]
fn editing_and_regenerating_an_asset() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    let asset = world.asset(Some(draft)).asset_id;
    law(&mut world, &edit(asset, "Light that lasts"), draft, none);

    let mut world = World::new();
    let asset = world.asset(None).asset_id;
    law(&mut world, &RegenerateAsset { asset_id: asset, reason: "too long".to_owned() }, draft, none);
}

#[test]
fn editing_an_approved_asset_gives_the_approval_back() {
    let mut world = World::new();
    let asset = world.approved_asset();
    law(&mut world, &edit(asset, "Light that lasts"), DraftId(Uuid::from_u128(0)), none);
    assert_eq!(world.status(asset), "APPROVED");
    world.stage.ask(&edit(asset, "x"), saga(9), "edit").unwrap();
    assert_eq!(world.status(asset), "DRAFT");
}

#[test]
fn approving_an_asset() {
    let mut world = World::new();
    let asset = world.asset(None).asset_id;
    world.judge(SubjectKind::Asset, asset.0, 1, true);
    law(&mut world, &ApproveAsset { asset_id: asset, note: None }, DraftId(Uuid::from_u128(0)), none);
}

#[test]
fn an_undo_takes_back_its_own_approval_and_no_other() {
    let mut world = World::new();
    let asset = world.asset(None).asset_id;
    world.judge(SubjectKind::Asset, asset.0, 1, true);
    let approve = ApproveAsset { asset_id: asset, note: None };
    world.stage.ask(&approve, saga(1), "approve").unwrap();
    world.stage.send(&approve.undo(key(saga(1), "approve")), mia()).unwrap();
    world.stage.send(&approve, mia()).unwrap();
    assert_eq!(world.stage.undo(&approve, saga(1), "approve"), Ok(true));
    assert_eq!(world.status(asset), "APPROVED", "the second approval is somebody else's");
}

#[test]
fn marking_an_asset_published_leaves_the_mark_that_it_was_out() {
    let mut world = World::new();
    let asset = world.approved_asset();
    let mark = MarkAssetPublished { asset_id: asset, publications: vec![publication(1)] };
    law(&mut world, &mark, DraftId(Uuid::from_u128(0)), |assets| {
        assert_eq!(assets[0].status, AssetStatus::Retracted);
        assets[0].status = AssetStatus::Approved;
    });
}

#[test]
fn assembling_a_bundle() {
    let mut world = World::new();
    let draft = world.draft().draft_id;
    let asset_ids = vec![world.asset(Some(draft)).asset_id, world.asset(Some(draft)).asset_id];
    let assemble = AssembleBundle { draft_id: draft, asset_ids };
    law(&mut world, &assemble, draft, none);
    let bundle_id = BundleId::from(key(saga(2), "second"));
    assert_eq!(world.stage.query(&Bundle { bundle_id }).unwrap(), None);
    let names = world.stage.names();
    assert_eq!(names[names.len() - 4..], ["BundleAssembled", "AssetGenerated", "AssetGenerated", "BundleDiscarded"]);
    let reply = world.stage.ask(&assemble, saga(3), "bundle").unwrap();
    assert_eq!(reply.media.len(), 2);
    assert_eq!(world.stage.query(&Bundle { bundle_id: reply.bundle_id }).unwrap().unwrap().asset_ids.len(), 2);
}

#[test]
fn the_order_of_two_undos_does_not_matter() {
    for order in [[0, 1], [1, 0]] {
        let mut world = World::new();
        let draft = world.draft().draft_id;
        let asset = world.asset(None).asset_id;
        let before = world.business(draft);
        let (first, second) = (revise(draft, "one"), revise(draft, "two"));
        world.stage.ask(&first, saga(1), "r").unwrap();
        world.stage.ask(&second, saga(2), "r").unwrap();
        world.stage.ask(&edit(asset, "one"), saga(1), "e").unwrap();
        world.stage.ask(&edit(asset, "two"), saga(2), "e").unwrap();
        for which in order {
            let (revision, hook, saga) = [(&first, "one", saga(1)), (&second, "two", saga(2))][which];
            world.stage.undo(revision, saga, "r").unwrap();
            world.stage.undo(&edit(asset, hook), saga, "e").unwrap();
        }
        assert_eq!(world.business(draft), before);
    }
}

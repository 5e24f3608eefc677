//! The numbers of the sagas at their border. Times, rounds and roles stand in the picture of definitions.

use super::*;
use events::production::CreativeAssetCreated;

fn planned(counts: &[u64]) -> serde_json::Value {
    let mut brief = serde_json::to_value(ClientToDelivery::example().unwrap()).unwrap();
    let item = |count: &u64| serde_json::json!({"platform": "linkedin", "format": "post", "count": count});
    brief["content_plan"] = counts.iter().map(item).collect();
    brief
}

#[test]
fn twelve_pieces_are_a_plan_and_thirteen_are_refused_at_the_door() {
    let definition = define::<ClientToDelivery>();
    let door = |counts: &[u64]| definition.misfits(&Payload::of(&planned(counts)).unwrap());
    for fits in [&[1][..], &[12], &[6, 6], &[1; 12]] {
        assert_eq!(door(fits), [], "{fits:?}");
    }
    for too_many in [&[13][..], &[6, 7], &[12, 1], &[1; 13]] {
        let told = door(too_many);
        assert!(told.iter().any(|told| told.field == "/content_plan" && told.why.contains("12")), "{told:?}");
    }
}

#[test]
fn a_plan_of_twelve_pieces_is_made_whole_each_with_a_number_of_its_own() {
    let plan = planned(&[5, 7])["content_plan"].clone();
    let (agency, saga) = approved(&brief(|brief| brief["content_plan"] = plan));
    assert_eq!(agency.state(saga), SagaState::Completed);
    let made = agency.events::<CreativeAssetCreated>();
    let mut variants: Vec<_> = made.iter().map(|made| made.variant).collect();
    variants.sort_unstable();
    assert_eq!(variants, (1..=12).collect::<Vec<_>>());
}

//! The saga with its five real modules, on fakes: the four laws, and its story told by its events.

use crate::api::dtos::{ClientToDelivery, StrategyDecision};
use saga_core::execution::OrderKind;
use saga_core::id::SagaId;
use saga_core::json::Payload;
use saga_core::laws::saga::Case;
use saga_core::saga::{Saga, define};
use saga_core::saga_laws;
use saga_core::stage::ready;
use saga_core::view::SagaState;
use saga_core::world::World;

async fn with_brief(change: impl FnOnce(&mut serde_json::Value)) -> Case {
    let example = ClientToDelivery::example().unwrap();
    let mut brief = serde_json::to_value(example).unwrap();
    brief["content_plan"] =
        serde_json::json!([{ "platform": "linkedin", "format": "post", "language": "en", "count": 2 }]);
    change(&mut brief);
    let modules = vec![
        onboarding::module(onboarding::api::fakes::needs()),
        strategy::module(strategy::api::fakes::needs()),
        production::module(production::api::fakes::fakes().2),
        qc::module(qc::api::fakes::harness()),
        delivery::module(delivery::api::fakes::Fakes::default().needs()),
    ];
    let mut world = World::new(vec![define::<ClientToDelivery>()], modules).await.unwrap();
    let saga = world.start::<ClientToDelivery>(&serde_json::from_value(brief).unwrap()).unwrap();
    Case { world, saga, answer: approve }
}
async fn one_brief() -> Case {
    with_brief(|_| {}).await
}
fn approve(world: &mut World, saga: SagaId) {
    decide(world, saga, true);
}
fn decide(world: &mut World, saga: SagaId, approved: bool) {
    let decision = StrategyDecision { approved, by: Some("dana".to_owned()), note: Some("noted".to_owned()) };
    let data = Payload::of(&decision).unwrap();
    world.order(saga, OrderKind::Signal { gate: "strategy-approved".to_owned(), data });
}

saga_laws!(the_laws, one_brief);

#[test]
fn the_plan_is_sound() {
    define::<ClientToDelivery>().check().unwrap();
    assert!(ClientToDelivery::example().is_some());
}

#[test]
fn a_rejected_strategy_is_written_again() {
    let mut case = ready(one_brief());
    ready(case.world.run()).unwrap();
    decide(&mut case.world, case.saga, false);
    assert_eq!(ready(case.run()).unwrap(), SagaState::Completed);
    let story = ready(case.world.story(case.saga)).unwrap();
    assert!(story.contains(&"StepSucceeded strategy#2/yes/approve".to_owned()), "{story:#?}");
}

#[test]
fn three_rejections_undo_everything() {
    let mut case = ready(one_brief());
    case.answer = |world, saga| decide(world, saga, false);
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    let row = ready(case.world.saga(case.saga)).unwrap().row();
    assert!(row.reason.unwrap().contains("3 rounds"));
}

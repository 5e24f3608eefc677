//! The door of `client-to-delivery`: what its first steps would refuse is refused before it begins, every place at once,
//! and a saga that began before there were rules goes on.

use super::{approve, modules};
use crate::api::dtos::{ClientToDelivery, PrintedProof};
use saga_core::definition::{Definition, Performer};
use saga_core::json::Payload;
use saga_core::laws::saga::Case;
use saga_core::saga::{Saga, define};
use saga_core::stage::ready;
use saga_core::view::SagaState;
use saga_core::world::World;
use serde_json::{Value, json};

fn told(brief: &Value) -> Vec<String> {
    let misfits = define::<ClientToDelivery>().misfits(&Payload::of(brief).unwrap());
    misfits.iter().map(ToString::to_string).collect()
}
/// The example with one value changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut brief = serde_json::to_value(ClientToDelivery::example().unwrap()).unwrap();
    *brief.pointer_mut(pointer).unwrap() = value;
    brief
}

#[test]
fn examples_fit_their_own_doors() {
    for definition in [define::<ClientToDelivery>(), define::<PrintedProof>()] {
        assert_eq!(definition.misfits(definition.example.as_ref().unwrap()), [], "{}", definition.name);
    }
}

/// `show` and `why-stuck` print a whole command: the decision in it comes from here.
#[test]
fn every_gate_has_a_decision_that_fits() {
    let gates = |definition: Definition| definition.steps().into_iter().map(|(_, step)| step.performer.clone());
    let mut seen = 0;
    for performer in gates(define::<ClientToDelivery>()).chain(gates(define::<PrintedProof>())) {
        if let Performer::Gate { gate, check, example, timer: false, .. } = performer {
            let example = Payload::parse(example.unwrap_or_else(|| panic!("{gate} has no example"))).unwrap();
            assert_eq!(check(&example), Ok(()), "{gate}");
            seen += 1;
        }
    }
    assert_eq!(seen, 1);
}

/// Pointer, value, what is said of it, and the example.
fn table() -> Vec<(&'static str, Value, &'static str, Value)> {
    let currency = "expected a currency of ISO 4217, three capital letters";
    let day = "expected a day of the calendar as YYYY-MM-DD";
    let weeks = "expected weeks as a number or a span, from 1 to 260";
    vec![
        ("/budget/currency", json!("ZZZ"), currency, json!("EUR")),
        ("/budget/currency", json!("gbp"), currency, json!("GBP")),
        ("/budget/minor", json!(-5), "expected an amount from 0 to 100000000000000", json!(1_260_000)),
        ("/language", json!("klingon-!!"), "expected a language tag (RFC 5646)", json!("en")),
        ("/client/contact/email", json!("no email"), "expected an e-mail address", json!("ida@fjordlys.example")),
        (
            "/client/website",
            json!("javascript:alert(1)"),
            "expected a web address that begins with https:// or http://, or \"none\"",
            json!("https://fjordlys.example"),
        ),
        ("/contract/start", json!("2026-02-30"), day, json!("2026-02-28")),
        ("/contract/end", json!("1998-12-31"), "expected a day from 2000 to 2099", json!("2026-02-28")),
        (
            "/contract/end",
            json!("2026-01-11"),
            "expected a day that is not before the contract's start",
            json!("2026-01-12"),
        ),
        ("/client/timezone", json!("Mars/Base"), "expected a time zone of the IANA database", json!("Europe/Berlin")),
        ("/client/country", json!("XX"), "expected a country of ISO 3166-1, two capital letters", json!("DE")),
        ("/contract/tax_bp", json!(99_999), "expected a number from 0 to 10000", json!(1_900)),
        ("/brief/goal/timeline_weeks", json!(0), weeks, json!("12-16")),
        (
            "/content_plan/0/platform",
            json!("myspace"),
            "expected one of email, facebook, instagram, linkedin, tiktok, twitter, youtube",
            json!("instagram"),
        ),
        (
            "/content_plan/0/format",
            json!("hologram"),
            "expected one of carousel, email, post, reel, story, thread, video",
            json!("post"),
        ),
        ("/content_plan/0/count", json!(13), "expected a number from 1 to 12", json!(1)),
        (
            "/brief/goal/primary_goal",
            json!("  "),
            "nobody answered it, expected a goal",
            json!("400 passengers a week"),
        ),
        (
            "/client/industry",
            json!("n/a"),
            "expected an answer, and not the placeholder n/a",
            json!("outdoor equipment"),
        ),
        (
            "/brief/constraints/must_avoid/1",
            json!("TBD"),
            "expected an answer, and not the placeholder tbd",
            json!("weekend warrior"),
        ),
    ]
}

#[test]
fn each_wrong_value_is_told_with_its_place_what_was_expected_and_an_example() {
    for (pointer, value, said, example) in table() {
        // Thirteen of one kind are also thirteen in all.
        let told: Vec<_> = told(&with(pointer, value.clone()));
        assert_eq!(told[0], format!("{pointer} is {value}: {said}, for example {example}"));
        assert_eq!(told.len(), if pointer.ends_with("count") { 2 } else { 1 }, "{told:?}");
    }
    let long = told(&with("/client/name", json!("x".repeat(5_000))));
    assert!(long.len() == 1 && long[0].len() < 250, "{long:?}");
    assert!(long[0].contains("expected a name of 1 to 200 characters"), "{long:?}");
}

fn pieces(platform: &str, count: u32) -> Value {
    json!({"platform": platform, "format": "post", "count": count})
}

#[test]
fn the_pieces_of_a_plan_are_from_one_to_twelve_in_all() {
    for (plan, said) in [
        (json!([pieces("instagram", 1)]), ""),
        (json!([pieces("instagram", 12)]), ""),
        (json!([pieces("instagram", 6), pieces("facebook", 6)]), ""),
        (json!([pieces("instagram", 6), pieces("facebook", 7)]), "at most 12 pieces in all, and not 13"),
    ] {
        let told = told(&with("/content_plan", plan));
        assert_eq!(told.len(), usize::from(!said.is_empty()), "{told:?}");
        assert!(told.iter().all(|told| told.contains(said)), "{told:?}");
    }
    let mut nothing = with("/content_plan", json!([]));
    assert_eq!(told(&nothing), Vec::<String>::new(), "one piece for each platform in focus");
    nothing["focus_platforms"] = json!([]);
    assert!(told(&nothing)[0].starts_with("/content_plan is []: nobody answered it, expected at least one piece"));
}

#[test]
fn all_wrong_places_are_told_at_once() {
    let mut brief = with("/budget", json!({"minor": -1, "currency": "gbp"}));
    brief["langauge"] = json!("en");
    brief["client"]["contact"]["email"] = json!(7);
    brief["content_plan"][0]["count"] = json!(0);
    let mut places: Vec<_> = told(&brief).iter().filter_map(|told| told.split(' ').next().map(str::to_owned)).collect();
    places.sort();
    let wanted = ["/budget/currency", "/budget/minor", "/client/contact/email", "/content_plan/0/count", "/langauge"];
    assert_eq!(places, wanted);
    assert!(told(&json!([1]))[0].starts_with("the whole: invalid type: sequence, expected a map, for example {"));
}

/// As the log has it: nobody asks at the door.
fn begun(brief: Value) -> Case {
    assert!(!told(&brief).is_empty(), "no door takes it today");
    // Reading it, as every replay does, refuses nothing.
    let input: ClientToDelivery = serde_json::from_value(brief).unwrap();
    let mut world = ready(World::new(vec![define::<ClientToDelivery>()], modules())).unwrap();
    let saga = world.start::<ClientToDelivery>(&input).unwrap();
    Case { world, saga, answer: approve }
}

#[test]
fn a_saga_that_began_before_there_were_rules_goes_on_to_its_delivery() {
    let mut brief = with("/content_plan", json!([pieces("instagram", 6), pieces("facebook", 7)]));
    brief["langauge"] = json!("en");
    assert_eq!(ready(begun(brief).run()).unwrap(), SagaState::Completed);
}

#[test]
fn what_a_module_refuses_as_well_is_taken_back_with_the_modules_reason() {
    let mut case = begun(with("/client/timezone", json!("Mars/Base")));
    assert_eq!(ready(case.run()).unwrap(), SagaState::Compensated);
    let reason = ready(case.world.saga(case.saga)).unwrap().row().reason.unwrap();
    assert!(reason.contains("form.responses/client/timezone"), "{reason}");
}

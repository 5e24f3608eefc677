//! The door of `client-to-delivery`: what its first steps would refuse is refused before it begins, every place at once,
//! and a saga that began before there were rules goes on.

use super::{approved, brief, harness};
use crate::api::dtos::{ClientToDelivery, PrintedProof};
use saga_core::definition::{Definition, Performer};
use saga_core::json::Payload;
use saga_core::saga::{Saga, define};
use saga_core::view::SagaState;
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
    let parts = "expected a language tag of a language, a script and a known region alone";
    let line = "expected a name of 1 to 200 characters on one line, all of them seen";
    let hidden = "expected a text without the character U+2066, which is not seen";
    let example = serde_json::to_value(ClientToDelivery::example().unwrap()).unwrap();
    let there = |pointer: &str| example.pointer(pointer).unwrap().clone();
    let (included, target) = (there("/brief/constraints/must_include/0"), there("/brief/goal/kpis/0/target"));
    let weeks_there = there("/brief/goal/timeline_weeks");
    let weeks = "expected weeks as a number or a span, from 1 to 260";
    vec![
        ("/budget/currency", json!("ZZZ"), currency, json!("EUR")),
        ("/budget/currency", json!("gbp"), currency, json!("GBP")),
        ("/budget/minor", json!(-5), "expected an amount from 1 to 100000000000000", json!(1_260_000)),
        ("/budget/minor", json!(0), "expected an amount from 1 to 100000000000000", json!(1_260_000)),
        (
            "/contract/end",
            json!("2002-01-31"),
            "expected a day from 2025 on: this contract is over",
            json!("2026-12-18"),
        ),
        ("/language", json!("en-x-vi"), parts, json!("en")),
        ("/language", json!("en-XX"), parts, json!("en")),
        ("/content_plan/0/language", json!("no-ZZ"), parts, json!("no")),
        ("/content_plan/0/language", json!("pt-BR-u-ca-buddhist"), parts, json!("pt-BR")),
        ("/client/geography", json!("a\u{202e}b"), line, json!("Fjordlys Rederi")),
        ("/brief/constraints/must_include/0", json!("a\u{2066}b"), hidden, json!("in short")),
        (
            "/brief/constraints/must_include/0",
            json!("Hello {{name}}"),
            "expected an answer, and not the placeholder {{",
            included.clone(),
        ),
        (
            "/brief/constraints/must_include/0",
            json!("asset://logo.svg"),
            "expected words, or an address that customers can open; asset:// leads nowhere",
            included.clone(),
        ),
        ("/brief/goal/kpis/0/target", json!(-1), "expected a number from 0 to 1000000000000", json!(400)),
        ("/brief/goal/kpis/0/target", json!(1.5), "expected a whole number, and not a number with a fraction", target),
        (
            "/brief/goal/timeline_weeks",
            json!(true),
            "expected weeks as a number, or as a text such as 12-16",
            weeks_there,
        ),
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
fn what_must_be_said_with_a_forbidden_word_is_told_with_both_places() {
    let mut brief = with("/brief/constraints/must_include", json!(["First delivery FREE", "30 days"]));
    brief["brief"]["constraints"]["must_avoid"] = json!(["cheap", "free"]);
    let said = told(&brief);
    let why = "expected a text without \"free\", which /brief/constraints/must_avoid forbids";
    assert!(
        said.len() == 1
            && said[0].starts_with(&format!("/brief/constraints/must_include/0 is \"First delivery FREE\": {why}")),
        "{said:?}"
    );
    brief["brief"]["constraints"]["must_avoid"] = json!(["cheap", "fre"]);
    assert_eq!(told(&brief), Vec::<String>::new(), "a part of a word is none");
}

#[test]
fn a_rule_that_nobody_can_keep_is_told() {
    for (pointer, value, said) in [
        ("/brief/constraints/must_avoid/0", "lanternfold TENTS", "expected a word that is not in /client/name, which"),
        ("/brief/constraints/must_avoid/1", "Tents", "expected a word that is not in /client/name, which"),
        (
            "/brief/constraints/must_avoid/0",
            "Two",
            "expected a word that is not in /brief/product_service/items/0/name",
        ),
        ("/brief/constraints/must_avoid/0", " \t", "expected a text, and there is nothing in it"),
        ("/brief/constraints/must_include/0", "", "expected a text, and there is nothing in it"),
        ("/brief/constraints/must_include/0", "…", "expected words, and there are none in it"),
        ("/brief/constraints/must_include/0", " „...“ ", "expected words, and there are none in it"),
        ("/brief/constraints/other/0", "\u{a0}", "expected a text, and there is nothing in it"),
    ] {
        let told = told(&with(pointer, json!(value)));
        assert!(told.len() == 1 && told[0].starts_with(pointer) && told[0].contains(said), "{told:?}");
    }
    assert_eq!(
        told(&with("/brief/constraints/must_avoid/0", json!("Lantern"))),
        Vec::<String>::new(),
        "a part of a word"
    );
}

#[test]
fn answers_in_the_letters_of_another_language_than_the_one_that_is_named_are_told() {
    for language in ["ja", "ru", "ar", "el", "hi", "ko", "zh-Hans"] {
        let said = told(&with("/language", json!(language)));
        let wanted =
            format!("/language is {language:?}: expected the language that the answers are in: their letters are");
        assert!(said.len() == 1 && said[0].starts_with(&wanted), "{said:?}");
    }
    for language in ["de", "pt-BR", "en-Latn", "no", "und", ""] {
        assert_eq!(told(&with("/language", json!(language))), Vec::<String>::new(), "{language}");
    }
}

#[test]
fn a_language_that_nobody_names_is_known_by_its_letters() {
    let mut brief = with("/language", json!("und"));
    for field in ["/brief/brand/description", "/brief/goal/primary_goal", "/brief/audience/primary_customer"] {
        *brief.pointer_mut(field).unwrap() = json!("שלום לכל מי שגר כאן ורוצה לבוא אלינו ".repeat(20));
    }
    let said = told(&brief);
    assert!(
        said.len() == 1
            && said[0].starts_with("/language is \"und\": expected a language that content is delivered in"),
        "{said:?}"
    );
    assert!(said[0].contains("the answers are in letters of \"he\""), "{said:?}");
    brief["schema_version"] = json!(" ");
    assert_eq!(told(&brief).len(), 1, "a blank version is silence");
    brief["language"] = json!("en");
    let wanted =
        "/language is \"en\": expected the language that the answers are in: their letters are those of \"he\"";
    assert_eq!(told(&brief), [wanted], "and no example that would be refused as well");
}

#[test]
fn a_blank_version_is_silence_for_every_step() {
    let (agency, saga) = approved(&brief(|brief| brief["schema_version"] = json!(" ")));
    assert_eq!(agency.state(saga), SagaState::Completed);
}

#[test]
fn answers_are_bounded_one_by_one_and_in_all() {
    for (pointer, most) in [
        ("/id", 200),
        ("/client/industry", 200),
        ("/brief/goal/primary_goal", 2_000),
        ("/brief/constraints/must_avoid/0", 500),
    ] {
        assert_eq!(told(&with(pointer, json!("x".repeat(most)))), Vec::<String>::new(), "{pointer}");
        let over = told(&with(pointer, json!("x".repeat(most + 1))));
        assert!(
            over.len() == 1 && over[0].starts_with(&format!("{pointer} is ")) && over[0].contains(&most.to_string()),
            "{over:?}"
        );
    }
    let mut long = with("/language", json!("en"));
    long["brief"]["exclusions"] = json!(vec!["y".repeat(450); 50]);
    let many = told(&long);
    assert!(many.len() == 1 && many[0].contains("expected at most 20480 bytes of answers in all"), "{many:?}");
}

#[test]
fn a_name_of_a_field_is_a_part_of_a_pointer() {
    let mut brief = with("/language", json!("en"));
    brief["client"]["a/b~c"] = json!({"x": [1, 2, 3]});
    assert_eq!(told(&brief), [r#"/client/a~1b~0c is {"x":[1,2,3]}: the form has no such field"#]);
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
    assert!(
        told(&json!([1]))[0].starts_with("the whole: expected an object with fields, and not a list, for example {")
    );
}

/// As the log has it: nobody asks at the door.
fn begun(brief: Value) -> ClientToDelivery {
    assert!(!told(&brief).is_empty(), "no door takes it today");
    // Reading it, as every replay does, refuses nothing.
    serde_json::from_value(brief).unwrap()
}

#[test]
fn a_saga_that_began_before_there_were_rules_goes_on_to_its_delivery() {
    let mut brief = with("/content_plan", json!([pieces("instagram", 6), pieces("facebook", 7)]));
    brief["langauge"] = json!("en");
    let (agency, saga) = approved(&begun(brief));
    assert_eq!(agency.state(saga), SagaState::Completed);
}

#[test]
fn what_a_module_refuses_as_well_is_taken_back_with_the_modules_reason() {
    let mut agency = harness();
    let saga = agency.start(&begun(with("/client/timezone", json!("Mars/Base"))));
    assert_eq!(agency.state(saga), SagaState::Compensated);
    let reason = agency.show(saga).row.reason.unwrap();
    assert!(reason.contains("form.responses/client/timezone"), "{reason}");
}

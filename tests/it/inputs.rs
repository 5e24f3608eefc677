//! The door and the published schema of an input say the same, value by value.

use orchestration::api::dtos::{ClientToDelivery, PrintedProof, StrategyDecision};
use saga_core::json::Payload;
use saga_core::saga::{Saga, define};
use serde_json::{Value, json};
use system_tests::{compat, schemas};

fn example() -> Value {
    serde_json::to_value(ClientToDelivery::example().unwrap()).unwrap()
}
/// The example with another value at one place.
fn with(pointer: &str, value: &Value) -> Value {
    let mut brief = example();
    *brief.pointer_mut(pointer).unwrap_or_else(|| panic!("the example has {pointer}")) = value.clone();
    brief
}

/// A place with values that are taken, and values that are not.
fn table() -> Vec<(&'static str, Vec<Value>, Vec<Value>)> {
    let (edge, over) = (json!("é".repeat(200)), json!("é".repeat(201)));
    let list = |many: usize| json!(vec!["plain"; many]);
    let money = |minor: i64, currency: &str| json!({"minor": minor, "currency": currency});
    vec![
        (
            "/client/name",
            vec![json!("A"), edge.clone()],
            vec![json!(""), json!(" "), over.clone(), json!("a\nb"), json!(7)],
        ),
        (
            "/client/industry",
            vec![json!("tents"), json!("می\u{200c}فروشیم")],
            vec![over.clone(), json!("\u{202e}stnet"), json!("a\nb"), json!("")],
        ),
        ("/id", vec![json!("brief-1"), json!(""), Value::Null], vec![over.clone()]),
        ("/notes", vec![json!("x".repeat(100_000)), Value::Null], vec![json!({"sha256": "", "bytes": 1, "head": ""})]),
        (
            "/brief/constraints/must_avoid/0",
            vec![json!("é".repeat(500))],
            vec![json!("é".repeat(501)), json!("a\u{2066}b")],
        ),
        (
            "/brief/goal/kpis/0/target",
            vec![json!(0), json!(1_000_000_000_000_i64)],
            vec![json!(-1), json!(1_000_000_000_001_i64)],
        ),
        ("/contract/end", vec![json!("2026-12-18"), json!("")], vec![json!("2002-01-31"), json!("2024-12-31")]),
        ("/client/legal_name", vec![json!(""), Value::Null, edge], vec![over]),
        (
            "/client/website",
            vec![json!("none"), json!("http://x.example:80/a?b#c")],
            vec![
                json!("javascript:x"),
                json!("https://x"),
                json!("x.example"),
                json!("https://u:p@x.example"),
                json!(""),
            ],
        ),
        ("/client/country", vec![json!("NO"), json!(""), Value::Null], vec![json!("Norway"), json!("no")]),
        ("/client/timezone", vec![json!("UTC"), json!("Asia/Kolkata")], vec![json!("Mars Base"), json!("Mars/")]),
        ("/client/contact/email", vec![json!("a@x.example"), json!("")], vec![json!("not an email"), json!("a@b")]),
        (
            "/contract/start",
            vec![json!("2000-01-01"), json!("")],
            vec![json!("1999-12-31"), json!("2026-13-01"), json!("2026-02-30"), json!("soon")],
        ),
        ("/contract/tax_bp", vec![json!(0), json!(10_000), Value::Null], vec![json!(10_001), json!(-1), json!("1")]),
        ("/contract/terms_days", vec![json!(0), json!(365)], vec![json!(366)]),
        (
            "/contract/value",
            vec![money(0, "EUR"), Value::Null],
            vec![money(-1, "EUR"), money(1, "euro"), money(1, "eur")],
        ),
        (
            "/budget",
            vec![money(1, "JPY"), money(100_000_000_000_000, "EUR")],
            vec![
                money(0, "EUR"),
                money(100_000_000_000_001, "EUR"),
                json!({"minor": 1}),
                json!({"minor": 1, "currency": "EUR", "x": 1}),
            ],
        ),
        (
            "/language",
            vec![json!("nb"), json!("de-Latn-CH"), json!("")],
            vec![json!("klingon-!!"), json!("EN"), json!("en_GB"), json!("en-x-vi"), json!("en-u-ca-buddhist")],
        ),
        ("/schema_version", vec![json!("2"), json!("2.1")], vec![json!("1"), json!("3"), json!("new")]),
        (
            "/brief/goal/timeline_weeks",
            vec![json!(1), json!(260), json!("12-16"), json!(""), Value::Null],
            vec![json!(0), json!(261), json!("0"), json!("soon"), json!("-4")],
        ),
        ("/brief/goal/primary_goal", vec![json!("more orders")], vec![json!(" "), Value::Null]),
        ("/brief/operations/review_rounds_expected", vec![json!(0), json!(10)], vec![json!(11)]),
        ("/brief/voice/tone_of_voice", vec![list(0), list(100)], vec![list(101), json!([7])]),
        ("/brief/product_service/items", vec![json!([{"name": "A"}])], vec![json!([]), Value::Null]),
        ("/content_plan/0/platform", vec![json!("facebook"), json!(" YouTube ")], vec![json!("myspace"), json!("")]),
        ("/content_plan/0/format", vec![json!("Reel"), json!("")], vec![json!("hologram")]),
        ("/content_plan/0/count", vec![json!(1), json!(10), Value::Null], vec![json!(0), json!(13)]),
        ("/focus_platforms/0", vec![json!("LinkedIn")], vec![json!("myspace")]),
    ]
}

/// Registers grow and a published schema does not change, so only the check at the start knows what is registered, and
/// which values fit no other answer.
#[test]
fn what_is_in_no_register_or_contradicts_another_answer_is_refused_by_the_door_alone() {
    let schema = &schemas::generate()["orchestration/client-to-delivery.input.v2.json"];
    for (pointer, value) in [
        ("/client/country", "XX"),
        ("/client/timezone", "Mars/Base"),
        ("/budget/currency", "ZZZ"),
        ("/language", "klingon"),
        ("/language", "en-XX"),
        ("/language", "no-ZZ"),
        ("/language", "zh-Hans"),
        ("/brief/constraints/must_avoid/0", "Tents"),
        ("/brief/constraints/must_avoid/0", " "),
    ] {
        let brief = with(pointer, &json!(value));
        assert!(compat::is_valid(schema, &brief), "{pointer}");
        let misfits = define::<ClientToDelivery>().misfits(&Payload::of(&brief).unwrap());
        assert_eq!(misfits.iter().map(|misfit| misfit.field.as_str()).collect::<Vec<_>>(), [pointer]);
    }
}

#[test]
fn the_schema_of_a_brief_says_what_its_door_says() {
    let schema = &schemas::generate()["orchestration/client-to-delivery.input.v2.json"];
    let definition = define::<ClientToDelivery>();
    let agreed = |brief: &Value, taken: bool, what: &str| {
        let misfits = definition.misfits(&Payload::of(brief).unwrap());
        assert_eq!(misfits.is_empty(), taken, "the door, {what}: {misfits:?}");
        assert_eq!(compat::is_valid(schema, brief), taken, "the schema, {what}");
    };
    agreed(&example(), true, "the example");
    for (pointer, good, bad) in table() {
        good.iter().for_each(|value| agreed(&with(pointer, value), true, &format!("{pointer} {value}")));
        bad.iter().for_each(|value| agreed(&with(pointer, value), false, &format!("{pointer} {value}")));
    }
    for required in ["/client", "/brief"] {
        let mut brief = example();
        brief.as_object_mut().unwrap().remove(&required[1..]);
        agreed(&brief, false, required);
    }
    let mut brief = example();
    (brief["content_plan"], brief["focus_platforms"]) = (json!([]), json!([]));
    agreed(&brief, false, "no plan");
    brief["focus_platforms"] = json!(["email"]);
    agreed(&brief, true, "a platform instead of a plan");
    brief["langauge"] = json!("en");
    agreed(&brief, false, "a slip of the pen");
}

#[test]
fn examples_fit_the_schemas_of_their_inputs_and_decisions() {
    let all = schemas::generate();
    let proof = serde_json::to_value(PrintedProof::example().unwrap()).unwrap();
    assert!(compat::is_valid(&all["orchestration/printed-proof.input.v1.json"], &proof));
    let decision = &all["orchestration/strategy-approved.decision.v1.json"];
    let gate = orchestration::api::dtos::STRATEGY_APPROVED;
    let example: Value = serde_json::from_str(gate.example.unwrap()).unwrap();
    assert!(serde_json::from_value::<StrategyDecision>(example.clone()).is_ok());
    assert!(compat::is_valid(decision, &example) && !compat::is_valid(decision, &json!({"aproved": true})));
}

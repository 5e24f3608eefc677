//! The door of the form, field by field: what is taken, and what the refusal of anything else gives as an example. The
//! command that captures a form refuses the same.

use super::{COMPLETE, answers, call, capture, captured, mia, stage, with};
use crate::api::commands::{NormalizeBrief, ValidateBrief};
use crate::api::dtos::form::values::{
    ANSWERS_BYTES_MAX, COUNT_MAX, LIST_MAX, REVIEW_ROUNDS_MAX, TERMS_DAYS_MAX, WEEKS_MAX,
};
use crate::api::dtos::{BriefForm, CallNotes, FormFault};
use crate::api::events::{Attachment, IntakeCaptured};
use events::values::world::NAME_CHARS_MAX;
use events::values::{MONEY_MINOR_MAX, TEXT_BYTES_MAX};
use serde_json::{Map, Value, json};

/// A field with values that are taken, and values that are refused with an example.
struct Row {
    field: &'static str,
    /// Where the fault is, below the field.
    below: &'static str,
    good: Vec<Value>,
    bad: Vec<(Value, Value)>,
}

fn row(field: &'static str, good: Vec<Value>, bad: Vec<(Value, Value)>) -> Row {
    Row { field, below: "", good, bad }
}
/// Texts with one and the same example for everything that is refused.
fn texts(field: &'static str, good: &[&str], example: &str, bad: &[&str]) -> Row {
    let bad = bad.iter().map(|text| (json!(text), json!(example)));
    row(field, good.iter().map(|text| json!(text)).collect(), bad.collect())
}
/// A number with its bounds.
fn number(field: &'static str, least: u32, most: u32, example: Value) -> Row {
    let mut bad = vec![(json!(most + 1), example.clone()), (json!(u32::MAX), example.clone())];
    if let Some(below) = least.checked_sub(1) {
        bad.push((json!(below), example));
    }
    row(field, vec![json!(least), json!(most), Value::Null], bad)
}
fn money(field: &'static str, below: &'static str, good: &[(i64, &str)], bad: &[(i64, &str, Value)]) -> Row {
    let of = |minor: i64, currency: &str| json!({"minor": minor, "currency": currency});
    let good = good.iter().map(|(minor, currency)| of(*minor, currency)).collect();
    let bad = bad.iter().map(|(minor, currency, example)| (of(*minor, currency), example.clone())).collect();
    Row { field, below, good, bad }
}

fn texts_of_a_form() -> Vec<Row> {
    let long = "x".repeat(5_000);
    let edge = "é".repeat(200);
    let over = "é".repeat(201);
    let name = "Fjordlys Rederi";
    let page = "https://fjordlys.example";
    let mail = "ida@fjordlys.example";
    let strange = ["javascript:alert(1)", "fjordlys", "https://", "None"];
    vec![
        texts("/client/name", &["A", &edge], name, &[&over, &long, "two\nlines"]),
        texts("/client/legal_name", &["", &edge], name, &[&over]),
        texts("/client/website", &["none", page], page, &strange),
        texts("/client/country", &["NO", ""], "DE", &["XX", "Norway", "UK"]),
        texts("/client/country", &[], "NO", &["no"]),
        texts("/client/timezone", &["Europe/Oslo", " "], "Europe/Berlin", &["Mars/Base", "+02:00"]),
        texts("/client/timezone", &[], "Europe/Oslo", &["europe/oslo"]),
        Row {
            below: "/brand_name",
            ..row("/brief/brand", vec![json!({"brand_name": edge})], vec![(json!({"brand_name": over}), json!(name))])
        },
        row("/client/contact", vec![json!({"name": "Ida", "email": mail}), json!({"email": ""})], vec![]),
        Row {
            below: "/email",
            ..row("/client/contact", vec![], vec![(json!({"email": "not an email"}), json!(mail))])
        },
        Row { below: "/name", ..row("/client/contact", vec![], vec![(json!({"name": long}), json!(name))]) },
        texts("/language", &["en", "nb", "zh-Hans", "und", ""], "en", &["klingon-!!", "klingon", "english", "EN"]),
        texts("/schema_version", &["2", "2.7"], "2", &["1", "3", "new"]),
        texts("/brief/goal/timeline_weeks", &["8", "12-16", "260", ""], "12-16", &["0", "261", "16-12", "soon", "-4"]),
    ]
}

fn numbers_of_a_form() -> Vec<Row> {
    let minor = json!(1_260_000);
    let day = json!("2026-02-28");
    let contract =
        |below: &'static str, good: Vec<Value>, bad: Vec<(Value, Value)>| Row { below, ..row("/contract", good, bad) };
    vec![
        number("/brief/goal/timeline_weeks", 1, WEEKS_MAX, json!("12-16")),
        Row {
            below: "/review_rounds_expected",
            ..row(
                "/brief/operations",
                vec![json!({"review_rounds_expected": 0}), json!({"review_rounds_expected": REVIEW_ROUNDS_MAX})],
                vec![(json!({"review_rounds_expected": REVIEW_ROUNDS_MAX + 1}), json!(1))],
            )
        },
        money("/budget", "/currency", &[(1, "EUR"), (MONEY_MINOR_MAX, "JPY")], &[]),
        money(
            "/budget",
            "/currency",
            &[],
            &[(1, "ZZZ", json!("EUR")), (1, "gbp", json!("GBP")), (1, "XXX", json!("EUR"))],
        ),
        money(
            "/budget",
            "/minor",
            &[],
            &[(0, "EUR", minor.clone()), (-1, "EUR", minor.clone()), (MONEY_MINOR_MAX + 1, "EUR", minor.clone())],
        ),
        contract("/value/currency", vec![], vec![(json!({"value": {"minor": 1, "currency": "ZZZ"}}), json!("EUR"))]),
        contract("/value/minor", vec![], vec![(json!({"value": {"minor": -1, "currency": "EUR"}}), minor)]),
        contract(
            "/tax_bp",
            vec![json!({"tax_bp": 0}), json!({"tax_bp": 10_000})],
            vec![(json!({"tax_bp": 10_001}), json!(1_900)), (json!({"tax_bp": 99_999}), json!(1_900))],
        ),
        contract(
            "/terms_days",
            vec![json!({"terms_days": 0}), json!({"terms_days": TERMS_DAYS_MAX})],
            vec![(json!({"terms_days": TERMS_DAYS_MAX + 1}), json!(14))],
        ),
        contract("/start", vec![json!({"start": "2026-01-12"})], vec![(json!({"start": "2026-02-30"}), day.clone())]),
        contract(
            "/end",
            vec![json!({"start": "2026-01-12", "end": "2026-01-12"})],
            vec![
                (json!({"end": "1998-12-31"}), day),
                (json!({"start": "2026-01-12", "end": "2026-01-11"}), json!("2026-01-12")),
            ],
        ),
    ]
}

fn plans() -> Vec<Row> {
    let plan = |below: &'static str, good: Vec<Value>, bad: Vec<(Value, Value)>| Row {
        below,
        ..row("/content_plan", good, bad)
    };
    let item = |platform: &str, format: &str| json!([{"platform": platform, "format": format}]);
    let count = |count: u32| json!([{"platform": "instagram", "count": count}]);
    let language = |tag: &str| json!([{"platform": "instagram", "language": tag}]);
    vec![
        plan(
            "/0/platform",
            vec![item("instagram", "post"), item("YouTube", "")],
            vec![(item("myspace", "post"), json!("instagram")), (item(" ", "post"), json!("instagram"))],
        ),
        plan(
            "/0/format",
            vec![item("email", "email"), item("twitter", "thread")],
            vec![
                (item("instagram", "hologram"), json!("post")),
                (item("instagram", "email"), json!("post")),
                (item("email", "post"), json!("email")),
            ],
        ),
        plan(
            "/0/count",
            vec![count(1), count(COUNT_MAX)],
            vec![(count(0), json!(1)), (count(COUNT_MAX + 1), json!(1))],
        ),
        plan(
            "/0/language",
            vec![language("nb"), language("")],
            vec![(language("klingon-!!"), json!("en")), (language("und"), json!("en"))],
        ),
        Row {
            below: "/1",
            ..row(
                "/focus_platforms",
                vec![json!(["Instagram", "email"])],
                vec![(json!(["email", "myspace"]), json!("instagram"))],
            )
        },
    ]
}

fn fault(responses: &Map<String, Value>) -> Option<(String, Value)> {
    match BriefForm::door(responses).as_slice() {
        [] => None,
        [FormFault::BadValue { field, example, .. }] => Some((field.clone(), example.clone())),
        other => panic!("one value is wrong, and told are {other:?}"),
    }
}

#[test]
fn every_field_takes_what_there_is_and_refuses_what_there_is_not() {
    for Row { field, below, good, bad } in texts_of_a_form().into_iter().chain(numbers_of_a_form()).chain(plans()) {
        for value in good {
            let responses = with(field, value.clone());
            assert_eq!(fault(&responses), None, "{field} {value}");
            captured(&mut stage(), responses);
        }
        for (value, example) in bad {
            let responses = with(field, value.clone());
            let place = format!("{field}{below}");
            assert_eq!(fault(&responses), Some((place.clone(), example)), "{field} {value}");
            let mut stage = stage();
            let refused = stage.send(&capture(responses), mia()).unwrap_err();
            let said: Value = refused.fields.unwrap().read().unwrap();
            assert_eq!(
                (refused.code.as_str(), &said["field"]),
                ("INVALID_FIELD", &json!(format!("form.responses{place}")))
            );
            assert_eq!(stage.names(), Vec::<String>::new(), "nothing was recorded");
        }
    }
}

#[test]
fn a_bound_of_lists_and_texts_is_exact() {
    let tones = |many: usize| with("/brief/voice", json!({"tone_of_voice": vec!["plain"; many]}));
    assert_eq!(fault(&tones(LIST_MAX)), None);
    assert_eq!(fault(&tones(LIST_MAX + 1)).unwrap().0, "/brief/voice/tone_of_voice");
    let industry = |chars: usize| with("/client/industry", json!("é".repeat(chars)));
    assert_eq!(fault(&industry(NAME_CHARS_MAX)), None);
    assert_eq!(fault(&industry(NAME_CHARS_MAX + 1)).unwrap().0, "/client/industry");
    let all = |bytes: usize| with("/brief/exclusions", json!(vec!["x".repeat(500); bytes / 500]));
    assert_eq!(fault(&all(ANSWERS_BYTES_MAX - 1_000)), None);
    assert_eq!(fault(&all(ANSWERS_BYTES_MAX + 500)).unwrap().0, "/brief");
    assert_eq!(fault(&with("/notes", json!("x".repeat(TEXT_BYTES_MAX + 1)))), None, "notes are kept beside the log");
}

/// The places of everything that is neither a list nor an object.
fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, below)| leaves(below, format!("{at}/{name}"), found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, below)| leaves(below, format!("{at}/{index}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(at),
    }
}

#[test]
fn a_value_of_a_wrong_kind_makes_no_other_answer_wrong() {
    let whole = Value::Object(answers(COMPLETE));
    let mut all = Vec::new();
    leaves(&whole, String::new(), &mut all);
    all.extend(["/budget/minor", "/contract/value/minor"].map(str::to_owned));
    let mut refused = 0;
    for leaf in all {
        for wrong in [json!(1.5), json!(true), json!({"x": 1}), json!([1]), json!("x"), json!(u64::MAX)] {
            let mut said = whole.clone();
            said["budget"] = json!({"minor": 5, "currency": "EUR"});
            said["contract"]["value"] = json!({"minor": 5, "currency": "EUR"});
            let Some(place) = said.pointer_mut(&leaf) else { panic!("{leaf}") };
            *place = wrong.clone();
            let Value::Object(said) = said else { panic!("a form is an object") };
            let told = BriefForm::door(&said);
            refused += told.len();
            for fault in told {
                let field = fault.field();
                assert!(leaf.starts_with(field) || field.starts_with(&leaf), "{wrong} at {leaf} is told at {fault:?}");
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[test]
fn every_wrong_place_is_told_at_once() {
    let responses = answers(
        r#"{
        "client": { "name": 7, "website": "javascript:", "country": "XX" },
        "budget": { "minor": -1, "currency": "gbp" },
        "content_plan": [{ "platform": "myspace", "count": "two" }],
        "brief": { "goal": { "primary_gaol": "x" } }
    }"#,
    );
    let told: Vec<_> = BriefForm::door(&responses).iter().map(|fault| fault.field().to_owned()).collect();
    let wanted = [
        "/client/name",
        "/content_plan/0/count",
        "/brief/goal/primary_gaol",
        "/client/website",
        "/client/country",
        "/budget/currency",
        "/budget/minor",
        "/content_plan/0/platform",
        "/client/industry",
        "/client/geography",
        "/brief/product_service/items/0/name",
        "/brief/goal/primary_goal",
        "/brief/audience/primary_customer",
    ];
    let mut sorted = told.clone();
    sorted.sort();
    let mut expected = wanted.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(sorted, expected, "{told:?}");
    // The command tells the first, and where the others are.
    let mut many = responses.clone();
    many["client"]["name"] = json!("A");
    many["content_plan"][0]["count"] = json!(2);
    let refused = stage().send(&capture(many), mia()).unwrap_err();
    assert!(
        refused.reason.contains("; 4 more: /client/country, /budget/currency, /budget/minor"),
        "{}",
        refused.reason
    );
}

#[test]
fn what_the_first_steps_would_miss_is_missed_at_the_door() {
    let pointers = [
        "/client/name",
        "/client/website",
        "/client/industry",
        "/client/geography",
        "/brief/product_service/items",
        "/brief/goal/primary_goal",
        "/brief/audience/primary_customer",
    ];
    for pointer in pointers {
        for silence in [Value::Null, if pointer.ends_with("items") { json!([{"name": " "}]) } else { json!("  ") }] {
            let responses = with(pointer, silence);
            let missing = BriefForm::door(&responses);
            let told = matches!(&missing[..], [FormFault::Missing { field, .. }] if field.starts_with(pointer));
            assert!(told, "{pointer}: {missing:?}");
            let mut stage = stage();
            let brief_id = captured(&mut stage, responses).brief_id;
            let normalized = stage.send(&NormalizeBrief { brief_id, notes: None }, mia());
            let refused = normalized.and_then(|_| stage.send(&ValidateBrief { brief_id }, mia())).unwrap_err();
            assert_eq!(refused.code, "MISSING_FIELDS", "{pointer}");
        }
    }
    let nothing = with("/focus_platforms", json!([]));
    assert!(matches!(&BriefForm::door(&nothing)[..], [FormFault::Missing { field, .. }] if field == "/content_plan"));
    assert_eq!(BriefForm::door(&answers(COMPLETE)), []);
}

#[test]
fn what_is_said_on_a_call_or_comes_along_is_checked_as_the_form_is() {
    let mut stage = stage();
    let brief_id = captured(&mut stage, answers(COMPLETE)).brief_id;
    let file = |name: &str, url: &str| Attachment { name: name.to_owned(), url: Some(url.to_owned()), sha256: None };
    let notes = [
        (call(&[("website", "javascript:alert(1)")]), "notes/clarifications/website"),
        (call(&[("client_name", &"x".repeat(201))]), "notes/clarifications/client_name"),
        (CallNotes { call_date: Some("2026-02-30".to_owned()), ..call(&[]) }, "notes/call_date"),
        (CallNotes { attachments: vec![file("logo", "file:///etc/passwd")], ..call(&[]) }, "notes.attachments/0/url"),
        (CallNotes { attachments: vec![file(" ", "")], ..call(&[]) }, "notes.attachments/0/name"),
    ];
    for (notes, place) in notes {
        let refused = stage.send(&NormalizeBrief { brief_id, notes: Some(notes) }, mia()).unwrap_err();
        let said: Value = refused.fields.unwrap().read().unwrap();
        assert_eq!((refused.code.as_str(), &said["field"]), ("INVALID_FIELD", &json!(place)));
    }
    let fine = CallNotes { call_date: Some("2026-02-28".to_owned()), ..call(&[("website", "none")]) };
    stage.send(&NormalizeBrief { brief_id, notes: Some(fine) }, mia()).unwrap();
    let mut command = capture(answers(COMPLETE));
    command.form.language = Some("klingon-!!".to_owned());
    let refused = super::stage().send(&command, mia()).unwrap_err();
    assert_eq!(refused.fields.unwrap().read::<Value>().unwrap()["field"], "form.language");
}

#[test]
fn a_form_that_was_captured_before_there_were_rules_is_read_as_it_was() {
    let mut stage = stage();
    let first = captured(&mut stage, answers(COMPLETE));
    let mut older = stage.events::<IntakeCaptured>().remove(0);
    older.responses = with("/budget", json!({"minor": 5, "currency": "ZZZ"}));
    older.responses["client"]["timezone"] = json!("Mars/Base");
    older.responses["focus_platforms"] = json!(["myspace"]);
    older.language = "klingon-!!".to_owned();
    let mut stage = super::stage();
    stage.hear("onboarding_intake", first.intake_id, &older).unwrap();
    stage.store = stage.others["onboarding"].clone();
    let brief = stage.send(&NormalizeBrief { brief_id: first.brief_id, notes: None }, mia()).unwrap();
    assert_eq!((brief.language.as_str(), brief.budget.unwrap().currency.as_str()), ("klingon-!!", "ZZZ"));
    assert_eq!(brief.content_plan[0].platform, "myspace");
    stage.send(&ValidateBrief { brief_id: first.brief_id }, mia()).unwrap();
}

//! The form as JSON Schema, with the rules of the door. What no schema can say stays with the door: that a
//! contract does not end before it starts. Registers stay there as well (currencies, countries, zones, languages): they
//! grow, and a published schema does not change.

use super::BriefForm;
use super::values::{
    BUDGET_MINOR_MIN, COUNT_MAX, KPI_TARGET_MAX, LIST_MAX, REVIEW_ROUNDS_MAX, TERMS_DAYS_MAX, WEEKS_MAX,
};
use events::values::{MONEY_MINOR_MAX, WHOLE_BP, world};
use schemars::Schema;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

/// Without a control character.
const LINE: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";
/// Something that is no space.
const SAYS_SOMETHING: &str = r"\S";
const BLANK: &str = r"^\s*$";
/// What cannot stay silent, by the object that holds it.
const REQUIRED: [(&str, &[&str]); 7] = [
    ("", &["client", "brief"]),
    ("/client", &["name", "website", "industry", "geography"]),
    ("/brief", &["audience", "goal", "product_service"]),
    ("/brief/audience", &["primary_customer"]),
    ("/brief/goal", &["primary_goal"]),
    ("/brief/product_service", &["items"]),
    ("/brief/product_service/items/*", &["name"]),
];

/// The input of a saga that begins with a brief, as it was published first. What fits the second one fits it as well.
pub fn first() -> Schema {
    schema_of(Vec::new())
}

/// The input of a saga that begins with a brief.
pub fn schema() -> Schema {
    schema_of(second())
}

fn schema_of(more: Vec<(&'static str, Value)>) -> Schema {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<BriefForm>().to_value();
    without_defaults(&mut schema);
    for (field, rule) in rules().into_iter().chain(lists()).chain(answers()).chain(more) {
        if let Some(place) = place(&mut schema, field) {
            let said = place.get("description").cloned();
            *place = rule;
            said.into_iter().for_each(|said| place["description"] = said);
        }
    }
    for (field, names) in REQUIRED {
        if let Some(place) = place(&mut schema, field) {
            place["required"] = json!(names);
        }
    }
    if let Some(items) = place(&mut schema, "/brief/product_service/items") {
        items["minItems"] = json!(1);
    }
    schema["anyOf"] = json!([
        {"required": ["content_plan"], "properties": {"content_plan": {"minItems": 1}}},
        {"required": ["focus_platforms"], "properties": {"focus_platforms": {"minItems": 1}}},
    ]);
    schema.try_into().unwrap_or_default()
}

/// A default says how the reader understands a missing answer; it is no advice to the author of a form.
fn without_defaults(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("default");
            object.values_mut().for_each(without_defaults);
        }
        Value::Array(several) => several.iter_mut().for_each(without_defaults),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The schema of a place of the form; `*` is any item of a list.
fn place<'a>(schema: &'a mut Value, field: &str) -> Option<&'a mut Value> {
    field.split('/').skip(1).try_fold(schema, |schema, part| {
        // An answer that may be silent is one of several.
        let one_of = schema.get("anyOf").and_then(Value::as_array);
        let there = one_of.and_then(|several| several.iter().position(|one| one.get("properties").is_some()));
        let schema = match there {
            Some(at) => &mut schema["anyOf"][at],
            None => schema,
        };
        if part == "*" { schema.get_mut("items") } else { schema.get_mut("properties")?.get_mut(part) }
    })
}

/// A text by a rule, or silence.
fn or_silent(rule: Value) -> Value {
    json!({"anyOf": [rule, {"type": "string", "pattern": BLANK}, {"type": "null"}]})
}
/// One of the words, in whatever letters, with spaces around it.
fn word(known: &[&str]) -> Value {
    let letters =
        |word: &&str| word.chars().map(|letter| format!("[{letter}{}]", letter.to_ascii_uppercase())).collect();
    let known: Vec<String> = known.iter().map(letters).collect();
    json!({"type": "string", "pattern": format!(r"^\s*({})\s*$", known.join("|"))})
}
fn line() -> Value {
    json!({"type": "string", "maxLength": world::NAME_CHARS_MAX, "pattern": LINE})
}
fn answered(mut rule: Value) -> Value {
    rule["allOf"] = json!([{"pattern": SAYS_SOMETHING}]);
    rule
}
fn language() -> Value {
    let parts = r"^[a-z]{2,8}(-[A-Za-z0-9]{1,8})*$";
    or_silent(json!({"type": "string", "pattern": parts, "maxLength": world::LANGUAGE_CHARS_MAX}))
}
fn day() -> Value {
    let years = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
    or_silent(json!({"type": "string", "format": "date", "pattern": years}))
}
fn number(least: u32, most: u32) -> Value {
    json!({"type": ["integer", "null"], "minimum": least, "maximum": most})
}
fn money(least: i64) -> Value {
    json!({"anyOf": [{"type": "null"}, {
        "type": "object",
        "required": ["currency", "minor"],
        "additionalProperties": false,
        "properties": {
            "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
            "minor": {"type": "integer", "minimum": least, "maximum": MONEY_MINOR_MAX},
        },
    }]})
}

fn rules() -> Vec<(&'static str, Value)> {
    let host = r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s/@:?#]+\.[^\s/@:?#]+([:/?#]\S*)?$";
    let page = json!({"type": "string", "format": "uri", "pattern": host, "maxLength": world::URL_CHARS_MAX});
    // The pattern for readers to whom a format is a remark.
    let at = r"^[^\s@]+@[^\s@]+\.[^\s@]+$";
    let mail = json!({"type": "string", "format": "idn-email", "pattern": at, "maxLength": world::EMAIL_BYTES_MAX});
    let zone = r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$";
    let spans = r"^\s*([1-9][0-9]{0,2})(\s*[-–]\s*([1-9][0-9]{0,2}))?\s*$";
    vec![
        ("/schema_version", or_silent(json!({"type": "string", "pattern": r"^2(\..*)?$"}))),
        ("/language", language()),
        ("/client/legal_name", or_silent(line())),
        ("/client/website", json!({"anyOf": [page, {"const": "none"}]})),
        ("/client/country", or_silent(json!({"type": "string", "pattern": "^[A-Z]{2}$"}))),
        ("/client/timezone", or_silent(json!({"type": "string", "pattern": zone}))),
        ("/client/contact/name", or_silent(line())),
        ("/client/contact/email", or_silent(mail)),
        ("/contract/start", day()),
        ("/contract/end", day()),
        ("/contract/value", money(0)),
        ("/contract/terms_days", number(0, TERMS_DAYS_MAX)),
        ("/contract/tax_bp", number(0, WHOLE_BP)),
        ("/budget", money(0)),
        ("/brief/brand/brand_name", or_silent(line())),
        ("/brief/operations/review_rounds_expected", number(0, REVIEW_ROUNDS_MAX)),
        (
            "/brief/goal/timeline_weeks",
            json!({"anyOf": [number(1, WEEKS_MAX), {"type": "string", "pattern": spans}, {"type": "string", "pattern": BLANK}]}),
        ),
        ("/brief/goal/kpis/*/name", line()),
        ("/brief/goal/kpis/*/unit", line()),
        ("/content_plan/*/platform", word(&world::PLATFORMS)),
        ("/content_plan/*/format", or_silent(word(&world::FORMATS))),
        ("/content_plan/*/language", language()),
        ("/content_plan/*/count", number(1, COUNT_MAX)),
        ("/focus_platforms/*", word(&world::PLATFORMS)),
    ]
}

/// Characters of the first plane that make a text read as another one; those of other planes are the door's.
const MISLEADING: &str = r"\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2028-\u202e\u2061-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb";

/// Texts that are bounded and seen, languages that are written, and numbers that can be meant: what the second version adds.
fn second() -> Vec<(&'static str, Value)> {
    let seen = format!("^[^{MISLEADING}]*$");
    let text = |most: usize| json!({"type": "string", "maxLength": most, "pattern": seen});
    let line =
        || json!({"type": "string", "maxLength": world::NAME_CHARS_MAX, "pattern": LINE, "allOf": [{"pattern": seen}]});
    let said = |mut rule: Value| {
        rule["allOf"] = json!([{"pattern": SAYS_SOMETHING}, {"pattern": seen}]);
        rule
    };
    let parts = r"^[a-z]{2,8}(-[A-Za-z0-9]{2,8})*$";
    let tag = || or_silent(json!({"type": "string", "pattern": parts, "maxLength": world::LANGUAGE_CHARS_MAX}));
    let days = r"^20(2[5-9]|[3-9][0-9])-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";
    let mut rules = vec![
        ("/language", tag()),
        ("/content_plan/*/language", tag()),
        ("/notes", json!({"type": ["string", "null"]})),
        ("/contract/end", or_silent(json!({"type": "string", "format": "date", "pattern": days}))),
        ("/budget", money(BUDGET_MINOR_MIN)),
        ("/brief/goal/kpis/*/target", json!({"type": "integer", "minimum": 0, "maximum": KPI_TARGET_MAX})),
        ("/client/name", said(line())),
        ("/client/industry", said(line())),
        ("/client/geography", said(line())),
        ("/brief/goal/primary_goal", said(text(world::PROSE_CHARS_MAX))),
        ("/brief/audience/primary_customer", said(text(world::PROSE_CHARS_MAX))),
        ("/brief/product_service/items/*/name", line()),
        ("/brief/product_service/items/*/usp", or_silent(text(world::ENTRY_CHARS_MAX))),
        ("/brief/goal/kpis/*/name", line()),
        ("/brief/goal/kpis/*/unit", line()),
    ];
    let lines = ["/id", "/expected", "/client/legal_name", "/client/contact/name", "/brief/brand/brand_name"];
    rules.extend(lines.into_iter().chain(["/brief/brand/business_type"]).map(|field| (field, or_silent(line()))));
    let pages = ["/brief/brand/description", "/brief/goal/secondary_goal", "/brief/operations/approval"];
    rules.extend(pages.map(|field| (field, or_silent(text(world::PROSE_CHARS_MAX)))));
    let entries = || json!({"type": "array", "items": text(world::ENTRY_CHARS_MAX), "maxItems": LIST_MAX});
    rules.extend(LISTS.into_iter().chain(["/removed_required_answers"]).map(|field| (field, entries())));
    rules
}

/// Questions that the first steps need an answer to.
fn answers() -> Vec<(&'static str, Value)> {
    let text = || json!({"type": "string", "pattern": SAYS_SOMETHING});
    vec![
        ("/client/name", answered(line())),
        ("/client/industry", text()),
        ("/client/geography", text()),
        ("/brief/product_service/items/*/name", line()),
        ("/brief/goal/primary_goal", text()),
        ("/brief/audience/primary_customer", text()),
    ]
}

/// Lists of texts.
const LISTS: [&str; 8] = [
    "/brief/audience/pain_points",
    "/brief/voice/tone_of_voice",
    "/brief/voice/competitors",
    "/brief/constraints/must_include",
    "/brief/constraints/must_avoid",
    "/brief/constraints/other",
    "/brief/deliverables",
    "/brief/exclusions",
];

/// Lists keep what they hold, and are bounded.
fn lists() -> Vec<(&'static str, Value)> {
    let texts = || json!({"type": "array", "items": {"type": "string"}, "maxItems": LIST_MAX});
    LISTS.map(|field| (field, texts())).to_vec()
}

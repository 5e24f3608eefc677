//! The rules of growing a shape, as tables: each change with the walks that it breaks, and a document that proves each.

use serde_json::{Value, json};
use system_tests::compat::Walk::{NewReaderOldData as Back, OldReaderNewData as Forth, OldWriterNewData as Again};
use system_tests::compat::{Walk, check, is_valid, reader_of};

/// An object of these fields, all of them required but those that end with `?`.
fn object(fields: &Value) -> Value {
    let fields = fields.as_object().unwrap();
    let name = |name: &str| name.trim_end_matches('?').to_owned();
    let properties: serde_json::Map<_, _> = fields.iter().map(|(key, part)| (name(key), part.clone())).collect();
    let required: Vec<_> = fields.keys().filter(|key| !key.ends_with('?')).collect();
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

/// Where which walk breaks. Every break must be proven.
fn breaks(old: &Value, new: &Value) -> Vec<(Walk, String)> {
    let findings = check(old, new);
    for finding in &findings {
        let document =
            finding.counter_example.as_ref().unwrap_or_else(|| panic!("{finding} is not proven: {old} {new}"));
        let (writer, reader) = match finding.walk {
            Walk::OldReaderNewData => (Some(new), old),
            Walk::NewReaderOldData => (Some(old), new),
            Walk::OldWriterNewData => (None, new),
        };
        assert!(writer.is_none_or(|writer| is_valid(writer, document)), "{finding}");
        assert!(!is_valid(&reader_of(reader), document), "{finding}");
    }
    findings.into_iter().map(|finding| (finding.walk, finding.pointer)).collect()
}

/// A change, the old shape, the new shape, and where which walk breaks.
type Case = (&'static str, Value, Value, Vec<(Walk, String)>);

#[test]
fn each_change_breaks_what_it_breaks() {
    let text = json!({"type": "string"});
    let at = |pointer: &str| pointer.to_owned();
    let base = object(&json!({"a": text}));
    let of_a = |a: Value| object(&json!({ "a": a }));
    let few = json!({"enum": ["x", "y"], "type": "string"});
    let many = json!({"enum": ["x", "y", "z"], "type": "string"});
    let told = json!({"oneOf": [{"const": "x", "description": "X"}, {"const": "y"}, {"enum": ["z"]}]});
    let number = json!({"type": "integer", "minimum": 0});
    let cases: Vec<Case> = vec![
        ("nothing", base.clone(), base.clone(), vec![]),
        ("optional added", base.clone(), object(&json!({"a": text, "b?": text})), vec![]),
        ("optional removed", object(&json!({"a": text, "b?": text})), base.clone(), vec![]),
        (
            "required added",
            base.clone(),
            object(&json!({"a": text, "b": text})),
            vec![(Back, at("/b")), (Again, at("/b"))],
        ),
        (
            "required added with a default for readers",
            base.clone(),
            object(&json!({"a": text, "b": {"type": "string", "default": ""}})),
            vec![],
        ),
        ("required removed", object(&json!({"a": text, "b": text})), base.clone(), vec![(Forth, at("/b"))]),
        ("required made optional", base.clone(), object(&json!({"a?": text})), vec![(Forth, at("/a"))]),
        ("optional made required", object(&json!({"a?": text})), base.clone(), vec![(Back, at("/a"))]),
        (
            "renamed",
            base.clone(),
            object(&json!({"b": text})),
            vec![(Forth, at("/a")), (Back, at("/b")), (Again, at("/b"))],
        ),
        ("type changed", of_a(number.clone()), base.clone(), vec![(Forth, at("/a")), (Back, at("/a"))]),
        (
            "integer to number",
            of_a(json!({"type": "integer"})),
            of_a(json!({"type": "number"})),
            vec![(Forth, at("/a"))],
        ),
        ("null allowed", base.clone(), of_a(json!({"type": ["string", "null"]})), vec![(Forth, at("/a"))]),
        (
            "null allowed, as an alternative",
            of_a(json!({"anyOf": [{"type": "string"}, {"type": "null"}]})),
            of_a(json!({"type": ["string", "null"]})),
            vec![],
        ),
        ("enum narrowed", of_a(many.clone()), of_a(few.clone()), vec![(Back, at("/a"))]),
        ("enum widened", of_a(few.clone()), of_a(many.clone()), vec![(Forth, at("/a"))]),
        ("enum told in words", of_a(many.clone()), of_a(told), vec![]),
        ("enum opened", of_a(few.clone()), base.clone(), vec![(Forth, at("/a"))]),
        (
            "minimum raised",
            of_a(number.clone()),
            of_a(json!({"type": "integer", "minimum": 1})),
            vec![(Back, at("/a"))],
        ),
        (
            "maximum set",
            of_a(number.clone()),
            of_a(json!({"type": "integer", "minimum": 0, "maximum": 9})),
            vec![(Back, at("/a"))],
        ),
        ("length limited", base.clone(), of_a(json!({"type": "string", "maxLength": 3})), vec![(Back, at("/a"))]),
        ("format demanded", base.clone(), of_a(json!({"type": "string", "format": "uuid"})), vec![(Back, at("/a"))]),
        ("pattern demanded", base.clone(), of_a(json!({"type": "string", "pattern": "^q"})), vec![(Back, at("/a"))]),
        (
            "items changed",
            of_a(json!({"type": "array", "items": text})),
            of_a(json!({"type": "array", "items": number})),
            vec![(Forth, at("/a/0")), (Back, at("/a/0"))],
        ),
        (
            "items required",
            of_a(json!({"type": "array", "items": text})),
            of_a(json!({"type": "array", "items": text, "minItems": 1})),
            vec![(Back, at("/a"))],
        ),
        (
            "required added far inside",
            of_a(json!({"type": "array", "items": object(&json!({"x": text}))})),
            of_a(json!({"type": "array", "items": object(&json!({"x": text, "y/z": text}))})),
            vec![(Back, at("/a/0/y~1z")), (Again, at("/a/0/y~1z"))],
        ),
        (
            "values of a map changed",
            of_a(json!({"type": "object", "additionalProperties": text})),
            of_a(json!({"type": "object", "additionalProperties": number})),
            vec![(Forth, at("/a/any")), (Back, at("/a/any"))],
        ),
        ("anything to something", of_a(json!(true)), base.clone(), vec![(Back, at("/a"))]),
        ("something to anything", base.clone(), of_a(json!(true)), vec![(Forth, at("/a"))]),
    ];
    for (change, old, new, expected) in cases {
        assert_eq!(breaks(&old, &new), expected, "{change}");
    }
}

#[test]
fn alternatives_are_told_apart_by_their_tags() {
    let tagged = |list: &[(&str, Value)]| {
        let one = |(tag, fields): &(&str, Value)| {
            let mut fields = fields.clone();
            fields["kind"] = json!({"const": tag});
            object(&fields)
        };
        json!({"oneOf": list.iter().map(one).collect::<Vec<_>>()})
    };
    let (circle, square) =
        (("circle", json!({"r": {"type": "integer"}})), ("square", json!({"a": {"type": "integer"}})));
    let two = tagged(&[circle.clone(), square.clone()]);
    let one = tagged(std::slice::from_ref(&circle));
    let places = |old, new| breaks(old, new).into_iter().map(|(walk, _)| walk).collect::<Vec<_>>();
    assert_eq!(places(&two, &two), []);
    assert_eq!(places(&one, &two).first(), Some(&Forth), "an old reader does not know squares");
    assert!(!places(&one, &two).contains(&Back));
    assert!(places(&two, &one).contains(&Back), "squares are stored");
    let wider = tagged(&[("circle", json!({"r": {"type": "integer"}, "colour?": {"type": "string"}})), square]);
    assert_eq!(places(&two, &wider), []);
}

#[test]
fn references_are_followed_also_in_circles() {
    let tree = |leaf: &str| {
        json!({
            "$ref": "#/$defs/Tree",
            "$defs": {"Tree": object(&json!({
                "leaf": {"type": leaf}, "below?": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
            }))},
        })
    };
    assert_eq!(breaks(&tree("string"), &tree("string")), []);
    let findings = check(&tree("string"), &tree("integer"));
    assert_eq!((findings[0].walk, findings[0].pointer.as_str()), (Forth, "/leaf"));
}

//! What crosses a process boundary comes back as it went, also where types are tagged and flattened.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga_core::control::{DefinitionRow, OrderKind, Page};
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    let tree: serde_json::Value = serde_json::from_str(&text).unwrap();
    let through = serde_json::to_string(&serde_json::from_value::<T>(tree.clone()).unwrap()).unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(&through).unwrap(), tree, "{text}");
}
fn json(text: &str) -> Payload {
    Payload::parse(text).unwrap()
}

const EXACT: &str = r#"{"huge":123456789012345678901234567890,"n":9007199254740993, "price": 1.10}"#;

#[test]
fn answers_come_back_to_the_last_digit() {
    for output in [EXACT, "null", "[]", "18446744073709551615", r#""text""#] {
        again(&Answer::Done { output: json(output) });
    }
    again(&Answer::Refused(Refused { fields: Some(json(EXACT)), ..Refused::new("NO", "no") }));
    again(&Answer::Refused(Refused::new("NO", "no")));
    again(&Answer::Retry { after_ms: 5, reason: "weather".to_owned() });
    let text = format!(r#"{{"outcome":"done","output":{EXACT}}}"#);
    assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), Answer::Done { output: json(EXACT) });
    for bad in [r#"{"outcome":"done"}"#, r#"{"outcome":"maybe"}"#, r#"{"outcome":"retry","reason":"x"}"#, "{}"] {
        assert!(serde_json::from_str::<Answer>(bad).is_err(), "{bad}");
    }
}

#[test]
fn orders_and_pages_come_back() {
    // Read through a buffer, keys come in the order of the alphabet; the value is the same.
    let input = json(r#"{"list":[1,2.5,null,true],"n":9007199254740993,"word":"ä"}"#);
    let signal = |opening| OrderKind::Signal { gate: "yes".to_owned(), data: input.clone(), opening };
    again(&signal(None));
    again(&signal(Some("2-5c01e6b7".to_owned())));
    again(&OrderKind::Skip { step: "a".to_owned(), result: None });
    again(&OrderKind::Cancel { abandon: true });
    again(&OrderKind::Note("n".to_owned()));
    let row = DefinitionRow {
        name: "demo".to_owned(),
        version: 1,
        digest: "d".to_owned(),
        meaning: "m".to_owned(),
        steps: 2,
        example: Some(input),
    };
    again(&Page::whole(vec![row]));
}

#[test]
fn a_payload_by_itself_keeps_its_text() {
    let pair: (Payload, Option<Payload>) = serde_json::from_str(&format!("[{EXACT}, {EXACT}]")).unwrap();
    assert_eq!((pair.0.as_str(), pair.1.unwrap().as_str()), (EXACT, EXACT));
}

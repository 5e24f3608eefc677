//! What crosses a process boundary comes back as it went, also where types are tagged and flattened.
#![expect(clippy::unwrap_used, reason = "what tests share speaks by panicking")]

use saga_core::control::{DefinitionRow, Order, Page, View, What};
use saga_core::id::RequestId;
use saga_core::json::Payload;
use saga_core::outcome::{Answer, Refused};
use saga_core::uuid::Uuid;
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
fn orders_and_views_come_back() {
    // Read through a buffer, keys come in the order of the alphabet; the value is the same.
    let order =
        |what| Order { request: RequestId(Uuid::from_u128(7)), reason: Some("because".to_owned()), what, if_rev: None };
    let input = json(r#"{"list":[1,2.5,null,true],"n":9007199254740993,"word":"ä"}"#);
    let (saga, step) = (|| "type/key".to_owned(), "a".to_owned());
    again(&order(What::Start { kind: "demo".to_owned(), version: None, key: None, input: input.clone() }));
    again(&order(What::Signal { saga: saga(), gate: "yes".to_owned(), data: json("null"), opening: None }));
    let opening = Some("2-5c01e6b7".to_owned());
    again(&order(What::Signal { saga: saga(), gate: "yes".to_owned(), data: json("null"), opening }));
    again(&order(What::Skip { saga: saga(), step: step.clone(), result: None }));
    again(&order(What::Skip { saga: saga(), step, result: Some(Payload::null()) }));
    again(&order(What::Cancel { saga: saga(), abandon: true }));
    let row = DefinitionRow {
        name: "demo".to_owned(),
        version: 1,
        digest: "d".to_owned(),
        meaning: "m".to_owned(),
        steps: 2,
        example: Some(input),
    };
    again(&View::DefinitionList(Page::whole(vec![row])));
}

#[test]
fn a_payload_by_itself_keeps_its_text() {
    let pair: (Payload, Option<Payload>) = serde_json::from_str(&format!("[{EXACT}, {EXACT}]")).unwrap();
    assert_eq!((pair.0.as_str(), pair.1.unwrap().as_str()), (EXACT, EXACT));
}

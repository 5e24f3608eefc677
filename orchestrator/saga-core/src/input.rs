//! Checks an input before its saga starts: names every wrong place at once, with what would have fitted there.
//!
//! Invariant: an input is checked when a saga is to begin with it, and never again. An input in the log was accepted
//! under the rules of its day, and its saga goes on, whatever the rules are today.

use crate::definition::Definition;
use crate::json::Payload;
use crate::saga::Saga;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

mod words;
pub use words::plain;

pub(crate) type InputFn = Arc<dyn Fn(&Payload) -> Vec<Misfit> + Send + Sync>;

/// 100 places: an author who has mended a hundred asks again.
pub const MISFITS_MAX: usize = 100;
/// 60 characters of what stands there: enough to recognise it.
const FOUND_CHARS_MAX: usize = 60;
/// 300 characters of a place: a field may have any name, and a wrong one is only to be recognised.
const FIELD_CHARS_MAX: usize = 300;
/// 1,000 characters of why.
const WHY_CHARS_MAX: usize = 1_000;
/// 300 characters of an example.
const EXAMPLE_CHARS_MAX: usize = 300;

/// One place of an input that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Misfit {
    /// Where, as a JSON pointer; empty is the whole input.
    pub field: String,
    /// What stands there, as JSON, cut; none when nothing does.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
    /// What is wrong with it: most often the word "expected", and what would fit.
    pub why: String,
    /// What would fit, as JSON, cut.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub example: Option<String>,
}

impl Misfit {
    /// Says what is wrong in a place.
    pub fn at(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self { field: field.into(), found: None, why: why.into(), example: None }
    }
    /// With something that would fit.
    #[must_use]
    pub fn example(mut self, example: &Value) -> Self {
        self.example = Some(cut(&example.to_string(), EXAMPLE_CHARS_MAX));
        self
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.field.is_empty() { "the whole" } else { &self.field })?;
        match &self.found {
            Some(found) => write!(f, " is {found}: {}", self.why)?,
            None => write!(f, ": {}", self.why)?,
        }
        self.example.iter().try_for_each(|example| write!(f, ", for example {example}"))
    }
}

impl Definition {
    /// The same saga with one more check of its input, from the composition root: what only the performers of this
    /// process can know of an input. It runs when the definition's own check finds nothing, and is no part of the
    /// digest.
    #[must_use]
    pub fn also_checked<S: Saga>(mut self, more: impl Fn(&S) -> Vec<Misfit> + Send + Sync + 'static) -> Self {
        let own = self.check_input;
        self.check_input = Arc::new(move |payload: &Payload| {
            let misfits = own(payload);
            match payload.read::<S>() {
                Ok(input) if misfits.is_empty() => more(&input),
                Ok(_) | Err(_) => misfits,
            }
        });
        self
    }
    /// Everything in an input that does not fit, with what stands there and an example of what would; empty: a saga may
    /// begin with it. For the door alone: the input of a saga that has begun is not asked about again.
    pub fn misfits(&self, input: &Payload) -> Vec<Misfit> {
        told((self.check_input)(input), input, self.example.as_ref())
    }
}

/// All of them as one sentence.
pub fn sentence(misfits: &[Misfit]) -> String {
    let told: Vec<_> = misfits.iter().map(ToString::to_string).collect();
    format!("the input does not fit: {}", told.join("; "))
}

/// Why a text cannot be read as the type of an input, with the place; nothing when it can.
pub(crate) fn unreadable<S: DeserializeOwned>(input: &Payload) -> Option<Misfit> {
    let why = input.read::<S>().err()?;
    // A second time, for the place alone: the first reader takes payloads as they stand and knows no places.
    let mut reader = serde_json::Deserializer::from_str(input.as_str());
    let placed = serde_path_to_error::deserialize::<_, S>(&mut reader).err();
    let place = placed.map_or(String::new(), |placed| pointer(placed.path()));
    let words = why.to_string();
    Some(Misfit::at(place, words::plain(&words)))
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let part = |segment: &Segment| match segment {
        Segment::Seq { index } => format!("/{index}"),
        Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { variant } => format!("/{variant}"),
        Segment::Unknown => String::new(),
    };
    path.iter().map(part).collect()
}

/// Adds to each rule what people need beside it: the value at the place, and the value there in an input that fits.
fn told(misfits: Vec<Misfit>, input: &Payload, example: Option<&Payload>) -> Vec<Misfit> {
    if misfits.is_empty() {
        return misfits;
    }
    let input: Value = input.read().unwrap_or_default();
    let fitting: Option<Value> = example.and_then(|example| example.read().ok());
    let over = misfits.len().saturating_sub(MISFITS_MAX);
    let mut told: Vec<_> =
        misfits.into_iter().take(MISFITS_MAX).map(|misfit| complete(misfit, &input, &fitting)).collect();
    if over > 0 {
        told.push(Misfit::at("", format!("{over} more places do not fit")));
    }
    told
}

fn complete(mut misfit: Misfit, input: &Value, fitting: &Option<Value>) -> Misfit {
    let whole = misfit.field.is_empty();
    let found = input.pointer(&misfit.field).filter(|_| !whole);
    misfit.found = found.map(|found| cut(&found.to_string(), FOUND_CHARS_MAX));
    if misfit.example.is_none() {
        // The value does not fit beside the other answers, though it fits beside those of the example.
        let example =
            fitting.as_ref().and_then(|fitting| like(fitting, &misfit.field)).filter(|like| found != Some(like));
        misfit.example = example.map(|example| cut(&example.to_string(), EXAMPLE_CHARS_MAX));
    }
    misfit.field = cut(&misfit.field, FIELD_CHARS_MAX);
    misfit.why = cut(&misfit.why, WHY_CHARS_MAX);
    misfit
}

/// What the example has at a place; for an entry of a list, its first entry when it has fewer. The value around a place
/// is no example of it: a reader would look for the place in it.
fn like<'a>(fitting: &'a Value, field: &str) -> Option<&'a Value> {
    field.split('/').skip(1).try_fold(fitting, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?).or(items.first()),
        Value::Object(fields) => fields.get(&part.replace("~1", "/").replace("~0", "~")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    })
}

fn cut(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Order {
        lines: Vec<Entry>,
    }
    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Entry {
        copies: std::num::NonZeroU32,
    }

    #[test]
    fn a_value_that_cannot_be_read_is_told_with_its_place() {
        for (text, place, why) in [
            (
                r#"{"lines":[{"copies":2},{"copies":0}]}"#,
                "/lines/1/copies",
                "expected a whole number from 1 to 4294967295",
            ),
            (r#"{"lines":[{"copies":-1}]}"#, "/lines/0/copies", "expected a whole number from 1 to 4294967295"),
            (
                r#"{"lines":[{"copies":"2"}]}"#,
                "/lines/0/copies",
                "expected a whole number from 1 to 4294967295, and not a text",
            ),
            (r#"{"lines":[{}]}"#, "/lines/0", "the field \"copies\" is missing"),
            (r#"{"lines":7}"#, "/lines", "expected a list, and not a number"),
            (r#"{"lines":[],"a/b":1}"#, "/a~1b", "there is no field \"a/b\" here, only lines"),
            ("[]", "", "expected an object with fields"),
            ("7", "", "expected an object with fields, and not a number"),
        ] {
            let misfit = unreadable::<Order>(&Payload::trusted(text)).unwrap();
            assert!(misfit.field == place && misfit.why.contains(why) && !misfit.why.contains("line 1"), "{misfit:?}");
        }
        assert_eq!(unreadable::<Order>(&Payload::trusted(r#"{"lines":[]}"#)), None);
    }

    #[test]
    fn people_are_told_what_stands_there_and_what_would_fit() {
        let (input, example) = (r#"{"a":{"b":"ZZZ"},"c":[1]}"#, r#"{"a":{"b":"EUR"},"c":[2]}"#);
        let (input, example) = (Payload::trusted(input), Payload::trusted(example));
        let rules = vec![
            Misfit::at("/a/b", "expected a currency"),
            Misfit::at("/c/3", "expected less"),
            Misfit::at("/d", "the form has no such field").example(&serde_json::json!("none")),
            Misfit::at("", "expected another whole"),
        ];
        let said: Vec<_> = told(rules, &input, Some(&example)).iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                r#"/a/b is "ZZZ": expected a currency, for example "EUR""#,
                "/c/3: expected less, for example 2",
                r#"/d: the form has no such field, for example "none""#,
                r#"the whole: expected another whole, for example {"a":{"b":"EUR"},"c":[2]}"#,
            ]
        );
    }

    #[test]
    fn a_place_that_the_example_does_not_have_is_told_without_what_is_around_it() {
        let (input, example) = (r#"{"a":{"x":{"y":[1,2]}}}"#, r#"{"a":{"b":"EUR","c":"a long story"}}"#);
        let (input, example) = (Payload::trusted(input), Payload::trusted(example));
        let long = format!("/a/{}", "x".repeat(5_000));
        let rules = vec![Misfit::at("/a/x", "there is no such field"), Misfit::at(long, "there is no such field")];
        let said: Vec<_> = told(rules, &input, Some(&example)).iter().map(ToString::to_string).collect();
        assert_eq!(said[0], r#"/a/x is {"y":[1,2]}: there is no such field"#);
        assert!(said[1].chars().count() < FIELD_CHARS_MAX + 40, "{}", said[1].len());
    }

    #[test]
    fn the_list_and_what_it_quotes_are_bounded() {
        let many = (0..MISFITS_MAX + 7).map(|at| Misfit::at(format!("/{at}"), "expected nothing")).collect();
        let long = Payload::trusted(format!("[{:?}]", "x".repeat(5_000)));
        let told = told(many, &long, None);
        assert_eq!((told.len(), told[MISFITS_MAX].why.as_str()), (MISFITS_MAX + 1, "7 more places do not fit"));
        assert_eq!(told[0].found.as_ref().unwrap().chars().count(), FOUND_CHARS_MAX + 1);
    }
}

//! The words that a look is asked with in an address or on a command line: how each is read, written and refused.

use super::error::ControlError;
use super::moment::Moment;
use super::page::PAGE_MAX;
use crate::codes;
use crate::time::Timestamp;
use crate::view::SagaState;
use serde_json::Value;

/// How a word is written. What it means in JSON is what the field of the look is read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Any text but none.
    Text,
    /// A whole number from 0 on.
    Number,
    /// How many rows: 1 to [`PAGE_MAX`]; more is that many.
    Rows,
    /// `true`, `false`, `1`, `0`, or nothing for true.
    Flag,
    /// States of sagas with commas between them.
    States,
    /// A time of RFC 3339.
    Time,
    /// A [`Moment`].
    Moment,
}

impl Form {
    /// Reads the word `name`.
    ///
    /// # Errors
    /// The text is not of this form: [`codes::USAGE`], with the word and what would do.
    pub fn read(self, name: &str, text: String) -> Result<Value, ControlError> {
        Ok(match self {
            Form::Text => Value::String(given(name, text)?),
            Form::Moment => Value::String(given(name, text)?.parse::<Moment>()?.to_string()),
            Form::Number => number(name, &text)?.into(),
            Form::Rows => rows(name, &text)?.into(),
            Form::Flag => flag(name, &text)?.into(),
            Form::States => states(&given(name, text)?)?.iter().map(|state| state.word()).collect(),
            Form::Time => {
                let read = Timestamp::parse(&text).map_err(|_| {
                    refused(format!("{name}={text:?} is not an RFC 3339 time")).hint("for example 2026-11-21T18:00:00Z")
                });
                Value::String(read?.to_string())
            }
        })
    }
    /// Writes a field as a word; `None` when it says nothing.
    pub fn write(self, value: &Value) -> Option<String> {
        match value {
            Value::Null | Value::Bool(false) => None,
            Value::Bool(true) => Some("true".to_owned()),
            Value::Number(number) => Some(number.to_string()).filter(|text| text != "0"),
            Value::String(text) => Some(text.clone()),
            Value::Array(words) => {
                let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
                Some(words.join(",")).filter(|text| !text.is_empty())
            }
            Value::Object(_) => None,
        }
    }
}

/// A value that has to be there.
fn given(name: &str, value: String) -> Result<String, ControlError> {
    if value.is_empty() { Err(refused(format!("{name:?} needs a value")).hint("or leave it out")) } else { Ok(value) }
}

/// Reads how many rows are wanted, capped at [`PAGE_MAX`]. None at all is not a question, and is not "all" either.
fn rows(name: &str, value: &str) -> Result<usize, ControlError> {
    match number(name, value)? {
        0 => Err(refused(format!("{name}=0 asks for nothing"))
            .hint(format!("1 to {PAGE_MAX}, or leave it out for a whole page"))),
        rows => Ok(usize::try_from(rows).unwrap_or(PAGE_MAX).min(PAGE_MAX)),
    }
}

/// The states named in `text`, with commas between them.
///
/// # Errors
/// A word is no state: [`codes::USAGE`], with those that there are.
pub fn states(text: &str) -> Result<Vec<SagaState>, ControlError> {
    let words = text.split(',').map(str::trim);
    words
        .map(|word| {
            SagaState::parse(word).ok_or_else(|| {
                let known: Vec<&str> = SagaState::ALL.iter().map(|state| state.word()).collect();
                refused(format!("{word:?} is not a state")).hint(format!("states are {}", known.join(" ")))
            })
        })
        .collect()
}

/// Reads a flag: `true`, `false`, `1`, `0`, or nothing for true.
///
/// # Errors
/// It is none of them: [`codes::USAGE`].
pub fn flag(name: &str, value: &str) -> Result<bool, ControlError> {
    match value {
        "" | "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(refused(format!("{name}={value:?} is neither true nor false"))),
    }
}

/// Reads a whole number.
///
/// # Errors
/// It is none: [`codes::USAGE`].
pub fn number(name: &str, value: &str) -> Result<u64, ControlError> {
    value.parse().map_err(|_| refused(format!("{name}={value:?} is not a whole number")))
}

/// Refuses a name that an address does not know; nothing is ignored, or a typo would look like an answer.
pub fn unknown(name: &str, known: &str) -> ControlError {
    refused(format!("{name:?} is not understood in the query string")).hint(format!("known are {known}"))
}

fn refused(message: String) -> ControlError {
    ControlError::new(codes::USAGE, message)
}

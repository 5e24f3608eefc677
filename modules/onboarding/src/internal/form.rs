//! Checks a form at the door and keeps it as it was said. Pure.

use crate::api::dtos::form::values::{FORM_NEWEST, FORM_OLDEST, attachment_faults};
use crate::api::dtos::{BriefForm, FormFault, IntakeForm};
use crate::api::refusals::CaptureRefused;
use events::values::{TEXT_BYTES_MAX, Text, world};
use saga_core::command::Common;
use serde_json::{Map, Value};

/// Twenty places beside the first: a refusal is read by people.
const OTHERS_MAX: usize = 20;

/// The answers as they will be recorded, and the long texts that are kept beside the log.
#[derive(Debug, PartialEq)]
pub(super) struct Checked {
    pub(super) responses: Map<String, Value>,
    pub(super) kept: Vec<String>,
}

/// Refuses what could not be read later; changes nothing but NUL (to U+FFFD) and long notes (to a reference).
pub(super) fn check(form: &IntakeForm) -> Result<Checked, CaptureRefused> {
    check_version(&form.schema_version)?;
    let mut responses = Map::new();
    let mut kept = Vec::new();
    for (name, answer) in &form.responses {
        let answer = match answer {
            Value::String(notes) if name == "notes" => {
                let (text, long) = Text::of(notes);
                kept.extend(long);
                serde_json::to_value(text).map_err(|why| invalid("form.responses/notes", why.to_string()))?
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                clean(answer, &format!("/{name}"))?
            }
        };
        responses.insert(name.replace('\0', "\u{fffd}"), answer);
    }
    let answers = BriefForm::read(&responses).map_err(|faults| refusal("form.responses", &faults))?;
    let faults = answers.faults();
    if !faults.is_empty() {
        return Err(refusal("form.responses", &faults));
    }
    if let Some(Err(why)) = form.language.as_deref().filter(|tag| !tag.trim().is_empty()).map(world::language) {
        return Err(invalid("form.language", why.to_string()));
    }
    let faults = attachment_faults(&form.attachments);
    if !faults.is_empty() {
        return Err(refusal("form.attachments", &faults));
    }
    Ok(Checked { responses, kept })
}

/// The first fault, with its place, and the places of the others.
fn refusal(of: &str, faults: &[FormFault]) -> CaptureRefused {
    let (field, why) = told(faults);
    invalid(&format!("{of}{field}"), why)
}

/// The place of the first fault; what is wrong there, and where else something is.
pub(super) fn told(faults: &[FormFault]) -> (String, String) {
    let Some(first) = faults.first() else { return Default::default() };
    let field = first.field();
    let words = first.to_string();
    let mut why = words.strip_prefix(&format!("{field}: ")).unwrap_or(&words).to_owned();
    if let [_, others @ ..] = faults
        && !others.is_empty()
    {
        let others: Vec<_> = others.iter().take(OTHERS_MAX).map(FormFault::field).collect();
        why.push_str(&format!("; {} more: {}", faults.len() - 1, others.join(", ")));
    }
    (field.to_owned(), why)
}

fn check_version(text: &str) -> Result<(), CaptureRefused> {
    let major = text.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(version) if version < FORM_OLDEST => {
            Err(CaptureRefused::FormTooOld { schema_version: text.to_owned(), oldest: FORM_OLDEST.to_string() })
        }
        Some(version) if version <= FORM_NEWEST => Ok(()),
        Some(_) => Err(invalid("form.schema_version", format!("the newest that is read is {FORM_NEWEST}"))),
        None => Err(invalid("form.schema_version", "must be a number such as 2".to_owned())),
    }
}

fn clean(value: &Value, at: &str) -> Result<Value, CaptureRefused> {
    Ok(match value {
        Value::String(text) if text.len() > TEXT_BYTES_MAX => {
            return Err(invalid(&format!("form.responses{at}"), format!("longer than {TEXT_BYTES_MAX} bytes")));
        }
        Value::String(text) => Value::String(text.replace('\0', "\u{fffd}")),
        Value::Number(number) if number.is_f64() => {
            let why = "whole numbers only; a fraction is written as text".to_owned();
            return Err(invalid(&format!("form.responses{at}"), why));
        }
        Value::Array(items) => {
            let cleaned = items.iter().enumerate().map(|(index, item)| clean(item, &format!("{at}/{index}")));
            Value::Array(cleaned.collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => {
            let cleaned = fields.iter().map(|(name, field)| {
                Ok::<_, CaptureRefused>((name.replace('\0', "\u{fffd}"), clean(field, &format!("{at}/{name}"))?))
            });
            Value::Object(cleaned.collect::<Result<_, _>>()?)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    })
}

pub(super) fn invalid(field: &str, why: String) -> CaptureRefused {
    CaptureRefused::Common(Common::invalid(field, why))
}

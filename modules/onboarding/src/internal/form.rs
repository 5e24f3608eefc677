//! Checks a form at the door and keeps it as it was said. Pure.

use crate::api::dtos::{BriefForm, FormFault, IntakeForm};
use crate::api::events::Attachment;
use crate::api::ports::CaptureRefused;
use events::values::{Money, TEXT_BYTES_MAX, Text};
use saga_core::command::Common;
use serde_json::{Map, Value};

/// The oldest questionnaire that is read.
pub(super) const FORM_OLDEST: u32 = 2;
/// The newest one.
const FORM_NEWEST: u32 = 2;
/// 200 characters: a name fits a line.
const NAME_CHARS_MAX: usize = 200;
/// 2,048 characters: what browsers and mail programs pass on.
const URL_CHARS_MAX: usize = 2_048;
/// 254 bytes: the longest address that mail can be sent to.
const EMAIL_BYTES_MAX: usize = 254;

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
    let answers = BriefForm::read(&responses).map_err(|faults| {
        let fault = faults.into_iter().next().map(|fault| match fault {
            FormFault::WrongType { field, why } => (field, why),
            FormFault::UnknownField { field } => (field, "the form has no such field".to_owned()),
        });
        let (field, why) = fault.unwrap_or_default();
        invalid(&format!("form.responses{field}"), why)
    })?;
    check_limits(&answers)?;
    check_attachments(&form.attachments)?;
    Ok(Checked { responses, kept })
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

fn check_limits(answers: &BriefForm) -> Result<(), CaptureRefused> {
    let client = &answers.client;
    let contact = client.contact.clone().unwrap_or_default();
    let limits = [
        ("client/name", &client.name, NAME_CHARS_MAX),
        ("client/legal_name", &client.legal_name, NAME_CHARS_MAX),
        ("brief/brand/brand_name", &answers.brief.brand.brand_name, NAME_CHARS_MAX),
        ("client/website", &client.website, URL_CHARS_MAX),
        ("client/contact/name", &contact.name, NAME_CHARS_MAX),
    ];
    for (field, answer, most) in limits {
        if answer.as_ref().is_some_and(|text| text.chars().count() > most) {
            return Err(invalid(&format!("form.responses/{field}"), format!("longer than {most} characters")));
        }
    }
    if contact.email.is_some_and(|email| email.len() > EMAIL_BYTES_MAX) {
        let why = format!("longer than {EMAIL_BYTES_MAX} bytes");
        return Err(invalid("form.responses/client/contact/email", why));
    }
    let value = answers.contract.as_ref().and_then(|contract| contract.value.as_ref());
    for (field, money) in [("budget", answers.budget.as_ref()), ("contract/value", value)] {
        if let Some(why) = money.and_then(money_fault) {
            return Err(invalid(&format!("form.responses/{field}"), why.to_owned()));
        }
    }
    Ok(())
}

fn check_attachments(attachments: &[Attachment]) -> Result<(), CaptureRefused> {
    for (index, attachment) in attachments.iter().enumerate() {
        let limits = [
            ("name", attachment.name.as_str(), NAME_CHARS_MAX),
            ("url", attachment.url.as_deref().unwrap_or_default(), URL_CHARS_MAX),
        ];
        if let Some((field, _, most)) = limits.into_iter().find(|(_, text, most)| text.chars().count() > *most) {
            return Err(invalid(
                &format!("form.attachments/{index}/{field}"),
                format!("longer than {most} characters"),
            ));
        }
    }
    Ok(())
}

fn money_fault(money: &Money) -> Option<&'static str> {
    let letters = money.currency.len() == 3 && money.currency.bytes().all(|byte| byte.is_ascii_uppercase());
    match (letters, money.minor < 0) {
        (false, _) => Some("the currency must be three capital letters"),
        (true, true) => Some("the amount is below zero"),
        (true, false) => None,
    }
}

pub(super) fn invalid(field: &str, why: String) -> CaptureRefused {
    CaptureRefused::Common(Common::InvalidField { field: field.to_owned(), why })
}

//! Judges a content before it is submitted, by the same rules and with nothing recorded. Pure.

use super::checks::placeholder_in;
use super::judgements::decide_evaluate;
use super::mixed::{Mixed, mixed};
use super::parts::parts_of;
use super::text::{first_word, folded};
use crate::api::commands::EvaluateContent;
use crate::api::dtos::Evaluated;
use crate::api::providers::Forcing;
use crate::api::refusals::EvaluateRefused;
use events::ids::QcResultId;
use uuid::Uuid;

/// The judgement of a content, under an id that is nobody's.
pub fn rehearse(asked: &EvaluateContent) -> Result<Evaluated, EvaluateRefused> {
    decide_evaluate(asked, QcResultId(Uuid::nil()), Forcing::Forbidden).map(|(judged, _)| judged)
}

/// Sentences of a content, and of its parts, that are not in the language of the part, and what was demanded in the language
/// of the whole and stands in a part of another one: what a person has to look at before it is used.
pub fn not_of_one_language(content: &str, language: &str, demanded: &[String]) -> Vec<Mixed> {
    mixed(&parts_of(content, language), language, demanded)
}

/// The first of the words that stands in a text as a word or phrase, as quality control finds forbidden ones.
pub fn word_in<'a>(text: &str, words: &'a [String]) -> Option<&'a String> {
    first_word(&folded(text), words)
}

/// The placeholder that quality control would find in a text.
pub fn placeholder(text: &str) -> Option<&'static str> {
    placeholder_in(&folded(text))
}

//! Judgements for whoever wants to know beforehand, by the same rules and with nothing recorded. Pure.

use super::checks::placeholder_in;
use super::model::decide_evaluate;
use super::text::{first_word, folded};
use crate::api::dtos::Evaluated;
use crate::api::ports::{EvaluateContent, EvaluateRefused, Forcing};
use events::ids::QcResultId;
use uuid::Uuid;

/// The judgement of a content, under an id that is nobody's.
pub fn rehearse(asked: &EvaluateContent) -> Result<Evaluated, EvaluateRefused> {
    decide_evaluate(asked, QcResultId(Uuid::nil()), Forcing::Forbidden).map(|(judged, _)| judged)
}

/// The first of the words that stands in a text as a word or phrase, as quality control finds forbidden ones.
pub fn word_in<'a>(text: &str, words: &'a [String]) -> Option<&'a String> {
    first_word(&folded(text), words)
}

/// The placeholder that quality control would find in a text.
pub fn placeholder(text: &str) -> Option<&'static str> {
    placeholder_in(&folded(text))
}

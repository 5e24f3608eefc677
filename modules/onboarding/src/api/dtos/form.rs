//! The questionnaire as a type: every answer is optional here, because what is required is a rule and not a shape.

use crate::internal::language::{detect, surely_not};
use events::values::{Money, Text};
use saga_core::input::plain;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

#[cfg(feature = "schemas")]
pub mod schema;
pub mod values;

/// `null` and absent are the same silence.
fn silent<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Writes the sections of the form: everything optional, everything serialised, so that a written form names every
/// field there is.
macro_rules! section {
    ($($(#[$meta:meta])* $name:ident { $($(#[$note:meta])* $field:ident: $kind:ty,)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
        #[serde(default)]
        pub struct $name { $($(#[$note])* #[serde(deserialize_with = "silent")] pub $field: $kind,)+ }
    )+};
}

section! {
    /// A client's brief as they fill it in.
    BriefForm {
        id: Option<String>,
        schema_version: Option<String>,
        language: Option<String>,
        client: ClientAnswers,
        contract: Option<Contract>,
        brief: BriefAnswers,
        budget: Option<Money>,
        content_plan: Vec<PlanAnswer>,
        focus_platforms: Vec<String>,
        notes: Option<Text>,
        /// For samples: which required answers were left out on purpose.
        removed_required_answers: Vec<String>,
        /// For samples: what is to become of it.
        expected: Option<String>,
    }
    /// Who the client is.
    ClientAnswers {
        name: Option<String>,
        legal_name: Option<String>,
        website: Option<String>,
        industry: Option<String>,
        geography: Option<String>,
        country: Option<String>,
        timezone: Option<String>,
        contact: Option<Contact>,
    }
    /// Whom to write to.
    Contact { name: Option<String>, email: Option<String>, }
    /// What was signed.
    Contract {
        start: Option<String>,
        end: Option<String>,
        value: Option<Money>,
        terms_days: Option<u32>,
        tax_bp: Option<u32>,
    }
    /// The questions themselves.
    BriefAnswers {
        brand: BrandAnswers,
        audience: AudienceAnswers,
        goal: GoalAnswers,
        voice: VoiceAnswers,
        product_service: ProductAnswers,
        constraints: ConstraintAnswers,
        operations: OperationsAnswers,
        /// What is to be delivered; the house has a default.
        deliverables: Vec<String>,
        exclusions: Vec<String>,
    }
    /// The brand.
    BrandAnswers { brand_name: Option<String>, business_type: Option<String>, description: Option<String>, }
    /// The people to reach.
    AudienceAnswers { primary_customer: Option<String>, pain_points: Vec<String>, }
    /// The goals.
    GoalAnswers {
        primary_goal: Option<String>,
        secondary_goal: Option<String>,
        timeline_weeks: Option<TimelineAnswer>,
        kpis: Vec<KpiAnswer>,
    }
    /// One number to reach.
    KpiAnswer { name: String, target: i64, unit: String, }
    /// How to sound, and against whom.
    VoiceAnswers { tone_of_voice: Vec<String>, competitors: Vec<String>, }
    /// What is sold.
    ProductAnswers { items: Vec<OfferAnswer>, }
    /// One thing that is sold.
    OfferAnswer { name: String, usp: Option<String>, }
    /// What must and must not be said.
    ConstraintAnswers { must_include: Vec<String>, must_avoid: Vec<String>, other: Vec<String>, }
    /// How the client wants to work.
    OperationsAnswers { approval: Option<String>, review_rounds_expected: Option<u32>, }
    /// What to make for which platform.
    PlanAnswer { platform: String, format: String, language: Option<String>, count: Option<u32>, }
}

/// Weeks as a number, or as a text such as `12-16`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(untagged, expecting = "expected weeks as a number, or as a text such as 12-16")]
pub enum TimelineAnswer {
    Weeks(u32),
    Text(String),
}

/// What is wrong with the shape of a form, and where (a JSON pointer).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FormFault {
    /// A value of another kind than the question asks for.
    #[error("{field}: {why}")]
    WrongType { field: String, why: String },
    /// A field that no question asks for: a slip of the pen, most of the time.
    #[error("{field}: the form has no such field")]
    UnknownField { field: String },
    /// An answer of the right kind that cannot be meant.
    #[error("{field}: expected {expected}, for example {example}")]
    BadValue { field: String, expected: String, example: Value },
    /// A question that has to be answered before a saga can begin, and was not.
    #[error("{field}: expected {expected}, for example {example}; nobody answered it")]
    Missing { field: String, expected: String, example: Value },
}

impl FormFault {
    /// Where, as a JSON pointer.
    pub fn field(&self) -> &str {
        match self {
            FormFault::WrongType { field, .. }
            | FormFault::UnknownField { field }
            | FormFault::BadValue { field, .. }
            | FormFault::Missing { field, .. } => field,
        }
    }
}

impl BriefForm {
    /// The language that the answers name, or else the one of their letters; and whether they say so at all.
    pub fn spoken(&self) -> (String, bool) {
        let named = self.language.as_deref().map(str::trim).filter(|tag| !tag.is_empty() && *tag != "und");
        if let Some(tag) = named {
            return (tag.to_owned(), true);
        }
        let (tag, certain) = detect(&self.sentences());
        (tag.to_owned(), certain)
    }
    /// The language that stands for the letters of the answers, where those are surely not in the language of a tag.
    pub fn surely_not_in(&self, tag: &str) -> Option<&'static str> {
        surely_not(&self.sentences(), tag)
    }
    /// The answers that are sentences, by which a language is known.
    fn sentences(&self) -> Vec<&str> {
        let brief = &self.brief;
        let heads = [&brief.brand.description, &brief.goal.primary_goal, &brief.audience.primary_customer];
        let mut texts: Vec<&str> = heads.into_iter().flatten().map(String::as_str).collect();
        texts.extend(brief.audience.pain_points.iter().chain(&brief.constraints.must_include).map(String::as_str));
        texts.extend(brief.product_service.items.iter().filter_map(|item| item.usp.as_deref()));
        texts
    }
    /// Reads answers; what the form does not ask for is ignored. All wrong types are told, each with its place.
    pub fn read(responses: &Map<String, Value>) -> Result<Self, Vec<FormFault>> {
        let whole = Value::Object(responses.clone());
        serde_json::from_value(whole.clone()).map_err(|why| {
            let mut faults = Vec::new();
            wrong_types(&whole, &mut Vec::new(), &mut faults);
            if faults.is_empty() {
                faults.push(FormFault::WrongType { field: String::new(), why: plain(&why.to_string()) });
            }
            faults
        })
    }
    /// Everything that keeps a saga from beginning with these answers, at once: wrong kinds, fields that the form does not
    /// ask for, answers that cannot be meant, and questions that nobody answered.
    pub fn door(responses: &Map<String, Value>) -> Vec<FormFault> {
        let mut whole = Value::Object(responses.clone());
        let mut faults = Self::read(responses).err().unwrap_or_default();
        if responses.get("notes").is_some_and(Value::is_object) {
            // The reference to a long text is the house's own way to keep one.
            faults.push(FormFault::WrongType { field: "/notes".to_owned(), why: "expected a text".to_owned() });
        }
        // A part that cannot be read counts as not answered, so that the rest is checked all the same.
        faults.iter().for_each(|fault| silence(&mut whole, fault.field()));
        let form = readable(&mut whole);
        if let Ok(known) = serde_json::to_value(&form) {
            unknown_fields(&whole, &known, String::new(), &mut faults);
        }
        let mut told: Vec<_> = faults.iter().map(|fault| fault.field().to_owned()).collect();
        // Platforms stand for a plan that nobody gave: wrong ones are not a missing plan as well.
        told.extend(told.iter().any(|field| field.starts_with("/focus_platforms")).then(|| "/content_plan".to_owned()));
        let more = form.faults().into_iter().chain(values::long_texts(responses)).chain(form.unanswered());
        let more: Vec<_> = more.chain(values::too_long(responses)).collect();
        // A place is told once, and what lies in or around a wrong place is not called empty as well.
        let within = |inner: &str, outer: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let known =
            |fault: &FormFault| told.iter().any(|told| within(told, fault.field()) || within(fault.field(), told));
        faults.extend(more.into_iter().filter(|fault| !known(fault)));
        faults
    }
}

/// Tries every value alone on its path: the smallest that does not read alone is what is wrong. A field that is only
/// missed beside another one is a fault of the object that holds both.
fn wrong_types(value: &Value, path: &mut Vec<Part>, faults: &mut Vec<FormFault>) {
    let alone = path.iter().rev().fold(value.clone(), |inner, part| match part {
        Part::Field(name) => Value::Object([(name.clone(), inner)].into_iter().collect()),
        Part::Item(_) => Value::Array(vec![inner]),
    });
    let why = match serde_json::from_value::<BriefForm>(alone) {
        Ok(_) => return,
        Err(why) => why.to_string(),
    };
    let before = faults.len();
    match value {
        Value::Object(fields) => {
            for (name, below) in fields {
                path.push(Part::Field(name.clone()));
                wrong_types(below, path, faults);
                path.pop();
            }
        }
        Value::Array(items) => {
            for (at, below) in items.iter().enumerate() {
                path.push(Part::Item(at));
                wrong_types(below, path, faults);
                path.pop();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    let leaf = !(value.is_object() || value.is_array());
    if faults.len() == before && !(leaf && why.starts_with("missing field")) {
        faults.push(FormFault::WrongType { field: pointer(path), why: plain(&why) });
    }
}

/// More levels than a form has.
const FORM_DEPTH_MAX: usize = 8;

/// Makes the answer at a place a silent one: the item of a list takes its list with it.
fn silence(whole: &mut Value, field: &str) {
    let end =
        field.rsplit('/').take_while(|part| part.parse::<usize>().is_ok()).map(|part| part.len() + 1).sum::<usize>();
    if let Some(place) = whole.pointer_mut(&field[..field.len().saturating_sub(end)]) {
        *place = Value::Null;
    }
}

/// The form without its unreadable parts. Where a part cannot be left out, as the amount of a budget, its parent is
/// left out.
fn readable(whole: &mut Value) -> BriefForm {
    for _ in 0..FORM_DEPTH_MAX {
        if let Ok(form) = serde_json::from_value(whole.clone()) {
            return form;
        }
        let mut faults = Vec::new();
        wrong_types(whole, &mut Vec::new(), &mut faults);
        for field in faults.iter().map(FormFault::field) {
            match (whole.pointer(field), field.rsplit_once('/')) {
                (Some(Value::Null), Some((holder, _))) => silence(whole, holder),
                (Some(_) | None, _) => silence(whole, field),
            }
        }
    }
    BriefForm::default()
}

enum Part {
    Field(String),
    Item(usize),
}

fn pointer(path: &[Part]) -> String {
    let part = |part: &Part| match part {
        Part::Field(name) => format!("/{}", escaped(name)),
        Part::Item(at) => format!("/{at}"),
    };
    path.iter().map(part).collect()
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unknown_fields(said: &Value, known: &Value, at: String, faults: &mut Vec<FormFault>) {
    match (said, known) {
        (Value::Object(said), Value::Object(known)) => {
            for (name, value) in said {
                let field = format!("{at}/{}", escaped(name));
                match known.get(name) {
                    Some(known) => unknown_fields(value, known, field, faults),
                    None => faults.push(FormFault::UnknownField { field }),
                }
            }
        }
        (Value::Array(said), Value::Array(known)) => {
            for (index, (said, known)) in said.iter().zip(known).enumerate() {
                unknown_fields(said, known, format!("{at}/{index}"), faults);
            }
        }
        (
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_),
            _,
        ) => {}
    }
}

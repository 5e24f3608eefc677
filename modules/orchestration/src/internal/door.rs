//! What `client-to-delivery` takes as its input: a value that the first steps would refuse is refused before the saga
//! begins. Pure.

use crate::api::languages;
use crate::internal::client_to_delivery::ASSETS_MAX;
use events::values::world;
use onboarding::api::dtos::{BriefForm, FormFault};
use saga_core::input::Misfit;
use saga_core::plain::{is_blank, is_punctuation};
use serde_json::{Map, Value, json};
use strategy::api::dtos::placeholders;

/// What a strategy quotes of a form.
const QUOTED: [&str; 4] = ["/client/name", "/client/industry", "/client/geography", "/brief"];

/// Addresses of the house's own that nothing stands behind; in a text they would be printed as they are.
const DEAD: &str = "asset://";

/// Everything that does not fit, in the order of the form.
pub(super) fn misfits(responses: &Map<String, Value>) -> Vec<Misfit> {
    let faults = BriefForm::door(responses);
    let mut misfits: Vec<_> = faults.iter().map(misfit).collect();
    let form = BriefForm::read(responses).unwrap_or_default();
    misfits.extend(too_much(&form));
    misfits.extend(unwritten(&form));
    misfits.extend(in_another_script(&form));
    misfits.extend(contradictions(&form));
    misfits.extend(own_names(&form));
    misfits.extend(blanks(&form));
    for field in QUOTED {
        let answer = field[1..].split('/').try_fold(None, |value: Option<&Value>, part| match value {
            None => responses.get(part).map(Some),
            Some(value) => value.get(part).map(Some),
        });
        stand_ins(answer.flatten().unwrap_or(&Value::Null), field.to_owned(), &mut misfits);
    }
    misfits
}

fn misfit(fault: &FormFault) -> Misfit {
    match fault {
        FormFault::WrongType { field, why } => Misfit::at(field, why),
        FormFault::BadValue { field, expected, example } => {
            Misfit::at(field, format!("expected {expected}")).example(example)
        }
        FormFault::Missing { field, expected, example } => {
            Misfit::at(field, format!("nobody answered it, expected {expected}")).example(example)
        }
        FormFault::UnknownField { field } => Misfit::at(field, "the form has no such field"),
        other => Misfit::at(other.field(), other.to_string()),
    }
}

/// More pieces than one draft may have.
fn too_much(form: &BriefForm) -> Option<Misfit> {
    let pieces: u64 = form.content_plan.iter().map(|item| u64::from(item.count.unwrap_or(1))).sum();
    let most = ASSETS_MAX as u64;
    let why = format!("expected at most {most} pieces in all, and not {pieces}");
    let example = json!([{"platform": "instagram", "format": "post", "language": "en", "count": 3}]);
    (pieces > most).then(|| Misfit::at("/content_plan", why).example(&example))
}

/// Texts that must be said with words that must not be.
fn contradictions(form: &BriefForm) -> Vec<Misfit> {
    let rules = &form.brief.constraints;
    let demanded = rules.must_include.iter().enumerate();
    let told = demanded.filter_map(|(at, text)| {
        let word = qc::api::word_in(text, &rules.must_avoid)?;
        let why = format!("expected a text without {word:?}, which /brief/constraints/must_avoid forbids");
        Some(Misfit::at(format!("/brief/constraints/must_include/{at}"), why))
    });
    told.collect()
}

/// Names that every text has to say, and that must not be said.
fn own_names(form: &BriefForm) -> Vec<Misfit> {
    let items = form.brief.product_service.items.iter().enumerate();
    let items = items.map(|(at, item)| (format!("/brief/product_service/items/{at}/name"), Some(&item.name)));
    let own = [("/client/name", &form.client.name), ("/brief/brand/brand_name", &form.brief.brand.brand_name)];
    let own = own.into_iter().map(|(place, name)| (place.to_owned(), name.as_ref()));
    let names: Vec<_> = own.chain(items).filter_map(|(place, name)| Some((place, name?))).collect();
    let told = form.brief.constraints.must_avoid.iter().enumerate().filter_map(|(at, word)| {
        let (place, _) = names.iter().find(|(_, name)| qc::api::word_in(name, std::slice::from_ref(word)).is_some())?;
        let why = format!("expected a word that is not in {place}, which the texts have to say");
        Some(Misfit::at(format!("/brief/constraints/must_avoid/{at}"), why))
    });
    told.collect()
}

/// Rules with nothing in them: nobody can keep one, and nobody means one.
fn blanks(form: &BriefForm) -> Vec<Misfit> {
    let rules = &form.brief.constraints;
    let lists = [("must_include", &rules.must_include), ("must_avoid", &rules.must_avoid), ("other", &rules.other)];
    let blank = lists.into_iter().flat_map(|(list, texts)| {
        let blank = texts.iter().enumerate().filter(|(_, text)| is_blank(text));
        blank.map(move |(at, _)| format!("/brief/constraints/{list}/{at}"))
    });
    let blank =
        blank.map(|place| Misfit::at(place, "expected a text, and there is nothing in it: leave the entry out"));
    // A word to avoid may be a sign (`!`); a text that has to be said is more than dots.
    let demanded = rules.must_include.iter().enumerate();
    let dots = demanded.filter(|(_, text)| !is_blank(text) && is_punctuation(text));
    let why = "expected words, and there are none in it: say what the texts have to say, or leave the entry out";
    blank.chain(dots.map(|(at, _)| Misfit::at(format!("/brief/constraints/must_include/{at}"), why))).collect()
}

/// A language that is named, and answers with hardly a letter of its script: the texts would be half in one and half in the
/// other. Which of the two is meant, only the client knows.
fn in_another_script(form: &BriefForm) -> Option<Misfit> {
    let named = form.language.as_deref().map(str::trim).filter(|tag| languages::written(tag).is_some())?;
    let letters = form.surely_not_in(named)?;
    let why = format!("expected the language that the answers are in: their letters are those of {letters:?}");
    let misfit = Misfit::at("/language", why);
    Some(if languages::written(letters).is_some() { misfit.example(&json!(letters)) } else { misfit })
}

/// Languages that nobody here writes. One that is none at all was told already.
fn unwritten(form: &BriefForm) -> Vec<Misfit> {
    let whole = form.language.as_deref().filter(|tag| tag.trim() != "und").map(|tag| ("/language".to_owned(), tag));
    let plan = form.content_plan.iter().enumerate();
    let plan = plan.filter_map(|(at, item)| Some((format!("/content_plan/{at}/language"), item.language.as_deref()?)));
    let strange = |tag: &str| world::language(tag).is_ok() && languages::written(tag).is_none();
    let asked = whole.into_iter().chain(plan).filter(|(_, tag)| strange(tag));
    let why = format!("expected a language that content is delivered in ({})", languages::all());
    let mut told: Vec<_> = asked.map(|(field, _)| Misfit::at(field, &why).example(&json!("en"))).collect();
    // Nobody named one: the letters do.
    let (spoken, _) = form.spoken();
    if form.language.as_deref().is_none_or(|tag| tag.trim().is_empty() || tag.trim() == "und")
        && languages::written(&spoken).is_none()
    {
        let why = format!("{why}; none is named, and the answers are in letters of {spoken:?}");
        told.push(Misfit::at("/language", why).example(&json!("en")));
    }
    told
}

/// Words that stand for an answer that nobody gave, which the strategy and quality control refuse, and links to nothing.
fn stand_ins(value: &Value, field: String, told: &mut Vec<Misfit>) {
    match value {
        Value::String(text) => {
            let mut words = placeholders([text.as_str()]);
            words.extend(qc::api::placeholder(text).map(str::to_owned).filter(|word| !words.contains(word)));
            if !words.is_empty() {
                let why = format!("expected an answer, and not the placeholder {}", words.join(", "));
                told.push(Misfit::at(&field, why));
            }
            if text.contains(DEAD) {
                told.push(Misfit::at(
                    field,
                    format!("expected words, or an address that customers can open; {DEAD} leads nowhere"),
                ));
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| stand_ins(item, format!("{field}/{at}"), told));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, below)| stand_ins(below, format!("{field}/{name}"), told));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

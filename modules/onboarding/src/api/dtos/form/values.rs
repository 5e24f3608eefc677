//! What the answers of a form may be, beyond their kind: real currencies and days, names that fit a line, numbers in bounds.
//!
//! A form that was captured is not asked again: the rules stand at the door alone, and what came in before them is read.

use super::{BriefForm, Contract, FormFault, PlanAnswer, TimelineAnswer};
use crate::api::events::{Attachment, Weeks};
use events::values::world::{self, ENTRY_CHARS_MAX, Expected, PROSE_CHARS_MAX};
use events::values::{MONEY_MINOR_MAX, Money, TEXT_BYTES_MAX, WHOLE_BP};
use saga_core::plain::is_blank;
use serde_json::{Map, Value, json};

/// Five years: a longer plan is a slip of the pen.
pub const WEEKS_MAX: u32 = 260;
/// Twelve pieces of one kind: as many as one draft may have.
pub const COUNT_MAX: u32 = 12;
/// A year to pay: longer terms are a loan.
pub const TERMS_DAYS_MAX: u32 = 365;
/// Ten rounds of review: more is another project.
pub const REVIEW_ROUNDS_MAX: u32 = 10;
/// 100 entries of any list of the form: what one person can have thought of.
pub const LIST_MAX: usize = 100;
/// 20 KiB of answers in all, the notes aside: ten pages. A chapter of a strategy that quotes all of them twice is still one
/// text of an event.
pub const ANSWERS_BYTES_MAX: usize = 20_480;
/// A budget of nothing is none: a client without a budget leaves the field out.
pub const BUDGET_MINOR_MIN: i64 = 1;
/// A million millions: more than anything that is counted here. What is to be reached is at least nothing.
pub const KPI_TARGET_MAX: i64 = 1_000_000_000_000;
/// Nobody has a website, and says so.
const NO_WEBSITE: &str = "none";
/// The oldest questionnaire that is read.
pub const FORM_OLDEST: u32 = 2;
/// The newest one.
pub const FORM_NEWEST: u32 = 2;

/// The faults of a form while they are found.
#[derive(Default)]
struct Faults(Vec<FormFault>);

impl Faults {
    fn bad(&mut self, field: &str, expected: impl Into<String>, example: Value) {
        self.0.push(FormFault::BadValue { field: field.to_owned(), expected: expected.into(), example });
    }
    /// A given answer, read by the rule of its kind; a blank one counts as not given.
    fn text<T>(&mut self, field: &str, answer: Option<&str>, read: impl FnOnce(&str) -> Result<T, Expected>) {
        let Some(text) = answer.filter(|text| !text.trim().is_empty()) else { return };
        if let Err(Expected { what, example }) = read(text) {
            self.bad(field, what, json!(example));
        }
    }
    fn most(&mut self, field: &str, number: Option<u32>, most: u32, example: u32) {
        if number.is_some_and(|number| number > most) {
            self.bad(field, format!("a number from 0 to {most}"), json!(example));
        }
    }
    fn list(&mut self, field: &str, length: usize) {
        if length > LIST_MAX {
            self.bad(field, format!("at most {LIST_MAX} entries"), json!([]));
        }
    }
    /// A list of texts: so many of them, each a sentence or two.
    fn texts(&mut self, field: &str, texts: &[String]) {
        self.list(field, texts.len());
        for (at, text) in texts.iter().enumerate() {
            self.text(&format!("{field}/{at}"), Some(text), |text| world::prose(text, ENTRY_CHARS_MAX));
        }
    }
    fn prose(&mut self, field: &str, text: Option<&str>) {
        self.text(field, text, |text| world::prose(text, PROSE_CHARS_MAX));
    }
    fn money(&mut self, field: &str, money: Option<&Money>, least: i64) {
        let Some(money) = money else { return };
        if let Err(Expected { what, example }) = world::currency(&money.currency) {
            self.bad(&format!("{field}/currency"), what, json!(example));
        }
        if !(least..=MONEY_MINOR_MAX).contains(&money.minor) {
            self.bad(
                &format!("{field}/minor"),
                format!("an amount from {least} to {MONEY_MINOR_MAX}"),
                json!(1_260_000),
            );
        }
    }
}

fn website(text: &str) -> Result<(), Expected> {
    if text.trim() == NO_WEBSITE {
        return Ok(());
    }
    let or_none = |why: Expected| Expected { what: format!("{}, or {NO_WEBSITE:?}", why.what), ..why };
    world::web_address(text).map(drop).map_err(or_none)
}

fn line(text: &str) -> Result<(), Expected> {
    world::name(text).map(drop)
}

/// A language that content can be written in: `und` is none.
fn known_language(text: &str) -> Result<(), Expected> {
    match world::language(text) {
        Ok(tag) if tag.primary_language() == "und" => {
            Err(Expected { what: "a language tag (RFC 5646) of a known language".to_owned(), example: "en".to_owned() })
        }
        Ok(_) => Ok(()),
        Err(why) => Err(why),
    }
}

impl TimelineAnswer {
    /// `8` is 8 to 8, `12-16` is 12 to 16, a blank text is silence. `Err`: it is no span of 1 to [`WEEKS_MAX`] weeks.
    pub fn weeks(&self) -> Result<Option<Weeks>, Expected> {
        let number = |part: &str| part.trim().parse::<u32>().ok();
        let span = match self {
            TimelineAnswer::Weeks(weeks) => Some((*weeks, *weeks)),
            TimelineAnswer::Text(text) if text.trim().is_empty() => return Ok(None),
            TimelineAnswer::Text(text) => match text.split_once(['-', '\u{2013}']) {
                Some((min, max)) => number(min).zip(number(max)),
                None => number(text).map(|weeks| (weeks, weeks)),
            },
        };
        match span {
            Some((min, max)) if 0 < min && min <= max && max <= WEEKS_MAX => Ok(Some(Weeks { min, max })),
            Some(_) | None => {
                let what = format!("weeks as a number or a span, from 1 to {WEEKS_MAX}");
                Err(Expected { what, example: "12-16".to_owned() })
            }
        }
    }
}

impl BriefForm {
    /// Answers that cannot be meant.
    pub fn faults(&self) -> Vec<FormFault> {
        let mut faults = Faults::default();
        faults.text("/id", self.id.as_deref(), line);
        faults.text("/expected", self.expected.as_deref(), line);
        faults.texts("/removed_required_answers", &self.removed_required_answers);
        faults.text("/schema_version", self.schema_version.as_deref(), version);
        faults.text("/language", self.language.as_deref(), world::language);
        self.client_faults(&mut faults);
        if let Some(contract) = &self.contract {
            contract_faults(contract, &mut faults);
        }
        self.answer_faults(&mut faults);
        faults.money("/budget", self.budget.as_ref(), BUDGET_MINOR_MIN);
        faults.list("/content_plan", self.content_plan.len());
        for (at, item) in self.content_plan.iter().enumerate() {
            self.plan_faults(at, item, &mut faults);
        }
        faults.list("/focus_platforms", self.focus_platforms.len());
        for (at, platform) in self.focus_platforms.iter().enumerate() {
            faults.text(&format!("/focus_platforms/{at}"), Some(platform), world::platform);
        }
        faults.0
    }

    fn client_faults(&self, faults: &mut Faults) {
        let client = &self.client;
        faults.text("/client/name", client.name.as_deref(), line);
        faults.text("/client/legal_name", client.legal_name.as_deref(), line);
        faults.text("/client/website", client.website.as_deref(), website);
        faults.text("/client/industry", client.industry.as_deref(), line);
        faults.text("/client/geography", client.geography.as_deref(), line);
        faults.text("/client/country", client.country.as_deref(), world::country);
        faults.text("/client/timezone", client.timezone.as_deref(), world::time_zone);
        if let Some(contact) = &client.contact {
            faults.text("/client/contact/name", contact.name.as_deref(), line);
            faults.text("/client/contact/email", contact.email.as_deref(), world::email);
        }
    }

    fn answer_faults(&self, faults: &mut Faults) {
        let brief = &self.brief;
        faults.text("/brief/brand/brand_name", brief.brand.brand_name.as_deref(), line);
        faults.text("/brief/brand/business_type", brief.brand.business_type.as_deref(), line);
        faults.prose("/brief/brand/description", brief.brand.description.as_deref());
        faults.prose("/brief/audience/primary_customer", brief.audience.primary_customer.as_deref());
        faults.prose("/brief/goal/primary_goal", brief.goal.primary_goal.as_deref());
        faults.prose("/brief/goal/secondary_goal", brief.goal.secondary_goal.as_deref());
        faults.prose("/brief/operations/approval", brief.operations.approval.as_deref());
        if let Some(Err(Expected { what, example })) = brief.goal.timeline_weeks.as_ref().map(TimelineAnswer::weeks) {
            faults.bad("/brief/goal/timeline_weeks", what, json!(example));
        }
        let rounds = brief.operations.review_rounds_expected;
        faults.most("/brief/operations/review_rounds_expected", rounds, REVIEW_ROUNDS_MAX, 1);
        for (at, kpi) in brief.goal.kpis.iter().enumerate() {
            faults.text(&format!("/brief/goal/kpis/{at}/name"), Some(&kpi.name), line);
            faults.text(&format!("/brief/goal/kpis/{at}/unit"), Some(&kpi.unit), line);
            if !(0..=KPI_TARGET_MAX).contains(&kpi.target) {
                let field = format!("/brief/goal/kpis/{at}/target");
                faults.bad(&field, format!("a number from 0 to {KPI_TARGET_MAX}"), json!(400));
            }
        }
        for (at, item) in brief.product_service.items.iter().enumerate() {
            faults.text(&format!("/brief/product_service/items/{at}/name"), Some(&item.name), line);
            let usp = format!("/brief/product_service/items/{at}/usp");
            faults.text(&usp, item.usp.as_deref(), |text| world::prose(text, ENTRY_CHARS_MAX));
        }
        faults.list("/brief/goal/kpis", brief.goal.kpis.len());
        faults.list("/brief/product_service/items", brief.product_service.items.len());
        let lists = [
            ("/brief/audience/pain_points", &brief.audience.pain_points),
            ("/brief/voice/tone_of_voice", &brief.voice.tone_of_voice),
            ("/brief/voice/competitors", &brief.voice.competitors),
            ("/brief/constraints/must_include", &brief.constraints.must_include),
            ("/brief/constraints/must_avoid", &brief.constraints.must_avoid),
            ("/brief/constraints/other", &brief.constraints.other),
            ("/brief/deliverables", &brief.deliverables),
            ("/brief/exclusions", &brief.exclusions),
        ];
        lists.into_iter().for_each(|(field, texts)| faults.texts(field, texts));
    }

    fn plan_faults(&self, at: usize, item: &PlanAnswer, faults: &mut Faults) {
        let field = |name: &str| format!("/content_plan/{at}/{name}");
        // A blank platform is no silence here: the item would be dropped, and nobody told.
        if let Err(Expected { what, example }) = world::platform(&item.platform) {
            faults.bad(&field("platform"), what, json!(example));
        }
        faults.text(&field("format"), Some(&item.format), world::format);
        faults.text(&field("language"), item.language.as_deref(), known_language);
        if item.count.is_some_and(|count| !(1..=COUNT_MAX).contains(&count)) {
            faults.bad(&field("count"), format!("a number from 1 to {COUNT_MAX}"), json!(1));
        }
        let (platform, format) = (world::platform(&item.platform), world::format(&item.format));
        if let (Ok(platform), Ok(format)) = (platform, format)
            && !world::goes_together(platform, format)
        {
            let example = if platform == "email" { "email" } else { "post" };
            faults.bad(
                &field("format"),
                format!("a format that {platform} takes: mail takes email only"),
                json!(example),
            );
        }
    }

    /// Questions that the first steps of a saga need an answer to, and do not have one.
    pub fn unanswered(&self) -> Vec<FormFault> {
        let (client, brief) = (&self.client, &self.brief);
        let offer = brief.product_service.items.first().map(|item| item.name.as_str());
        let asked = [
            ("/client/name", client.name.as_deref(), "the client's name", "Nordlys Analytics"),
            ("/client/website", client.website.as_deref(), "a web address, or \"none\"", "https://nordlys.example"),
            ("/client/industry", client.industry.as_deref(), "what the client does", "outdoor equipment"),
            ("/client/geography", client.geography.as_deref(), "where the client does it", "western Norway"),
            ("/brief/product_service/items/0/name", offer, "what is sold first of all", "Evening crossing"),
            ("/brief/goal/primary_goal", brief.goal.primary_goal.as_deref(), "a goal", "400 passengers a week"),
            (
                "/brief/audience/primary_customer",
                brief.audience.primary_customer.as_deref(),
                "whom to speak to",
                "Couples on a long weekend",
            ),
        ];
        let silent = |answer: Option<&str>| answer.is_none_or(is_blank);
        let missing = |field: &str, expected: &str, example: Value| FormFault::Missing {
            field: field.to_owned(),
            expected: expected.to_owned(),
            example,
        };
        let mut faults: Vec<_> = asked
            .into_iter()
            .filter(|(_, answer, ..)| silent(*answer))
            .map(|(field, _, expected, example)| missing(field, expected, json!(example)))
            .collect();
        if self.content_plan.is_empty() && self.focus_platforms.iter().all(|platform| platform.trim().is_empty()) {
            let example = json!([{"platform": "instagram", "format": "post", "count": 2}]);
            faults.push(missing(
                "/content_plan",
                "at least one piece of content, or a platform in /focus_platforms",
                example,
            ));
        }
        faults
    }
}

fn contract_faults(contract: &Contract, faults: &mut Faults) {
    faults.text("/contract/start", contract.start.as_deref(), world::day);
    faults.text("/contract/end", contract.end.as_deref(), world::contract_end);
    let days = contract.start.as_deref().zip(contract.end.as_deref());
    let days = days.and_then(|(start, end)| world::day(start).ok().zip(world::contract_end(end).ok()));
    if let Some((start, _)) = days.filter(|(start, end)| end < start) {
        faults.bad("/contract/end", "a day that is not before the contract's start", json!(start.to_string()));
    }
    faults.money("/contract/value", contract.value.as_ref(), 0);
    faults.most("/contract/terms_days", contract.terms_days, TERMS_DAYS_MAX, 14);
    faults.most("/contract/tax_bp", contract.tax_bp, WHOLE_BP, 1_900);
}

fn version(text: &str) -> Result<(), Expected> {
    match text.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
        Some(FORM_OLDEST..=FORM_NEWEST) => Ok(()),
        Some(_) | None => {
            let what = format!("a version of the questionnaire from {FORM_OLDEST} to {FORM_NEWEST}");
            Err(Expected { what, example: FORM_NEWEST.to_string() })
        }
    }
}

/// Answers that are longer than an event bears. The notes may be: they are kept beside the log.
pub(crate) fn long_texts(responses: &Map<String, Value>) -> Vec<FormFault> {
    fn walk(value: &Value, field: String, faults: &mut Faults) {
        match value {
            Value::String(text) if text.len() > TEXT_BYTES_MAX => {
                faults.bad(&field, format!("a text of at most {TEXT_BYTES_MAX} bytes"), json!("in short"));
            }
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| walk(item, format!("{field}/{at}"), faults));
            }
            Value::Object(fields) => {
                fields.iter().for_each(|(name, below)| walk(below, format!("{field}/{name}"), faults));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut faults = Faults::default();
    for (name, answer) in responses.iter().filter(|(name, _)| *name != "notes") {
        walk(answer, format!("/{name}"), &mut faults);
    }
    faults.0
}

/// More answers than a strategy can quote.
pub(super) fn too_long(responses: &Map<String, Value>) -> Option<FormFault> {
    fn bytes(value: &Value) -> usize {
        match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(bytes).sum(),
            Value::Object(fields) => fields.values().map(bytes).sum(),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }
    let all: usize = responses.iter().filter(|(name, _)| *name != "notes").map(|(_, answer)| bytes(answer)).sum();
    let expected =
        format!("at most {ANSWERS_BYTES_MAX} bytes of answers in all, and not {all}; more belongs into /notes");
    let fault = || FormFault::BadValue { field: "/brief".to_owned(), expected, example: json!("in short") };
    (all > ANSWERS_BYTES_MAX).then(fault)
}

/// What is wrong with files that come along: `(field, what was expected)`.
pub(crate) fn attachment_faults(attachments: &[Attachment]) -> Vec<FormFault> {
    let mut faults = Faults::default();
    faults.list("", attachments.len());
    for (at, attachment) in attachments.iter().enumerate() {
        if let Err(Expected { what, example }) = line(&attachment.name) {
            faults.bad(&format!("/{at}/name"), what, json!(example));
        }
        faults.text(&format!("/{at}/url"), attachment.url.as_deref(), world::web_address);
    }
    faults.0
}

/// The first thing wrong with what was said on the call.
pub(crate) fn call_faults(notes: &crate::api::dtos::CallNotes) -> Vec<FormFault> {
    let mut faults = Faults::default();
    faults.text("/call_date", notes.call_date.as_deref(), world::day);
    for (name, answer) in &notes.clarifications {
        let field = format!("/clarifications/{name}");
        match name.as_str() {
            "website" => faults.text(&field, Some(answer), website),
            "client_name" | "primary_offer" => faults.text(&field, Some(answer), line),
            _ if answer.len() > TEXT_BYTES_MAX => {
                faults.bad(&field, format!("a text of at most {TEXT_BYTES_MAX} bytes"), json!("in short"));
            }
            _ => {}
        }
    }
    faults.0
}

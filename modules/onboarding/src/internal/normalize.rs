//! From answers to the normalised brief: what is required, what the house fills in, how times are read. Pure.

use crate::api::dtos::form::values::{attachment_faults, call_faults};
use crate::api::dtos::{BriefForm, CallNotes, OfferAnswer, PlanAnswer};
use crate::api::events::{
    Audience, BrandGuidelines, BriefNormalized, Call, Constraint, ConstraintKind, IntakeRef, Kpi, Objective, Offer,
    PlannedContent, Scope, Weeks,
};
use crate::api::refusals::BriefRefused;
use crate::internal::form::told;
use crate::internal::intake::{Form, given};
use events::ids::{BriefId, ClientId};
use events::values::{Text, world};
use saga_core::command::Common;
use saga_core::id::StepKey;
use std::collections::BTreeMap;

/// Eight weeks: what a first engagement takes when the client names no time.
const WEEKS_DEFAULT: Weeks = Weeks { min: 8, max: 8 };
/// What is delivered when the client does not say.
const DELIVERABLES_DEFAULT: [&str; 2] = ["strategy", "content_pack"];
/// The required answers, in the order of the form. An audience can be described on the call as well, but a brief can
/// be normalised without one.
const REQUIRED: [&str; 6] = ["client_name", "website", "industry", "geography", "primary_offer", "objective"];
const AUDIENCE: &str = "target_audience";

/// Which brief is read, from which form, by which deed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    pub(super) brief_id: BriefId,
    pub(super) client_id: ClientId,
    pub(super) intake: IntakeRef,
    pub(super) deed: StepKey,
}

/// The answers, with the call's where the form is silent.
struct Answers<'a> {
    form: &'a BriefForm,
    call: &'a BTreeMap<String, String>,
}

impl<'a> Answers<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        let client = &self.form.client;
        let said = match name {
            "client_name" => {
                given(client.name.as_deref()).or_else(|| given(self.form.brief.brand.brand_name.as_deref()))
            }
            "website" => given(client.website.as_deref()),
            "industry" => given(client.industry.as_deref()),
            "geography" => given(client.geography.as_deref()),
            "primary_offer" => self.form.brief.product_service.items.first().and_then(|item| given(Some(&item.name))),
            "objective" => given(self.form.brief.goal.primary_goal.as_deref()),
            AUDIENCE => given(self.form.brief.audience.primary_customer.as_deref()),
            _ => None,
        };
        said.or_else(|| given(self.call.get(name).map(String::as_str)))
    }
    fn or_empty(&self, name: &str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }
}

/// Which required answers the form does not have.
pub(super) fn missing(form: &BriefForm, call: &BTreeMap<String, String>) -> Vec<String> {
    let answers = Answers { form, call };
    REQUIRED.iter().filter(|name| answers.get(name).is_none()).map(|name| (*name).to_owned()).collect()
}

/// Which answers a normalised brief lacks for validation: the required ones, and a contact.
pub(super) fn missing_in(brief: &BriefNormalized) -> Vec<String> {
    let brand = &brief.brand_guidelines;
    let held = [
        brand.client_name.as_str(),
        &brand.website,
        &brand.industry,
        &brand.geography,
        brief.scope.offers.first().map_or("", |offer| &offer.name),
        brief.objectives.first().map_or("", |objective| &objective.goal),
        &brief.target_audience.primary,
    ];
    let names = REQUIRED.into_iter().chain([AUDIENCE]);
    names.zip(held).filter(|(_, text)| given(Some(text)).is_none()).map(|(name, _)| name.to_owned()).collect()
}

/// Reads a form. The second value is what has to be kept beside the log.
pub(super) fn normalize(
    reading: Reading,
    form: &Form,
    notes: Option<&CallNotes>,
) -> Result<(BriefNormalized, Option<String>), BriefRefused> {
    let answers = BriefForm::read(&form.responses).map_err(|faults| {
        let why = faults.first().map(ToString::to_string).unwrap_or_default();
        invalid("intake", why)
    })?;
    let (call, kept) = notes.map(call).transpose()?.map_or((None, None), |(call, kept)| (Some(call), kept));
    let silent = BTreeMap::new();
    let said = call.as_ref().map_or(&silent, |call| &call.clarifications);
    let names = missing(&answers, said);
    if !names.is_empty() {
        return Err(BriefRefused::MissingFields { names });
    }
    let mut defaults_used = Vec::new();
    let language = language(form, &answers, &mut defaults_used);
    let scope = scope(&answers, said, &language, defaults_used)?;
    let read = Answers { form: &answers, call: said };
    let brief = &answers.brief;
    let brief = BriefNormalized {
        brief_id: reading.brief_id,
        client_id: reading.client_id,
        intake: reading.intake,
        scope,
        objectives: objectives(&read),
        target_audience: Audience { primary: read.or_empty(AUDIENCE), pain_points: tidy(&brief.audience.pain_points) },
        brand_guidelines: BrandGuidelines {
            client_name: read.or_empty("client_name"),
            brand_name: given(brief.brand.brand_name.as_deref()).unwrap_or(&read.or_empty("client_name")).to_owned(),
            website: read.or_empty("website"),
            industry: read.or_empty("industry"),
            geography: read.or_empty("geography"),
            description: given(brief.brand.description.as_deref()).unwrap_or_default().to_owned(),
            tone: tidy(&brief.voice.tone_of_voice),
            competitors: tidy(&brief.voice.competitors),
        },
        budget: answers.budget.clone(),
        constraints: constraints(&answers),
        language,
        notes: answers.notes.clone().filter(|notes| !notes.head().trim().is_empty()),
        call,
        deed: Some(reading.deed),
    };
    Ok((brief, kept))
}

fn call(notes: &CallNotes) -> Result<(Call, Option<String>), BriefRefused> {
    let unknown = notes.clarifications.keys().find(|name| !REQUIRED.contains(&name.as_str()) && *name != AUDIENCE);
    if let Some(name) = unknown {
        return Err(invalid("notes.clarifications", format!("there is no question {name}")));
    }
    let faults = call_faults(notes);
    if !faults.is_empty() {
        let (field, why) = told(&faults);
        return Err(invalid(&format!("notes{field}"), why));
    }
    let faults = attachment_faults(&notes.attachments);
    if !faults.is_empty() {
        let (field, why) = told(&faults);
        return Err(invalid(&format!("notes.attachments{field}"), why));
    }
    let (text, kept) = Text::of(&notes.notes);
    let call = Call {
        notes: text,
        clarifications: notes.clarifications.clone(),
        attachments: notes.attachments.clone(),
        date: notes.call_date.clone(),
    };
    Ok((call, kept))
}

fn language(form: &Form, answers: &BriefForm, defaults_used: &mut Vec<String>) -> String {
    let named = |text: Option<&str>| given(text).filter(|tag| *tag != "und").map(canonical);
    if let Some(tag) = named(Some(&form.language)) {
        return tag;
    }
    let (tag, certain) = answers.spoken();
    if !certain {
        defaults_used.push("language".to_owned());
    }
    canonical(&tag)
}

/// A tag as the register writes it; one that came in before there were rules stays as it is.
fn canonical(tag: &str) -> String {
    world::language(tag).map_or_else(|_| tag.to_owned(), |known| known.as_str().to_owned())
}

fn scope(
    answers: &BriefForm,
    said: &BTreeMap<String, String>,
    language: &str,
    mut defaults_used: Vec<String>,
) -> Result<Scope, BriefRefused> {
    let brief = &answers.brief;
    let mut default = |name: &str| defaults_used.push(name.to_owned());
    let mut deliverables = tidy(&brief.deliverables);
    if deliverables.is_empty() {
        default("deliverables");
        deliverables = DELIVERABLES_DEFAULT.map(str::to_owned).to_vec();
    }
    let timeline_weeks = match &brief.goal.timeline_weeks {
        Some(answer) => answer.weeks().map_err(|why| invalid("brief.goal.timeline_weeks", why.to_string()))?,
        None => None,
    };
    let timeline_weeks = timeline_weeks.unwrap_or_else(|| {
        default("timeline_weeks");
        WEEKS_DEFAULT
    });
    let focus_platforms = tidy(&answers.focus_platforms);
    let mut content_plan: Vec<_> = answers.content_plan.iter().filter_map(|item| planned(item, language)).collect();
    if content_plan.is_empty() && !focus_platforms.is_empty() {
        default("content_plan");
        let lower: Vec<_> = focus_platforms.iter().map(|platform| platform.to_lowercase()).collect();
        content_plan = tidy(&lower).iter().map(|platform| one_post(platform, language)).collect();
    }
    let mut offers: Vec<_> = brief.product_service.items.iter().filter_map(offer).collect();
    let first = brief.product_service.items.first().and_then(|item| given(Some(&item.name)));
    if let (None, Some(name)) = (first, given(said.get("primary_offer").map(String::as_str))) {
        offers.insert(0, Offer { name: name.to_owned(), usp: None });
    }
    Ok(Scope {
        deliverables,
        exclusions: tidy(&brief.exclusions),
        timeline_weeks: Some(timeline_weeks),
        offers,
        content_plan,
        focus_platforms,
        approval: given(brief.operations.approval.as_deref()).map(str::to_owned),
        review_rounds_expected: brief.operations.review_rounds_expected,
        defaults_used,
    })
}

fn objectives(read: &Answers<'_>) -> Vec<Objective> {
    let goal = &read.form.brief.goal;
    let kpis = goal.kpis.iter().filter(|kpi| !kpi.name.trim().is_empty());
    let kpis = kpis.map(|kpi| Kpi { name: kpi.name.trim().to_owned(), target: kpi.target, unit: kpi.unit.clone() });
    let mut objectives = vec![Objective { goal: read.or_empty("objective"), kpis: kpis.collect() }];
    if let Some(second) = given(goal.secondary_goal.as_deref()) {
        objectives.push(Objective { goal: second.to_owned(), kpis: Vec::new() });
    }
    objectives
}

fn constraints(answers: &BriefForm) -> Vec<Constraint> {
    let said = &answers.brief.constraints;
    let kinds = [
        (ConstraintKind::MustInclude, &said.must_include),
        (ConstraintKind::MustAvoid, &said.must_avoid),
        (ConstraintKind::Other, &said.other),
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, texts)| tidy(texts).into_iter().map(move |text| Constraint { kind, text }))
        .collect()
}

fn planned(item: &PlanAnswer, language: &str) -> Option<PlannedContent> {
    let platform = given(Some(&item.platform))?.to_lowercase();
    let format = given(Some(&item.format)).map_or_else(|| usual_format(&platform).to_owned(), str::to_lowercase);
    let language = given(item.language.as_deref()).map_or_else(|| language.to_owned(), canonical);
    Some(PlannedContent { platform, format, language, count: item.count.unwrap_or(1) })
}

fn one_post(platform: &str, language: &str) -> PlannedContent {
    let format = usual_format(platform).to_owned();
    PlannedContent { platform: platform.to_owned(), format, language: language.to_owned(), count: 1 }
}

fn usual_format(platform: &str) -> &'static str {
    match platform {
        "email" => "email",
        "youtube" | "tiktok" => "video",
        _ => "post",
    }
}

fn offer(item: &OfferAnswer) -> Option<Offer> {
    let name = given(Some(&item.name))?.to_owned();
    Some(Offer { name, usp: given(item.usp.as_deref()).map(str::to_owned) })
}

/// Trimmed, without blanks and without repetitions, in the order in which it was said.
fn tidy(texts: &[String]) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    for text in texts.iter().filter_map(|text| given(Some(text))) {
        if !tidy.iter().any(|known| known == text) {
            tidy.push(text.to_owned());
        }
    }
    tidy
}

fn invalid(field: &str, why: String) -> BriefRefused {
    BriefRefused::Common(Common::invalid(field, why))
}

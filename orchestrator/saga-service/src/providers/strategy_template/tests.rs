//! The template writer against the project's own briefs and every language it has.

use super::frames::FRAMES;
use super::{TemplateStrategyWriter, amount, apportion, percent, timeline};
use crate::providers::address::other_address;
use events::values::Money;
use onboarding::api::dtos::{BriefForm, NormalizedBrief};
use onboarding::api::events::BriefNormalized;
use saga_core::id::{Direction, StepKey};
use saga_testkit::stage::ready;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use strategy::api::dtos::{BriefSnapshot, Outline, WantedContent, WantedKpi, WantedOffer, WeekSpan};
use strategy::api::events::Layer;
use strategy::api::providers::{ProviderError, StrategyWriter};
use uuid::Uuid;

fn tried(brief: &BriefSnapshot, context: &BTreeMap<String, String>) -> Result<Outline, ProviderError> {
    ready(TemplateStrategyWriter.write(StepKey::derive(Uuid::from_u128(1), "write", Direction::Do), brief, context))
}
fn write(brief: &BriefSnapshot, context: &BTreeMap<String, String>) -> Outline {
    tried(brief, context).unwrap()
}

fn snapshot(form: BriefForm) -> BriefSnapshot {
    let (brief, client) = (form.brief, form.client);
    let plan = form.content_plan.into_iter().map(|item| WantedContent {
        platform: item.platform,
        format: item.format,
        language: item.language.unwrap_or_default(),
        count: item.count.unwrap_or(1),
    });
    let offers = brief.product_service.items.into_iter();
    let kpis = brief.goal.kpis.into_iter();
    BriefSnapshot {
        brief_id: events::ids::BriefId(Uuid::from_u128(1)),
        client_name: client.name.unwrap_or_default(),
        industry: client.industry.unwrap_or_default(),
        geography: client.geography.unwrap_or_default(),
        description: brief.brand.description.unwrap_or_default(),
        language: form.language.unwrap_or_default(),
        audience: brief.audience.primary_customer.unwrap_or_default(),
        pain_points: brief.audience.pain_points,
        primary_goal: brief.goal.primary_goal.unwrap_or_default(),
        goals: Vec::new(),
        kpis: kpis.map(|kpi| WantedKpi { name: kpi.name, target: kpi.target, unit: kpi.unit }).collect(),
        tone: brief.voice.tone_of_voice,
        competitors: brief.voice.competitors,
        must_include: brief.constraints.must_include,
        must_avoid: brief.constraints.must_avoid,
        other_constraints: brief.constraints.other,
        budget: form.budget,
        offers: offers.map(|offer| WantedOffer { name: offer.name, usp: offer.usp }).collect(),
        content_plan: plan.collect(),
        focus_platforms: form.focus_platforms,
        timeline_weeks: Some(WeekSpan { min: 12, max: 12 }),
    }
}

fn briefs() -> Vec<(String, BriefSnapshot)> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "data", "briefs"].iter().collect();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let form: BriefForm = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), snapshot(form))
    };
    files.into_iter().map(read).collect()
}

fn everything(outline: &Outline) -> String {
    let layers = outline.layers.values().cloned().collect::<Vec<_>>().join(" ");
    format!("{} {layers}", outline.summary)
}

#[test]
fn every_brief_finds_itself_in_its_strategy() {
    let mut seen = BTreeSet::new();
    for (name, brief) in briefs() {
        let outline = write(&brief, &BTreeMap::new());
        let text = everything(&outline);
        let offers = brief.offers.iter().flat_map(|offer| [Some(&offer.name), offer.usp.as_ref()]).flatten();
        let said = [&brief.client_name, &brief.audience, &brief.primary_goal, &brief.industry, &brief.geography];
        let lists = [&brief.must_include, &brief.must_avoid, &brief.other_constraints, &brief.pain_points, &brief.tone];
        for part in said.into_iter().chain(offers).chain(lists.into_iter().flatten()) {
            assert!(text.contains(part.as_str()), "{name} says {part}");
        }
        let budget = brief.budget.as_ref().unwrap();
        let amounts = outline.channels.iter().map(|channel| channel.budget.as_ref().unwrap());
        assert_eq!(amounts.clone().map(|part| part.minor).sum::<i64>(), budget.minor, "{name}");
        for part in amounts {
            assert!(text.contains(&amount(part)), "{name} splits {}", amount(part));
        }
        assert_eq!(outline.channels.iter().map(|channel| channel.share_bp).sum::<u32>(), 10_000, "{name}");
        assert!(outline.layers.len() == 8 && outline.layers.values().all(|layer| layer.trim().len() > 10), "{name}");
        assert!(outline.summary.chars().count() >= 50, "{name}: {}", outline.summary);
        assert!(outline.kpis.iter().all(|kpi| kpi.timeframe_days == 84), "{name}");
        assert!(!text.contains(['{', '}']), "{name}: {text}");
        assert_eq!(outline, write(&brief, &BTreeMap::new()), "the same brief, the same words");
        assert!(seen.insert(text), "{name} is not like another");
    }
    assert_eq!(seen.len(), 10);
}

#[test]
fn readers_are_spoken_to_in_one_way_and_no_number_needs_a_word_declined() {
    for frame in &FRAMES {
        assert_eq!(other_address(frame.tag, &format!("{frame:?}")), None, "{}", frame.tag);
        // These have another form after 1 than after 2, and in some languages after 5.
        for words in ["weeks", "Wochen", "semaines", "semanas", "недель", "εβδομάδες", "أسبوعًا", "uker"]
        {
            let said = format!("{} {}", frame.measure, frame.goal_only).replace("{weeks}", "1");
            assert!(!said.contains(words), "{}: {said}", frame.tag);
        }
    }
    let mut brief = briefs().remove(0).1;
    brief.timeline_weeks = Some(WeekSpan { min: 1, max: 1 });
    let measured = |brief: &BriefSnapshot| write(brief, &BTreeMap::new()).layers[&Layer::Measurement].clone();
    assert_eq!(measured(&brief), "Measured at the end of week 1: orders: 350, repair course places: 40.");
    brief.kpis = vec![WantedKpi { name: "posts".to_owned(), target: 1, unit: "posts".to_owned() }];
    assert_eq!(measured(&brief), "Measured at the end of week 1: posts: 1.");
}

#[test]
fn forbidden_words_stand_in_the_rules_and_nowhere_else() {
    for (name, brief) in briefs() {
        let mut outline = write(&brief, &BTreeMap::new());
        outline.layers.remove(&Layer::Constraints);
        let text = everything(&outline).to_lowercase();
        let said = brief.must_avoid.iter().any(|word| text.contains(&word.to_lowercase()));
        assert!(!said, "{name}");
    }
}

#[test]
fn each_language_has_its_own_words_and_the_others_are_refused() {
    let mut brief = briefs().remove(0).1;
    brief.content_plan.clear();
    let mut seen = BTreeSet::new();
    for (language, _) in orchestration::api::languages::LANGUAGES {
        let outline = write(&BriefSnapshot { language: language.to_owned(), ..brief.clone() }, &BTreeMap::new());
        assert!(!everything(&outline).contains(['{', '}']), "{language}");
        assert!(seen.insert(outline.summary), "{language}");
    }
    assert_eq!((seen.len(), FRAMES.len()), (14, 14));
    let asked = |own: &str, planned: &str| {
        let item = |language: &str| WantedContent {
            platform: "email".to_owned(),
            format: "email".to_owned(),
            language: language.to_owned(),
            count: 1,
        };
        let content_plan = vec![item("en"), item(planned)];
        tried(&BriefSnapshot { language: own.to_owned(), content_plan, ..brief.clone() }, &BTreeMap::new())
    };
    let summary = |own: &str| asked(own, "en").unwrap().summary;
    assert_eq!(summary("pt-BR"), summary("pt"));
    assert_eq!(summary(""), summary("en"), "a brief that names no language is in the house's");
    for (own, planned, refused) in
        [("sw", "en", "sw"), ("zh_Hant", "en", "zh_Hant"), ("en", "vi", "vi"), ("he", "th", "he"), ("und", "en", "und")]
    {
        let ProviderError::Rejected { code } = asked(own, planned).unwrap_err() else { panic!("{own} {planned}") };
        let named = format!("LANGUAGE_UNSUPPORTED: {refused:?} is not written here, only en, de");
        assert!(code.starts_with(&named), "{code}");
    }
}

#[test]
fn a_brief_with_the_bare_minimum_is_still_a_strategy() {
    let text = format!(r#"{{"brief_id": "{}", "client_name": "{{goal}} & Co."}}"#, Uuid::nil());
    let bare: BriefSnapshot = serde_json::from_str(&text).unwrap();
    let offers = vec![WantedOffer { name: "茶".to_owned(), usp: None }];
    let (audience, primary_goal) = ("人".to_owned(), "卖".to_owned());
    for frame in &FRAMES {
        let language = frame.tag.to_owned();
        let (audience, primary_goal, offers) = (audience.clone(), primary_goal.clone(), offers.clone());
        let brief = BriefSnapshot { language, audience, primary_goal, offers, ..bare.clone() };
        let outline = write(&brief, &BTreeMap::new());
        assert!(outline.summary.contains("{goal} & Co"), "braces of a name are not filled in: {}", outline.summary);
        assert!(outline.summary.chars().count() >= 50, "{}: {}", frame.tag, outline.summary);
        assert!(outline.layers.values().all(|layer| !layer.is_empty()), "{}", frame.tag);
        assert_eq!((outline.channels.len(), outline.channels[0].share_bp), (1, 10_000));
        assert_eq!((outline.kpis[0].name.as_str(), outline.kpis[0].timeframe_days), ("卖", 56));
    }
}

#[test]
fn what_a_person_said_of_an_earlier_version_is_asked_about_and_never_quoted() {
    let brief = briefs().remove(0).1;
    let context = BTreeMap::from([("rejected_because".to_owned(), "the client is stingy".to_owned())]);
    let (before, after) = (write(&brief, &BTreeMap::new()), write(&brief, &context));
    assert!(!format!("{after:?}").contains("stingy"));
    assert_ne!(before.writer.prompt_hash, after.writer.prompt_hash);
}

#[test]
fn nothing_is_lost_when_a_budget_is_divided() {
    let table: [(u64, &[u64], &[u64]); 6] = [
        (10_000, &[1, 1, 1], &[3_334, 3_333, 3_333]),
        (10_000, &[3, 2], &[6_000, 4_000]),
        (7, &[5_000, 5_000], &[4, 3]),
        (0, &[1, 2], &[0, 0]),
        (10_000, &[1], &[10_000]),
        (i64::MAX as u64, &[1, 1], &[4_611_686_018_427_387_904, 4_611_686_018_427_387_903]),
    ];
    for (whole, weights, parts) in table {
        assert_eq!(apportion(whole, weights), parts);
    }
    let money = |minor, currency: &str| amount(&Money { minor, currency: currency.to_owned() });
    assert_eq!(money(1_350_000, "JPY"), "1350000 JPY");
    assert_eq!(money(4_275_500, "KWD"), "4275.500 KWD");
    assert_eq!(money(1_260_005, "GBP"), "12600.05 GBP");
    assert_eq!((percent(6_000), percent(3_334)), ("60%".to_owned(), "33.34%".to_owned()));
}

#[test]
fn phases_fill_the_weeks_without_overlap() {
    for weeks in 2..60 {
        let phases = timeline(&FRAMES[0], weeks).phases;
        let mut next = 1;
        for phase in &phases {
            assert_eq!(phase.week_from, next, "{weeks}: {phases:?}");
            next = phase.week_to + 1;
        }
        assert_eq!(next, weeks + 1, "{weeks}: {phases:?}");
    }
}

#[test]
fn a_normalised_brief_reads_as_a_snapshot() {
    let brief = NormalizedBrief::from(&BriefNormalized::example());
    let snapshot: BriefSnapshot = serde_json::from_value(serde_json::to_value(&brief).unwrap()).unwrap();
    assert_eq!((snapshot.client_name, snapshot.audience), (brief.client_name, brief.audience));
    assert_eq!((snapshot.offers.len(), snapshot.content_plan.len(), snapshot.kpis.len()), (1, 1, 1));
    assert_eq!((snapshot.primary_goal, snapshot.budget), (brief.primary_goal, brief.budget));
    assert_eq!(snapshot.timeline_weeks, Some(WeekSpan { min: 8, max: 8 }));
}

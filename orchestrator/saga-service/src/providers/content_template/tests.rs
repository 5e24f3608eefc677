//! The template writer against quality control itself, in every language it writes.

use super::*;
use crate::providers::address::other_address;
use production::api::dtos::{AssetSpec, Offer, StrategySnapshot};
use production::api::events::RevisionRequest;
use qc::api::commands::EvaluateContent;
use qc::api::dtos::Constraints;
use qc::api::events::{Subject, SubjectKind, Verdict};
use qc::api::providers::Needs;
use saga_core::envelope::Actor;
use saga_testkit::stage::{Stage, ready};
use std::collections::BTreeSet;
use uuid::Uuid;

fn key() -> StepKey {
    StepKey::from_uuid(Uuid::from_u128(1))
}
fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

type Row = (&'static str, [&'static str; 6], &'static [&'static str], &'static [&'static str]);

/// Language; client, audience, offer, usp, goal, tone; demanded; forbidden.
const BRIEFS: [Row; 14] = [
    (
        "en",
        [
            "Tidewell Books",
            "Owners of small shops",
            "Tidewell Ledger",
            "closes the month in one evening",
            "25 trials",
            "dry",
        ],
        &["30 days free"],
        &["cheap", "disrupt", "today", "word"],
    ),
    (
        "de",
        ["Kornhof Uhl", "Kantinen im Remstal", "Mehlbrief", "gemahlen am Tag der Lieferung", "40 Kantinen", "ruhig"],
        &["ohne Vertragsbindung"],
        &["Superfood", "klar"],
    ),
    (
        "fr",
        [
            "Atelier Mouette",
            "Propriétaires de voiliers",
            "Voile réparée",
            "rendue sous dix jours",
            "50 voiles",
            "sobre",
        ],
        &["devis gratuit"],
        &["le moins cher", "contactez"],
    ),
    (
        "es",
        [
            "Huerta Alba",
            "Restaurantes de barrio",
            "Caja de temporada",
            "cosechada por la mañana",
            "80 cajas",
            "cercano",
        ],
        &["sin permanencia"],
        &["garantizado", "empieza"],
    ),
    (
        "pt",
        ["Padaria Farol", "Famílias do bairro", "Pão da semana", "assado de madrugada", "200 famílias", "alegre"],
        &["entrega incluída"],
        &["gourmet"],
    ),
    (
        "ja",
        ["株式会社みなと文具", "小さな会社の総務", "紙の定期便", "月初に必ず届く", "三百社", "丁寧"],
        &["送料無料"],
        &["絶対", "最高", "担当者"],
    ),
    (
        "zh",
        ["青禾书店", "喜欢安静的读者", "每月一书", "店主亲自挑选", "五百位读者", "温和"],
        &["首月半价"],
        &["最好", "根治"],
    ),
    (
        "ar",
        ["مخبز الواحة", "العائلات في عمان", "خبز الصباح", "يصل قبل السابعة", "٣٠٠ اشتراك", "ودود"],
        &["توصيل مجاني"],
        &["الأرخص", "شفاء"],
    ),
    (
        "hi",
        ["सरयू स्टूडियो", "छोटे दुकानदार", "फ़ोटो पैक", "दो दिन में तैयार", "100 दुकानें", "सरल"],
        &["पहली फ़ोटो मुफ़्त"],
        &["गारंटी"],
    ),
    (
        "ru",
        ["Мастерская Клён", "Хозяева старых домов", "Оконный ремонт", "без замены рамы", "70 домов", "спокойно"],
        &["замер бесплатно"],
        &["лучший", "революция"],
    ),
    (
        "el",
        ["Ελαιώνας Νότος", "Μικρά εστιατόρια", "Φρέσκο λάδι", "από έναν μόνο κτήμα", "90 εστιατόρια", "λιτός"],
        &["δωρεάν δείγμα"],
        &["θεραπεύει"],
    ),
    (
        "ko",
        ["바른목공", "작은 카페 주인", "맞춤 탁자", "삼 주 안에 설치", "카페 60곳", "담백하게"],
        &["무료 실측"],
        &["무조건"],
    ),
    (
        "tr",
        ["Defne Sabun", "Duyarlı ciltler", "Zeytin sabunu", "altı ay bekletilir", "400 sipariş", "samimi"],
        &["kargo bizden"],
        &["ILAÇ", "ilaç", "mucize"],
    ),
    (
        "no",
        ["Fjellbrød", "Hytteeiere på Geilo", "Fredagsbrød", "levert før klokka ti", "120 hytter", "lun"],
        &["ingen binding"],
        &["billigst"],
    ),
];

fn brief(row: &Row) -> BriefEssentials {
    let (_, [client, audience, offer, usp, goal, tone], demanded, forbidden) = row;
    BriefEssentials {
        client_name: (*client).to_owned(),
        audience: (*audience).to_owned(),
        offers: vec![Offer { name: (*offer).to_owned(), usp: Some((*usp).to_owned()) }],
        goal: (*goal).to_owned(),
        tone: list(&[tone]),
        must_include: list(demanded),
        must_avoid: list(forbidden),
        cta_hints: vec![],
    }
}
fn judge(content: &str, language: &str, platform: Option<&str>, brief: &BriefEssentials) -> (Verdict, Vec<String>) {
    let asked = EvaluateContent {
        subject: Subject { kind: SubjectKind::Draft, id: Uuid::from_u128(1), version: 1 },
        content: content.to_owned(),
        language: language.to_owned(),
        platform: platform.map(str::to_owned),
        constraints: Constraints {
            must_include: brief.must_include.clone(),
            must_avoid: brief.must_avoid.clone(),
            ..Constraints::default()
        },
        benchmarks: vec![],
        content_hash: None,
        live_hooks: vec![],
        force: None,
    };
    let judged = Stage::new(qc::module(Needs::default())).send(&asked, Actor::operator("t")).unwrap();
    (judged.verdict, judged.issues.into_iter().map(|issue| format!("{}: {}", issue.check, issue.reason)).collect())
}
fn draft(brief: &BriefEssentials, language: &str) -> String {
    let order = DraftOrder {
        content_type: "content_pack".to_owned(),
        language: language.to_owned(),
        strategy: StrategySnapshot::default(),
        brief: brief.clone(),
    };
    ready(TemplateContentWriter.draft(key(), &order)).unwrap().text
}
fn format_of(platform: &str) -> &'static str {
    if platform == "email" { "email" } else { "post" }
}
fn formed(brief: &BriefEssentials, language: &str, at: (&str, &str), variant: u32) -> Result<AssetCopy, ProviderError> {
    translated(brief, None, language, at, variant)
}
fn translated(
    brief: &BriefEssentials,
    of_brief: Option<&str>,
    language: &str,
    (platform, format): (&str, &str),
    variant: u32,
) -> Result<AssetCopy, ProviderError> {
    let (platform, format) = (platform.to_owned(), format.to_owned());
    let spec = AssetSpec { platform, format, language: language.to_owned(), variant };
    let (strategy, brief) = (StrategySnapshot::default(), brief.clone());
    let order = CopyOrder { spec, strategy, brief, draft_body: None, brief_language: of_brief.map(str::to_owned) };
    ready(TemplateContentWriter.copy(key(), &order)).map(|written| written.text)
}
fn copy(brief: &BriefEssentials, language: &str, platform: &str, variant: u32) -> Result<AssetCopy, ProviderError> {
    formed(brief, language, (platform, format_of(platform)), variant)
}
fn whole(copy: &AssetCopy) -> String {
    let (caption, cta) = (copy.caption.clone().unwrap_or_default(), copy.cta.clone().unwrap_or_default());
    format!("{}\n{caption}\n{cta}", copy.hook)
}

#[test]
fn every_draft_passes_quality_control_and_says_what_is_sold_and_nothing_internal() {
    for row in &BRIEFS {
        let brief = brief(row);
        let text = draft(&brief, row.0);
        assert_eq!(judge(&text, row.0, None, &brief), (Verdict::Pass, vec![]), "{text}");
        let [client, audience, offer, usp, goal, _] = row.1;
        for value in [client, offer, usp].iter().chain(row.2) {
            assert!(text.contains(value), "{value} is not in\n{text}");
        }
        for value in [audience, goal] {
            assert!(!text.contains(value), "{value} is between the client and the writer, and stands in\n{text}");
        }
        assert_eq!(text, draft(&brief, row.0));
    }
}

#[test]
fn every_asset_passes_on_every_platform_and_variants_differ() {
    for row in &BRIEFS {
        let brief = brief(row);
        for platform in ["twitter", "linkedin", "instagram", "email"] {
            let mut hooks = BTreeSet::new();
            for variant in 1..=12 {
                let copy = copy(&brief, row.0, platform, variant).unwrap();
                let text = whole(&copy);
                assert_eq!(judge(&text, row.0, Some(platform), &brief), (Verdict::Pass, vec![]), "{text}");
                hooks.insert(copy.hook);
            }
            assert_eq!(hooks.len(), 12, "{}: {hooks:?}", row.0);
        }
    }
}

#[test]
fn a_piece_in_another_language_than_the_briefs_says_names_and_quotes_what_is_demanded() {
    for row in &BRIEFS {
        let brief = brief(row);
        let [client, _, offer, usp, ..] = row.1;
        for (language, platform) in [("en", "instagram"), ("ar", "linkedin"), ("de", "email"), ("no", "facebook")] {
            let at = (platform, format_of(platform));
            let text = whole(&translated(&brief, Some(row.0), language, at, 1).unwrap());
            // A demanded text in other letters is for a person to check.
            let (_, told) = judge(&text, language, Some(platform), &brief);
            assert!(told.iter().all(|issue| issue.starts_with("one_language: \"")), "{language}: {told:?}\n{text}");
            assert!(text.contains(client) && text.contains(offer), "{text}");
            assert_eq!(text.contains(usp), language == row.0, "{language} of {}: {text}", row.0);
            for demanded in row.2 {
                assert_eq!(
                    text.contains(&format!("“{demanded}”")),
                    language != row.0,
                    "{language} of {}: {text}",
                    row.0
                );
            }
        }
    }
    let brief = brief(&BRIEFS[1]);
    for (of_brief, language) in [("de-CH", "de"), ("und", "en"), ("", "en"), ("nb", "no")] {
        let text = whole(&translated(&brief, Some(of_brief), language, ("linkedin", "post"), 1).unwrap());
        assert!(text.contains(BRIEFS[1].1[3]), "{of_brief} {language}: {text}");
    }
}

#[test]
fn readers_are_spoken_to_in_one_way() {
    for frame in &frames::FRAMES {
        assert_eq!(other_address(frame.language, &format!("{frame:?}")), None, "{}", frame.language);
    }
}

/// What a person has to look at is never a sentence of the house's own.
#[test]
fn sentences_of_the_house_are_in_their_language() {
    for row in &BRIEFS {
        let brief = brief(row);
        let mut texts = vec![draft(&brief, row.0)];
        texts.extend((1..=12).map(|variant| whole(&copy(&brief, row.0, "linkedin", variant).unwrap())));
        for text in texts {
            assert_eq!(qc::api::not_of_one_language(&text, row.0, &brief.must_include), [], "{text}");
        }
    }
}

#[test]
fn every_format_has_its_own_shape_in_every_language() {
    const FORMATS: [&str; 7] = ["post", "story", "carousel", "thread", "reel", "video", "email"];
    for row in &BRIEFS {
        let brief = brief(row);
        let mut captions = BTreeSet::new();
        for format in FORMATS {
            let platform = if format == "email" { "email" } else { "instagram" };
            let copy = formed(&brief, row.0, (platform, format), 1).unwrap();
            let text = whole(&copy);
            assert_eq!(judge(&text, row.0, Some(platform), &brief), (Verdict::Pass, vec![]), "{format}\n{text}");
            let said = row.1.iter().enumerate().filter(|(at, _)| [1, 4].contains(at));
            for (_, internal) in said {
                assert!(!text.contains(internal), "{format} says {internal}:\n{text}");
            }
            assert!(captions.insert(copy.caption.unwrap()), "{format} is not like another");
        }
        assert_eq!(captions.len(), FORMATS.len());
    }
    let brief = brief(&BRIEFS[0]);
    let mail = formed(&brief, "en", ("email", "email"), 2).unwrap();
    assert_eq!(mail.hook, "What Tidewell Books does differently", "the subject");
    let letter = "Hello,\n\nTidewell Ledger: closes the month in one evening.\n\n30 days free.\n\n\
                  Everything starts with a short conversation about what you need.\n\n\
                  We say clearly what is included and what is not, before anything begins.\n\n\
                  Questions are answered by people who know the work.\n\n\
                  Write to us and ask for details.\n\nKind regards,\nTidewell Books";
    assert_eq!(mail.caption.unwrap(), letter);
    assert_eq!(mail.cta.unwrap(), "Write to us and ask for details.");
}

#[test]
fn a_language_without_sentences_is_refused_and_names_those_that_have_some() {
    assert_eq!(BRIEFS.map(|row| row.0), frames::FRAMES.each_ref().map(|frame| frame.language));
    let brief = brief(&BRIEFS[0]);
    for tag in ["he", "th", "vi", "sw", "zh-Hant", "klingon-!!", "und", ""] {
        let ProviderError::Rejected { code } = copy(&brief, tag, "instagram", 1).unwrap_err() else { panic!("{tag}") };
        let listed = code.contains(&format!("{tag:?} is not written here, only en, de, fr"));
        assert!(code.starts_with("LANGUAGE_UNSUPPORTED: ") && listed, "{code}");
    }
    for (language, _) in orchestration::api::languages::LANGUAGES {
        assert_eq!(frames::frame(language).map(|frame| frame.language), Some(language));
    }
}

#[test]
fn what_is_demanded_stands_there_even_when_it_is_forbidden() {
    let mut contradiction = brief(&BRIEFS[0]);
    contradiction.must_include = list(&["the cheap way"]);
    let text = draft(&contradiction, "en");
    assert!(text.contains("the cheap way"));
    assert_eq!(judge(&text, "en", None, &contradiction).0, Verdict::Fail, "and quality control says so");
    contradiction.must_include = vec!["long ".repeat(80)];
    let refused = copy(&contradiction, "en", "twitter", 1).unwrap_err();
    assert_eq!(refused, ProviderError::Rejected { code: "DEMANDS_TOO_LONG".to_owned() });
}

#[test]
fn revisions_and_rewrites_use_the_same_words_in_another_order() {
    for row in &BRIEFS {
        let brief = brief(row);
        let body = draft(&brief, row.0);
        let request = RevisionRequest {
            section: "body".to_owned(),
            change: format!("more about {}", row.1[1]),
            priority: "must".to_owned(),
        };
        let (content_type, language) = ("content_pack".to_owned(), row.0.to_owned());
        let order = RevisionOrder { content_type, language, body: body.clone(), requests: vec![request] };
        let revised = ready(TemplateContentWriter.revise(key(), &order)).unwrap().text;
        assert_ne!(revised, body);
        assert_eq!(judge(&revised, row.0, None, &brief), (Verdict::Pass, vec![]), "{revised}");

        for (platform, format) in [("linkedin", "post"), ("email", "email"), ("youtube", "video")] {
            let first = formed(&brief, row.0, (platform, format), 1).unwrap();
            let spec =
                AssetSpec { platform: platform.into(), format: format.into(), language: row.0.into(), variant: 1 };
            let order = RewriteOrder { spec, copy: first.clone(), reason: "dull".to_owned() };
            let again = ready(TemplateContentWriter.rewrite(key(), &order)).unwrap().text;
            assert_ne!(again.hook, first.hook);
            let text = whole(&again);
            assert_eq!(judge(&text, row.0, Some(platform), &brief), (Verdict::Pass, vec![]), "{text}");
            let lines = |copy: &AssetCopy| copy.caption.as_ref().unwrap().lines().count();
            assert_eq!(lines(&again), lines(&first), "a {format} keeps its shape");
        }
    }
}

//! Every brief that is accepted is delivered: the built-in performers are asked before a saga begins.

use super::delivered::{Delivered, delivered};
use crate::modules::{Replaced, modules};
use orchestration::api::dtos::ClientToDelivery;
use saga_core::definition::Definition;
use saga_core::json::Payload;
use saga_core::saga::Saga;
use saga_core::view::SagaState;
use serde_json::{Value, json};
use std::sync::Arc;

/// The definition as a process offers it.
fn offered() -> Arc<Definition> {
    let every = modules(std::path::Path::new("nowhere"), Replaced::default());
    let mut sagas = every.into_iter().flat_map(|module| module.sagas);
    sagas.find(|saga| saga.name == ClientToDelivery::NAME).unwrap()
}
fn told(brief: &Value) -> Vec<String> {
    offered().misfits(&Payload::of(brief).unwrap()).iter().map(ToString::to_string).collect()
}
fn with(changes: &[(&str, Value)]) -> Value {
    let mut brief = serde_json::to_value(ClientToDelivery::example().unwrap()).unwrap();
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        brief.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    brief
}
fn tweets(language: &str) -> Value {
    json!([{"platform": "twitter", "format": "thread", "language": language, "count": 2}])
}

/// What a later step would refuse, where the door points, and what it says there.
fn table() -> Vec<(Value, &'static str, &'static str)> {
    let demand = |words: Vec<String>, plan: Value| {
        with(&[("/brief/constraints/must_include", json!(words)), ("/content_plan", plan)])
    };
    let all_of = ["を", "の", "、", "。", "に", "は"].map(str::to_owned).to_vec();
    vec![
        (
            demand(vec!["long ".repeat(60)], tweets("en")),
            "/brief/constraints/must_include",
            "these have 299 characters, a thread for twitter has 260 characters",
        ),
        (
            demand((0..30).map(|at| format!("Rule {at} of 30")).collect(), tweets("en")),
            "/brief/constraints/must_include",
            "a thread for twitter has 260 characters",
        ),
        (
            with(&[
                ("/brief/constraints/must_include", json!(["Free delivery"])),
                ("/brief/constraints/must_avoid", json!(["delivery"])),
            ]),
            "/brief/constraints/must_include/0",
            "which /brief/constraints/must_avoid forbids",
        ),
        (
            with(&[
                ("/language", json!("ja")),
                ("/client/name", json!("湯")),
                ("/brief/brand/brand_name", json!("湯")),
                ("/brief/product_service/items", json!([{"name": "宿"}])),
                ("/brief/brand/description", json!("星川温泉旅館湯治平日二泊昼食畑料理".repeat(20))),
                ("/brief/constraints/must_include", json!([])),
                ("/brief/constraints/must_avoid", json!(all_of)),
                ("/content_plan", json!([{"platform": "linkedin", "language": "ja", "count": 1}])),
            ]),
            "/brief",
            "20 visible characters, at least 50 are expected",
        ),
        (
            with(&[("/brief/product_service/items/0/usp", json!("lasts {{years}} years"))]),
            "/brief/product_service/items/0/usp",
            "the placeholder {{",
        ),
        (
            with(&[
                ("/language", json!("de")),
                (
                    "/brief/constraints/must_include",
                    json!(["100% guaranteed, and this is what they say about your tent before you buy from our shop with that "
                        .repeat(5)
                        .trim()]),
                ),
                ("/brief/constraints/other", json!(["Licence number in every footer"])),
                ("/brief/voice/competitors", json!(["your tent"])),
                ("/content_plan", json!([{"platform": "email", "format": "email", "language": "de", "count": 1}])),
            ]),
            "/brief",
            "expected a brief whose texts pass quality control",
        ),
    ]
}

#[tokio::test]
async fn what_a_later_step_would_refuse_is_refused_at_the_door() {
    for (brief, place, says) in table() {
        let told = told(&brief);
        assert!(told.len() == 1 && told[0].starts_with(&format!("{place} is ")), "{told:?}");
        assert!(told[0].contains(says), "{told:?}");
        // It is no idle fear: a brief that came by another way is taken back for it.
        let got = delivered(&brief).await;
        assert_eq!((got.state, got.files.len()), (SagaState::Compensated, 0), "{place}: {}", got.reason);
    }
}

#[tokio::test]
async fn a_short_form_takes_long_names_and_forbidden_calls() {
    let long = "Fjordlys Rederi ".repeat(12);
    for changes in [
        vec![
            ("/client/name", json!(long.trim())),
            ("/brief/product_service/items/0/name", json!(long.trim())),
            ("/content_plan", tweets("en")),
        ],
        vec![
            ("/brief/constraints/must_avoid", json!(["touch", "write", "website", "differently"])),
            ("/content_plan", tweets("en")),
        ],
    ] {
        let brief = with(&changes);
        assert_eq!(told(&brief), Vec::<String>::new());
        let Delivered { state, reason, .. } = delivered(&brief).await;
        assert_eq!(state, SagaState::Completed, "{reason}");
    }
}

/// The next number of a row that is the same on every machine.
fn next(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap() % below
}

/// A brief that a client might send: words of many lengths and languages, rules that may contradict each other.
fn somebodys(seed: &mut u64) -> Value {
    const WORDS: [&str; 24] = [
        "free",
        "Lanternfold",
        "tents",
        "we",
        "Guaranteed",
        "#1",
        "100%",
        "delivery",
        "ohne Gewähr",
        "гарантия",
        "無料",
        "お問い合わせ",
        "مجانا",
        "χωρίς",
        "무료",
        "à partir de",
        "🎉🎉🎉",
        "https://x.example",
        "{client}",
        "Ridgeway Canvas",
        "and this is what they say about your tent",
        "your needs",
        "を",
        "。",
    ];
    const TAGS: [&str; 9] = ["en", "de", "ja", "ru", "ar", "pt-BR", "zh-Hans", "nb", "und"];
    const PLATFORMS: [&str; 8] =
        ["twitter", "twitter", "instagram", "email", "youtube", "linkedin", "tiktok", "facebook"];
    const FORMATS: [&str; 6] = ["post", "thread", "reel", "carousel", "story", "video"];
    let text = |seed: &mut u64| {
        let count = [1, 1, 2, 3, 20][next(seed, 5)];
        (0..count).map(|_| WORDS[next(seed, WORDS.len())]).collect::<Vec<_>>().join(" ")
    };
    let texts = |seed: &mut u64, most: usize| (0..next(seed, most)).map(|_| text(seed)).collect::<Vec<_>>();
    let words = |seed: &mut u64| (0..next(seed, 4)).map(|_| WORDS[next(seed, WORDS.len())]).collect::<Vec<_>>();
    let plan: Vec<_> = (0..=next(seed, 2))
        .map(|_| {
            let (platform, language) = (PLATFORMS[next(seed, PLATFORMS.len())], TAGS[next(seed, 8)]);
            let format = if platform == "email" { "email" } else { FORMATS[next(seed, 6)] };
            json!({"platform": platform, "format": format, "language": language, "count": 1 + next(seed, 2)})
        })
        .collect();
    let name: String = text(seed).chars().take(200).collect();
    with(&[
        ("/client/name", json!(name)),
        ("/language", json!(TAGS[next(seed, 9)])),
        ("/brief/product_service/items", json!([{"name": WORDS[next(seed, WORDS.len())], "usp": text(seed)}])),
        ("/brief/constraints/must_include", json!(texts(seed, 4))),
        ("/brief/constraints/must_avoid", json!(words(seed))),
        ("/brief/constraints/other", json!(texts(seed, 2))),
        ("/brief/voice/competitors", json!(texts(seed, 2))),
        ("/content_plan", json!(plan)),
    ])
}

/// The law of the door: what it takes, no module refuses for what it says.
#[tokio::test]
async fn what_the_door_takes_is_delivered() {
    const BRIEFS: usize = 120;
    let (mut seed, mut taken) = (7, 0);
    for _ in 0..BRIEFS {
        let brief = somebodys(&mut seed);
        if !told(&brief).is_empty() {
            continue;
        }
        taken += 1;
        let got = delivered(&brief).await;
        assert_eq!(got.state, SagaState::Completed, "{}\n{brief:#}", got.reason);
    }
    assert!((BRIEFS / 10..BRIEFS).contains(&taken), "{taken} of {BRIEFS} were taken: the law was hardly asked");
}

//! Every number of quality control's pages at its border: the last that passes, and the first that does not.

use super::*;

/// The names of the checks that did not pass, with score and verdict.
fn judged(asked: &EvaluateContent) -> (Vec<String>, u32, Verdict) {
    let reply = stage().send(asked, mia()).unwrap();
    (reply.issues.into_iter().map(|issue| issue.check).collect(), reply.score, reply.verdict)
}
fn failed(asked: &EvaluateContent, check: &str) -> bool {
    judged(asked).0.iter().any(|name| name == check)
}

#[test]
fn fifty_visible_characters_are_a_content() {
    for (letter, between) in [("a", ""), ("絵", ""), ("a", " "), ("a", "\u{200b}")] {
        let of = |count: usize| evaluate(&vec![letter; count].join(between));
        assert!(failed(&of(49), "not_empty") && !failed(&of(50), "not_empty"), "{letter:?} {between:?}");
    }
}

#[test]
fn thirty_words_are_a_sentence_and_one_emoji_stands_in_forty_characters() {
    let sentences = |words: &[usize]| {
        let said: Vec<_> = words.iter().map(|count| format!("{}.", vec!["word"; *count].join(" "))).collect();
        failed(&evaluate(&said.join(" ")), "reading_ease")
    };
    assert!(!sentences(&[30]) && sentences(&[31]));
    assert!(!sentences(&[59, 1]) && sentences(&[60, 1]), "the mean counts, not the longest");
    let emoji = |characters: usize, count: usize| {
        let text = format!("{}{}", "🦊".repeat(count), "a".repeat(characters - count));
        failed(&evaluate(&text), "emoji_density")
    };
    assert!(emoji(39, 1) && !emoji(40, 1));
    assert!(emoji(79, 2) && !emoji(80, 2));
}

#[test]
fn texts_end_at_the_limit_of_their_platform() {
    let limits = [
        ("twitter", 280),
        ("linkedin", 3_000),
        ("instagram", 2_200),
        ("tiktok", 2_200),
        ("youtube", 5_000),
        ("facebook", 63_206),
        ("email", 100_000),
    ];
    for (platform, limit) in limits {
        let of = |chars: usize| {
            let asked = EvaluateContent { platform: Some(platform.to_owned()), ..evaluate(&"ж".repeat(chars)) };
            failed(&asked, "platform_length")
        };
        assert!(!of(limit) && of(limit + 1), "{platform}");
    }
}

#[test]
fn seventy_passes_and_sixty_nine_does_not() {
    // Each flaw by itself, with what it costs: 10 for a major, 3 for a minor, 5 for a warning, 30 for a blocker.
    type Flaw = fn(&mut EvaluateContent);
    let must: Flaw = |e| e.constraints.must_include = list(&["not there"]);
    let rule: Flaw = |e| e.benchmarks = list(&["not there either"]);
    let long: Flaw = |e| e.platform = Some("twitter".into());
    let rival: Flaw = |e| e.constraints.competitors = list(&["pilot"]);
    let twin: Flaw = |e| {
        e.content_hash = Some("h".into());
        e.live_hooks = list(&["h"]);
    };
    let emoji: Flaw = |e| e.content.push_str(&"🦊".repeat(60));
    let russian: Flaw = |e| e.language = "ru".into();
    let table: [(&[Flaw], u32, Verdict); 11] = [
        (&[], 100, Verdict::Pass),
        (&[rival], 97, Verdict::Warn),
        (&[emoji], 95, Verdict::Warn),
        (&[must], 90, Verdict::Warn),
        (&[rule], 90, Verdict::Warn),
        (&[must, rule], 80, Verdict::Warn),
        (&[must, rule, rival, twin], 74, Verdict::Warn),
        (&[must, rule, long], 70, Verdict::Warn),
        (&[must, rule, emoji, rival, twin], 69, Verdict::Fail),
        (&[must, rule, long, rival], 67, Verdict::Fail),
        (&[must, rule, long, russian], 60, Verdict::Fail),
    ];
    for (at, (flaws, score, verdict)) in table.into_iter().enumerate() {
        let mut asked = evaluate(&GOOD.repeat(4));
        flaws.iter().for_each(|flaw| flaw(&mut asked));
        let (issues, found, said) = judged(&asked);
        assert_eq!((found, said), (score, verdict), "row {at}: {issues:?}");
    }
    // A blocker fails with the 70 points that would be enough otherwise.
    let blocked = EvaluateContent {
        constraints: Constraints { must_avoid: list(&["pilot"]), ..Constraints::default() },
        ..evaluate(GOOD)
    };
    assert_eq!(judged(&blocked), (list(&["forbidden_words"]), 70, Verdict::Fail));
}

#[test]
fn a_score_never_ends_below_nothing() {
    let everything = EvaluateContent {
        language: "ru".to_owned(),
        platform: Some("twitter".to_owned()),
        constraints: Constraints {
            must_include: list(&["not there"]),
            must_avoid: list(&["guaranteed"]),
            competitors: list(&["mixbar"]),
            ..Constraints::default()
        },
        benchmarks: list(&["not there either"]),
        ..evaluate(&format!("{{{{name}}}} guaranteed mixbar {}", "🦊 word ".repeat(60)))
    };
    let (issues, score, verdict) = judged(&everything);
    assert_eq!((score, verdict), (0, Verdict::Fail), "{issues:?}");
}

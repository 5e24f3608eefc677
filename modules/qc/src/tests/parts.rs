//! A content of several parts: what is delivered alone is judged alone, in its own language.

use super::*;
use crate::api::{Piece, as_one};

const CALL: &str = "Book a demo with our team today.";

fn judged(
    draft: &str,
    pieces: &[(&str, &str, &str)],
    language: &str,
    demanded: &[&str],
) -> (u32, Vec<(String, String)>) {
    let pieces = pieces.iter().map(|(name, language, text)| Piece {
        name: (*name).to_owned(),
        language: (*language).to_owned(),
        text: (*text).to_owned(),
    });
    let asked = EvaluateContent {
        language: language.to_owned(),
        constraints: Constraints { must_include: list(demanded), ..Constraints::default() },
        ..evaluate(&as_one(draft, pieces, 100_000))
    };
    let reply = stage().send(&asked, mia()).unwrap();
    (reply.score, reply.issues.into_iter().map(|issue| (issue.check, issue.reason)).collect())
}
fn only(found: (u32, Vec<(String, String)>)) -> (u32, String, String) {
    let (score, mut issues) = found;
    assert_eq!(issues.len(), 1, "{issues:?}");
    let (check, reason) = issues.remove(0);
    (score, check, reason)
}

#[test]
fn a_message_is_in_each_piece_and_those_without_it_are_named() {
    let with = format!("Two weeks free. {CALL}");
    let pieces = [("post-1", "en", with.as_str()), ("post-2", "en", CALL), ("mail-1", "en", CALL)];
    let (score, check, reason) = only(judged(&with, &pieces, "en", &["two weeks free"]));
    assert_eq!((score, check.as_str()), (90, "must_include"));
    assert_eq!(reason, "the message \"two weeks free\" is missing in post-2, mail-1");
    assert_eq!(judged(&with, &pieces[..1], "en", &["two weeks free"]), (100, vec![]));
    let (.., reason) = only(judged(CALL, &pieces, "en", &["two weeks free", "not there"]));
    assert_eq!(
        reason,
        "the message \"two weeks free\" is missing in draft, post-2, mail-1; 1 more are missing somewhere"
    );
    let (.., reason) = only(judged(GOOD, &[], "en", &["not there"]));
    assert_eq!(reason, "the message \"not there\" is missing", "a content of one part needs no name for it");
}

#[test]
fn each_piece_is_judged_by_its_own_language() {
    let german = "Mehl vom Korn der Region, gemahlen und gebracht. Jetzt bei uns anfragen.";
    assert_eq!(judged(GOOD, &[("post-de", "de", german)], "en", &[]), (100, vec![]));
    let (score, check, reason) = only(judged(GOOD, &[("post-ru", "ru", GOOD)], "en", &[]));
    assert_eq!((score, check.as_str()), (90, "language_match"));
    assert_eq!(reason, "most of the text is in Latin script, the language is ru in post-ru");
    let (.., check, reason) = only(judged(GOOD, &[("post-1", "en", "Numbers that stand in one place.")], "en", &[]));
    assert_eq!((check.as_str(), reason.as_str()), ("cta_present", "there is no call to action in post-1"));
}

#[test]
fn half_of_one_language_and_half_of_another_is_for_a_person_to_look_at() {
    let half = "Mehlbrief: ground on the day of delivery. Alles beginnt mit einem Gespräch. Jetzt bei uns anfragen.";
    let (score, check, reason) = only(judged(half, &[], "de", &[]));
    assert_eq!((score, check.as_str()), (95, "one_language"));
    let wanted = "\"Mehlbrief: ground on the day of delivery.\" seems to be in en, the language is de; a person has to look at it";
    assert_eq!(reason, wanted);
    let (_, check, reason) = only(judged(
        "Ohne Vertrag und mit Ruhe. Jetzt bei uns anfragen, noch vor dem Wochenende.",
        &[("post-en", "en", "“Ohne Vertrag”\nBook a demo with us.")],
        "de",
        &["ohne Vertrag"],
    ));
    assert_eq!(check, "one_language");
    assert!(reason.starts_with("\"ohne Vertrag\" in post-en seems to be in de, the language is en"), "{reason}");
}

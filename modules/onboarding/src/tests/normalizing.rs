//! From answers to the brief: languages, times, defaults, long and strange texts.

use super::{COMPLETE, answers, call, captured, mia, stage, with};
use crate::api::commands::{CaptureIntake, NormalizeBrief};
use crate::api::dtos::{CallNotes, NormalizedBrief};
use crate::api::events::{BriefNormalized, IntakeCaptured, PlannedContent, Weeks};
use crate::api::queries::GetIntake;
use events::values::Text;
use saga_core::module::Docs;
use saga_core::outcome::Refused;
use saga_testkit::stage::ready;
use serde_json::{Map, Value, json};

fn normalized(responses: Map<String, Value>) -> Result<NormalizedBrief, Refused> {
    let mut stage = stage();
    let brief_id = stage.send(&super::capture(responses), mia())?.brief_id;
    stage.send(&NormalizeBrief { brief_id, notes: None }, mia())
}

#[test]
fn times_are_read_and_not_guessed() {
    let table = [
        (json!(8), Ok((8, 8))),
        (json!("8"), Ok((8, 8))),
        (json!("12-16"), Ok((12, 16))),
        (json!(" 12 \u{2013} 16 "), Ok((12, 16))),
        (json!(""), Ok((8, 8))),
        (json!(null), Ok((8, 8))),
        (json!("16-12"), Err(())),
        (json!(0), Err(())),
        (json!("0-4"), Err(())),
        (json!("soon"), Err(())),
        (json!("-4"), Err(())),
        (json!(261), Err(())),
    ];
    for (said, expected) in table {
        let read = normalized(with("/brief/goal/timeline_weeks", said.clone()));
        match expected {
            Ok((min, max)) => assert_eq!(read.unwrap().timeline_weeks, Some(Weeks { min, max }), "{said}"),
            Err(()) => assert_eq!(read.unwrap_err().code, "INVALID_FIELD", "{said}"),
        }
    }
}

#[test]
fn what_nobody_said_is_filled_in_and_named() {
    let brief = normalized(answers(COMPLETE)).unwrap();
    assert_eq!(brief.deliverables, ["strategy", "content_pack"]);
    assert_eq!(brief.defaults_used, ["language", "deliverables", "timeline_weeks", "content_plan"]);
    let item = |platform: &str, format: &str| PlannedContent {
        platform: platform.to_owned(),
        format: format.to_owned(),
        language: "en".to_owned(),
        count: 1,
    };
    assert_eq!(brief.content_plan, [item("instagram", "post"), item("email", "email")]);
    assert_eq!((brief.languages, brief.pain_points), (vec!["en".to_owned()], vec!["crowded".to_owned()]));
    assert_eq!((brief.brand_name.as_str(), brief.website.as_str()), ("Fjordlys Rederi", "none"));
}

#[test]
fn the_language_is_the_given_one_or_that_of_the_script() {
    let mut given = super::capture(with("/language", json!("da")));
    let read = |command: &CaptureIntake| {
        let mut stage = stage();
        let brief_id = stage.send(command, mia()).unwrap().brief_id;
        let brief = stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap();
        (brief.language, brief.defaults_used.contains(&"language".to_owned()))
    };
    assert_eq!(read(&given), ("da".to_owned(), false));
    given.form.language = Some("nb".to_owned());
    assert_eq!(read(&given), ("nb".to_owned(), false));
    let greek = "220 διανυκτερεύσεις τον Οκτώβριο, ήρεμα και χωρίς βιασύνη, με πρωινό από τον κήπο κάθε ημέρα";
    assert_eq!(read(&super::capture(with("/brief/goal/primary_goal", json!(greek)))), ("el".to_owned(), false));
}

#[test]
fn a_script_that_says_nothing_more_is_left_out_of_a_language() {
    let mut responses = with("/language", json!("en-Latn"));
    let plan = json!([{"platform": "instagram", "format": "post", "language": "pt-Latn-BR"}, {"platform": "email", "format": ""}]);
    responses.insert("content_plan".to_owned(), plan);
    let brief = normalized(responses).unwrap();
    let languages = ["pt-BR", "en"].map(str::to_owned).to_vec();
    assert_eq!((brief.language.as_str(), brief.languages), ("en", languages));
}

#[test]
fn the_client_may_be_named_by_the_brand_alone() {
    let mut responses = with("/brief/brand", json!({"brand_name": "Fjordlys"}));
    responses["client"]["name"] = json!("  ");
    let brief = normalized(responses).unwrap();
    assert_eq!((brief.client_name.as_str(), brief.brand_name.as_str()), ("Fjordlys", "Fjordlys"));
}

#[test]
fn long_notes_live_beside_the_log_and_nul_is_replaced() {
    let long = format!("{}\0", "å".repeat(40_000));
    let clean = long.replace('\0', "\u{fffd}");
    let mut stage = stage();
    let mut responses = with("/notes", json!(long));
    responses["client"]["industry"] = json!("fer\0ries");
    let first = captured(&mut stage, responses);
    let event = stage.events::<IntakeCaptured>().remove(0);
    assert!(event.responses["notes"]["sha256"].is_string());
    assert_eq!(event.responses["client"]["industry"], "fer\u{fffd}ries");
    let notes = CallNotes { notes: long.clone(), ..call(&[("objective", "never asked: the form has one")]) };
    let order = NormalizeBrief { brief_id: first.brief_id, notes: Some(notes) };
    let brief = stage.send(&order, mia()).unwrap();
    let docs = Docs::new(stage.store.clone());
    for text in [brief.notes.unwrap(), brief.call.unwrap().notes] {
        assert_eq!(ready(docs.text(&text)).unwrap(), Some(clean.clone()));
        match text {
            Text::Ref { bytes, head, .. } => assert_eq!((bytes, head.chars().count()), (clean.len() as u64, 1_024)),
            Text::Inline(_) => panic!("too long to stand in an event"),
        }
    }
    assert_eq!(brief.primary_goal, "400 evening passengers a week", "the form's own answer counts");
    assert!(stage.events::<BriefNormalized>()[0].deed.is_some());
    let view = stage.query(&GetIntake { intake_id: first.intake_id, version: Some(1) }).unwrap();
    assert_eq!(view.responses, event.responses);
}

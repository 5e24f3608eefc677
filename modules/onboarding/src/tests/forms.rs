//! The form: what its reader accepts, what it names as a fault, and the project's own briefs.

use super::{answers, capture, captured, mia, stage};
use crate::api::commands::NormalizeBrief;
use crate::api::dtos::{BriefForm, FormFault};
use serde_json::{Map, Value};
use std::path::PathBuf;

fn data(folder: &str) -> Vec<(String, Map<String, Value>)> {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "tests", "data", folder].iter().collect();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (path.file_name().unwrap().to_string_lossy().into_owned(), serde_json::from_str(&text).unwrap())
    };
    files.into_iter().map(read).collect()
}

#[test]
fn every_brief_of_the_project_is_read_strictly_and_normalised_whole() {
    let briefs = data("briefs");
    assert_eq!(briefs.len(), 10);
    for (name, responses) in briefs {
        let form = BriefForm::read(&responses).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert_eq!(BriefForm::door(&responses), [], "{name}");
        let mut stage = stage();
        let brief_id = captured(&mut stage, responses.clone()).brief_id;
        let brief = stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap();
        let said = Value::Object(responses);
        let list =
            |pointer: &str| serde_json::from_value::<Vec<String>>(said.pointer(pointer).unwrap().clone()).unwrap();
        assert_eq!(brief.client_name, said["client"]["name"], "{name}");
        assert_eq!(brief.language, said["language"], "{name}");
        assert_eq!(brief.audience, said.pointer("/brief/audience/primary_customer").unwrap().as_str().unwrap());
        assert_eq!(brief.primary_goal, said.pointer("/brief/goal/primary_goal").unwrap().as_str().unwrap());
        assert_eq!(brief.must_include, list("/brief/constraints/must_include"), "{name}");
        assert_eq!(brief.must_avoid, list("/brief/constraints/must_avoid"), "{name}");
        assert_eq!(brief.other_constraints, list("/brief/constraints/other"), "{name}");
        assert_eq!(brief.competitors, list("/brief/voice/competitors"), "{name}");
        assert_eq!(brief.tone, list("/brief/voice/tone_of_voice"), "{name}");
        assert_eq!(brief.budget, form.budget, "{name}");
        assert_eq!(brief.content_plan.len(), form.content_plan.len(), "{name}");
        assert_eq!((brief.goals.len(), brief.kpis.len()), (2, form.brief.goal.kpis.len()), "{name}");
        assert_eq!(brief.defaults_used, ["deliverables"], "{name}");
    }
}

#[test]
fn each_bad_brief_has_its_fault() {
    for (name, responses) in data("bad-briefs") {
        match name.as_str() {
            "wrong-type.json" => {
                let faults = BriefForm::door(&responses);
                assert!(
                    matches!(&faults[..], [FormFault::WrongType { field, .. }]
                    if field == "/brief/constraints/must_avoid"),
                    "{faults:?}"
                );
            }
            "unknown-field.json" => {
                let field = "/brief/audience/primary_custmer".to_owned();
                assert!(BriefForm::door(&responses).contains(&FormFault::UnknownField { field }));
            }
            "no-client.json" | "missing-required-answers.json" => {
                let faults = BriefForm::door(&responses);
                assert!(faults.iter().all(|fault| matches!(fault, FormFault::Missing { .. })), "{faults:?}");
                assert!(!faults.is_empty());
                let mut stage = stage();
                let brief_id = captured(&mut stage, responses).brief_id;
                let refused = stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap_err();
                let expected = match name.as_str() {
                    "no-client.json" => "the brief lacks website, industry, geography",
                    _ => "the brief lacks geography, primary_offer, objective",
                };
                assert_eq!((refused.code.as_str(), refused.reason.as_str()), ("MISSING_FIELDS", expected));
            }
            // Each answer is right by itself: the saga's door compares them.
            "contradiction.json" => assert_eq!(BriefForm::door(&responses), []),
            other => panic!("{other} is not told apart"),
        }
    }
}

#[test]
fn every_wrong_type_is_told_with_its_place() {
    let faults = BriefForm::read(&answers(
        r#"{"client": 5, "brief": {"goal": {"kpis": [{"name": "a", "target": "many"}, {"target": 1.5}]}}, "notes": []}"#,
    ))
    .unwrap_err();
    let places: Vec<_> = faults.iter().map(FormFault::field).collect();
    assert_eq!(places, ["/brief/goal/kpis/0/target", "/brief/goal/kpis/1/target", "/client", "/notes"]);
}

#[test]
fn silence_may_be_null_or_absent_and_strangers_are_kept_but_not_read() {
    let form = BriefForm::read(&answers(r#"{"client": null, "brief": {"voice": null}, "shoe_size": 43}"#)).unwrap();
    assert_eq!(form, BriefForm::default());
    let mut stage = stage();
    stage.send(&capture(answers(r#"{"shoe_size": 43}"#)), mia()).unwrap();
    assert_eq!(stage.events::<crate::api::events::IntakeCaptured>()[0].responses["shoe_size"], 43);
}

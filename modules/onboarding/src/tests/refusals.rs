//! Every code at least once, with the fields that travel beside it.

use super::{CLIENT, COMPLETE, NOBODY, answers, call, capture, captured, mia, next, saga, stage, with};
use crate::api::commands::{
    CancelBrief, CaptureIntake, CloseProject, CreateProject, NormalizeBrief, RevertBriefNormalization, ValidateBrief,
    WithdrawIntake,
};
use crate::api::events::{Attachment, intake_of};
use crate::api::fakes::{self, FakeWorkspaces};
use crate::api::providers::{Needs, ProviderError};
use crate::api::refusals::CaptureRefused;
use crate::module;
use events::ids::{ClientId, ProjectId};
use saga_core::command::Common;
use saga_testkit::harness::Harness;
use saga_testkit::stage::Stage;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

#[test]
fn forms_that_cannot_be_kept_are_refused() {
    let version = |text: &str| {
        let mut command = capture(answers(COMPLETE));
        command.form.schema_version = text.to_owned();
        command
    };
    let contact = |name: &str, email: &str| capture(with("/client/contact", json!({"name": name, "email": email})));
    let attached = |name: String, url: String| {
        let mut command = capture(answers(COMPLETE));
        command.form.attachments = vec![Attachment { name, url: Some(url), sha256: None }];
        command
    };
    let long = "x".repeat(65_537);
    let table: Vec<(CaptureIntake, &str, &str)> = vec![
        (version("1"), "FORM_TOO_OLD", ""),
        (version("1.9"), "FORM_TOO_OLD", ""),
        (version("3"), "INVALID_FIELD", "form.schema_version"),
        (version("new"), "INVALID_FIELD", "form.schema_version"),
        (capture(with("/client/name", json!(7))), "INVALID_FIELD", "form.responses/client/name"),
        (capture(with("/client/name", json!("x".repeat(201)))), "INVALID_FIELD", "form.responses/client/name"),
        (
            capture(with("/client/website", json!(format!("https://x.example/{}", "x".repeat(2_031))))),
            "INVALID_FIELD",
            "form.responses/client/website",
        ),
        (contact(&"x".repeat(201), "ida@fjordlys.example"), "INVALID_FIELD", "form.responses/client/contact/name"),
        (contact("Ida", &"x".repeat(255)), "INVALID_FIELD", "form.responses/client/contact/email"),
        (attached("x".repeat(201), String::new()), "INVALID_FIELD", "form.attachments/0/name"),
        (attached("logo".to_owned(), "x".repeat(2_049)), "INVALID_FIELD", "form.attachments/0/url"),
        (
            capture(with("/brief/goal/primary_goal", json!(long))),
            "INVALID_FIELD",
            "form.responses/brief/goal/primary_goal",
        ),
        (capture(with("/extra", json!([0.5]))), "INVALID_FIELD", "form.responses/extra/0"),
        (
            capture(with("/budget", json!({"minor": 1, "currency": "euro"}))),
            "INVALID_FIELD",
            "form.responses/budget/currency",
        ),
        (
            capture(with("/budget", json!({"minor": -1, "currency": "EUR"}))),
            "INVALID_FIELD",
            "form.responses/budget/minor",
        ),
        (
            capture(with("/content_plan", json!([{"platform": "x", "count": "two"}]))),
            "INVALID_FIELD",
            "form.responses/content_plan/0/count",
        ),
    ];
    for (command, code, field) in table {
        let refused = stage().send(&command, mia()).unwrap_err();
        let fields: Value = refused.fields.unwrap().read().unwrap();
        assert_eq!((refused.code.as_str(), fields["field"].as_str().unwrap_or("")), (code, field), "{fields}");
    }
}

#[test]
fn further_forms_are_refused_when_they_do_not_fit() {
    let mut stage = stage();
    let first = captured(&mut stage, answers(COMPLETE));
    let good = next(&first, 2, answers(COMPLETE));
    let stranger = CaptureIntake { client_id: ClientId(Uuid::from_u128(1)), ..good.clone() };
    assert_eq!(stage.send(&stranger, mia()).unwrap_err().code, "INVALID_FIELD");
    let mut unknown = good.clone();
    unknown.next_of.as_mut().unwrap().intake_id = intake_of(NOBODY);
    assert_eq!(stage.send(&unknown, mia()).unwrap_err().code, "NOT_FOUND");
    let ahead = next(&first, 3, answers(COMPLETE));
    let refused = stage.send(&ahead, mia()).unwrap_err();
    assert_eq!(refused.code, "VERSION_CONFLICT");
    assert_eq!(refused.fields.unwrap().read::<Value>().unwrap(), json!({"code": "VERSION_CONFLICT", "actual": 1}));
}

#[test]
fn what_is_not_there_is_not_found() {
    let mut office = Harness::of([module(fakes::needs())]);
    let (brief_id, reason) = (NOBODY, String::new());
    let refused = [
        office.refused(&NormalizeBrief { brief_id, notes: None }),
        office.refused(&ValidateBrief { brief_id }),
        office.refused(&RevertBriefNormalization { brief_id, reason: reason.clone(), deed: None }),
        office.refused(&CancelBrief { brief_id }),
        office.refused(&WithdrawIntake { intake_id: intake_of(NOBODY), version: 1, reason: reason.clone() }),
        office.refused(&CloseProject { project_id: ProjectId(Uuid::from_u128(9)), reason }),
        office.refused(&CreateProject { client_id: CLIENT, brief_id: Some(NOBODY) }),
    ];
    assert!(refused.iter().all(|no| no.code == "NOT_FOUND"), "{refused:?}");
    assert_eq!(office.dump(), "");
}

#[test]
fn missing_answers_are_named_and_can_be_given_on_the_call() {
    let mut stage = stage();
    let brief_id = captured(&mut stage, answers("{}")).brief_id;
    let refused = stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap_err();
    let all = ["client_name", "website", "industry", "geography", "primary_offer", "objective"];
    let fields: Value = refused.fields.unwrap().read().unwrap();
    assert_eq!(fields, json!({"code": "MISSING_FIELDS", "names": all}));
    assert!(refused.reason.starts_with("the brief lacks client_name, website"));
    let answer = |name: &str| if name == "website" { "none" } else { "said on the call" };
    let said: Vec<_> = all.iter().map(|name| (*name, answer(name))).collect();
    let brief = stage.send(&NormalizeBrief { brief_id, notes: Some(call(&said)) }, mia()).unwrap();
    assert_eq!((brief.primary_goal.as_str(), brief.offers.len()), ("said on the call", 1));
    // Nobody described the audience: normalised, but not valid.
    let refused = stage.send(&ValidateBrief { brief_id }, mia()).unwrap_err();
    let fields: Value = refused.fields.unwrap().read().unwrap();
    assert_eq!(fields, json!({"code": "MISSING_FIELDS", "names": ["target_audience"]}));
    let strange = NormalizeBrief {
        brief_id: captured(&mut stage, answers("{}")).brief_id,
        notes: Some(call(&[("shoe_size", "43")])),
    };
    assert_eq!(stage.send(&strange, mia()).unwrap_err().code, "INVALID_FIELD");
}

#[test]
fn a_project_needs_its_own_clients_brief_and_a_workspace() {
    let mut stage = stage();
    let brief_id = Some(captured(&mut stage, answers(COMPLETE)).brief_id);
    let stranger = CreateProject { client_id: ClientId(Uuid::from_u128(1)), brief_id };
    assert_eq!(stage.send(&stranger, mia()).unwrap_err().code, "INVALID_FIELD");

    let failures = [
        ProviderError::TryLater { after_ms: 5, says: "is busy".to_owned() },
        ProviderError::Mend { says: "the quota of workspaces is used up".to_owned() },
        ProviderError::Unknown,
        ProviderError::Rejected { code: "QUOTA".to_owned() },
    ];
    let workspace = Arc::new(FakeWorkspaces::failing(failures));
    let mut stage = Stage::new(module(Needs { workspace: workspace.clone() }));
    let create = CreateProject { client_id: CLIENT, brief_id: None };
    for said in ["is busy", "MEND: the quota of workspaces is used up", "the outcome is unknown"] {
        let refused = stage.ask(&create, saga(1), "project").unwrap_err();
        assert_eq!((refused.code.as_str(), refused.reason.as_str()), ("RETRY", said));
    }
    let refused = stage.ask(&create, saga(1), "project").unwrap_err();
    assert_eq!(refused.code, "WORKSPACE_REJECTED");
    let fields: Value = refused.fields.unwrap().read().unwrap();
    assert_eq!(fields, json!({"code": "WORKSPACE_REJECTED", "provider_code": "QUOTA"}));
    // A refusal is final for its key; another key works, and every try of one deed had one key.
    assert_eq!(stage.ask(&create, saga(1), "project").unwrap_err().code, "WORKSPACE_REJECTED");
    let made = stage.ask(&create, saga(2), "project").unwrap();
    assert_eq!(made.workspace_url, format!("https://workspace.example/{}", made.project_id));
    let keys: Vec<_> = workspace.calls().into_iter().map(|(key, _)| key).collect();
    let first = keys[..4].iter().all(|key| *key == keys[0]);
    assert_eq!((keys.len(), first, keys[4] == keys[0]), (5, true, false));
}

#[test]
fn refusals_read_back_as_what_they_were() {
    let refusals = [
        CaptureRefused::FormTooOld { schema_version: "1".to_owned(), oldest: "2".to_owned() },
        CaptureRefused::Common(Common::VersionConflict { actual: 3 }),
        CaptureRefused::Common(Common::Tombstoned),
    ];
    for refusal in refusals {
        let text = serde_json::to_string(&refusal).unwrap();
        assert_eq!(serde_json::from_str::<CaptureRefused>(&text).unwrap(), refusal, "{text}");
    }
}

//! Quality control, judged through its door.

use crate::api::commands::{EvaluateContent, VoidQcResult, WaiveQc};
use crate::api::dtos::{Constraints, Force, ResultStatus};
use crate::api::events::*;
use crate::api::fakes::harness;
use crate::api::providers::Needs;
use crate::api::queries::{Failing, History, Result as ResultOf};
use events::ids::{AssetId, DraftId, QcResultId};
use events::production::{
    AssetPatch, CreativeAssetDiscarded, CreativeAssetEdited, DraftDiscarded, DraftRevised, DraftRevisionReverted,
    RevisionId,
};
use saga_core::command::{Command, Compensable};
use saga_core::envelope::{Actor, ActorKind};
use saga_core::event::{DecodeError, Event, Origin};
use saga_core::id::{Direction, EventId, StepKey};
use saga_core::json::Payload;
use saga_testkit::stage::{STAGE_TIME, Stage};
use uuid::Uuid;

mod numbers;
mod parts;

const GOOD: &str = "Answers in the tool where the team already works. A pilot takes two weeks. Book a demo today.";

/// Vietnamese nouns, and English around them.
const AROUND: &str = "Phở Bình by Quán Bình. Everything starts with a short conversation about what you need. We say what \
                      is included and what is not, before anything begins. Write to us today.";

fn stage() -> Stage {
    Stage::new(crate::module(harness()))
}
fn subject(kind: SubjectKind, id: u128, version: u32) -> Subject {
    Subject { kind, id: Uuid::from_u128(id), version }
}
fn evaluate(content: &str) -> EvaluateContent {
    EvaluateContent {
        subject: subject(SubjectKind::Draft, 0xd1, 1),
        content: content.to_owned(),
        language: "en".to_owned(),
        platform: None,
        constraints: Constraints::default(),
        benchmarks: vec![],
        content_hash: None,
        live_hooks: vec![],
        force: None,
    }
}
fn forced(force: Force) -> EvaluateContent {
    EvaluateContent { force: Some(force), ..evaluate(GOOD) }
}
fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
fn mia() -> Actor {
    Actor::operator("mia")
}
fn saga(n: u128) -> Uuid {
    Uuid::from_u128(0x5a00 + n)
}
fn result_now(stage: &Stage) -> Option<(QcResultId, ResultStatus, bool)> {
    let found = stage.query(&ResultOf { subject: subject(SubjectKind::Draft, 0xd1, 1) }).unwrap();
    found.map(|result| (result.result_id, result.status, result.stale))
}

#[test]
fn each_check_fails_on_what_it_is_for_and_on_nothing_else() {
    let rtl = "من النخلة إلى بابك في يوم واحد. توصيل مجاني داخل الرياض لكل العائلات. اطلب الآن من متجرنا.";
    type Twist = fn(&mut EvaluateContent);
    let table: &[(&str, &str, Twist)] = &[
        ("", GOOD, |_| {}),
        ("", rtl, |e| e.language = "ar".into()),
        ("not_empty", "Book now. Short.", |_| {}),
        ("no_placeholder", "Book a demo with our team for the price of [insert price] in the first month.", |_| {}),
        ("no_placeholder", "Dear {{name}}, book a demo with our team and see your numbers in one place.", |_| {}),
        ("no_placeholder", "Book a demo with our team, the price is TBD, and see your numbers in one place.", |_| {}),
        ("forbidden_words", GOOD, |e| e.constraints.must_avoid = list(&["disrupt", "PILOT"])),
        ("", GOOD, |e| e.constraints.must_avoid = list(&["pilo", "teams", ""])),
        ("must_include", GOOD, |e| e.constraints.must_include = list(&["14-day pilot"])),
        ("", GOOD, |e| e.constraints.must_include = list(&["a PILOT  takes"])),
        ("other_constraints", GOOD, |e| e.benchmarks = list(&["Licence number in every footer"])),
        ("other_constraints", GOOD, |e| {
            e.benchmarks = list(&["a pilot takes two weeks", "No photographs", "敬体で統一"])
        }),
        ("", GOOD, |e| e.benchmarks = list(&["A PILOT takes  two weeks", " "])),
        ("unsupported_claim", "The #1 tool for teams that read their numbers together. Book a demo today.", |_| {}),
        ("unsupported_claim", "Results are 100 % yours and come within the first two weeks. Book a demo.", |_| {}),
        ("", "The best in the world, guaranteed, for teams that read numbers. Book a demo today.", |e| {
            e.constraints.proof_references = list(&["https://study.example/1"]);
        }),
        ("language_match", GOOD, |e| e.language = "ru".into()),
        ("", GOOD, |e| e.language = "und".into()),
        ("language_match", AROUND, |e| e.language = "vi".into()),
        ("language_match", AROUND, |e| e.language = "sw-KE".into()),
        ("", AROUND, |e| e.language = "en-GB".into()),
        ("", "Liên hệ với chúng tôi để nghe về „What you need“ và đặt bàn hôm nay.", |e| {
            e.language = "vi".into()
        }),
        (
            "",
            "Det hele begynder med en samtale, og vi siger hvad der er med og ikke er med, før vi går i gang. Bestill nu.",
            |e| {
                e.language = "da".into();
                e.constraints.cta_hints = list(&["Bestill nu"]);
            },
        ),
        ("cta_present", "Answers in the tool where the team already works. A pilot takes two weeks.", |_| {}),
        ("", "Answers in the tool where the team already works. Pilotage maintenant, vite.", |e| {
            e.constraints.cta_hints = list(&["pilotage maintenant"]);
        }),
        ("platform_length", &GOOD.repeat(4), |e| e.platform = Some("twitter".into())),
        ("", &GOOD.repeat(4), |e| e.platform = Some("linkedin".into())),
        ("competitor_named", GOOD, |e| e.constraints.competitors = list(&["Mixbar", "team"])),
        ("reading_ease", &format!("Book {} now.", "and then some more words ".repeat(9)), |_| {}),
        ("", &"一二三四五六七八九十".repeat(12), |e| {
            e.language = "zh".into();
            e.constraints.cta_hints = list(&["一二三"]);
        }),
        ("emoji_density", "Book a demo 🎉🎉👨‍👩‍👧‍👦 and see all of your numbers in one place today.", |_| {}),
        ("", "Book a demo 👨‍👩‍👧‍👦 and see all of your numbers in one place, today or very soon. 🇳🇴", |_| {}),
        ("duplicate_hook", GOOD, |e| {
            e.content_hash = Some("h1".into());
            e.live_hooks = list(&["h0", "h1"]);
        }),
        ("", GOOD, |e| {
            e.content_hash = Some("h1".into());
            e.live_hooks = list(&["h0"]);
        }),
    ];
    for (check, content, twist) in table {
        let mut asked = evaluate(content);
        twist(&mut asked);
        let reply = stage().send(&asked, mia()).unwrap();
        let found: Vec<_> = reply.issues.iter().map(|issue| issue.check.as_str()).collect();
        let expected: Vec<&str> = if check.is_empty() { vec![] } else { vec![check] };
        assert_eq!(found, expected, "{content}");
    }
}

#[test]
fn a_rule_that_nobody_can_check_is_named_and_costs_the_full_score() {
    let rules = list(&["Licence number in every footer", "No photographs"]);
    let reply = stage().send(&EvaluateContent { benchmarks: rules, ..evaluate(GOOD) }, mia()).unwrap();
    assert_eq!((reply.score, reply.verdict), (90, Verdict::Warn));
    let why = "the rule \"Licence number in every footer\" (and 1 more) is not in the text; a person has to see to it that it is kept";
    assert_eq!((reply.issues[0].severity, reply.issues[0].reason.as_str()), (Severity::Major, why));
    let hindi =
        EvaluateContent { benchmarks: list(&["बच्चों के नाम नहीं"]), ..evaluate(GOOD) };
    let reason = stage().send(&hindi, mia()).unwrap().issues.remove(0).reason;
    assert!(reason.starts_with("the rule \"बच्चों के नाम नहीं\" is not"), "as it was written: {reason}");
}

#[test]
fn the_verdict_follows_the_severity() {
    let table = [
        (
            Severity::Blocker,
            "Dear {{name}}, book a demo with our team and see your numbers in one place.",
            70,
            Verdict::Fail,
        ),
        (
            Severity::Major,
            "Answers in the tool where the team already works. A pilot takes two weeks.",
            90,
            Verdict::Warn,
        ),
        (Severity::Warn, "Book a demo 🎉🎉🎉 and see all of your numbers in one place today.", 95, Verdict::Warn),
    ];
    for (severity, content, score, verdict) in table {
        let reply = stage().send(&evaluate(content), mia()).unwrap();
        assert_eq!((reply.issues[0].severity, reply.score, reply.verdict), (severity, score, verdict));
    }
}

#[test]
fn every_refusal_has_its_code() {
    let mut stage = stage();
    let client = Actor { kind: ActorKind::Client, id: "c-1".to_owned() };
    let waive = |id, reason: &str| WaiveQc { result_id: id, subject: None, reason: reason.to_owned() };
    let code = |outcome: Result<_, saga_core::outcome::Refused>| outcome.map(|_: ResultStatus| ()).unwrap_err().code;
    let nobody = QcResultId(Uuid::from_u128(404));

    for empty in ["", " \n\t", "\u{200b}\u{feff}"] {
        assert_eq!(stage.send(&evaluate(empty), mia()).unwrap_err().code, "SUBJECT_EMPTY");
    }
    let zero = EvaluateContent { subject: subject(SubjectKind::Draft, 1, 0), ..evaluate(GOOD) };
    assert_eq!(stage.send(&zero, mia()).unwrap_err().code, "INVALID_FIELD");
    let mut strict = Stage::new(crate::module(Needs::default()));
    let refused = strict.send(&forced(Force::Pass), mia()).unwrap_err();
    let fields = refused.fields.unwrap();
    assert_eq!(
        fields.as_str(),
        r#"{"code":"INVALID_FIELD","field":"force","why":"only a harness may force a verdict"}"#
    );

    let blocked =
        stage.send(&evaluate("Dear {{name}}, book a demo with us and see it all in one place."), mia()).unwrap();
    let failed = stage.send(&forced(Force::Fail), mia()).unwrap();
    let passed = stage.send(&evaluate(GOOD), mia()).unwrap();
    stage.project().unwrap();
    assert_eq!(code(stage.send(&waive(blocked.result_id, "please"), mia())), "BLOCKER_FAILED");
    assert_eq!(code(stage.send(&waive(passed.result_id, "please"), mia())), "WRONG_STATE");
    assert_eq!(code(stage.send(&waive(nobody, "please"), mia())), "NOT_FOUND");
    assert_eq!(code(stage.send(&waive(failed.result_id, "  "), mia())), "INVALID_FIELD");
    assert_eq!(code(stage.send(&waive(failed.result_id, "please"), client)), "NOT_PERMITTED");
    let void = VoidQcResult { result_id: nobody, subject: None, reason: "gone".to_owned() };
    assert_eq!(stage.send(&void, mia()).unwrap_err().code, "NOT_FOUND");
}

#[test]
fn refusals_read_back_as_they_were_written() {
    use crate::api::refusals::{EvaluateRefused, WaiveRefused};
    use saga_core::command::{Common, Refusal};
    let refused = [EvaluateRefused::SubjectEmpty, Common::Tombstoned.into()];
    for (refused, json) in refused.into_iter().zip([r#"{"code":"SUBJECT_EMPTY"}"#, r#"{"code":"TOMBSTONED"}"#]) {
        assert_eq!(serde_json::to_string(&refused).unwrap(), json);
        assert_eq!(serde_json::from_str::<EvaluateRefused>(json).unwrap().code(), refused.code());
    }
    let json = r#"{"code":"BLOCKER_FAILED","check":"not_empty"}"#;
    let waive: WaiveRefused = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&waive).unwrap(), json);
}

/// Do and undo is as before; undo first makes a tombstone; twice is once.
#[test]
fn an_evaluation_keeps_the_law_of_compensation() {
    let command = forced(Force::Fail);
    let mut stage = stage();
    let earlier = stage.send(&evaluate(GOOD), mia()).unwrap();
    let before = result_now(&stage);
    assert_eq!(before.map(|(id, ..)| id), Some(earlier.result_id));

    let first = stage.ask(&command, saga(1), "qc").unwrap();
    assert_eq!(stage.ask(&command, saga(1), "qc").unwrap(), first);
    assert_eq!(result_now(&stage).map(|(_, status, _)| status), Some(ResultStatus::Failed));
    assert_eq!(stage.undo(&command, saga(1), "qc"), Ok(true));
    assert_eq!(stage.undo(&command, saga(1), "qc"), Ok(true));
    assert_eq!(result_now(&stage), before);
    assert_eq!(stage.ask(&command, saga(1), "qc").unwrap(), first, "the barrier repeats its first answer");
    assert_eq!(stage.names(), ["QcPassed", "QcFailed", "QcResultVoided"]);

    assert_eq!(stage.undo(&command, saga(2), "qc"), Ok(false));
    assert_eq!(stage.ask(&command, saga(2), "qc").unwrap_err().code, "TOMBSTONED");
    assert_eq!(result_now(&stage), before);
    assert_eq!(stage.names().len(), 3);

    let history = stage.query(&History { kind: SubjectKind::Draft, id: Uuid::from_u128(0xd1) }).unwrap();
    let statuses: Vec<_> = history.iter().map(|result| result.status).collect();
    assert_eq!(statuses, [ResultStatus::Passed, ResultStatus::Voided], "a voided result stays in the history");
    assert_eq!(history[1].void_reason.as_deref(), Some("undone"));
}

#[test]
fn an_undone_waiver_leaves_a_result_that_counts_neither_way() {
    let mut stage = stage();
    let failed = stage.send(&forced(Force::Fail), mia()).unwrap();
    let waive = WaiveQc { result_id: failed.result_id, subject: None, reason: "agreed by phone".to_owned() };
    stage.project().unwrap();
    assert_eq!(stage.undo(&waive, saga(1), "waive"), Ok(false));
    assert_eq!(stage.ask(&waive, saga(1), "waive").unwrap_err().code, "TOMBSTONED");
    assert_eq!(stage.ask(&waive, saga(2), "waive").unwrap(), ResultStatus::Waived);
    assert_eq!(stage.ask(&waive, saga(2), "waive").unwrap(), ResultStatus::Waived);
    let shown = stage.query(&ResultOf { subject: subject(SubjectKind::Draft, 0xd1, 1) }).unwrap().unwrap();
    assert_eq!(shown.waiver.unwrap().reason, "agreed by phone");
    assert_eq!(stage.undo(&waive, saga(2), "waive"), Ok(true));
    assert_eq!(result_now(&stage), None);
    assert_eq!(stage.names(), ["QcFailed", "QcWaived", "QcResultVoided"]);
}

#[test]
fn an_undo_waits_for_the_read_model_instead_of_failing() {
    let mut stage = stage();
    let failed = stage.send(&forced(Force::Fail), mia()).unwrap();
    let waive = WaiveQc {
        result_id: failed.result_id,
        subject: Some(subject(SubjectKind::Draft, 0xd1, 1)),
        reason: "fine".to_owned(),
    };
    stage.ask(&waive, saga(1), "waive").unwrap();
    let undo = VoidQcResult { subject: None, ..waive.undo(StepKey::derive(saga(1), "waive", Direction::Do)) };
    let mut undone = || stage.serve(&undo, saga(1), "waive", Direction::Undo, mia());
    assert!(format!("{:?}", undone()).contains("Retry"));
    stage.project().unwrap();
    let served = stage.serve(&undo, saga(1), "waive", Direction::Undo, mia());
    assert!(format!("{served:?}").contains("Done"), "{served:?}");
}

/// Rows: the state a result is in. Columns: what a waiver and a voiding make of it.
#[test]
fn the_status_machine() {
    type Prepare = fn(&mut Stage) -> QcResultId;
    fn made(stage: &mut Stage, asked: EvaluateContent) -> QcResultId {
        let id = stage.send(&asked, mia()).unwrap().result_id;
        stage.project().unwrap();
        id
    }
    let states: [(&str, Prepare, &str); 5] = [
        ("PASSED", |stage| made(stage, forced(Force::Pass)), "WRONG_STATE"),
        (
            "WARNED",
            |stage| made(stage, evaluate("Answers in the tool where the team already works. It takes two weeks.")),
            "WRONG_STATE",
        ),
        ("FAILED", |stage| made(stage, forced(Force::Fail)), "WAIVED"),
        (
            "WAIVED",
            |stage| {
                let id = made(stage, forced(Force::Fail));
                stage.send(&WaiveQc { result_id: id, subject: None, reason: "ok".into() }, mia()).unwrap();
                id
            },
            "WRONG_STATE",
        ),
        (
            "VOIDED",
            |stage| {
                let id = made(stage, forced(Force::Fail));
                stage.send(&VoidQcResult { result_id: id, subject: None, reason: "ok".into() }, mia()).unwrap();
                id
            },
            "WRONG_STATE",
        ),
    ];
    for (state, prepare, waived) in states {
        let mut first = stage();
        let id = prepare(&mut first);
        let history = first.query(&History { kind: SubjectKind::Draft, id: Uuid::from_u128(0xd1) }).unwrap();
        assert_eq!(history[0].status.word(), state);
        let outcome = first.send(&WaiveQc { result_id: id, subject: None, reason: "ok".into() }, mia());
        assert_eq!(outcome.map_or_else(|refused| refused.code, |status| status.word().to_owned()), waived, "{state}");
        let mut second = stage();
        let id = prepare(&mut second);
        second.send(&VoidQcResult { result_id: id, subject: None, reason: "ok".into() }, mia()).unwrap();
        let history = second.query(&History { kind: SubjectKind::Draft, id: Uuid::from_u128(0xd1) }).unwrap();
        assert_eq!(history[0].status, ResultStatus::Voided, "{state}");
        assert_eq!(second.names().iter().filter(|name| *name == "QcResultVoided").count(), 1);
    }
}

#[test]
fn results_become_stale_when_production_moves_on() {
    let mut stage = stage();
    stage.send(&forced(Force::Fail), mia()).unwrap();
    let asset = EvaluateContent { subject: subject(SubjectKind::Asset, 0xa1, 1), ..forced(Force::Fail) };
    stage.send(&asset, mia()).unwrap();
    let failing = |stage: &Stage| stage.query(&Failing::default()).unwrap().len();
    assert_eq!(failing(&stage), 2);
    assert_eq!(stage.query(&Failing { since: Some(STAGE_TIME) }).unwrap().len(), 2);
    let later = STAGE_TIME.plus(std::time::Duration::from_secs(1));
    assert_eq!(stage.query(&Failing { since: Some(later) }).unwrap().len(), 0);

    let draft = DraftId(Uuid::from_u128(0xd1));
    stage.hear("production_draft", draft, &DraftRevised { draft_id: draft, ..DraftRevised::example() }).unwrap();
    assert_eq!(result_now(&stage).map(|(_, _, stale)| stale), Some(true));
    assert_eq!(failing(&stage), 1);
    let asset = AssetId(Uuid::from_u128(0xa1));
    let edit = |version, reverted| CreativeAssetEdited {
        asset_id: asset,
        patch: AssetPatch::default(),
        version,
        content_hash: String::new(),
        revision_id: RevisionId(Uuid::from_u128(7)),
        reverted,
        reason: None,
        media: None,
    };
    stage.hear("production_asset", asset, &edit(2, false)).unwrap();
    assert_eq!(failing(&stage), 0);
    stage.hear("production_asset", asset, &edit(1, true)).unwrap();
    assert_eq!(failing(&stage), 1, "an edit that was taken back makes the old result count again");

    let second = EvaluateContent { subject: subject(SubjectKind::Draft, 0xd1, 2), ..forced(Force::Fail) };
    stage.send(&second, mia()).unwrap();
    assert_eq!(failing(&stage), 2);
    let undone = DraftRevisionReverted { draft_id: draft, revision: 1, ..DraftRevisionReverted::example() };
    stage.hear("production_draft", draft, &undone).unwrap();
    assert_eq!(result_now(&stage).map(|(_, _, stale)| stale), Some(false), "and so does a revision");
    assert_eq!(failing(&stage), 2);
    stage.hear("production_draft", draft, &DraftDiscarded { draft_id: draft, reason: "undone".into() }).unwrap();
    assert_eq!(failing(&stage), 1);
    stage
        .hear("production_asset", asset, &CreativeAssetDiscarded { asset_id: asset, reason: "undone".into() })
        .unwrap();
    assert_eq!(failing(&stage), 0);
}

#[test]
fn old_events_are_read_as_new_ones() {
    let origin = Origin { id: EventId(Uuid::from_u128(1)), recorded_at: STAGE_TIME };
    let (q, d) = (Uuid::from_u128(0x91), Uuid::from_u128(0xd1));
    let v1 = Payload::trusted(format!(r#"{{"result_id":"{q}","draft_id":"{d}","score":"0.85"}}"#));
    let passed = QcPassed::decode(1, &v1, &origin).unwrap();
    let v2 = format!(
        r#"{{"result_id":"{q}","subject":{{"kind":"draft","id":"{d}","version":1}},"score":85,"verdict":"PASS","checks":[],"rules_version":"legacy"}}"#
    );
    assert_eq!(Payload::of(&passed).unwrap().as_str(), v2);
    let v1 = Payload::trusted(format!(r#"{{"result_id":"{q}","draft_id":"{d}","issue_count":2}}"#));
    let failed = QcFailed::decode(1, &v1, &origin).unwrap();
    let issue = r#"{"check":"not recorded","severity":"MAJOR","section":"","reason":"not recorded","fixable":false}"#;
    let v2 = format!(
        r#"{{"result_id":"{q}","subject":{{"kind":"draft","id":"{d}","version":1}},"score":0,"issues":[{issue},{issue}],"rules_version":"legacy"}}"#
    );
    assert_eq!(Payload::of(&failed).unwrap().as_str(), v2);

    for (text, score) in
        [("0", 0), ("1", 100), ("1.00", 100), ("0.845", 85), ("0.844999", 84), ("0.5", 50), ("0.005", 1)]
    {
        let old = QcPassedV1 { score: text.to_owned(), ..QcPassedV1::example() };
        assert_eq!(QcPassed::decode(1, &Payload::of(&old).unwrap(), &origin).unwrap().score, score, "{text}");
    }
    for text in ["", "high", "1.7", "-0.1", "0.8x", "1e3", "."] {
        let old = QcPassedV1 { score: text.to_owned(), ..QcPassedV1::example() };
        let read = QcPassed::decode(1, &Payload::of(&old).unwrap(), &origin);
        assert!(matches!(read, Err(DecodeError::Malformed { .. })), "{text:?}");
    }
}

#[test]
fn the_door_is_what_the_contract_says() {
    let module = crate::module(Needs::default());
    let commands: Vec<_> = module.commands.keys().map(|(name, _)| *name).collect();
    assert_eq!(commands, ["EvaluateContent", "VoidQcResult", "WaiveQc"]);
    let queries: Vec<_> = module.queries.keys().map(|(name, _)| *name).collect();
    assert_eq!(queries, ["Failing", "History", "Result"]);
    assert_eq!((module.name, module.contract), ("qc", "1.0"));
    assert_eq!(<EvaluateContent as Compensable>::Undo::NAME, "VoidQcResult");
    let unknown = r#"{"subject":{"kind":"draft","id":"00000000-0000-0000-0000-000000000001","version":1},"content":"x","language":"en","colour":"red"}"#;
    assert!(serde_json::from_str::<EvaluateContent>(unknown).is_err());
}

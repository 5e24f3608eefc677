//! What clients get, checked file by file: the project's own briefs through the modules with the built-in providers.

use super::address::other_address;
use crate::demo::BRIEFS;
use crate::modules::{Replaced, modules};
use orchestration::api::dtos::{ClientToDelivery, StrategyDecision};
use saga_core::control::OrderKind;
use saga_core::id::{Position, SagaId};
use saga_core::json::Payload;
use saga_core::saga::define;
use saga_core::view::SagaState;
use saga_testkit::laws::saga::Case;
use saga_testkit::stage::ready;
use saga_testkit::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

/// What a saga of one brief comes to: its end, what its modules told, and the files of its package.
pub(super) struct Delivered {
    pub(super) state: SagaState,
    pub(super) reason: String,
    told: BTreeMap<String, Vec<Value>>,
    pub(super) files: BTreeMap<String, Vec<u8>>,
}

fn approve(world: &mut World, saga: SagaId) {
    let note = Some("between us: they haggle".to_owned());
    let decision = StrategyDecision { approved: true, by: Some("dana".to_owned()), note };
    let opening = ready(world.opening(saga, "strategy-approved")).unwrap();
    let data = Payload::of(&decision).unwrap();
    world.order(saga, OrderKind::Signal { gate: "strategy-approved".to_owned(), data, opening });
}

pub(super) async fn delivered(brief: &Value) -> Delivered {
    let data = tempfile::tempdir().unwrap();
    let hosted = modules(data.path(), Replaced::default()).into_iter().filter(|module| module.name != "orchestration");
    let mut world = World::new(vec![define::<ClientToDelivery>()], hosted.collect()).await.unwrap();
    let saga = world.start::<ClientToDelivery>(&serde_json::from_value(brief.clone()).unwrap()).unwrap();
    let mut case = Case { world, saga, answer: approve };
    let state = case.run().await.unwrap();
    let reason = case.world.saga(saga).await.unwrap().row().reason.unwrap_or_default();
    let mut told: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (name, store) in case.world.logs() {
        for recorded in store.read_log(Position::ZERO, usize::MAX).await.unwrap() {
            let event = format!("{name}.{}", recorded.name);
            told.entry(event).or_default().push(serde_json::from_str(recorded.data.as_str()).unwrap());
        }
    }
    let mut files = BTreeMap::new();
    for artifact in
        told.get("delivery.PackageCreated").iter().flat_map(|events| events[0]["artifacts"].as_array()).flatten()
    {
        let path = artifact["url"].as_str().unwrap().strip_prefix("file://").unwrap();
        files.insert(artifact["name"].as_str().unwrap().to_owned(), std::fs::read(path).unwrap());
    }
    Delivered { state, reason, told, files }
}

impl Delivered {
    /// The entries of an archive: names, and texts.
    fn archive(&self, name: &str) -> BTreeMap<String, String> {
        let mut archive = zip::ZipArchive::new(Cursor::new(self.files[name].clone())).unwrap();
        let entries = archive.len();
        let read = |at: usize| {
            let mut entry = archive.by_index(at).unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.name().unwrap().into_owned(), text)
        };
        (0..entries).map(read).collect()
    }
    fn last(&self, event: &str) -> &Value {
        self.told.get(event).and_then(|events| events.last()).unwrap_or(&Value::Null)
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[tokio::test]
async fn every_brief_is_delivered_whole_or_not_at_all() {
    for (key, text) in BRIEFS {
        let brief: Value = serde_json::from_str(text).unwrap();
        let got = delivered(&brief).await;
        assert_eq!(got.state, SagaState::Completed, "{key}: {}", got.reason);
        copy_is_whole(key, &brief, &got);
        pictures_are_there(key, &got);
        document_is_whole(key, &brief, &got);
    }
}

fn copy_is_whole(key: &str, brief: &Value, got: &Delivered) {
    let pack = got.archive("content_pack.zip");
    let form = &brief["brief"];
    let planned = brief["content_plan"].as_array().unwrap();
    let count: u64 = planned.iter().map(|item| item["count"].as_u64().unwrap()).sum();
    let pieces: Vec<_> =
        pack.iter().filter(|(name, _)| !name.contains("manifest") && !name.contains("checklist")).collect();
    assert_eq!(pieces.len() as u64, count + 1, "{key}: a file for each piece, and the draft");
    let internal = [&form["audience"]["primary_customer"], &form["goal"]["primary_goal"]];
    for (name, text) in &pieces {
        for said in internal.iter().filter_map(|value| value.as_str()).chain(["between us"]) {
            assert!(!text.contains(said), "{key} {name} tells customers {said:?}:\n{text}");
        }
        for demanded in texts(&form["constraints"]["must_include"]) {
            assert!(text.contains(demanded), "{key} {name} does not say {demanded:?}:\n{text}");
        }
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or(("", text));
        assert_eq!(head.starts_with("Subject: "), name.contains("-email-"), "{key} {name}");
        assert!(name.ends_with(if head.is_empty() { ".txt" } else { ".eml" }), "{key} {name}");
        assert!(!body.trim().is_empty(), "{key} {name}");
    }
    // What no program can judge is on the list for a person, and quality control says that a person has to look.
    let rules = texts(&form["constraints"]["other"]);
    let own = brief["language"].as_str().unwrap();
    let foreign: Vec<_> = pieces
        .iter()
        .map(|(name, _)| file_of(name))
        .filter(|name| spoken(name).is_some_and(|tag| tag != own))
        .collect();
    let mut listed: Vec<_> = rules.iter().map(|rule| (*rule).to_owned()).collect();
    for (name, demanded) in foreign
        .iter()
        .flat_map(|name| texts(&form["constraints"]["must_include"]).into_iter().map(move |text| (name, text)))
    {
        listed.push(format!("{name}: {demanded} ({own} → {})", spoken(name).unwrap()));
    }
    let checklist = pack["files/checklist.txt"].lines().map(|line| line.strip_prefix("[ ] ").unwrap());
    assert_eq!(checklist.collect::<Vec<_>>(), listed, "{key}");
    let judged = got.last("qc.QcPassed");
    let failed: Vec<_> =
        judged["checks"].as_array().unwrap().iter().filter(|check| check["status"] != "PASS").collect();
    let (score, checks): (u64, &[&str]) =
        if foreign.is_empty() { (90, &["other_constraints"]) } else { (85, &["other_constraints", "one_language"]) };
    assert_eq!((&judged["verdict"], &judged["score"]), (&"WARN".into(), &score.into()), "{key}: {failed:?}");
    assert_eq!(failed.iter().map(|check| &check["check"]).collect::<Vec<_>>(), checks, "{key}: {failed:?}");
    assert!(failed[0]["reason"].as_str().unwrap().contains(rules[0]), "{key}: {failed:?}");
    for (name, text) in &pieces {
        let tag = spoken(&file_of(name)).unwrap_or(own.to_owned());
        assert_eq!(other_address(&tag, text), None, "{key} {name}\n{text}");
    }
}

/// The name of a piece, from the name of its file.
fn file_of(name: &str) -> String {
    name.trim_start_matches("files/").split('.').next().unwrap_or_default().to_owned()
}
/// The language of a piece, from its name.
fn spoken(name: &str) -> Option<String> {
    name.split('-').nth(2).map(str::to_owned)
}

fn pictures_are_there(key: &str, got: &Delivered) {
    let pictures = got.archive("assets_bundle.zip");
    let made = got.told["production.CreativeAssetCreated"].len();
    assert_eq!(pictures.len(), made + 1, "{key}: a picture for each piece, and the manifest");
    for (name, text) in &pictures {
        let here = name == "manifest.json" || (name.starts_with("files/") && name.ends_with(".svg"));
        assert!(here && !text.contains("asset://"), "{key} {name}");
        assert!(name == "manifest.json" || text.ends_with("</svg>\n"), "{key} {name}:\n{text}");
    }
    let manifest: Value = serde_json::from_str(&pictures["manifest.json"]).unwrap();
    for entry in manifest["files"].as_array().unwrap() {
        let text = &pictures[&format!("files/{}", entry["name"].as_str().unwrap())];
        assert_eq!(entry["sha256"], saga_core::envelope::sha256_hex(text.as_bytes()), "{key}");
        assert_eq!(entry["url"], Value::Null, "{key}: nothing stays elsewhere");
    }
}

fn document_is_whole(key: &str, brief: &Value, got: &Delivered) {
    // Western letters are a PDF, all others a page: never a notice in the place of what was written.
    let is_western = ["en", "de", "es"].contains(&brief["language"].as_str().unwrap());
    let name = if is_western { "strategy_doc.pdf" } else { "strategy_doc.html" };
    let document = String::from_utf8_lossy(&got.files[name]);
    let document = document.replace("&amp;", "&").replace("&quot;", "\"");
    let strategy = got.last("strategy.StrategyGenerated");
    let layers = strategy["layers"].as_object().unwrap();
    assert_eq!(layers.len(), 8, "{key}");
    for (layer, text) in layers {
        assert!(document.contains(text.as_str().unwrap().trim_end()), "{key}: the document lacks {layer}");
    }
    for phase in strategy["timeline"]["phases"].as_array().unwrap() {
        assert!(document.contains(&format!(": {}", phase["name"].as_str().unwrap())), "{key}: {phase}");
    }
    assert!(!document.contains("between us"), "{key}");
    // Names of fields are English; headings are in the brief's language.
    let english = brief["language"] == "en";
    assert_eq!(document.contains("How success is measured"), english, "{key}");
    assert!(!document.contains("business_reality"), "{key}");
}

#[tokio::test]
async fn a_language_that_nobody_writes_is_refused_at_the_door_and_never_delivered_in_halves() {
    let definition = define::<ClientToDelivery>();
    let door = |brief: &Value| definition.misfits(&Payload::of(brief).unwrap());
    let brief = |change: &dyn Fn(&mut Value)| {
        let mut brief: Value = serde_json::from_str(BRIEFS[0].1).unwrap();
        change(&mut brief);
        brief
    };
    for tag in ["he", "th", "vi", "sw", "zh-Hant"] {
        for (place, asked) in [
            ("/language", brief(&|brief| brief["language"] = tag.into())),
            ("/content_plan/1/language", brief(&|brief| brief["content_plan"][1]["language"] = tag.into())),
        ] {
            let told: Vec<_> = door(&asked).iter().map(ToString::to_string).collect();
            let wanted = format!("{place} is {tag:?}: expected a language that content is delivered in (en, de, fr");
            assert!(told.len() == 1 && told[0].starts_with(&wanted), "{told:?}");
            // A brief that comes by another way, as in sagas that began before the door knew its languages: nothing is
            // approved.
            let got = delivered(&asked).await;
            assert_eq!((got.state, got.files.len()), (SagaState::Compensated, 0), "{place} {tag}");
            assert!(got.reason.contains("LANGUAGE_UNSUPPORTED"), "{}", got.reason);
            assert!(!got.told.contains_key("strategy.StrategyGenerated"), "no person is asked about it");
        }
    }
    for (tag, planned) in [("pt-BR", "nb-NO"), ("", ""), ("und", "en-GB")] {
        let asked = brief(&|brief| {
            brief["language"] = tag.into();
            brief["content_plan"][0]["language"] = planned.into();
        });
        assert_eq!(door(&asked), [], "{tag} {planned}");
    }
}

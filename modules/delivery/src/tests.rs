//! Through the door only: packages, settings and the shared controls; jobs have a file of their own.

use crate::api::commands::*;
use crate::api::dtos::{ArtifactItem, ArtifactSpec, ExecutionSettings, ItemContent, PackageStatus};
use crate::api::events::{Delivered, ExecutionSet, PackageCreated, PackageWithdrawn};
use crate::api::fakes::Fakes;
use crate::api::providers::*;
use crate::api::queries::*;
use crate::api::refusals::{PackageRefused, PublishRefused};
use events::client_review::{ApprovalRevoked, ClientApproved};
use events::ids::{ClientId, DeliveryPackageId, DraftId, ProjectId};
use saga_core::command::{Common, Compensable, Refusal};
use saga_core::envelope::{Actor, ActorKind, sha256_hex};
use saga_core::id::{Direction, StepKey};
use saga_core::outcome::must_mend;
use saga_testkit::stage::Stage;
use uuid::Uuid;

mod jobs;
mod numbers;
mod upcasts;

fn stage() -> (Stage, Fakes) {
    let fakes = Fakes::default();
    (Stage::new(crate::module(fakes.needs())), fakes)
}
fn mia() -> Actor {
    Actor::operator("mia")
}
fn draft() -> DraftId {
    DraftId(Uuid::from_u128(30))
}
fn client() -> ClientId {
    ClientId(Uuid::from_u128(20))
}
fn spec(name: &str, items: Vec<ArtifactItem>) -> ArtifactSpec {
    ArtifactSpec { name: name.to_owned(), title: "Nordlys".to_owned(), items }
}
fn text(name: &str, text: &str) -> ArtifactItem {
    ArtifactItem { name: name.to_owned(), content: ItemContent::Text { text: text.to_owned() } }
}
fn file(name: &str, sha256: &str) -> ArtifactItem {
    ArtifactItem { name: name.to_owned(), content: ItemContent::File { sha256: sha256.to_owned() } }
}
fn create() -> CreatePackage {
    let content = vec![text("post.md", "Stop losing Fridays"), text("月曜日.md", "月曜日を取り戻す")];
    let assets = vec![ArtifactItem {
        name: "hero.svg".to_owned(),
        content: ItemContent::Link { url: "https://media.example/hero.svg".to_owned(), sha256: Some("ab".repeat(32)) },
    }];
    CreatePackage {
        project_id: ProjectId(Uuid::from_u128(10)),
        client_id: client(),
        draft_id: draft(),
        draft_revision: None,
        requires_client_approval: false,
        artifacts: vec![
            // Not in the order of a package: the module puts them into theirs.
            spec("assets_bundle.zip", assets),
            spec("content_pack.zip", content),
            spec("strategy_doc.pdf", vec![text("Summary", "Own the Monday.")]),
        ],
    }
}
fn shelf(stage: &Stage) -> usize {
    stage.query(&Packages::default()).unwrap().len()
}
fn created(stage: &mut Stage) -> DeliveryPackageId {
    stage.send(&create(), mia()).unwrap().package_id
}

#[test]
fn a_package_has_the_three_artifacts_in_their_order_each_with_its_hash() {
    let (mut stage, fakes) = stage();
    let reply = stage.send(&create(), mia()).unwrap();
    let names: Vec<_> =
        reply.artifacts.iter().map(|artifact| (artifact.position, artifact.name.as_str(), &*artifact.format)).collect();
    let wanted = [(1, "content_pack.zip", "zip"), (2, "strategy_doc.pdf", "pdf"), (3, "assets_bundle.zip", "zip")];
    assert_eq!(names, wanted);
    for artifact in &reply.artifacts {
        let bytes = fakes.files.bytes(&artifact.sha256).unwrap();
        assert_eq!(artifact.sha256, sha256_hex(&bytes), "{}", artifact.name);
    }
    let view = stage.query(&GetPackage { package_id: reply.package_id }).unwrap().unwrap();
    assert_eq!((view.status, view.artifacts, view.draft_id), (PackageStatus::Created, reply.artifacts, draft()));
    let again = stage.send(&create(), mia()).unwrap();
    assert_ne!(again.package_id, reply.package_id);
    assert_eq!(again.artifacts, view_artifacts(&stage, reply.package_id), "the same pieces make the same files");
}

fn view_artifacts(stage: &Stage, package_id: DeliveryPackageId) -> Vec<crate::api::events::Artifact> {
    stage.query(&GetPackage { package_id }).unwrap().unwrap().artifacts
}

#[test]
fn creating_is_undone_once_and_for_all() {
    let (mut stage, _) = stage();
    let (saga, key) = stage.deed("package");
    let first = stage.ask(&create(), saga, "package").unwrap();
    assert_eq!(first.package_id, DeliveryPackageId::from(key));
    assert_eq!(stage.ask(&create(), saga, "package").unwrap(), first, "twice is once");
    assert_eq!(stage.events::<PackageCreated>().len(), 1);
    assert!(stage.undo(&create(), saga, "package").unwrap());
    assert!(stage.undo(&create(), saga, "package").unwrap(), "the first answer again");
    assert_eq!(shelf(&stage), 0);
    assert_eq!(stage.events::<PackageWithdrawn>().len(), 1);
    // Residue: a query still shows the package, as withdrawn.
    let view = stage.query(&GetPackage { package_id: first.package_id }).unwrap().unwrap();
    assert_eq!(view.status, PackageStatus::Withdrawn);
}

#[test]
fn an_undo_that_comes_first_leaves_a_tombstone() {
    let (mut stage, fakes) = stage();
    let (saga, _) = stage.deed("package");
    assert!(!stage.undo(&create(), saga, "package").unwrap());
    assert_eq!(stage.ask(&create(), saga, "package").unwrap_err().code, "TOMBSTONED");
    assert_eq!((shelf(&stage), stage.names().len(), fakes.files.puts().len()), (0, 0, 0));
}

#[test]
fn delivering_is_undone_by_withdrawing() {
    let (mut stage, _) = stage();
    let package_id = created(&mut stage);
    let deliver = DeliverPackage { package_id };
    let (saga, _) = stage.deed("deliver");
    let reply = stage.ask(&deliver, saga, "deliver").unwrap();
    assert_eq!((reply.status, reply.artifact_count), (PackageStatus::Delivered, 3));
    assert_eq!(stage.events::<Delivered>(), [Delivered { package_id, artifact_count: 3 }]);
    assert_eq!(stage.send(&deliver, mia()).unwrap_err().code, "WRONG_STATE");
    assert!(stage.undo(&deliver, saga, "deliver").unwrap());
    assert_eq!(stage.send(&deliver, mia()).unwrap_err().code, "WRONG_STATE");
    assert_eq!(shelf(&stage), 0);
    let again = WithdrawPackage { package_id, reason: "twice".to_owned() };
    stage.send(&again, mia()).unwrap();
    assert_eq!(stage.events::<PackageWithdrawn>().len(), 1, "withdrawing twice is one event");

    let (other, _) = stage.deed("late");
    let package_id = created(&mut stage);
    assert!(!stage.undo(&DeliverPackage { package_id }, other, "late").unwrap());
    assert_eq!(stage.ask(&DeliverPackage { package_id }, other, "late").unwrap_err().code, "TOMBSTONED");
    assert_eq!(shelf(&stage), 1);
}

#[test]
fn without_the_clients_approval_of_this_draft_there_is_no_package() {
    let (mut stage, _) = stage();
    let gated = CreatePackage { requires_client_approval: true, draft_revision: Some(2), ..create() };
    let refused = |stage: &mut Stage, command: &CreatePackage| {
        stage.project().unwrap();
        stage.send(command, mia()).map(|_| ()).map_err(|refused| refused.code)
    };
    let no = Err("NOT_APPROVED".to_owned());
    assert_eq!(refused(&mut stage, &gated), no, "silence is never approval");
    let approved = |package: u128, client_id, draft_id, revision| ClientApproved {
        package_id: events::ids::ReviewPackageId(Uuid::from_u128(package)),
        client_id,
        draft_id,
        revision,
        actor: None,
    };
    let hear = |stage: &mut Stage, event: ClientApproved| {
        stage.hear("client_review_package", event.package_id, &event).unwrap();
    };
    hear(&mut stage, approved(1, client(), None, None));
    hear(&mut stage, approved(2, client(), Some(DraftId(Uuid::from_u128(31))), Some(2)));
    hear(&mut stage, approved(3, ClientId(Uuid::from_u128(21)), Some(draft()), Some(2)));
    hear(&mut stage, approved(4, client(), Some(draft()), Some(1)));
    assert_eq!(refused(&mut stage, &gated), no, "another draft, client or revision is not this one");
    let yes = approved(5, client(), Some(draft()), Some(2));
    hear(&mut stage, yes.clone());
    assert_eq!(refused(&mut stage, &gated), Ok(()));
    let revoked = ApprovalRevoked { package_id: yes.package_id, reason: "the client called".to_owned() };
    stage.hear("client_review_package", yes.package_id, &revoked).unwrap();
    assert_eq!(refused(&mut stage, &gated), no);
}

#[test]
fn what_is_missing_or_impossible_is_named() {
    let (mut stage, fakes) = stage();
    let held = fakes.files.hold(b"<svg/>");
    let without = |name: &str| CreatePackage {
        artifacts: create().artifacts.into_iter().filter(|spec| spec.name != name).collect(),
        ..create()
    };
    let with = |at: usize, items: Vec<ArtifactItem>| {
        let mut command = create();
        command.artifacts[at].items = items;
        command
    };
    let many = (0..257).map(|n| text(&format!("{n}.md"), "x")).collect();
    let mut doubled = create();
    doubled.artifacts.push(spec("content_pack.zip", vec![text("a", "b")]));
    let mut unknown = create();
    unknown.artifacts.push(spec("invoice.pdf", vec![]));
    let gone = "0".repeat(64);
    let link = ArtifactItem { name: "l".to_owned(), content: ItemContent::Link { url: String::new(), sha256: None } };
    let cases = [
        (without("strategy_doc.pdf"), "ARTIFACT_MISSING", "strategy_doc.pdf"),
        (without("assets_bundle.zip"), "ARTIFACT_MISSING", "assets_bundle.zip"),
        (with(1, vec![]), "ARTIFACT_MISSING", "content_pack.zip"),
        (with(0, vec![file("hero.svg", &held), file("gone.svg", &gone)]), "ARTIFACT_MISSING", "gone.svg"),
        (with(1, vec![text("../up.md", "x")]), "INVALID_FIELD", "artifacts[1].items[0].name"),
        (with(1, vec![text("a", "x"), text("a", "y")]), "INVALID_FIELD", "artifacts[1].items[1].name"),
        (with(1, vec![link]), "INVALID_FIELD", "artifacts[1].items[0].name"),
        (with(1, many), "INVALID_FIELD", "artifacts[1].items"),
        (doubled, "INVALID_FIELD", "artifacts[3]"),
        (unknown, "INVALID_FIELD", "artifacts[3]"),
    ];
    for (command, code, what) in cases {
        let refused = stage.send(&command, mia()).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.reason.contains(what)), (code, true), "{refused:?}");
    }
    assert_eq!(stage.names(), Vec::<String>::new());
    stage.send(&with(0, vec![]), mia()).expect("a plan without assets has an empty bundle");
    stage.send(&with(0, vec![file("hero.svg", &held)]), mia()).expect("a file that the store has");
}

#[test]
fn a_picture_that_comes_along_is_a_file_and_a_link_that_leads_nowhere_is_left_out() {
    let (mut stage, fakes) = stage();
    let link = |name: &str, url: &str| {
        let content = ItemContent::Link { url: url.to_owned(), sha256: None };
        ArtifactItem { name: name.to_owned(), content }
    };
    let mut command = create();
    command.artifacts[0].items = vec![
        link("here.svg", "data:image/svg+xml;base64,PHN2Zy8+"),
        link("there.svg", "https://media.example/a.svg"),
        link("nowhere.svg", "asset://7bf32e691eb2.svg"),
    ];
    let reply = stage.send(&command, mia()).unwrap();
    let bytes = fakes.files.bytes(&reply.artifacts[2].sha256).unwrap();
    let packed = String::from_utf8(bytes).unwrap();
    assert_eq!(packed, "zip: Nordlys\n-- here.svg\n<svg/>\n-- there.svg\nhttps://media.example/a.svg -\n");
}

#[test]
fn a_file_store_says_no_later_or_nothing() {
    let (mut stage, fakes) = stage();
    let (saga, _) = stage.deed("package");
    for (weather, said) in [
        (ProviderError::TryLater { after_ms: 5, says: "the disk is slow".to_owned() }, ": the disk is slow"),
        (ProviderError::Mend { says: "Not a directory".to_owned() }, ": Not a directory"),
        (ProviderError::Unknown, ": the outcome is unknown"),
    ] {
        let mend = matches!(weather, ProviderError::Mend { .. });
        fakes.files.fail_next(weather);
        let refused = stage.ask(&create(), saga, "package").unwrap_err();
        assert_eq!((refused.code.as_str(), must_mend(&refused.reason).is_some()), ("RETRY", mend));
        assert!(refused.reason.ends_with(said), "{refused:?}");
    }
    stage.ask(&create(), saga, "package").expect("the same key works when the weather is better");
    fakes.files.fail_next(ProviderError::Rejected { code: "DISK_FULL".to_owned() });
    assert_eq!(stage.send(&create(), mia()).unwrap_err().code, "ARTIFACT_REJECTED");
}

#[test]
fn a_client_who_pays_first_waits_for_the_rule_to_be_lifted() {
    let (mut stage, _) = stage();
    let package_id = created(&mut stage);
    let rule = |payment_required| SetPaymentRule { client_id: client(), payment_required, reason: "terms".to_owned() };
    stage.send(&rule(true), mia()).unwrap();
    assert_eq!(stage.send(&DeliverPackage { package_id }, mia()).unwrap_err().code, "PAYMENT_REQUIRED");
    let import = Actor { kind: ActorKind::Import, id: "legacy".to_owned() };
    assert_eq!(stage.send(&rule(false), import).unwrap_err().code, "NOT_PERMITTED");
    stage.send(&rule(false), mia()).unwrap();
    stage.send(&DeliverPackage { package_id }, mia()).unwrap();
}

#[test]
fn what_never_was_is_not_found() {
    let (mut stage, _) = stage();
    let package_id = DeliveryPackageId(Uuid::from_u128(404));
    assert_eq!(stage.send(&DeliverPackage { package_id }, mia()).unwrap_err().code, "NOT_FOUND");
    let withdraw = WithdrawPackage { package_id, reason: String::new() };
    assert_eq!(stage.send(&withdraw, mia()).unwrap_err().code, "NOT_FOUND");
    assert_eq!(stage.query(&GetPackage { package_id }).unwrap(), None);
}

#[test]
fn the_shelf_is_searched_by_client_draft_and_status() {
    let (mut stage, _) = stage();
    let first = created(&mut stage);
    let other = CreatePackage { client_id: ClientId(Uuid::from_u128(21)), ..create() };
    stage.send(&other, mia()).unwrap();
    stage.send(&DeliverPackage { package_id: first }, mia()).unwrap();
    let found = |query: Packages| stage.query(&query).unwrap().len();
    let all = Packages::default;
    assert_eq!(found(all()), 2);
    assert_eq!(found(Packages { client_id: Some(client()), ..all() }), 1);
    assert_eq!(found(Packages { draft_id: Some(draft()), ..all() }), 2);
    assert_eq!(found(Packages { status: Some(PackageStatus::Delivered), ..all() }), 1);
    assert_eq!(found(Packages { status: Some(PackageStatus::Withdrawn), ..all() }), 0);
}

fn settings(enabled: bool, dry_run: bool, channels: &[&str]) -> SetExecution {
    let channels = channels.iter().map(|&channel| channel.to_owned()).collect();
    SetExecution { enabled, dry_run, channels, reason: "test".to_owned() }
}

#[test]
fn execution_is_off_and_a_rehearsal_until_a_person_says_otherwise() {
    let (mut stage, _) = stage();
    let default = ExecutionSettings { enabled: false, dry_run: true, channels: Vec::new() };
    assert_eq!(stage.query(&Execution {}).unwrap(), default);
    for kind in [ActorKind::Client, ActorKind::System, ActorKind::Import] {
        let actor = Actor { kind, id: "somebody".to_owned() };
        assert_eq!(stage.send(&settings(true, false, &[]), actor).unwrap_err().code, "NOT_PERMITTED");
    }
    assert_eq!(stage.send(&settings(true, true, &["myspace"]), mia()).unwrap_err().code, "INVALID_FIELD");
    let set = stage.send(&settings(true, true, &["twitter", "email", "email"]), mia()).unwrap();
    assert_eq!(set.channels, ["email", "twitter"]);
    assert_eq!(stage.query(&Execution {}).unwrap(), set);
}

#[test]
fn a_change_of_the_settings_is_taken_back_unless_somebody_changed_them_since() {
    let (mut stage, _) = stage();
    let before = stage.send(&settings(true, true, &["email"]), mia()).unwrap();
    let (saga, _) = stage.deed("switch");
    let change = settings(true, false, &["linkedin"]);
    stage.ask(&change, saga, "switch").unwrap();
    stage.ask(&change, saga, "switch").unwrap();
    assert_eq!(stage.events::<ExecutionSet>().len(), 2, "twice is once");
    assert!(stage.undo(&change, saga, "switch").unwrap());
    assert_eq!(stage.query(&Execution {}).unwrap(), before);

    let (saga, _) = stage.deed("overtaken");
    stage.ask(&change, saga, "overtaken").unwrap();
    let latest = stage.send(&settings(false, true, &[]), mia()).unwrap();
    assert!(stage.undo(&change, saga, "overtaken").unwrap());
    assert_eq!(stage.query(&Execution {}).unwrap(), latest, "a saga takes back only what is its own");

    let (saga, _) = stage.deed("tombstone");
    assert!(!stage.undo(&change, saga, "tombstone").unwrap());
    assert_eq!(stage.ask(&change, saga, "tombstone").unwrap_err().code, "TOMBSTONED");
    assert_eq!(stage.query(&Execution {}).unwrap(), latest);
}

#[test]
fn refusals_keep_their_codes_on_the_wire() {
    let json = |value: &PublishRefused| serde_json::to_string(value).unwrap();
    let gate = PublishRefused::Gate { check: "execution".to_owned() };
    let wrong = PublishRefused::Common(Common::WrongState { state: "PUBLISHING".to_owned() });
    assert_eq!(json(&gate), r#"{"code":"GATE","check":"execution"}"#);
    assert_eq!(json(&wrong), r#"{"code":"WRONG_STATE","state":"PUBLISHING"}"#);
    for refused in [gate, wrong, PublishRefused::ExecutionOff] {
        assert_eq!(serde_json::from_str::<PublishRefused>(&json(&refused)).unwrap(), refused);
        assert!(json(&refused).contains(refused.code()));
    }
    let missing = PackageRefused::ArtifactMissing { names: vec!["a".to_owned()] };
    assert_eq!(serde_json::to_string(&missing).unwrap(), r#"{"code":"ARTIFACT_MISSING","names":["a"]}"#);
}

#[test]
fn an_undo_is_built_from_the_command_and_its_key_alone() {
    let key = StepKey::derive(Uuid::from_u128(1), "package", Direction::Do);
    assert_eq!(create().undo(key).package_id, DeliveryPackageId::from(key));
    assert_eq!(crate::api::CONTRACT, "1.0");
}

//! The stage of a project, as it follows from the events of all modules and from the facts of its sagas.

use super::{CLIENT, COMPLETE, answers, captured, mia, saga, stage};
use crate::api::commands::{CancelBrief, CreateProject, NormalizeBrief, ValidateBrief};
use crate::api::dtos::{CapturedIntake, ProjectStage};
use crate::api::queries::{GetBrief, GetProject};
use events::client_review::{ApprovalRevoked, ClientApproved};
use events::delivery::{Delivered, PackageCreated, PackageWithdrawn};
use events::ids::{AssetId, BriefId, BundleId, DeliveryPackageId, DraftId, QcResultId, ReviewPackageId, StrategyId};
use events::orchestration::{SagaCancelled, SagaCompensated, SagaPaused, SagaResumed, StepSkipped, StepSucceeded};
use events::production::{
    BundleAssembled, BundleDiscarded, CreativeAssetArchived, CreativeAssetCreated, CreativeAssetDiscarded,
    DraftDiscarded, DraftReady,
};
use events::qc::{QcFailed, QcPassed, QcResultVoided, Subject, SubjectKind};
use events::strategy::{
    StrategyApprovalRevoked, StrategyApproved, StrategyDiscarded, StrategyGenerated, StrategyRejected,
    StrategySuperseded,
};
use saga_core::envelope::Actor;
use saga_core::event::Event;
use saga_core::fact::{By, SAGA_CATEGORY};
use saga_core::json::Payload;
use saga_testkit::stage::Stage;
use uuid::Uuid;

const FIRST: StrategyId = StrategyId(Uuid::from_u128(1));
const SECOND: StrategyId = StrategyId(Uuid::from_u128(2));
const DRAFT: DraftId = DraftId(Uuid::from_u128(3));
const ASSET: AssetId = AssetId(Uuid::from_u128(4));
const BUNDLE: BundleId = BundleId(Uuid::from_u128(5));
const PACKAGE: DeliveryPackageId = DeliveryPackageId(Uuid::from_u128(6));
const REVIEW: ReviewPackageId = ReviewPackageId(Uuid::from_u128(7));

fn shown(stage: &Stage, brief_id: BriefId) -> ProjectStage {
    stage.query(&GetBrief { brief_id }).unwrap().stage
}
fn verdict(number: u128) -> QcResultId {
    QcResultId(Uuid::from_u128(0x9c00 + number))
}
fn judged(kind: SubjectKind, id: Uuid) -> Subject {
    Subject { kind, id, version: 1 }
}
/// A brief that is ready for its strategy.
fn validated(stage: &mut Stage) -> CapturedIntake {
    let intake = captured(stage, answers(COMPLETE));
    let brief_id = intake.brief_id;
    stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap();
    stage.send(&ValidateBrief { brief_id }, mia()).unwrap();
    intake
}

#[test]
fn the_stage_of_a_project_follows_from_the_events_of_others() {
    let mut stage = stage();
    let brief_id = captured(&mut stage, answers(COMPLETE)).brief_id;
    let project = CreateProject { client_id: CLIENT, brief_id: Some(brief_id) };
    let project_id = stage.send(&project, mia()).unwrap().project_id;
    let shown = |stage: &Stage| {
        let card = shown(stage, brief_id);
        assert_eq!(stage.query(&GetProject { project_id }).unwrap().stage, card);
        card
    };
    assert_eq!(shown(&stage), ProjectStage::Intake);
    stage.send(&NormalizeBrief { brief_id, notes: None }, mia()).unwrap();
    stage.send(&ValidateBrief { brief_id }, mia()).unwrap();
    assert_eq!(shown(&stage), ProjectStage::Strategy);
    for (strategy_id, version) in [(FIRST, 1), (SECOND, 2)] {
        let generated = StrategyGenerated { strategy_id, brief_id, version, ..StrategyGenerated::example() };
        stage.hear("strategy_document", brief_id, &generated).unwrap();
    }
    assert_eq!(shown(&stage), ProjectStage::Strategy);
    let approved = |strategy_id| StrategyApproved { strategy_id, brief_id, ..StrategyApproved::example() };
    stage.hear("strategy_document", brief_id, &approved(FIRST)).unwrap();
    assert_eq!(shown(&stage), ProjectStage::StrategyApproved);
    stage.hear("strategy_document", brief_id, &StrategySuperseded { strategy_id: FIRST, by: SECOND }).unwrap();
    assert_eq!(shown(&stage), ProjectStage::Strategy);
    stage.hear("strategy_document", brief_id, &approved(SECOND)).unwrap();
    assert_eq!(shown(&stage), ProjectStage::StrategyApproved);
    let (reason, actor) = (String::new(), Actor::saga(saga(1)));
    let revoked = StrategyApprovalRevoked { strategy_id: SECOND, reason: reason.clone(), actor: actor.clone() };
    stage.hear("strategy_document", brief_id, &revoked).unwrap();
    stage
        .hear("strategy_document", brief_id, &StrategyRejected { strategy_id: FIRST, reason: reason.clone(), actor })
        .unwrap();
    assert_eq!(shown(&stage), ProjectStage::Strategy);
    stage.hear("strategy_document", brief_id, &StrategyDiscarded { strategy_id: SECOND, reason }).unwrap();
    stage.send(&CancelBrief { brief_id }, mia()).unwrap();
    assert_eq!(shown(&stage), ProjectStage::Cancelled);
}

/// A stage that hears one event after the other and says after each where the brief stands.
struct Heard {
    stage: Stage,
    brief_id: BriefId,
}

impl Heard {
    fn new() -> Self {
        let mut stage = stage();
        let brief_id = validated(&mut stage).brief_id;
        Self { stage, brief_id }
    }
    fn hears<E: Event>(&mut self, category: &str, id: impl std::fmt::Display, event: &E) -> ProjectStage {
        self.stage.hear(category, id, event).unwrap();
        shown(&self.stage, self.brief_id)
    }
    fn strategy(&mut self) -> ProjectStage {
        let brief_id = self.brief_id;
        let generated = StrategyGenerated { strategy_id: FIRST, brief_id, ..StrategyGenerated::example() };
        self.hears("strategy_document", brief_id, &generated);
        let approved = StrategyApproved { strategy_id: FIRST, brief_id, ..StrategyApproved::example() };
        self.hears("strategy_document", brief_id, &approved)
    }
    fn draft(&mut self) -> ProjectStage {
        let ready = DraftReady { draft_id: DRAFT, strategy_id: Some(FIRST), ..DraftReady::example() };
        self.hears("production_draft", DRAFT, &ready)
    }
    fn asset(&mut self) -> ProjectStage {
        let created =
            CreativeAssetCreated { asset_id: ASSET, draft_id: Some(DRAFT), ..CreativeAssetCreated::example() };
        self.hears("production_asset", ASSET, &created)
    }
    fn passed(&mut self, number: u128, subject: Subject) -> ProjectStage {
        let passed = QcPassed { result_id: verdict(number), subject, ..QcPassed::example() };
        self.hears("qc_result", subject.id, &passed)
    }
    fn voided(&mut self, number: u128, subject: Subject) -> ProjectStage {
        let voided = QcResultVoided { result_id: verdict(number), subject, reason: String::new() };
        self.hears("qc_result", subject.id, &voided)
    }
    fn packed(&mut self) -> ProjectStage {
        let created = PackageCreated { package_id: PACKAGE, draft_id: DRAFT, ..PackageCreated::example() };
        self.hears("delivery_package", PACKAGE, &created)
    }
    fn fact<E: Event>(&mut self, number: u128, fact: &E) -> ProjectStage {
        self.hears(SAGA_CATEGORY, saga(number), fact)
    }
    /// The saga is told that the brief was captured for it.
    fn captured_by(&mut self, number: u128) -> ProjectStage {
        let output = output(self.brief_id);
        self.fact(number, &StepSucceeded { step: "take-the-form".parse().unwrap(), output })
    }
}

fn output(brief_id: BriefId) -> Payload {
    let intake_id = crate::api::events::intake_of(brief_id);
    Payload::of(&CapturedIntake { intake_id, brief_id, version: 1 }).unwrap()
}
fn by() -> By {
    By { actor: mia(), reason: None, request: None }
}
fn cancelled() -> SagaCancelled {
    SagaCancelled { abandoned: false, by: Some(by()) }
}

#[test]
fn a_run_goes_forward_to_delivered_and_falls_back_when_it_is_undone() {
    use ProjectStage::{Creative, Delivered as Done, Delivery, Qc, Review, StrategyApproved as Approved};
    let mut heard = Heard::new();
    let reason = String::new;
    let draft = judged(SubjectKind::Draft, DRAFT.0);
    assert_eq!(heard.strategy(), Approved);
    assert_eq!(heard.draft(), Creative);
    assert_eq!(heard.asset(), Creative);
    let assembled = BundleAssembled { bundle_id: BUNDLE, draft_id: DRAFT, asset_ids: vec![ASSET] };
    assert_eq!(heard.hears("production_bundle", BUNDLE, &assembled), Creative);
    let failed = QcFailed { result_id: verdict(1), subject: draft, ..QcFailed::example() };
    assert_eq!(heard.hears("qc_result", DRAFT, &failed), Qc);
    assert_eq!(heard.passed(2, draft), Qc);
    let approved = ClientApproved { package_id: REVIEW, draft_id: Some(DRAFT), ..ClientApproved::example() };
    assert_eq!(heard.hears("client_review_package", REVIEW, &approved), Review);
    assert_eq!(heard.packed(), Delivery);
    assert_eq!(heard.hears("delivery_package", PACKAGE, &Delivered { package_id: PACKAGE, artifact_count: 3 }), Done);

    let withdrawn = PackageWithdrawn { package_id: PACKAGE, reason: reason() };
    assert_eq!(heard.hears("delivery_package", PACKAGE, &withdrawn), Review);
    let revoked = ApprovalRevoked { package_id: REVIEW, reason: reason() };
    assert_eq!(heard.hears("client_review_package", REVIEW, &revoked), Qc);
    assert_eq!(heard.voided(2, draft), Qc, "the failed judgement is still there");
    assert_eq!(heard.voided(1, draft), Creative);
    let gone = BundleDiscarded { bundle_id: BUNDLE, reason: reason() };
    assert_eq!(heard.hears("production_bundle", BUNDLE, &gone), Creative);
    let gone = CreativeAssetDiscarded { asset_id: ASSET, reason: reason() };
    assert_eq!(heard.hears("production_asset", ASSET, &gone), Creative);
    assert_eq!(heard.hears("production_draft", DRAFT, &DraftDiscarded { draft_id: DRAFT, reason: reason() }), Approved);
}

#[test]
fn what_hangs_on_a_dropped_thing_counts_no_longer() {
    let mut heard = Heard::new();
    heard.strategy();
    heard.draft();
    heard.asset();
    assert_eq!(heard.passed(1, judged(SubjectKind::Asset, ASSET.0)), ProjectStage::Qc);
    let archived = CreativeAssetArchived { asset_id: ASSET, reason: String::new() };
    assert_eq!(heard.hears("production_asset", ASSET, &archived), ProjectStage::Creative);
    let discarded = DraftDiscarded { draft_id: DRAFT, reason: String::new() };
    assert_eq!(heard.hears("production_draft", DRAFT, &discarded), ProjectStage::StrategyApproved);
    assert_eq!(heard.passed(2, judged(SubjectKind::Strategy, FIRST.0)), ProjectStage::StrategyApproved);
}

#[test]
fn the_order_in_which_modules_are_heard_does_not_matter() {
    let mut heard = Heard::new();
    assert_eq!(heard.packed(), ProjectStage::Strategy, "nobody knows yet whose draft it is");
    assert_eq!(heard.passed(1, judged(SubjectKind::Asset, ASSET.0)), ProjectStage::Strategy);
    assert_eq!(heard.asset(), ProjectStage::Strategy);
    assert_eq!(heard.draft(), ProjectStage::Strategy);
    assert_eq!(heard.strategy(), ProjectStage::Delivery);
}

#[test]
fn a_paused_saga_holds_its_project_and_a_resumed_one_lets_it_go() {
    let mut heard = Heard::new();
    assert_eq!(heard.captured_by(1), ProjectStage::Strategy);
    heard.strategy();
    assert_eq!(heard.fact(2, &SagaPaused { by: by() }), ProjectStage::StrategyApproved, "a saga of somebody else");
    assert_eq!(heard.fact(1, &SagaPaused { by: by() }), ProjectStage::OnHold);
    assert_eq!(heard.draft(), ProjectStage::OnHold);
    assert_eq!(heard.fact(1, &SagaResumed { by: by() }), ProjectStage::Creative);
}

#[test]
fn a_saga_that_is_paused_while_the_form_is_captured_holds_its_project() {
    let mut heard = Heard::new();
    heard.fact(1, &SagaPaused { by: by() });
    assert_eq!(heard.captured_by(1), ProjectStage::OnHold);
    assert_eq!(heard.fact(1, &SagaResumed { by: by() }), ProjectStage::Strategy);
}

#[test]
fn a_project_is_cancelled_when_every_saga_of_it_is_taken_back() {
    let mut heard = Heard::new();
    heard.captured_by(1);
    let output = output(heard.brief_id);
    heard.fact(2, &StepSkipped { step: "capture-intake".parse().unwrap(), output, by: by() });
    assert_eq!(heard.fact(1, &SagaCompensated {}), ProjectStage::Strategy, "the second one still works on it");
    heard.fact(2, &SagaPaused { by: by() });
    assert_eq!(heard.fact(2, &cancelled()), ProjectStage::Cancelled);
    assert_eq!(heard.fact(3, &cancelled()), ProjectStage::Cancelled, "it never worked on this");
}

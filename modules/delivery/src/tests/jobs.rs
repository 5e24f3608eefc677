//! Publish jobs through the door: switches, gates, the platform's moods, and lists; taking back has a file of its own.

use super::{created, mia, settings, stage};
use crate::api::commands::*;
use crate::api::dtos::{JobStatus, JobView};
use crate::api::events::*;
use crate::api::fakes::{Call, Fakes};
use crate::api::queries::*;
use events::ids::{AssetId, CampaignId, PublishJobId};
use events::production::{CreativeAssetApprovalRevoked, CreativeAssetApproved};
use saga_core::bus::Delivered;
use saga_core::envelope::{Actor, ActorKind};
use saga_core::{id::Direction, outcome::Answer, time::Timestamp};
use saga_testkit::stage::{Served, Stage};
use std::time::Duration;
use uuid::Uuid;

mod back;

const CHANNELS: [&str; 4] = ["linkedin", "twitter", "instagram-story", "email"];

fn campaign() -> CampaignId {
    CampaignId(Uuid::from_u128(50))
}
fn post(platform: &str, text: &str) -> QueuePublish {
    QueuePublish {
        asset_id: Some(asset()),
        package_id: None,
        campaign_id: Some(campaign()),
        job_type: if platform == "email" { JobType::Email } else { JobType::SocialPost },
        destination: Destination { platform: platform.to_owned(), account: "nordlys".to_owned() },
        payload: PublishContent { text: text.to_owned(), title: None, media_urls: Vec::new() },
        not_before: None,
        hold: None,
    }
}
/// Everything on, for real.
fn live() -> (Stage, Fakes) {
    let (mut stage, fakes) = stage();
    stage.send(&settings(true, false, &CHANNELS), mia()).unwrap();
    approve(&mut stage);
    (stage, fakes)
}
fn asset() -> AssetId {
    AssetId(Uuid::from_u128(40))
}
fn approve(stage: &mut Stage) {
    approve_unheard(stage);
    stage.project().unwrap();
}
/// It is approved, but delivery has not heard of it.
fn approve_unheard(stage: &mut Stage) {
    let actor = mia();
    let approval_id = events::production::ApprovalId(Uuid::from_u128(41));
    let event = CreativeAssetApproved { asset_id: asset(), actor, qc_result_id: None, note: None, approval_id };
    stage.hear("production_asset", asset(), &event).unwrap();
}
fn queued(stage: &mut Stage, platform: &str, text: &str) -> PublishJobId {
    stage.send(&post(platform, text), mia()).unwrap().job_id
}
fn view(stage: &Stage, job_id: PublishJobId) -> JobView {
    stage.query(&GetJob { job_id }).unwrap().unwrap()
}
fn pass(stage: &Stage, seconds: u64) {
    let now = saga_core::ports::Clock::now(&*stage.clock);
    stage.clock.move_to(now.plus(Duration::from_secs(seconds)));
}
fn executed(stage: &mut Stage, job_id: PublishJobId) -> crate::api::dtos::ExecuteReply {
    stage.send(&ExecutePublish { job_id }, mia()).unwrap()
}
fn code<T: std::fmt::Debug>(result: Result<T, saga_core::outcome::Refused>) -> String {
    result.unwrap_err().code
}

#[test]
fn nothing_enters_the_queue_while_execution_or_the_channel_is_off() {
    let (mut stage, _) = stage();
    assert_eq!(code(stage.send(&post("linkedin", "a"), mia())), "EXECUTION_OFF");
    stage.send(&settings(true, true, &["email"]), mia()).unwrap();
    assert_eq!(code(stage.send(&post("linkedin", "a"), mia())), "CHANNEL_OFF");
    stage.send(&settings(true, true, &["linkedin"]), mia()).unwrap();
    stage.send(&post("linkedin", "a"), mia()).unwrap();
}

#[test]
fn what_cannot_be_published_is_refused_by_field() {
    let (mut stage, _) = live();
    let ok = || post("linkedin", "a");
    let mut nobody = ok();
    nobody.destination.account = String::new();
    let mut medium = ok();
    medium.payload.media_urls = vec![String::new()];
    let cases = [
        (post("myspace", "a"), "destination.platform"),
        (QueuePublish { job_type: JobType::Email, ..ok() }, "job_type"),
        (QueuePublish { job_type: JobType::SocialPost, ..post("email", "a") }, "job_type"),
        (nobody, "destination.account"),
        (post("linkedin", " "), "payload"),
        (medium, "payload.media_urls"),
    ];
    for (command, field) in cases {
        let refused = stage.send(&command, mia()).unwrap_err();
        assert_eq!(refused.code, "INVALID_FIELD");
        assert!(refused.reason.starts_with(field), "{}", refused.reason);
    }
}

#[test]
fn a_post_goes_out_once_and_says_where() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "Stop losing Fridays");
    let (saga, _) = stage.deed("publish");
    let command = ExecutePublish { job_id };
    let reply = stage.ask(&command, saga, "publish").unwrap();
    assert_eq!((reply.outcome, reply.tries, reply.dry_run), (JobStatus::Published, 1, false));
    assert_eq!(stage.ask(&command, saga, "publish").unwrap(), reply, "twice is once");
    assert_eq!(code(stage.send(&command, mia())), "WRONG_STATE");
    assert_eq!((fakes.publisher.posts(), fakes.publisher.calls().len(), fakes.rehearsal.posts()), (1, 1, 0));
    let completed = &stage.events::<PublishCompleted>()[0];
    assert_eq!((completed.asset_id, &completed.publications), (Some(asset()), &reply.publications));
    assert_eq!(view(&stage, job_id).publications, reply.publications);
}

#[test]
fn a_dry_run_posts_nothing_and_is_marked() {
    let (mut stage, fakes) = stage();
    approve(&mut stage);
    stage.send(&settings(true, true, &CHANNELS), mia()).unwrap();
    let job_id = queued(&mut stage, "linkedin", "a");
    let reply = executed(&mut stage, job_id);
    assert!(reply.dry_run);
    assert_eq!((fakes.publisher.calls().len(), fakes.rehearsal.posts()), (0, 1));
    // Taking it back goes to where it went, although the dry run has ended since.
    stage.send(&settings(true, false, &CHANNELS), mia()).unwrap();
    stage.send(&RetractPublish { job_id, reason: "rehearsed".to_owned() }, mia()).unwrap();
    assert_eq!((fakes.publisher.calls().len(), fakes.rehearsal.posts()), (0, 0));
    // The owner of the asset hears nothing of it: the asset was never out.
    assert_eq!(stage.events::<PublishCompleted>()[0].asset_id, None);
    assert_eq!(stage.events::<PublishRetracted>()[0].asset_id, None);
}

#[test]
fn a_second_attempt_of_a_deed_asks_before_it_posts() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "a");
    let command = ExecutePublish { job_id };
    let (saga, key) = stage.deed("publish");
    let payload = saga_core::json::Payload::of(&command).unwrap();
    let mut delivered = Delivered::direct("ExecutePublish", 1, payload, saga, Actor::saga(saga));
    delivered.deed.attempt = 2;
    let served = stage.serve_delivered(&delivered);
    assert!(matches!(served, Served::Answered(Answer::Done { .. })), "{served:?} {key}");
    assert!(matches!(fakes.publisher.calls()[..], [Call::Status { .. }, Call::Post { .. }]));
}

#[test]
fn a_slot_that_has_not_come_is_weather() {
    let (mut stage, fakes) = live();
    let slot = Timestamp::parse("2025-12-13T13:00:00Z").unwrap();
    let (saga, _) = stage.deed("publish");
    let command = QueuePublish { not_before: Some(slot), ..post("linkedin", "a") };
    let job_id = stage.send(&command, mia()).unwrap().job_id;
    let execute = ExecutePublish { job_id };
    let served = stage.serve(&execute, saga, "publish", Direction::Do, Actor::saga(saga));
    assert!(matches!(served, Served::Answered(Answer::Retry { after_ms: 3_600_000, .. })), "{served:?}");
    assert_eq!(fakes.publisher.calls(), []);
    pass(&stage, 3_600);
    assert_eq!(stage.ask(&execute, saga, "publish").unwrap().outcome, JobStatus::Published);
}

#[test]
fn the_gate_is_asked_again_when_the_job_is_executed() {
    let (mut stage, fakes) = live();
    let package_id = created(&mut stage);
    let command = QueuePublish { package_id: Some(package_id), ..post("linkedin", "a") };
    let job_id = stage.send(&command, mia()).unwrap().job_id;
    let execute = ExecutePublish { job_id };
    for (enabled, channels, check) in [(false, &CHANNELS[..], "execution"), (true, &["email"][..], "channel")] {
        stage.send(&settings(enabled, false, channels), mia()).unwrap();
        let refused = stage.send(&execute, mia()).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.reason.contains(check)), ("GATE", true), "{}", refused.reason);
    }
    stage.send(&settings(true, false, &CHANNELS), mia()).unwrap();
    stage.send(&WithdrawPackage { package_id, reason: "wrong".to_owned() }, mia()).unwrap();
    assert_eq!(code(stage.send(&execute, mia())), "GATE");
    assert_eq!(code(stage.send(&command, mia())), "WRONG_STATE");
    let nowhere =
        QueuePublish { package_id: Some(events::ids::DeliveryPackageId(Uuid::from_u128(9))), ..post("linkedin", "a") };
    assert_eq!(code(stage.send(&nowhere, mia())), "NOT_FOUND");
    assert_eq!((fakes.publisher.calls().len(), view(&stage, job_id).status), (0, JobStatus::Queued));
}

#[test]
fn an_asset_is_published_only_while_it_is_approved() {
    let (mut stage, fakes) = stage();
    stage.send(&settings(true, false, &CHANNELS), mia()).unwrap();
    let job_id = queued(&mut stage, "linkedin", "a");
    let execute = ExecutePublish { job_id };
    let (saga, _) = stage.deed("publish");
    assert_eq!(code(stage.send(&execute, mia())), "GATE", "silence is never approval");
    approve_unheard(&mut stage);
    assert_eq!(code(stage.ask(&execute, saga, "publish")), "RETRY", "the news is on its way");
    assert_eq!(code(stage.send(&execute, mia())), "RETRY", "to a person too");
    stage.project().unwrap();
    let revoked = CreativeAssetApprovalRevoked { asset_id: asset(), reason: "the claim is wrong".to_owned() };
    stage.hear("production_asset", asset(), &revoked).unwrap();
    stage.project().unwrap();
    let (other, _) = stage.deed("publish");
    assert_eq!(code(stage.ask(&execute, other, "publish")), "GATE");
    assert_eq!(fakes.publisher.calls(), []);
    approve(&mut stage);
    assert_eq!(stage.ask(&execute, saga, "publish").unwrap().outcome, JobStatus::Published);
    let no_asset = QueuePublish { asset_id: None, ..post("linkedin", "b") };
    let job_id = stage.send(&no_asset, mia()).unwrap().job_id;
    assert_eq!(executed(&mut stage, job_id).outcome, JobStatus::Published);
}

#[test]
fn a_flaky_platform_is_tried_three_times_and_posts_once() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "flaky");
    let mut seen = Vec::new();
    for pause in [60, 300, 0] {
        let reply = executed(&mut stage, job_id);
        seen.push((reply.outcome, reply.tries));
        pass(&stage, pause);
    }
    assert_eq!(seen, [(JobStatus::Queued, 1), (JobStatus::Queued, 2), (JobStatus::Published, 3)]);
    assert_eq!(fakes.publisher.posts(), 1);
    let keys: Vec<_> = fakes.publisher.calls();
    assert!(keys.iter().all(|call| *call == keys[0]), "one job, one key: {keys:?}");
}

#[test]
fn a_rejected_post_fails_until_a_person_sends_it_again() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "banned");
    let reply = executed(&mut stage, job_id);
    assert_eq!((reply.outcome, reply.code.as_deref()), (JobStatus::Failed, Some("CONTENT_POLICY")));
    assert_eq!(stage.events::<PublishFailed>()[0].class, FailureClass::Permanent);
    let retry = RetryPublish { job_id, reason: "the policy changed".to_owned() };
    assert_eq!(code(stage.send(&retry, Actor::system("timer"))), "NOT_PERMITTED");
    assert_eq!(stage.send(&retry, mia()).unwrap().status, JobStatus::Queued);
    assert_eq!(code(stage.send(&retry, mia())), "WRONG_STATE");
    executed(&mut stage, job_id);
    let keys = fakes.publisher.calls();
    assert_ne!(keys[0], keys[1], "a platform that remembers its no must not answer from memory");
}

#[test]
fn a_post_without_an_answer_is_asked_about_and_never_posted_again() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "vanish");
    assert_eq!(executed(&mut stage, job_id).outcome, JobStatus::OutcomeUnknown);
    assert_eq!(stage.query(&Unresolved {}).unwrap().len(), 1);
    assert_eq!(code(stage.send(&ExecutePublish { job_id }, mia())), "RETRY");
    pass(&stage, 30);
    assert_eq!(executed(&mut stage, job_id).outcome, JobStatus::Published);
    assert_eq!(fakes.publisher.posts(), 1);
    assert!(matches!(fakes.publisher.calls()[..], [Call::Post { .. }, Call::Status { .. }]));
    assert_eq!(stage.query(&Unresolved {}).unwrap(), []);
}

#[test]
fn a_post_unknown_to_the_end_waits_for_a_person() {
    let outcomes = [
        (ResolvedOutcome::Published, JobStatus::Published),
        (ResolvedOutcome::Failed, JobStatus::Failed),
        (ResolvedOutcome::Queued, JobStatus::Queued),
    ];
    for (outcome, status) in outcomes {
        let (mut stage, fakes) = live();
        let job_id = queued(&mut stage, "linkedin", "lost");
        for pause in [30, 120, 600, 0, 0] {
            assert_eq!(executed(&mut stage, job_id).outcome, JobStatus::OutcomeUnknown);
            pass(&stage, pause);
        }
        let posts = fakes.publisher.calls().iter().filter(|call| matches!(call, Call::Post { .. })).count();
        assert_eq!((posts, fakes.publisher.calls().len()), (1, 4), "posted once, asked three times, then left alone");
        let task = view(&stage, job_id).manual_task;
        assert!(task.is_some());
        let publications =
            if outcome == ResolvedOutcome::Published { vec![Publication::example()] } else { Vec::new() };
        let resolve = ResolvePublish { job_id, outcome, evidence: "seen".to_owned(), publications };
        let no_evidence = ResolvePublish { evidence: " ".to_owned(), ..resolve.clone() };
        let flipped = if resolve.publications.is_empty() { vec![Publication::example()] } else { Vec::new() };
        let contradiction = ResolvePublish { publications: flipped, ..resolve.clone() };
        assert_eq!(code(stage.send(&no_evidence, mia())), "INVALID_FIELD");
        assert_eq!(code(stage.send(&contradiction, mia())), "INVALID_FIELD");
        assert_eq!(code(stage.send(&resolve, Actor::system("timer"))), "NOT_PERMITTED");
        assert_eq!(stage.send(&resolve, mia()).unwrap().status, status);
        assert_eq!((view(&stage, job_id).status, view(&stage, job_id).manual_task), (status, None));
        assert_eq!(code(stage.send(&resolve, mia())), "WRONG_STATE");
    }
}

#[test]
fn an_import_holds_jobs_and_publishes_nothing() {
    let (mut stage, fakes) = stage();
    let import = Actor { kind: ActorKind::Import, id: "legacy".to_owned() };
    let reply = stage.send(&post("linkedin", "a"), import.clone()).unwrap();
    assert_eq!(reply.status, JobStatus::Held);
    let (job_id, reason) = (reply.job_id, "checked".to_owned());
    assert_eq!(code(stage.send(&ExecutePublish { job_id }, import)), "NOT_PERMITTED");
    assert_eq!(code(stage.send(&ExecutePublish { job_id }, mia())), "WRONG_STATE");
    let release = ReleasePublish { job_id, reason };
    assert_eq!(code(stage.send(&release, mia())), "EXECUTION_OFF");
    stage.send(&settings(true, true, &CHANNELS), mia()).unwrap();
    assert_eq!(code(stage.send(&release, Actor::system("timer"))), "NOT_PERMITTED");
    assert_eq!(stage.send(&release, mia()).unwrap().status, JobStatus::Queued);
    assert_eq!(code(stage.send(&release, mia())), "WRONG_STATE");
    let held = QueuePublish { hold: Some("the client wants to see it".to_owned()), ..post("twitter", "b") };
    assert_eq!(stage.send(&held, mia()).unwrap().status, JobStatus::Held);
    assert_eq!(stage.events::<PublishHeld>().len(), 2);
    assert_eq!(fakes.publisher.calls(), []);
}

#[test]
fn a_long_text_is_kept_beside_the_log_and_posted_whole() {
    let (mut stage, fakes) = live();
    let long = "月曜日".repeat(10_000) + "flaky";
    let job_id = queued(&mut stage, "linkedin", &long);
    assert!(matches!(view(&stage, job_id).payload.text, events::values::Text::Ref { .. }));
    // The fake reads the last word: had only the head been posted, it would not be busy.
    assert_eq!(executed(&mut stage, job_id).outcome, JobStatus::Queued);
    assert_eq!(fakes.publisher.posts(), 0);
}

#[test]
fn jobs_are_listed_by_campaign_status_and_time_page_by_page() {
    let (mut stage, _) = live();
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(queued(&mut stage, "linkedin", &format!("post {n}")));
        pass(&stage, 60);
    }
    let elsewhere = QueuePublish { campaign_id: None, ..post("linkedin", "z") };
    stage.send(&elsewhere, mia()).unwrap();
    executed(&mut stage, ids[0]);
    let all = || Jobs { campaign_id: Some(campaign()), ..Jobs::default() };
    let listed = |query: Jobs| {
        let page = stage.query(&query).unwrap();
        (page.jobs.iter().map(|job| job.job_id).collect::<Vec<_>>(), page.next)
    };
    assert_eq!(listed(all()).0, ids);
    assert_eq!(listed(Jobs { status: Some(JobStatus::Published), ..all() }).0, ids[..1]);
    let since = Timestamp::parse("2025-12-13T12:03:00Z").unwrap();
    assert_eq!(listed(Jobs { since: Some(since), ..all() }).0, ids[3..]);
    let (first, next) = listed(Jobs { limit: Some(2), ..all() });
    let (second, next) = listed(Jobs { limit: Some(2), after: next, ..all() });
    let (third, end) = listed(Jobs { limit: Some(2), after: next, ..all() });
    assert_eq!(([first, second, third].concat(), end), (ids.clone(), None));
    let what: Vec<_> =
        stage.query(&Timeline { campaign_id: campaign() }).unwrap().into_iter().map(|moment| moment.what).collect();
    assert_eq!(what[..2], ["PublishQueued", "PublishQueued"]);
    assert_eq!(what[5..], ["PublishStarted", "PublishCompleted"]);
    assert_eq!(stage.query(&GetJob { job_id: PublishJobId(Uuid::nil()) }).unwrap(), None);
}

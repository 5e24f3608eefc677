//! Publish jobs that are taken back: before they are out, after, and when nobody knows.

use super::{asset, code, executed, live, post, queued, view};
use crate::api::commands::*;
use crate::api::dtos::JobStatus;
use crate::api::events::{Destination, JobType, PublishCancelled, PublishRetracted};
use crate::api::providers::*;
use crate::api::queries::*;
use crate::tests::mia;
use events::ids::PublishJobId;
use uuid::Uuid;

#[test]
fn queueing_is_undone_by_cancelling() {
    let (mut stage, _) = live();
    let command = post("linkedin", "a");
    let (saga, key) = stage.deed("queue");
    let job_id = stage.ask(&command, saga, "queue").unwrap().job_id;
    assert_eq!(job_id, PublishJobId::from(key));
    assert_eq!(stage.ask(&command, saga, "queue").unwrap().job_id, job_id);
    assert!(stage.undo(&command, saga, "queue").unwrap());
    assert_eq!(view(&stage, job_id).status, JobStatus::Cancelled);
    assert_eq!(code(stage.send(&ExecutePublish { job_id }, mia())), "WRONG_STATE");
    let cancel = CancelPublish { job_id, reason: "again".to_owned() };
    stage.send(&cancel, mia()).unwrap();
    assert_eq!(stage.events::<PublishCancelled>().len(), 1);

    let (saga, _) = stage.deed("late");
    assert!(!stage.undo(&command, saga, "late").unwrap());
    assert_eq!(code(stage.ask(&command, saga, "late")), "TOMBSTONED");
    assert_eq!(stage.query(&Jobs { status: Some(JobStatus::Queued), ..Jobs::default() }).unwrap().jobs, []);
}

#[test]
fn cancelling_finds_a_post_that_left_without_a_record() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "a");
    // The crash between the post and its commit: the platform has it, the log does not.
    let key = saga_core::id::StepKey::from_uuid(job_id.0).named("post#0");
    let content = Post {
        job_type: JobType::SocialPost,
        destination: Destination { platform: "linkedin".to_owned(), account: "nordlys".to_owned() },
        text: "a".to_owned(),
        title: None,
        media_urls: Vec::new(),
    };
    saga_testkit::stage::ready(fakes.publisher.post(key, &content)).unwrap();
    stage.send(&CancelPublish { job_id, reason: "undone".to_owned() }, mia()).unwrap();
    assert_eq!((fakes.publisher.posts(), view(&stage, job_id).status), (0, JobStatus::Retracted));
    assert_eq!(stage.names()[2..], ["PublishStarted", "PublishCompleted", "PublishRetracted"]);
}

#[test]
fn what_is_out_is_not_cancelled() {
    let (mut stage, _) = live();
    for (text, state) in [("a", "PUBLISHED"), ("lost", "OUTCOME_UNKNOWN")] {
        let job_id = queued(&mut stage, "linkedin", text);
        executed(&mut stage, job_id);
        let refused = stage.send(&CancelPublish { job_id, reason: "late".to_owned() }, mia()).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.reason.contains(state)), ("WRONG_STATE", true));
    }
}

#[test]
fn executing_is_undone_by_retracting() {
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "a");
    let command = ExecutePublish { job_id };
    let (late, _) = stage.deed("late");
    assert!(!stage.undo(&command, late, "late").unwrap());
    assert_eq!(code(stage.ask(&command, late, "late")), "TOMBSTONED");
    assert_eq!((fakes.publisher.posts(), view(&stage, job_id).status), (0, JobStatus::Queued));
    let (saga, _) = stage.deed("publish");
    stage.ask(&command, saga, "publish").unwrap();
    assert!(stage.undo(&command, saga, "publish").unwrap());
    assert_eq!((fakes.publisher.posts(), view(&stage, job_id).status), (0, JobStatus::Retracted));
    assert_eq!(stage.events::<PublishRetracted>()[0].asset_id, Some(asset()));
    stage.send(&RetractPublish { job_id, reason: "again".to_owned() }, mia()).unwrap();
    assert_eq!(stage.events::<PublishRetracted>().len(), 1);
}

#[test]
fn a_retraction_meets_every_state_and_mood() {
    let retract = |job_id| RetractPublish { job_id, reason: "test".to_owned() };
    for (platform, refused) in [("twitter", false), ("instagram-story", true), ("email", true)] {
        let (mut stage, _) = live();
        let job_id = queued(&mut stage, platform, "a");
        stage.send(&retract(job_id), mia()).expect("nothing is out: done");
        executed(&mut stage, job_id);
        let answer = stage.send(&retract(job_id), mia());
        assert_eq!(answer.err().map(|refused| refused.code), refused.then(|| "NOT_SUPPORTED".to_owned()), "{platform}");
    }
    let (mut stage, fakes) = live();
    let job_id = queued(&mut stage, "linkedin", "a");
    executed(&mut stage, job_id);
    for (weather, said) in [
        (ProviderError::TryLater { after_ms: 5, says: "rate limit".to_owned() }, "linkedin: rate limit"),
        (ProviderError::Mend { says: "token expired".to_owned() }, "MEND: linkedin: token expired"),
        (ProviderError::Unknown, "linkedin does not answer"),
    ] {
        fakes.publisher.fail_next(weather);
        let refused = stage.send(&retract(job_id), mia()).unwrap_err();
        assert_eq!((refused.code.as_str(), refused.reason.as_str()), ("RETRY", said));
    }
    fakes.publisher.fail_next(ProviderError::Rejected { code: "GONE".to_owned() });
    stage.send(&retract(job_id), mia()).unwrap();
    assert_eq!(view(&stage, job_id).status, JobStatus::RetractFailed);
    assert!(view(&stage, job_id).manual_task.unwrap().contains("https://linkedin.example"));
    assert_eq!(stage.query(&Unresolved {}).unwrap().len(), 1);

    let vanished = queued(&mut stage, "linkedin", "vanish");
    executed(&mut stage, vanished);
    stage.send(&retract(vanished), mia()).unwrap();
    assert_eq!(view(&stage, vanished).status, JobStatus::Retracted, "asked, found, taken back");
    let lost = queued(&mut stage, "linkedin", "lost");
    executed(&mut stage, lost);
    assert_eq!(code(stage.send(&retract(lost), mia())), "RETRY");
    let never = PublishJobId(Uuid::from_u128(404));
    assert_eq!(code(stage.send(&retract(never), mia())), "NOT_FOUND");
}

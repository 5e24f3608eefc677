//! Every move of a job, legal or not, and every fold of its events.

use super::*;
use JobStatus::{
    Cancelled, Failed, Held, OutcomeUnknown, Published, Publishing, Queued, RetractFailed, Retracted, Retracting,
};

const ALL: [JobStatus; 10] =
    [Held, Queued, Publishing, Published, Failed, OutcomeUnknown, Retracting, Retracted, RetractFailed, Cancelled];

/// Every legal move of a job.
fn may_become(from: Option<JobStatus>, to: JobStatus) -> bool {
    let next: &[JobStatus] = match from {
        None => &[Held, Queued],
        Some(Held) => &[Queued, Cancelled],
        Some(Queued) => &[Publishing, Cancelled],
        Some(Publishing) => &[Published, Failed, OutcomeUnknown],
        Some(Published) => &[Retracting],
        Some(Failed) => &[Queued],
        Some(OutcomeUnknown) => &[Published, Queued, Failed],
        Some(Retracting) => &[Retracted, RetractFailed],
        Some(Retracted | RetractFailed | Cancelled) => &[],
    };
    next.contains(&to)
}

fn queued() -> Job {
    let mut job = Job::default();
    job.evolve(&PublishQueued::example().into());
    job
}

fn work() -> Work {
    queued().work.unwrap()
}

/// Folds and checks every move on the way; an event that does not move the job is fine.
fn fold(job: &mut Job, events: &[JobEvent]) {
    for event in events {
        let before = job.status;
        job.evolve(event);
        let after = job.status.unwrap();
        // A retraction passes RETRACTING inside its one event.
        let through = |to| may_become(before, Retracting) && may_become(Some(Retracting), to);
        // A resolution and its publications are two events about one move.
        let same = before == Some(after);
        assert!(same || may_become(before, after) || through(after), "{before:?} -> {after:?} by {event:?}");
    }
}

const NOW: Timestamp = Timestamp(1_765_627_200_000_000);

fn later(after_ms: u64) -> ProviderError {
    ProviderError::TryLater { after_ms, says: "is busy".to_owned() }
}

#[test]
fn every_answer_of_a_platform_is_a_legal_way() {
    let out = vec![Publication::example()];
    let cases = [
        (Ok(out.clone()), Published),
        (Err(ProviderError::Rejected { code: "NO".to_owned() }), Failed),
        (Err(later(1)), Queued),
        (Err(ProviderError::Unknown), OutcomeUnknown),
    ];
    for (answer, status) in cases {
        let mut job = queued();
        let events = decide_posted(&job, &work(), false, answer.clone(), NOW);
        fold(&mut job, &events);
        assert_eq!(job.status, Some(status), "{answer:?}");
    }
}

#[test]
fn a_busy_platform_is_tried_after_60_300_and_900_seconds_and_then_no_more() {
    let mut job = queued();
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let events = decide_posted(&job, &work(), false, Err(later(1)), NOW);
        fold(&mut job, &events);
        pauses.push(job.due.map(|due| due.since(NOW).as_secs()));
    }
    assert_eq!(pauses, [Some(60), Some(300), Some(900), None]);
    assert_eq!((job.status, job.tries), (Some(Failed), 4));
    let mut patient = queued();
    let events = decide_posted(&patient, &work(), false, Err(later(90_000)), NOW);
    fold(&mut patient, &events);
    assert_eq!(patient.due.map(|due| due.since(NOW).as_secs()), Some(90), "the platform asked for more");
}

#[test]
fn an_unknown_outcome_is_asked_about_three_times_and_then_a_person_decides() {
    let mut job = queued();
    let events = decide_posted(&job, &work(), false, Err(ProviderError::Unknown), NOW);
    fold(&mut job, &events);
    let mut pauses = vec![job.due.map(|due| due.since(NOW).as_secs())];
    for _ in 0..3 {
        let events = decide_asked(&job, &work(), PostStatus::Unknown, NOW);
        fold(&mut job, &events);
        pauses.push(job.due.map(|due| due.since(NOW).as_secs()));
    }
    assert_eq!(pauses, [Some(30), Some(120), Some(600), None]);
    assert_eq!((job.status, job.asked, job.tries), (Some(OutcomeUnknown), 3, 1));
}

#[test]
fn what_the_platform_does_not_have_is_tried_again_unless_somebody_wants_it_gone() {
    let mut unknown = queued();
    let events = decide_posted(&unknown, &work(), false, Err(ProviderError::Unknown), NOW);
    fold(&mut unknown, &events);
    let mut again = unknown.clone();
    fold(&mut again, &decide_asked(&unknown, &work(), PostStatus::NotPosted, NOW));
    assert_eq!(again.status, Some(Queued));
    assert_eq!(again.effect(work().job_id), unknown.effect(work().job_id), "the same effect keeps its key");
    let mut gone = unknown.clone();
    fold(&mut gone, &decide_found(&unknown, &work(), PostStatus::NotPosted, NOW));
    assert_eq!((gone.status, gone.due), (Some(Failed), None));
    let mut by_hand = gone.clone();
    fold(&mut by_hand, &decide_retry(&work(), Failed, NOW).unwrap());
    assert_ne!(by_hand.effect(work().job_id), gone.effect(work().job_id), "a person's retry is a new effect");
    assert_eq!(by_hand.tries, 0);
}

#[test]
fn each_decision_knows_the_states_it_works_in() {
    let resolve = |outcome, publications| ResolvePublish {
        job_id: work().job_id,
        outcome,
        evidence: "seen".to_owned(),
        publications,
    };
    let requeue = resolve(ResolvedOutcome::Queued, Vec::new());
    for status in ALL {
        let released = PublishReleased::example();
        assert_eq!(decide_release(status, released).is_ok(), status == Held, "release {status:?}");
        assert_eq!(decide_retry(&work(), status, NOW).is_ok(), status == Failed, "retry {status:?}");
        let actor = Actor::operator("mia");
        let resolved = decide_resolve(&queued(), &work(), status, &requeue, &actor, NOW);
        assert_eq!(resolved.is_ok(), status == OutcomeUnknown, "resolve {status:?}");
        let cancelling = match status {
            Held | Queued => Ok(Cancelling::Waiting),
            Cancelled | Failed | Retracted | RetractFailed => Ok(Cancelling::Over),
            Publishing | Published | OutcomeUnknown | Retracting => Err(wrong(status)),
        };
        assert_eq!(decide_cancel(status), cancelling, "cancel {status:?}");
    }
}

#[test]
fn the_gate_names_the_first_check_that_does_not_hold() {
    let all = ExecutionSettings { enabled: true, dry_run: true, channels: vec!["linkedin".to_owned()] };
    let off = ExecutionSettings { enabled: false, ..all.clone() };
    let other = ExecutionSettings { channels: vec!["email".to_owned()], ..all.clone() };
    let none = ExecutionSettings::default();
    let cases = [
        (&all, Some(PackageStatus::Created), None),
        (&all, Some(PackageStatus::Delivered), None),
        (&all, Some(PackageStatus::Withdrawn), Some("package")),
        (&all, None, Some("package")),
        (&other, Some(PackageStatus::Withdrawn), Some("channel")),
        (&off, Some(PackageStatus::Withdrawn), Some("execution")),
        (&none, None, Some("execution")),
    ];
    for (settings, package, check) in cases {
        let expected = check.map(|check| PublishRefused::Gate { check: check.to_owned() });
        assert_eq!(gate(&work(), settings, package, true).err(), expected, "{settings:?} {package:?}");
    }
    let asset = PublishRefused::Gate { check: "asset".to_owned() };
    assert_eq!(gate(&work(), &all, Some(PackageStatus::Created), false).err(), Some(asset));
}

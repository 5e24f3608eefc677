//! A publish job: its status machine, what happened to it, and what may happen to it. Pure.
//!
//! Invariant: a job whose post may be out never becomes `QUEUED` by itself; the platform or a person says first.

use crate::api::commands::{QueuePublish, ResolvePublish};
use crate::api::dtos::{
    ASK_AFTER_S, ExecutionSettings, JobStatus, PLATFORMS, PackageStatus, RETRY_AFTER_S, can_retract,
};
use crate::api::events::{
    Destination, FailureClass, JobEvent, JobType, Publication, PublishCancelled, PublishCompleted, PublishFailed,
    PublishHeld, PublishOutcomeUnknown, PublishPayload, PublishQueued, PublishReleased, PublishResolved,
    PublishRetractFailed, PublishRetracted, PublishRetryScheduled, PublishStarted, ResolvedOutcome,
};
use crate::api::providers::{PostStatus, ProviderError};
use crate::api::refusals::PublishRefused;
use events::ids::{AssetId, DeliveryPackageId, PublishJobId};
use events::values::Text;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::envelope::Actor;
use saga_core::id::StepKey;
use saga_core::time::Timestamp;
use std::time::Duration;

/// What a job was queued as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) job_id: PublishJobId,
    pub(super) asset_id: Option<AssetId>,
    pub(super) package_id: Option<DeliveryPackageId>,
    pub(super) job_type: JobType,
    pub(super) destination: Destination,
    pub(super) payload: PublishPayload,
}

/// The state of a job's story; `work` is absent before its first event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Job {
    pub(super) work: Option<Work>,
    pub(super) status: Option<JobStatus>,
    pub(super) tries: u32,
    /// How often a person sent it back into the queue: each time it is a new effect, with a new key.
    pub(super) round: u32,
    pub(super) dry_run: bool,
    pub(super) asked: u32,
    pub(super) due: Option<Timestamp>,
    pub(super) publications: Vec<Publication>,
    pub(super) code: Option<String>,
}

impl Aggregate for Job {
    type Event = JobEvent;
    fn evolve(&mut self, event: &JobEvent) {
        match event {
            JobEvent::PublishQueued(queued) => {
                self.work = Some(Work {
                    job_id: queued.job_id,
                    asset_id: queued.asset_id,
                    package_id: queued.package_id,
                    job_type: queued.job_type,
                    destination: queued.destination.clone(),
                    payload: queued.payload.clone(),
                });
                self.due = queued.not_before;
                self.status = Some(JobStatus::Queued);
            }
            JobEvent::PublishHeld(_) => self.status = Some(JobStatus::Held),
            JobEvent::PublishReleased(_) => self.status = Some(JobStatus::Queued),
            JobEvent::PublishCancelled(_) => self.status = Some(JobStatus::Cancelled),
            JobEvent::PublishStarted(started) => {
                self.status = Some(JobStatus::Publishing);
                self.tries += 1;
                self.asked = 0;
                self.due = None;
                self.code = None;
                self.dry_run = started.dry_run;
            }
            JobEvent::PublishCompleted(completed) => {
                self.status = Some(JobStatus::Published);
                self.due = None;
                self.publications = completed.publications.clone();
            }
            JobEvent::PublishFailed(failed) => {
                self.status = Some(JobStatus::Failed);
                self.due = None;
                self.code = Some(failed.code.clone());
            }
            JobEvent::PublishOutcomeUnknown(unknown) => {
                self.status = Some(JobStatus::OutcomeUnknown);
                self.asked = unknown.asked;
                self.due = unknown.ask_at;
            }
            JobEvent::PublishResolved(resolved) => self.resolve(resolved.outcome),
            JobEvent::PublishRetryScheduled(scheduled) => {
                self.status = Some(JobStatus::Queued);
                self.due = Some(scheduled.at);
                if scheduled.tries == 0 {
                    self.tries = 0;
                    self.round += 1;
                }
            }
            JobEvent::PublishRetracted(_) => self.status = Some(JobStatus::Retracted),
            JobEvent::PublishRetractFailed(failed) => {
                self.status = Some(JobStatus::RetractFailed);
                self.code = Some(failed.code.clone());
            }
        }
    }
}

impl Job {
    fn resolve(&mut self, outcome: ResolvedOutcome) {
        self.due = None;
        match outcome {
            ResolvedOutcome::Published => self.status = Some(JobStatus::Published),
            ResolvedOutcome::Failed => self.status = Some(JobStatus::Failed),
            ResolvedOutcome::Queued => {
                self.status = Some(JobStatus::Queued);
                self.tries = 0;
                self.round += 1;
            }
        }
    }
    /// The work and where it stands, or that there is no such job.
    pub(super) fn known(&self, job_id: PublishJobId) -> Result<(&Work, JobStatus), PublishRefused> {
        let unknown = || PublishRefused::from(Common::not_found("job", job_id));
        self.work.as_ref().zip(self.status).ok_or_else(unknown)
    }
    /// The provider's key: one for each intended effect of this job, however often and by whichever process it is
    /// executed.
    pub(super) fn effect(&self, job_id: PublishJobId) -> StepKey {
        StepKey::from_uuid(job_id.0).named(&format!("post#{}", self.round))
    }
}

/// A state in which a command is not possible.
pub(super) fn wrong(status: JobStatus) -> PublishRefused {
    Common::wrong_state(status.word()).into()
}

fn invalid(field: &str, why: impl Into<String>) -> PublishRefused {
    Common::invalid(field, why).into()
}

/// Checks what would be queued and where to.
pub(super) fn check_queue(command: &QueuePublish) -> Result<(), PublishRefused> {
    let platform = command.destination.platform.as_str();
    if !PLATFORMS.contains(&platform) {
        return Err(invalid("destination.platform", format!("{platform:?} is not one of {}", PLATFORMS.join(", "))));
    }
    let of_platform = match platform {
        "email" => JobType::Email,
        "crm" => JobType::CrmSync,
        _ => JobType::SocialPost,
    };
    if command.job_type != of_platform {
        return Err(invalid("job_type", format!("does not go to {platform}")));
    }
    let account = command.destination.account.chars().count();
    if !(1..=200).contains(&account) {
        return Err(invalid("destination.account", "1 to 200 characters"));
    }
    if command.payload.text.trim().is_empty() && command.payload.media_urls.is_empty() {
        return Err(invalid("payload", "a text or at least one medium"));
    }
    if command.payload.media_urls.iter().any(|url| url.is_empty() || url.len() > 2_048) {
        return Err(invalid("payload.media_urls", "addresses of 1 to 2048 bytes"));
    }
    Ok(())
}

/// Queues a job, or holds it for a person.
pub(super) fn decide_queue(
    job: &Job,
    command: QueuePublish,
    job_id: PublishJobId,
    text: Text,
    hold: Option<String>,
) -> Result<Vec<JobEvent>, PublishRefused> {
    if job.status.is_some() {
        return Err(Common::already_exists("job", job_id).into());
    }
    let queued = PublishQueued {
        job_id,
        asset_id: command.asset_id,
        package_id: command.package_id,
        campaign_id: command.campaign_id,
        job_type: command.job_type,
        destination: command.destination,
        payload: PublishPayload { text, title: command.payload.title, media_urls: command.payload.media_urls },
        not_before: command.not_before,
    };
    let mut events = vec![queued.into()];
    events.extend(hold.map(|reason| PublishHeld { job_id, reason }.into()));
    Ok(events)
}

/// Lets a held job go.
pub(super) fn decide_release(status: JobStatus, released: PublishReleased) -> Result<Vec<JobEvent>, PublishRefused> {
    if status == JobStatus::Held { Ok(vec![released.into()]) } else { Err(wrong(status)) }
}

/// What has to hold when a job is executed, in this order; the first that does not is named.
pub(super) fn gate(
    work: &Work,
    settings: &ExecutionSettings,
    package: Option<PackageStatus>,
    asset_approved: bool,
) -> Result<(), PublishRefused> {
    let gone = work.package_id.is_some() && package.is_none_or(|status| status == PackageStatus::Withdrawn);
    let checks = [
        ("execution", settings.enabled),
        ("channel", settings.channels.contains(&work.destination.platform)),
        ("package", !gone),
        ("asset", asset_approved),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        Some((check, _)) => Err(PublishRefused::Gate { check: check.to_owned() }),
        None => Ok(()),
    }
}

/// What a post's answer comes to. The start is recorded with its outcome, because the key made the post repeatable.
pub(super) fn decide_posted(
    job: &Job,
    work: &Work,
    dry_run: bool,
    answer: Result<Vec<Publication>, ProviderError>,
    now: Timestamp,
) -> Vec<JobEvent> {
    let started = PublishStarted { job_id: work.job_id, package_id: work.package_id, dry_run };
    let tries = job.tries + 1;
    let mut events = vec![started.into()];
    match answer {
        Ok(publications) => events.push(completed(work, dry_run, publications, now)),
        Err(ProviderError::Rejected { code }) => {
            let message = format!("{} said no", work.destination.platform);
            events.push(failed(work, code, FailureClass::Permanent, message, tries));
        }
        Err(ProviderError::TryLater { after_ms, says }) => {
            let message = format!("{}: {says}", work.destination.platform);
            events.push(failed(work, "TRY_LATER".to_owned(), FailureClass::Retryable, message, tries));
            events.extend(retry(work, tries, after_ms, now));
        }
        Err(ProviderError::Mend { says }) => {
            let message = format!("{}: {says}", work.destination.platform);
            events.push(failed(work, "MEND".to_owned(), FailureClass::Retryable, message, tries));
            events.extend(retry(work, tries, 0, now));
        }
        Err(ProviderError::Unknown) => events.push(unknown(work, 0, now)),
    }
    events
}

/// What the platform's word about an unknown post comes to.
pub(super) fn decide_asked(job: &Job, work: &Work, status: PostStatus, now: Timestamp) -> Vec<JobEvent> {
    match status {
        PostStatus::Posted(publications) => vec![completed(work, job.dry_run, publications, now)],
        PostStatus::NotPosted => {
            let mut events = vec![absent(job, work)];
            events.extend(retry(work, job.tries, 0, now));
            events
        }
        PostStatus::Unknown => vec![unknown(work, job.asked + 1, now)],
    }
}

/// The same for a caller that wants the post gone: a post that is not out is not tried again either.
pub(super) fn decide_found(job: &Job, work: &Work, status: PostStatus, now: Timestamp) -> Vec<JobEvent> {
    match status {
        PostStatus::Posted(publications) => vec![completed(work, job.dry_run, publications, now)],
        PostStatus::NotPosted => vec![absent(job, work)],
        PostStatus::Unknown => Vec::new(),
    }
}

fn absent(job: &Job, work: &Work) -> JobEvent {
    let message = format!("{} does not have it", work.destination.platform);
    failed(work, "NOT_POSTED".to_owned(), FailureClass::Retryable, message, job.tries)
}

fn completed(work: &Work, dry_run: bool, publications: Vec<Publication>, at: Timestamp) -> JobEvent {
    PublishCompleted { job_id: work.job_id, publications, at, asset_id: told(work, dry_run) }.into()
}

/// The asset whose owner is told that it is out or gone. A rehearsal is nobody else's business: an asset must not count
/// as published when nothing left the house.
fn told(work: &Work, dry_run: bool) -> Option<AssetId> {
    work.asset_id.filter(|_| !dry_run)
}

fn failed(work: &Work, code: String, class: FailureClass, message: String, tries: u32) -> JobEvent {
    PublishFailed { job_id: work.job_id, code, class, message, tries }.into()
}

fn retry(work: &Work, tries: u32, after_ms: u64, now: Timestamp) -> Option<JobEvent> {
    let index = usize::try_from(tries).ok()?.checked_sub(1)?;
    let pause = Duration::from_secs(*RETRY_AFTER_S.get(index)?).max(Duration::from_millis(after_ms));
    Some(PublishRetryScheduled { job_id: work.job_id, at: now.plus(pause), tries }.into())
}

fn unknown(work: &Work, asked: u32, now: Timestamp) -> JobEvent {
    let pause = usize::try_from(asked).ok().and_then(|index| ASK_AFTER_S.get(index));
    let ask_at = pause.map(|seconds| now.plus(Duration::from_secs(*seconds)));
    PublishOutcomeUnknown { job_id: work.job_id, asked, ask_at }.into()
}

/// What cancelling needs to know before it can decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelling {
    /// Nothing waits any more, and nothing is out.
    Over,
    /// It waits; the platform is asked first, in case a post left and its record did not survive.
    Waiting,
}

/// Whether a job can be cancelled.
pub(super) fn decide_cancel(status: JobStatus) -> Result<Cancelling, PublishRefused> {
    match status {
        JobStatus::Held | JobStatus::Queued => Ok(Cancelling::Waiting),
        JobStatus::Cancelled | JobStatus::Failed | JobStatus::Retracted | JobStatus::RetractFailed => {
            Ok(Cancelling::Over)
        }
        JobStatus::Publishing | JobStatus::Published | JobStatus::OutcomeUnknown | JobStatus::Retracting => {
            Err(wrong(status))
        }
    }
}

/// The end of a job that waited.
pub(super) fn cancelled(work: &Work, reason: &str) -> JobEvent {
    PublishCancelled { job_id: work.job_id, reason: reason.to_owned() }.into()
}

/// A post that left without a record: the record is made up for.
pub(super) fn found_out(work: &Work, dry_run: bool, publications: Vec<Publication>, now: Timestamp) -> Vec<JobEvent> {
    let started = PublishStarted { job_id: work.job_id, package_id: work.package_id, dry_run };
    vec![started.into(), completed(work, dry_run, publications, now)]
}

/// Whether what is out on this platform can be taken back.
pub(super) fn retractable(work: &Work) -> Result<(), PublishRefused> {
    let platform = &work.destination.platform;
    if can_retract(platform) { Ok(()) } else { Err(PublishRefused::NotSupported { platform: platform.clone() }) }
}

/// What the answer to a retraction comes to: `Err` is no, for good, and leaves work for a person.
pub(super) fn retracted(
    work: &Work,
    dry_run: bool,
    publications: Vec<Publication>,
    answer: Result<(), String>,
) -> JobEvent {
    match answer {
        Ok(()) => PublishRetracted { job_id: work.job_id, publications, asset_id: told(work, dry_run) }.into(),
        Err(code) => {
            let urls: Vec<_> = publications.iter().map(|publication| publication.url.as_str()).collect();
            let manual_task = format!("remove by hand: {}", urls.join(", "));
            PublishRetractFailed { job_id: work.job_id, code, manual_task }.into()
        }
    }
}

/// A failed job goes back into the queue because a person says so.
pub(super) fn decide_retry(work: &Work, status: JobStatus, now: Timestamp) -> Result<Vec<JobEvent>, PublishRefused> {
    if status != JobStatus::Failed {
        return Err(wrong(status));
    }
    Ok(vec![PublishRetryScheduled { job_id: work.job_id, at: now, tries: 0 }.into()])
}

/// A person ends an unknown outcome.
pub(super) fn decide_resolve(
    job: &Job,
    work: &Work,
    status: JobStatus,
    command: &ResolvePublish,
    actor: &Actor,
    now: Timestamp,
) -> Result<Vec<JobEvent>, PublishRefused> {
    if status != JobStatus::OutcomeUnknown {
        return Err(wrong(status));
    }
    if command.evidence.trim().is_empty() {
        return Err(invalid("evidence", "say how you know"));
    }
    let out = command.outcome == ResolvedOutcome::Published;
    if out == command.publications.is_empty() {
        return Err(invalid("publications", "what is out, if and only if the outcome is PUBLISHED"));
    }
    let resolved = PublishResolved {
        job_id: work.job_id,
        outcome: command.outcome,
        evidence: command.evidence.clone(),
        actor: actor.clone(),
    };
    let mut events = vec![resolved.into()];
    if out {
        events.push(completed(work, job.dry_run, command.publications.clone(), now));
    }
    Ok(events)
}

#[cfg(test)]
mod tests;

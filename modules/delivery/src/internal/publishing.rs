//! Publish jobs: async glue around the publisher. It asks before it posts again, and lets the model decide.

use crate::api::commands::{
    CancelPublish, ExecutePublish, QueuePublish, ReleasePublish, ResolvePublish, RetractPublish, RetryPublish,
};
use crate::api::dtos::{ExecuteReply, JobReply, JobStatus, PackageStatus};
use crate::api::events::{JobEvent, Publication, PublishReleased};
use crate::api::providers::{Needs, Post, PostStatus, ProviderError, SocialPublisher};
use crate::api::refusals::PublishRefused;
use crate::internal::execution::{self, SETTINGS, Switches};
use crate::internal::job::{self, Cancelling, Job, Work};
use crate::internal::package::Package;
use crate::internal::projections::ASSETS;
use events::ids::PublishJobId;
use events::production::Production;
use events::values::Text;
use saga_core::aggregate::{Aggregate, Loaded};
use saga_core::command::Common;
use saga_core::envelope::{Actor, ActorKind};
use saga_core::event::Owner;
use saga_core::module::{Cx, Halt, Handled, OrRefuse, OrRetry};
use saga_core::time::Timestamp;
use std::sync::Arc;

/// How long a silent platform is left alone before a retraction asks it again.
const SILENT_RETRY_MS: u64 = 30_000;

type Halted = Halt<PublishRefused>;

pub(super) async fn queue(cx: Cx<Needs>, command: QueuePublish) -> Handled<QueuePublish> {
    job::check_queue(&command).or_refuse()?;
    let imported = cx.deed().actor.kind == ActorKind::Import;
    let hold = if imported { Some("imported".to_owned()) } else { command.hold.clone() };
    if hold.is_none() {
        let switches = cx.load::<Switches>(SETTINGS).await.or_retry()?;
        execution::open(&switches.state.now, &command.destination.platform).or_refuse()?;
    }
    if let Some(package_id) = command.package_id {
        match cx.load::<Package>(package_id).await.or_retry()?.state.status {
            Some(PackageStatus::Created | PackageStatus::Delivered) => {}
            Some(PackageStatus::Withdrawn) => {
                let state = PackageStatus::Withdrawn.word().to_owned();
                return Err(Halt::Refuse(Common::WrongState { state }.into()));
            }
            None => {
                return Err(Halt::Refuse(Common::not_found("package", package_id).into()));
            }
        }
    }
    let job_id = PublishJobId::from(cx.key());
    let (text, long) = Text::of(&command.payload.text);
    let status = if hold.is_some() { JobStatus::Held } else { JobStatus::Queued };
    let story = cx.load::<Job>(job_id).await.or_retry()?;
    let events = job::decide_queue(&story.state, command, job_id, text, hold).or_refuse()?;
    let done = cx.done(JobReply { job_id, status }).append(&story, events);
    Ok(match long {
        Some(long) => done.keep(&long),
        None => done,
    })
}

pub(super) async fn release(cx: Cx<Needs>, command: ReleasePublish) -> Handled<ReleasePublish> {
    let actor = person(&cx.deed().actor).or_refuse()?;
    let story = cx.load::<Job>(command.job_id).await.or_retry()?;
    let (work, status) = story.state.known(command.job_id).or_refuse()?;
    let switches = cx.load::<Switches>(SETTINGS).await.or_retry()?;
    execution::open(&switches.state.now, &work.destination.platform).or_refuse()?;
    let released = PublishReleased { job_id: command.job_id, reason: command.reason, actor };
    let events = job::decide_release(status, released).or_refuse()?;
    Ok(cx.done(moved(&story, command.job_id, &events)).append(&story, events))
}

pub(super) async fn execute(cx: Cx<Needs>, command: ExecutePublish) -> Handled<ExecutePublish> {
    if cx.deed().actor.kind == ActorKind::Import {
        let why = "nothing is published from an import".to_owned();
        return Err(Halt::Refuse(Common::not_permitted(&cx.deed().actor, why).into()));
    }
    let story = cx.load::<Job>(command.job_id).await.or_retry()?;
    let (work, status) = story.state.known(command.job_id).or_refuse()?;
    let events = match status {
        JobStatus::Queued => post(&cx, &story.state, work).await?,
        JobStatus::OutcomeUnknown => ask(&cx, &story.state, work).await?,
        JobStatus::Held
        | JobStatus::Publishing
        | JobStatus::Published
        | JobStatus::Failed
        | JobStatus::Retracting
        | JobStatus::Retracted
        | JobStatus::RetractFailed
        | JobStatus::Cancelled => return Err(Halt::Refuse(job::wrong(status))),
    };
    let after = folded(&story, &events);
    let reply = ExecuteReply {
        job_id: command.job_id,
        outcome: after.status.unwrap_or(status),
        publications: after.publications,
        tries: after.tries,
        dry_run: after.dry_run,
        again_at: after.due,
        code: after.code,
    };
    Ok(cx.done(reply).append(&story, events))
}

/// Whether the asset that is to be posted is approved, as far as it was heard of.
async fn approved(cx: &Cx<Needs>, work: &Work) -> Result<bool, Halted> {
    let Some(asset_id) = work.asset_id else { return Ok(true) };
    let heard = cx.documents().get(ASSETS, asset_id).await.or_retry()?;
    Ok(heard.is_some_and(|asset| asset.approved))
}

async fn post(cx: &Cx<Needs>, state: &Job, work: &Work) -> Result<Vec<JobEvent>, Halted> {
    wait_for(state.due, cx.now())?;
    let switches = cx.load::<Switches>(SETTINGS).await.or_retry()?;
    let package = match work.package_id {
        Some(package_id) => cx.load::<Package>(package_id).await.or_retry()?.state.status,
        None => None,
    };
    let mut approved = approved(cx, work).await?;
    if !approved {
        // What says no whatever is heard of the asset says it at once. News of the asset may be on its way: a no for want of
        // its approval needs everything that production told.
        job::gate(work, &switches.state.now, package, true).or_refuse()?;
        cx.caught_up(ASSETS, Production::MODULE, "the approval of the asset").await?;
        approved = self::approved(cx, work).await?;
    }
    job::gate(work, &switches.state.now, package, approved).or_refuse()?;
    let dry_run = switches.state.now.dry_run;
    let publisher = publisher(cx, dry_run);
    let key = state.effect(work.job_id);
    // A second attempt of the same deed may follow a post whose record was lost: ask before posting.
    let status =
        if cx.deed().attempt > 1 { publisher.status(key, &work.destination).await } else { Ok(PostStatus::NotPosted) };
    let answer = match status {
        Ok(PostStatus::Posted(publications)) => Ok(publications),
        Ok(PostStatus::NotPosted | PostStatus::Unknown) | Err(_) => {
            let post = Post {
                job_type: work.job_type,
                destination: work.destination.clone(),
                text: whole_text(cx, &work.payload.text).await?,
                title: work.payload.title.clone(),
                media_urls: work.payload.media_urls.clone(),
            };
            publisher.post(key, &post).await
        }
    };
    if let Err(ProviderError::Mend { says }) = &answer {
        // No try of the job: its tries are for a platform that can be reached.
        return Err(mend(work, says));
    }
    Ok(job::decide_posted(state, work, dry_run, answer, cx.now()))
}

async fn ask(cx: &Cx<Needs>, state: &Job, work: &Work) -> Result<Vec<JobEvent>, Halted> {
    // The platform was asked often enough: a person decides, and until then the answer stays what it is.
    let Some(ask_at) = state.due else { return Ok(Vec::new()) };
    wait_for(Some(ask_at), cx.now())?;
    let status = status_of(cx, state, work).await?;
    Ok(job::decide_asked(state, work, status, cx.now()))
}

/// What the platform says; a platform that cannot be asked has said that it cannot tell.
async fn status_of(cx: &Cx<Needs>, state: &Job, work: &Work) -> Result<PostStatus, Halted> {
    match publisher(cx, state.dry_run).status(state.effect(work.job_id), &work.destination).await {
        Ok(status) => Ok(status),
        Err(ProviderError::TryLater { after_ms, says }) => {
            Err(Halt::Retry { after_ms, reason: format!("{}: {says}", work.destination.platform) })
        }
        Err(ProviderError::Mend { says }) => Err(mend(work, &says)),
        Err(ProviderError::Rejected { .. } | ProviderError::Unknown) => Ok(PostStatus::Unknown),
    }
}

/// Nothing is posted, asked or taken back until a person has mended it.
fn mend(work: &Work, says: &str) -> Halted {
    Halt::Mend { reason: format!("{}: {says}", work.destination.platform) }
}

pub(super) async fn cancel(cx: Cx<Needs>, command: CancelPublish) -> Handled<CancelPublish> {
    let story = cx.load::<Job>(command.job_id).await.or_retry()?;
    let (work, status) = story.state.known(command.job_id).or_refuse()?;
    if job::decide_cancel(status).or_refuse()? == Cancelling::Over {
        return Ok(cx.done(()));
    }
    // Nothing can have left a job that nobody could execute yet; otherwise both publishers are asked.
    let mut events = Vec::new();
    if status == JobStatus::Queued {
        for dry_run in [false, true] {
            let mut state = story.state.clone();
            state.dry_run = dry_run;
            if let PostStatus::Posted(publications) = status_of(&cx, &state, work).await? {
                job::retractable(work).or_refuse()?;
                events = job::found_out(work, dry_run, publications.clone(), cx.now());
                events.push(take_back(&cx, &state, work, publications).await?);
                break;
            }
        }
    }
    if events.is_empty() {
        events.push(job::cancelled(work, &command.reason));
    }
    Ok(cx.done(()).append(&story, events))
}

pub(super) async fn retract(cx: Cx<Needs>, command: RetractPublish) -> Handled<RetractPublish> {
    let story = cx.load::<Job>(command.job_id).await.or_retry()?;
    let (work, status) = story.state.known(command.job_id).or_refuse()?;
    let mut events = Vec::new();
    let publications = match status {
        JobStatus::Published | JobStatus::Retracting => story.state.publications.clone(),
        JobStatus::OutcomeUnknown | JobStatus::Publishing => {
            let status = status_of(&cx, &story.state, work).await?;
            if status == PostStatus::Unknown {
                let reason = format!("{} cannot tell yet whether it is out", work.destination.platform);
                return Err(Halt::Retry { after_ms: SILENT_RETRY_MS, reason });
            }
            events = job::decide_found(&story.state, work, status, cx.now());
            folded(&story, &events).publications
        }
        JobStatus::Held
        | JobStatus::Queued
        | JobStatus::Failed
        | JobStatus::Retracted
        | JobStatus::RetractFailed
        | JobStatus::Cancelled => return Ok(cx.done(())),
    };
    if folded(&story, &events).status == Some(JobStatus::Published) {
        job::retractable(work).or_refuse()?;
        events.push(take_back(&cx, &story.state, work, publications).await?);
    }
    Ok(cx.done(()).append(&story, events))
}

async fn take_back(
    cx: &Cx<Needs>,
    state: &Job,
    work: &Work,
    publications: Vec<Publication>,
) -> Result<JobEvent, Halted> {
    match publisher(cx, state.dry_run).retract(state.effect(work.job_id), &publications).await {
        Ok(()) => Ok(job::retracted(work, state.dry_run, publications, Ok(()))),
        Err(ProviderError::Rejected { code }) => Ok(job::retracted(work, state.dry_run, publications, Err(code))),
        Err(ProviderError::TryLater { after_ms, says }) => {
            Err(Halt::Retry { after_ms, reason: format!("{}: {says}", work.destination.platform) })
        }
        Err(ProviderError::Mend { says }) => Err(mend(work, &says)),
        Err(ProviderError::Unknown) => {
            let reason = format!("{} does not answer", work.destination.platform);
            Err(Halt::Retry { after_ms: SILENT_RETRY_MS, reason })
        }
    }
}

pub(super) async fn retry(cx: Cx<Needs>, command: RetryPublish) -> Handled<RetryPublish> {
    person(&cx.deed().actor).or_refuse()?;
    let story = cx.load::<Job>(command.job_id).await.or_retry()?;
    let (work, status) = story.state.known(command.job_id).or_refuse()?;
    let events = job::decide_retry(work, status, cx.now()).or_refuse()?;
    Ok(cx.done(moved(&story, command.job_id, &events)).append(&story, events))
}

pub(super) async fn resolve(cx: Cx<Needs>, command: ResolvePublish) -> Handled<ResolvePublish> {
    let actor = person(&cx.deed().actor).or_refuse()?;
    let story = cx.load::<Job>(command.job_id).await.or_retry()?;
    let (work, status) = story.state.known(command.job_id).or_refuse()?;
    let events = job::decide_resolve(&story.state, work, status, &command, &actor, cx.now()).or_refuse()?;
    Ok(cx.done(moved(&story, command.job_id, &events)).append(&story, events))
}

fn publisher(cx: &Cx<Needs>, dry_run: bool) -> &Arc<dyn SocialPublisher> {
    if dry_run { &cx.needs().rehearsal } else { &cx.needs().publisher }
}

/// A slot that has not come is weather, not a refusal: a refusal would be remembered for this key for ever.
fn wait_for(due: Option<Timestamp>, now: Timestamp) -> Result<(), Halted> {
    match due {
        Some(due) if due > now => {
            let after_ms = u64::try_from(due.since(now).as_millis()).unwrap_or(u64::MAX).max(1);
            Err(Halt::Retry { after_ms, reason: format!("not before {due}") })
        }
        Some(_) | None => Ok(()),
    }
}

/// Some things only a person can know or allow.
fn person(actor: &Actor) -> Result<Actor, Common> {
    match actor.kind {
        ActorKind::Operator => Ok(actor.clone()),
        ActorKind::Client | ActorKind::Saga | ActorKind::System | ActorKind::Import => {
            Err(Common::not_permitted(actor, "only an operator decides this"))
        }
    }
}

fn folded(story: &Loaded<Job>, events: &[JobEvent]) -> Job {
    let mut state = story.state.clone();
    events.iter().for_each(|event| state.evolve(event));
    state
}

fn moved(story: &Loaded<Job>, job_id: PublishJobId, events: &[JobEvent]) -> JobReply {
    JobReply { job_id, status: folded(story, events).status.unwrap_or(JobStatus::Queued) }
}

async fn whole_text(cx: &Cx<Needs>, text: &Text) -> Result<String, Halted> {
    // Posting the head alone would publish half a sentence: without the whole text nothing is posted.
    let missing = || format!("the text {:.20?} is not in the store", text.head());
    let found = cx.documents().text(text).await.or_retry()?;
    found.ok_or_else(|| Halt::Retry { after_ms: SILENT_RETRY_MS, reason: missing() })
}

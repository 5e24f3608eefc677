//! All versions of one brief's strategy as a story, and what may be decided about them. Pure.

use crate::api::commands::{
    AmendStrategy, ApproveStrategy, DiscardStrategy, GenerateStrategy, RejectStrategy, RevokeStrategyApproval,
    SubmitStrategy, WithdrawSubmission,
};
use crate::api::dtos::{Outline, StrategyStatus, content_hash, placeholders};
use crate::api::events::{
    StrategyApprovalRevoked, StrategyApproved, StrategyDiscarded, StrategyEvent, StrategyGenerated, StrategyRejected,
    StrategySubmissionWithdrawn, StrategySubmitted, StrategySuperseded, Writer,
};
use crate::api::refusals::{AmendRefused, ApproveRefused, GenerateRefused, RejectRefused, SubmitRefused};
use crate::internal::contract;
use events::ids::{BriefId, StrategyId};
use events::values::Text;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::envelope::{Actor, ActorKind};
use saga_core::id::{Direction, StepKey};
use std::collections::BTreeMap;

/// One version.
#[derive(Debug)]
pub(super) struct Version {
    pub(super) written: StrategyGenerated,
    pub(super) status: StrategyStatus,
    submitted_by: Option<StepKey>,
}

/// The versions of a brief by number.
#[derive(Debug, Default)]
pub(super) struct Document {
    versions: BTreeMap<u32, Version>,
}

impl Aggregate for Document {
    type Event = StrategyEvent;
    fn evolve(&mut self, event: &StrategyEvent) {
        match event {
            StrategyEvent::StrategyGenerated(written) => {
                let version = Version { written: written.clone(), status: StrategyStatus::Draft, submitted_by: None };
                self.versions.insert(written.version, version);
            }
            StrategyEvent::StrategySubmitted(event) => {
                if let Some(version) = self.find_mut(event.strategy_id) {
                    version.status = StrategyStatus::Submitted;
                    version.submitted_by = event.deed;
                }
            }
            StrategyEvent::StrategySubmissionWithdrawn(event) => self.set(event.strategy_id, StrategyStatus::Draft),
            StrategyEvent::StrategyApproved(event) => self.set(event.strategy_id, StrategyStatus::Approved),
            StrategyEvent::StrategyRejected(event) => self.set(event.strategy_id, StrategyStatus::Rejected),
            StrategyEvent::StrategyDiscarded(event) => self.set(event.strategy_id, StrategyStatus::Discarded),
            StrategyEvent::StrategyApprovalRevoked(event) => self.set(event.strategy_id, StrategyStatus::Revoked),
            StrategyEvent::StrategySuperseded(event) => self.set(event.strategy_id, StrategyStatus::Superseded),
        }
    }
}

impl Document {
    fn find_mut(&mut self, id: StrategyId) -> Option<&mut Version> {
        self.versions.values_mut().find(|version| version.written.strategy_id == id)
    }
    fn set(&mut self, id: StrategyId, status: StrategyStatus) {
        if let Some(version) = self.find_mut(id) {
            version.status = status;
        }
    }
    /// One version, or the refusal that says that it is not there.
    pub(super) fn find(&self, id: StrategyId) -> Result<&Version, Common> {
        let found = self.versions.values().find(|version| version.written.strategy_id == id);
        found.ok_or_else(|| Common::NotFound { what: format!("strategy {id} of this brief") })
    }
    fn last(&self) -> u32 {
        self.versions.last_key_value().map_or(0, |(number, _)| *number)
    }
    fn latest_in_play(&self) -> u32 {
        let live = self.versions.iter().rev().find(|(_, version)| version.status != StrategyStatus::Discarded);
        live.map_or(0, |(number, _)| *number)
    }
    fn approved(&self) -> Option<StrategyId> {
        let approved = self.versions.values().find(|version| version.status == StrategyStatus::Approved);
        approved.map(|version| version.written.strategy_id)
    }
}

impl Version {
    fn must_be(&self, status: StrategyStatus) -> Result<(), Common> {
        if self.status == status { Ok(()) } else { Err(self.wrong_state()) }
    }
    fn wrong_state(&self) -> Common {
        Common::wrong_state(self.status.word())
    }
}

/// The author of a version, and its id.
#[derive(Debug)]
pub(super) struct Authorship {
    pub(super) strategy_id: StrategyId,
    pub(super) author: Actor,
}

/// An event with the text that has to be kept beside the log, if any.
pub(super) type Written = (StrategyGenerated, Option<String>);

/// Whether a writer may be asked at all.
pub(super) fn check_generate(document: &Document, cmd: &GenerateStrategy) -> Result<(), GenerateRefused> {
    if cmd.brief.brief_id != cmd.brief_id {
        let why = "the snapshot is of another brief".to_owned();
        return Err(Common::invalid("brief.brief_id", why).into());
    }
    let missing = contract::missing(&cmd.brief);
    if !missing.is_empty() {
        return Err(GenerateRefused::BriefIncomplete { missing });
    }
    match cmd.requested_version {
        Some(version) if version != document.last() + 1 => {
            Err(Common::VersionConflict { actual: u64::from(document.last()) }.into())
        }
        Some(_) | None => Ok(()),
    }
}

/// The next version, if what was written is a strategy.
pub(super) fn decide_generate(
    document: &Document,
    brief_id: BriefId,
    by: Authorship,
    outline: Outline,
) -> Result<Written, GenerateRefused> {
    let words = placeholders(contract::texts(&outline));
    if !words.is_empty() {
        return Err(GenerateRefused::PlaceholderText { words });
    }
    if let Some((field, _)) = contract::broken(&outline) {
        return Err(GenerateRefused::WriterRejected { provider_code: format!("BAD_{}", field.to_uppercase()) });
    }
    let (summary, kept) = Text::of(&outline.summary);
    Ok((next(document, brief_id, by, outline, summary, None), kept))
}

/// The next version, from an earlier one and a patch.
pub(super) fn decide_amend(document: &Document, cmd: &AmendStrategy, by: Authorship) -> Result<Written, AmendRefused> {
    let base = document.find(cmd.strategy_id)?;
    if base.status == StrategyStatus::Discarded {
        return Err(base.wrong_state().into());
    }
    let (patch, written) = (&cmd.patch, &base.written);
    if *patch == crate::api::dtos::StrategyPatch::default() {
        let why = "changes nothing".to_owned();
        return Err(Common::invalid("patch", why).into());
    }
    let mut layers = written.layers.clone();
    layers.extend(patch.layers.clone());
    let outline = Outline {
        summary: patch.summary.clone().unwrap_or_default(),
        kpis: patch.kpis.clone().unwrap_or_else(|| written.kpis.clone()),
        channels: patch.channels.clone().unwrap_or_else(|| written.channels.clone()),
        timeline: patch.timeline.clone().unwrap_or_else(|| written.timeline.clone()),
        layers,
        writer: Writer { provider: "amendment".to_owned(), prompt_hash: written.writer.prompt_hash.clone() },
    };
    let words = placeholders(contract::texts(&outline));
    if !words.is_empty() {
        return Err(AmendRefused::PlaceholderText { words });
    }
    if let Some(broken) = contract::broken(&outline) {
        return Err(contract::as_refusal(broken).into());
    }
    // A long summary that stays is kept already, under the hash that its reference names.
    let (summary, kept) = match &patch.summary {
        Some(summary) => Text::of(summary),
        None => (written.summary.clone(), None),
    };
    Ok((next(document, cmd.brief_id, by, outline, summary, Some(cmd.strategy_id)), kept))
}

fn next(
    document: &Document,
    brief_id: BriefId,
    by: Authorship,
    outline: Outline,
    summary: Text,
    amends: Option<StrategyId>,
) -> StrategyGenerated {
    let Outline { kpis, channels, timeline, layers, writer, .. } = outline;
    StrategyGenerated {
        strategy_id: by.strategy_id,
        brief_id,
        version: document.last() + 1,
        kpis,
        channels,
        timeline,
        layers,
        summary,
        writer,
        author: Some(by.author),
        amends,
    }
}

/// A draft that is whole goes to its reviewers.
pub(super) fn decide_submit(
    document: &Document,
    cmd: &SubmitStrategy,
    deed: StepKey,
) -> Result<StrategySubmitted, SubmitRefused> {
    let version = document.find(cmd.strategy_id)?;
    version.must_be(StrategyStatus::Draft)?;
    let layers = contract::faults(&version.written);
    if !layers.is_empty() {
        return Err(SubmitRefused::ContractInvalid { layers });
    }
    Ok(StrategySubmitted { strategy_id: cmd.strategy_id, reviewers: cmd.reviewers.clone(), deed: Some(deed) })
}

/// An undo takes its own submission back and is content with anything else.
pub(super) fn decide_withdraw(
    document: &Document,
    cmd: &WithdrawSubmission,
    direction: Direction,
) -> Result<Option<StrategySubmissionWithdrawn>, Common> {
    let version = document.find(cmd.strategy_id)?;
    let own = cmd.deed.is_none() || cmd.deed == version.submitted_by;
    let withdrawn = || StrategySubmissionWithdrawn { strategy_id: cmd.strategy_id, reason: Some(cmd.reason.clone()) };
    match (version.status, direction) {
        (StrategyStatus::Submitted, _) => Ok(own.then(withdrawn)),
        (StrategyStatus::Draft, _) | (_, Direction::Undo) => Ok(None),
        (_, Direction::Do) => Err(version.wrong_state()),
    }
}

/// The decider: the sender, or the actor that a saga or the system names.
fn decider(sender: &Actor, named: Option<&Actor>) -> Result<Actor, Common> {
    match (sender.kind, named) {
        (_, None) => Ok(sender.clone()),
        (ActorKind::Saga | ActorKind::System, Some(named)) => Ok(named.clone()),
        (ActorKind::Operator | ActorKind::Client | ActorKind::Import, Some(named)) if named == sender => {
            Ok(named.clone())
        }
        (ActorKind::Operator | ActorKind::Client | ActorKind::Import, Some(_)) => {
            Err(Common::not_permitted(sender, "nobody decides in another's name"))
        }
    }
}

/// The approval, after the end of the one before.
pub(super) fn decide_approve(
    document: &Document,
    cmd: &ApproveStrategy,
    sender: &Actor,
) -> Result<Vec<StrategyEvent>, ApproveRefused> {
    let version = document.find(cmd.strategy_id)?;
    version.must_be(StrategyStatus::Submitted)?;
    let written = &version.written;
    let latest = document.latest_in_play();
    if written.version != latest {
        return Err(ApproveRefused::NotLatest { latest });
    }
    let approved_by = decider(sender, cmd.approver.as_ref())?;
    if approved_by.kind == ActorKind::Operator && written.author.as_ref() == Some(&approved_by) {
        return Err(ApproveRefused::SelfApproval { actor: approved_by.id });
    }
    let before = document.approved().map(|strategy_id| StrategySuperseded { strategy_id, by: cmd.strategy_id }.into());
    let approved = StrategyApproved {
        strategy_id: cmd.strategy_id,
        brief_id: cmd.brief_id,
        approved_by,
        version: written.version,
        note: cmd.note.clone(),
        content_hash: Some(content_hash(written)),
    };
    Ok(before.into_iter().chain([approved.into()]).collect())
}

/// An undo is content when there is nothing to revoke.
pub(super) fn decide_revoke(
    document: &Document,
    cmd: &RevokeStrategyApproval,
    sender: &Actor,
    direction: Direction,
) -> Result<Option<StrategyApprovalRevoked>, Common> {
    let version = document.find(cmd.strategy_id)?;
    match (version.status, direction) {
        (StrategyStatus::Approved, _) => Ok(Some(revoked(cmd.strategy_id, &cmd.reason, sender))),
        (StrategyStatus::Revoked, _) | (_, Direction::Undo) => Ok(None),
        (_, Direction::Do) => Err(version.wrong_state()),
    }
}

fn revoked(strategy_id: StrategyId, reason: &str, sender: &Actor) -> StrategyApprovalRevoked {
    StrategyApprovalRevoked { strategy_id, reason: reason.to_owned(), actor: sender.clone() }
}

/// A no with its reason.
pub(super) fn decide_reject(
    document: &Document,
    cmd: &RejectStrategy,
    sender: &Actor,
) -> Result<StrategyRejected, RejectRefused> {
    let version = document.find(cmd.strategy_id)?;
    version.must_be(StrategyStatus::Submitted)?;
    if cmd.reason.trim().is_empty() {
        return Err(RejectRefused::ReasonRequired);
    }
    let actor = decider(sender, cmd.decider.as_ref())?;
    Ok(StrategyRejected { strategy_id: cmd.strategy_id, reason: cmd.reason.trim().to_owned(), actor })
}

/// A person discards what is in the making; an undo takes its version back whatever became of it.
pub(super) fn decide_discard(
    document: &Document,
    cmd: &DiscardStrategy,
    sender: &Actor,
    direction: Direction,
) -> Result<Vec<StrategyEvent>, Common> {
    let version = document.find(cmd.strategy_id)?;
    let discarded =
        || StrategyEvent::from(StrategyDiscarded { strategy_id: cmd.strategy_id, reason: cmd.reason.clone() });
    match (version.status, direction) {
        (StrategyStatus::Draft | StrategyStatus::Submitted, _)
        | (StrategyStatus::Rejected | StrategyStatus::Revoked, Direction::Undo) => Ok(vec![discarded()]),
        (StrategyStatus::Approved, Direction::Undo) => {
            Ok(vec![revoked(cmd.strategy_id, &cmd.reason, sender).into(), discarded()])
        }
        (StrategyStatus::Discarded, _) | (StrategyStatus::Superseded, Direction::Undo) => Ok(Vec::new()),
        (
            StrategyStatus::Approved | StrategyStatus::Rejected | StrategyStatus::Revoked | StrategyStatus::Superseded,
            Direction::Do,
        ) => Err(version.wrong_state()),
    }
}

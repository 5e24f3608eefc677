//! The story of one draft, and what is decided about it. Pure.

use super::limits::{ASSETS_PER_DRAFT_MAX, name};
use crate::api::commands::{DiscardDraft, GenerateDraft, ReleaseDraft, RevertRevision, ReviseDraft};
use crate::api::dtos::{DraftStatus, DraftWritten};
use crate::api::events::{
    DraftAssetAdded, DraftAssetRemoved, DraftDiscarded, DraftEvent, DraftReady, DraftReleased, DraftRevised,
    DraftRevisionReverted, RevisionId, RevisionRequest,
};
use crate::api::refusals::DraftRefused;
use events::ids::{AssetId, DraftId, ProjectId, StrategyId};
use events::values::Text;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::id::Direction;
use serde::{Deserialize, Serialize};

/// A draft; also the document of its read model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Draft {
    pub(super) draft_id: Option<DraftId>,
    pub(super) status: DraftStatus,
    pub(super) strategy_id: Option<StrategyId>,
    pub(super) project_id: Option<ProjectId>,
    pub(super) content_type: String,
    pub(super) language: String,
    pub(super) revisions: Vec<Revision>,
    pub(super) asset_ids: Vec<AssetId>,
}

/// One revision. Those that were taken back stay, so that no number is given twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Revision {
    pub(super) number: u32,
    pub(super) id: Option<RevisionId>,
    pub(super) body: Text,
    pub(super) requests: Vec<RevisionRequest>,
    pub(super) live: bool,
}

impl Draft {
    /// The revision that counts.
    pub(super) fn current(&self) -> Option<&Revision> {
        self.revisions.iter().rev().find(|revision| revision.live)
    }
    fn next_number(&self) -> u32 {
        self.revisions.last().map_or(1, |revision| revision.number.saturating_add(1))
    }
}

impl Aggregate for Draft {
    type Event = DraftEvent;
    fn evolve(&mut self, event: &DraftEvent) {
        match event {
            DraftEvent::DraftReady(ready) => {
                self.draft_id = Some(ready.draft_id);
                self.status = DraftStatus::Ready;
                self.strategy_id = ready.strategy_id;
                self.project_id = ready.project_id;
                self.content_type = ready.content_type.clone();
                self.language = ready.language.clone();
                let (number, body) = (ready.revision, ready.body.clone());
                self.revisions.push(Revision { number, id: None, body, requests: Vec::new(), live: true });
            }
            DraftEvent::DraftRevised(revised) => self.revisions.push(Revision {
                number: revised.revision,
                id: Some(revised.revision_id),
                body: revised.body.clone(),
                requests: revised.requests.clone(),
                live: true,
            }),
            DraftEvent::DraftRevisionReverted(reverted) => {
                let of = |revision: &&mut Revision| revision.id == Some(reverted.revision_id);
                if let Some(revision) = self.revisions.iter_mut().find(of) {
                    revision.live = false;
                }
            }
            DraftEvent::DraftDiscarded(_) => self.status = DraftStatus::Discarded,
            DraftEvent::DraftReleased(_) => self.status = DraftStatus::Released,
            DraftEvent::DraftAssetAdded(added) => self.asset_ids.push(added.asset_id),
            DraftEvent::DraftAssetRemoved(removed) => self.asset_ids.retain(|id| *id != removed.asset_id),
        }
    }
}

/// What can be said about a draft's order before it is written.
pub(super) fn check_order(asked: &GenerateDraft) -> Result<(), DraftRefused> {
    name("content_type", &asked.content_type)?;
    name("language", &asked.language)?;
    name("brief.client_name", &asked.brief.client_name)?;
    Ok(())
}

/// An answer, its event, and what has to be kept beside the log.
pub(super) type Decided<T, E> = (T, E, Option<String>);

/// A draft was written.
pub(super) fn decide_generate(
    asked: &GenerateDraft,
    draft_id: DraftId,
    body: String,
) -> Result<Decided<DraftWritten, DraftEvent>, DraftRefused> {
    if body.trim().is_empty() {
        return Err(DraftRefused::WriterRejected { why: "EMPTY".to_owned() });
    }
    let (short, keep) = Text::of(&body);
    let (content_type, language) = (asked.content_type.clone(), asked.language.clone());
    let ready = DraftReady {
        draft_id,
        content_type: content_type.clone(),
        strategy_id: Some(asked.strategy_id),
        project_id: asked.project_id,
        body: short,
        revision: 1,
        language: language.clone(),
    };
    Ok((DraftWritten { draft_id, revision: 1, content_type, language, body }, ready.into(), keep))
}

/// Whether a draft may be revised, asked before the writer is.
pub(super) fn check_revision(state: &Draft, asked: &ReviseDraft) -> Result<(), DraftRefused> {
    exists(state, asked.draft_id)?;
    if state.status != DraftStatus::Ready {
        return Err(Common::wrong_state(state.status.word()).into());
    }
    if asked.requests.iter().all(|request| request.change.trim().is_empty()) {
        return Err(DraftRefused::NoRequests);
    }
    Ok(())
}

/// A revision was written.
pub(super) fn decide_revise(
    state: &Draft,
    asked: &ReviseDraft,
    revision_id: RevisionId,
    body: String,
) -> Result<Decided<DraftWritten, DraftEvent>, DraftRefused> {
    check_revision(state, asked)?;
    if body.trim().is_empty() {
        return Err(DraftRefused::WriterRejected { why: "EMPTY".to_owned() });
    }
    let (short, keep) = Text::of(&body);
    let (draft_id, revision) = (asked.draft_id, state.next_number());
    let revised = DraftRevised { draft_id, revision, requests: asked.requests.clone(), body: short, revision_id };
    let (content_type, language) = (state.content_type.clone(), state.language.clone());
    Ok((DraftWritten { draft_id, revision, content_type, language, body }, revised.into(), keep))
}

/// A revision is taken back. Others, written before or after, stay.
pub(super) fn decide_revert(
    state: &Draft,
    asked: &RevertRevision,
    direction: Direction,
) -> Result<Option<DraftEvent>, Common> {
    let found = state.revisions.iter().find(|revision| revision.id == Some(asked.revision_id));
    let open = match state.status {
        DraftStatus::Ready | DraftStatus::Released => true,
        DraftStatus::Absent | DraftStatus::Discarded => false,
    };
    let Some(found) = found.filter(|_| open) else {
        return match direction {
            Direction::Undo => Ok(None),
            Direction::Do => Err(Common::not_found("revision", asked.revision_id)),
        };
    };
    if !found.live {
        return Ok(None);
    }
    if direction == Direction::Do && state.status != DraftStatus::Ready {
        return Err(Common::wrong_state(state.status.word()));
    }
    let left = state.revisions.iter().rev().find(|revision| revision.live && revision.id != found.id);
    let revision = left.map_or(0, |revision| revision.number);
    let (revision_id, reason) = (asked.revision_id, asked.reason.clone());
    Ok(Some(DraftRevisionReverted { draft_id: asked.draft_id, revision_id, revision, reason }.into()))
}

/// The work on a draft ends.
pub(super) fn decide_release(state: &Draft, asked: &ReleaseDraft) -> Result<Option<DraftEvent>, Common> {
    exists(state, asked.draft_id)?;
    match state.status {
        DraftStatus::Ready => Ok(Some(DraftReleased { draft_id: asked.draft_id }.into())),
        DraftStatus::Released => Ok(None),
        DraftStatus::Absent | DraftStatus::Discarded => Err(Common::wrong_state(state.status.word())),
    }
}

/// A draft is dropped.
pub(super) fn decide_discard(
    state: &Draft,
    asked: &DiscardDraft,
    direction: Direction,
) -> Result<Option<DraftEvent>, Common> {
    let event = DraftDiscarded { draft_id: asked.draft_id, reason: asked.reason.clone() }.into();
    match (state.status, direction) {
        (DraftStatus::Discarded, _) | (DraftStatus::Absent, Direction::Undo) => Ok(None),
        (DraftStatus::Absent, Direction::Do) => Err(Common::not_found("draft", asked.draft_id)),
        (DraftStatus::Released, Direction::Do) => Err(Common::wrong_state(state.status.word())),
        (DraftStatus::Ready, _) | (DraftStatus::Released, Direction::Undo) => Ok(Some(event)),
    }
}

/// An asset takes a place.
pub(super) fn decide_add_asset(state: &Draft, draft_id: DraftId, asset_id: AssetId) -> Result<DraftEvent, Common> {
    usable(state, draft_id)?;
    if state.asset_ids.len() >= ASSETS_PER_DRAFT_MAX {
        return Err(Common::invalid("draft_id", format!("a draft has at most {ASSETS_PER_DRAFT_MAX} assets")));
    }
    Ok(DraftAssetAdded { draft_id, asset_id }.into())
}

/// A dropped asset gives its place back, if it had one.
pub(super) fn decide_remove_asset(state: &Draft, draft_id: DraftId, asset_id: AssetId) -> Option<DraftEvent> {
    state.asset_ids.contains(&asset_id).then(|| DraftAssetRemoved { draft_id, asset_id }.into())
}

fn exists(state: &Draft, draft_id: DraftId) -> Result<(), Common> {
    if state.status == DraftStatus::Absent { Err(Common::not_found("draft", draft_id)) } else { Ok(()) }
}

/// A draft that something may still be made of.
pub(super) fn usable(state: &Draft, draft_id: DraftId) -> Result<(), Common> {
    exists(state, draft_id)?;
    match state.status {
        DraftStatus::Ready | DraftStatus::Released => Ok(()),
        DraftStatus::Absent | DraftStatus::Discarded => Err(Common::wrong_state(state.status.word())),
    }
}

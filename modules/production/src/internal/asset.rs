//! The story of one creative asset, and what is decided about it. Pure.

use super::gates::Judged;
use super::limits;
use crate::api::commands::{
    ApproveAsset, ArchiveAsset, DiscardAsset, MarkAssetPublished, MarkAssetRetracted, RevertAssetEdit,
    RevokeAssetApproval,
};
use crate::api::dtos::{AssetChanges, AssetCopy, AssetMade, AssetSpec, AssetStatus};
use crate::api::events::{
    ApprovalId, AssetEvent, AssetPatch, CreativeAssetApprovalRevoked, CreativeAssetApproved, CreativeAssetArchived,
    CreativeAssetCreated, CreativeAssetDiscarded, CreativeAssetEdited, CreativeAssetPublished, CreativeAssetRetracted,
    Media, Publication, RevisionId, Rights, asset_content_hash,
};
use crate::api::refusals::AssetRefused;
use events::ids::{AssetId, CampaignId, DraftId, QcResultId, StrategyId};
use events::values::Text;
use saga_core::aggregate::Aggregate;
use saga_core::command::Common;
use saga_core::envelope::Actor;
use saga_core::id::Direction;
use saga_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A creative asset; also the document of its read model.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Asset {
    pub(super) asset_id: Option<AssetId>,
    pub(super) status: AssetStatus,
    pub(super) campaign_id: Option<CampaignId>,
    pub(super) draft_id: Option<DraftId>,
    pub(super) strategy_id: Option<StrategyId>,
    pub(super) platform: String,
    pub(super) format: String,
    pub(super) language: String,
    pub(super) variant: u32,
    pub(super) rights: Option<Rights>,
    pub(super) versions: Vec<Version>,
    pub(super) approval: Option<Approval>,
    pub(super) publications: Vec<Publication>,
}

/// One version. Those that were taken back stay, so that no number is given twice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Version {
    pub(super) number: u32,
    pub(super) id: Option<RevisionId>,
    pub(super) hook: String,
    pub(super) caption: Option<Text>,
    pub(super) cta: Option<String>,
    pub(super) tone: Option<String>,
    pub(super) schedule: Option<Timestamp>,
    pub(super) content_hash: String,
    pub(super) media: Option<Media>,
    pub(super) live: bool,
    /// The approval that this edit cost; given back when the edit is taken back.
    pub(super) cost: Option<Approval>,
}

/// Who approved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Approval {
    pub(super) id: ApprovalId,
    pub(super) actor: Actor,
    pub(super) qc_result_id: Option<QcResultId>,
    pub(super) note: Option<String>,
}

impl Asset {
    /// The version that counts.
    pub(super) fn current(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.live)
    }
    pub(super) fn spec(&self) -> AssetSpec {
        let (platform, format, language) = (self.platform.clone(), self.format.clone(), self.language.clone());
        AssetSpec { platform, format, language, variant: self.variant }
    }
    fn create(&mut self, made: &CreativeAssetCreated) {
        self.asset_id = Some(made.asset_id);
        self.status = AssetStatus::Draft;
        self.campaign_id = made.campaign_id;
        self.draft_id = made.draft_id;
        self.strategy_id = made.strategy_id;
        self.platform = made.platform.clone();
        self.format = made.format.clone();
        self.language = made.language.clone();
        self.variant = made.variant;
        self.rights = Some(made.rights.clone());
        self.versions.push(Version {
            number: 1,
            id: None,
            hook: made.hook.clone(),
            caption: made.caption.clone(),
            cta: made.cta.clone(),
            tone: made.tone.clone(),
            schedule: None,
            content_hash: made.content_hash.clone(),
            media: made.media.clone(),
            live: true,
            cost: None,
        });
    }
    fn edit(&mut self, edited: &CreativeAssetEdited) {
        if edited.reverted {
            let of = |version: &&mut Version| version.id == Some(edited.revision_id);
            if let Some(version) = self.versions.iter_mut().find(of) {
                version.live = false;
            }
            return;
        }
        let Some(mut next) = self.current().cloned() else { return };
        let kept = |change: &Option<String>, old: Option<String>| match change {
            Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
            None => old,
        };
        let patch = &edited.patch;
        next.hook = patch.hook.clone().unwrap_or(next.hook);
        next.caption = match &patch.caption {
            Some(text) => Some(text.clone()).filter(|text| !text.head().is_empty()),
            None => next.caption,
        };
        next.cta = kept(&patch.cta, next.cta);
        next.tone = kept(&patch.tone, next.tone);
        next.schedule = patch.schedule.or(next.schedule);
        next.number = edited.version;
        next.id = Some(edited.revision_id);
        next.content_hash = edited.content_hash.clone();
        next.media = edited.media.clone().or(next.media);
        next.cost = self.approval.clone();
        self.versions.push(next);
    }
    fn approve(&mut self, approved: &CreativeAssetApproved) {
        let (actor, note) = (approved.actor.clone(), approved.note.clone());
        self.status = AssetStatus::Approved;
        self.approval = Some(Approval { id: approved.approval_id, actor, qc_result_id: approved.qc_result_id, note });
    }
    fn retract(&mut self, retracted: &CreativeAssetRetracted) {
        let gone = &retracted.publications;
        self.publications.retain(|publication| !gone.is_empty() && !gone.contains(publication));
        if self.publications.is_empty() {
            self.status = AssetStatus::Retracted;
        }
    }
}

impl Aggregate for Asset {
    type Event = AssetEvent;
    fn evolve(&mut self, event: &AssetEvent) {
        match event {
            AssetEvent::CreativeAssetCreated(made) => self.create(made),
            AssetEvent::CreativeAssetEdited(edited) => self.edit(edited),
            AssetEvent::CreativeAssetApproved(approved) => self.approve(approved),
            AssetEvent::CreativeAssetApprovalRevoked(_) => {
                self.status = AssetStatus::Draft;
                self.approval = None;
            }
            AssetEvent::CreativeAssetPublished(published) => {
                self.status = AssetStatus::Published;
                self.publications.extend(published.publications.iter().cloned());
            }
            AssetEvent::CreativeAssetRetracted(retracted) => self.retract(retracted),
            AssetEvent::CreativeAssetArchived(_) => self.status = AssetStatus::Archived,
            AssetEvent::CreativeAssetDiscarded(_) => self.status = AssetStatus::Discarded,
        }
    }
}

/// sha256 of what an asset says where.
pub(super) fn hash_of(spec: &AssetSpec, copy: &AssetCopy) -> String {
    let (caption, cta) = (copy.caption.as_deref().unwrap_or_default(), copy.cta.as_deref().unwrap_or_default());
    asset_content_hash(&spec.platform, &spec.format, &copy.hook, caption, cta)
}

/// Everything known of a new asset before its event is written.
pub(super) struct Making {
    pub(super) asset_id: AssetId,
    pub(super) campaign_id: Option<CampaignId>,
    pub(super) draft_id: Option<DraftId>,
    pub(super) strategy_id: Option<StrategyId>,
    pub(super) spec: AssetSpec,
    pub(super) copy: AssetCopy,
    pub(super) rights: Rights,
    pub(super) media: Media,
}

/// An asset was made.
pub(super) fn decide_create(making: Making) -> (AssetMade, AssetEvent, Option<String>) {
    let Making { asset_id, campaign_id, draft_id, strategy_id, spec, copy, rights, media } = making;
    let content_hash = hash_of(&spec, &copy);
    let (caption, keep) = copy.caption.as_deref().map(Text::of).unzip();
    let made = CreativeAssetCreated {
        asset_id,
        campaign_id,
        platform: spec.platform.clone(),
        format: spec.format.clone(),
        hook: copy.hook.clone(),
        caption,
        cta: copy.cta.clone(),
        tone: copy.tone.clone(),
        draft_id,
        strategy_id,
        variant: spec.variant,
        language: spec.language.clone(),
        content_hash: content_hash.clone(),
        rights,
        media: Some(media.clone()),
    };
    (AssetMade { asset_id, version: 1, spec, copy, content_hash, media: Some(media) }, made.into(), keep.flatten())
}

/// Whether an asset may be edited, asked before anybody writes or renders.
pub(super) fn check_edit(state: &Asset, asset_id: AssetId) -> Result<(), Common> {
    match state.status {
        AssetStatus::Draft | AssetStatus::Approved => Ok(()),
        AssetStatus::Absent => Err(Common::not_found("asset", asset_id)),
        AssetStatus::Published | AssetStatus::Retracted | AssetStatus::Archived | AssetStatus::Discarded => {
            Err(Common::wrong_state(state.status.word()))
        }
    }
}

/// What the words are after the changes.
pub(super) fn changed(copy: &AssetCopy, changes: &AssetChanges) -> AssetCopy {
    let kept = |change: &Option<String>, old: &Option<String>| match change {
        Some(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        None => old.clone(),
    };
    AssetCopy {
        hook: changes.hook.clone().unwrap_or_else(|| copy.hook.clone()),
        caption: kept(&changes.caption, &copy.caption),
        cta: kept(&changes.cta, &copy.cta),
        tone: kept(&changes.tone, &copy.tone),
    }
}

/// A change of an asset with everything that was made for it.
pub(super) struct Editing {
    pub(super) asset_id: AssetId,
    pub(super) revision_id: RevisionId,
    pub(super) changes: AssetChanges,
    /// All words after the change.
    pub(super) copy: AssetCopy,
    pub(super) media: Media,
    pub(super) reason: Option<String>,
}

/// An answer, its events, and what has to be kept beside the log.
pub(super) type Edited = (AssetMade, Vec<AssetEvent>, Option<String>);

/// An asset is changed; what was approved before is not what is there now.
pub(super) fn decide_edit(state: &Asset, editing: Editing) -> Result<Edited, AssetRefused> {
    let Editing { asset_id, revision_id, changes, copy, media, reason } = editing;
    check_edit(state, asset_id)?;
    limits::copy(&state.platform, &copy)?;
    let spec = state.spec();
    let content_hash = hash_of(&spec, &copy);
    let version = state.versions.last().map_or(1, |version| version.number.saturating_add(1));
    let (caption, keep) = changes.caption.as_deref().map(Text::of).unzip();
    let (hook, cta, tone, schedule) = (changes.hook, changes.cta, changes.tone, changes.schedule);
    let edited = CreativeAssetEdited {
        asset_id,
        patch: AssetPatch { hook, caption, cta, tone, schedule },
        version,
        content_hash: content_hash.clone(),
        revision_id,
        reverted: false,
        reason,
        media: Some(media.clone()),
    };
    let mut events: Vec<AssetEvent> = vec![edited.into()];
    if state.approval.is_some() {
        events.push(CreativeAssetApprovalRevoked { asset_id, reason: "edited".to_owned() }.into());
    }
    Ok((AssetMade { asset_id, version, spec, copy, content_hash, media: Some(media) }, events, keep.flatten()))
}

/// A version is taken back, and with it the loss of the approval that it cost. What is out or gone stays as it is.
pub(super) fn decide_revert_edit(
    state: &Asset,
    asked: &RevertAssetEdit,
    direction: Direction,
) -> Result<Vec<AssetEvent>, Common> {
    let asset_id = asked.asset_id;
    let found = state.versions.iter().find(|version| version.id == Some(asked.revision_id));
    let Some(found) = found else {
        return match direction {
            Direction::Undo => Ok(Vec::new()),
            Direction::Do => Err(Common::not_found("version", asked.revision_id)),
        };
    };
    match (check_edit(state, asset_id), direction) {
        (Ok(()), _) => {}
        (Err(_), Direction::Undo) => return Ok(Vec::new()),
        (Err(refused), Direction::Do) => return Err(refused),
    }
    let left = state.versions.iter().rev().find(|version| version.live && version.id != found.id);
    let (true, Some(left)) = (found.live, left) else { return Ok(Vec::new()) };
    let edited = CreativeAssetEdited {
        asset_id,
        patch: AssetPatch::default(),
        version: left.number,
        content_hash: left.content_hash.clone(),
        revision_id: asked.revision_id,
        reverted: true,
        reason: Some(asked.reason.clone()),
        media: left.media.clone(),
    };
    let mut events: Vec<AssetEvent> = vec![edited.into()];
    let on_top = state.current().is_some_and(|current| current.id == found.id);
    match (on_top, &state.approval, &found.cost) {
        // The version that is taken back was approved.
        (true, Some(_), _) => {
            events.push(CreativeAssetApprovalRevoked { asset_id, reason: asked.reason.clone() }.into())
        }
        (true, None, Some(lost)) => events.push(
            CreativeAssetApproved {
                asset_id,
                actor: lost.actor.clone(),
                qc_result_id: lost.qc_result_id,
                note: lost.note.clone(),
                approval_id: lost.id,
            }
            .into(),
        ),
        (true, None, None) | (false, _, _) => {}
    }
    Ok(events)
}

/// Whether an asset may be approved, asked before its judgement is looked up.
pub(super) fn check_approve(state: &Asset, asset_id: AssetId) -> Result<&Version, Common> {
    match (state.status, state.current()) {
        (AssetStatus::Draft, Some(version)) => Ok(version),
        (AssetStatus::Absent, _) => Err(Common::not_found("asset", asset_id)),
        (status, _) => Err(Common::wrong_state(status.word())),
    }
}

/// An asset is approved on the strength of a judgement.
pub(super) fn decide_approve(
    state: &Asset,
    asked: &ApproveAsset,
    judged: Option<Judged>,
    approval_id: ApprovalId,
    actor: &Actor,
) -> Result<AssetEvent, AssetRefused> {
    let version = check_approve(state, asked.asset_id)?;
    match judged {
        None => Err(AssetRefused::QcMissing { version: version.number }),
        Some(Judged { result_id, good: false }) => Err(AssetRefused::QcFailed { result_id }),
        Some(Judged { result_id, good: true }) => Ok(CreativeAssetApproved {
            asset_id: asked.asset_id,
            actor: actor.clone(),
            qc_result_id: Some(result_id),
            note: asked.note.clone(),
            approval_id,
        }
        .into()),
    }
}

/// An approval is taken back: the one named, or whichever there is.
pub(super) fn decide_revoke(
    state: &Asset,
    asked: &RevokeAssetApproval,
    direction: Direction,
) -> Result<Option<AssetEvent>, Common> {
    let asset_id = asked.asset_id;
    let event = || CreativeAssetApprovalRevoked { asset_id, reason: asked.reason.clone() }.into();
    let own = |approval: &Approval| asked.approval_id.is_none_or(|id| id == approval.id);
    match (state.status, &state.approval, direction) {
        (AssetStatus::Approved, Some(approval), _) => Ok(own(approval).then(event)),
        (_, _, Direction::Undo) => Ok(None),
        (AssetStatus::Absent, _, Direction::Do) => Err(Common::not_found("asset", asset_id)),
        (status, _, Direction::Do) => Err(Common::wrong_state(status.word())),
    }
}

/// An asset is out.
pub(super) fn decide_published(state: &Asset, asked: &MarkAssetPublished) -> Result<Option<AssetEvent>, AssetRefused> {
    match state.status {
        AssetStatus::Approved | AssetStatus::Published => {}
        AssetStatus::Absent => return Err(Common::not_found("asset", asked.asset_id).into()),
        AssetStatus::Draft | AssetStatus::Retracted | AssetStatus::Archived | AssetStatus::Discarded => {
            return Err(Common::wrong_state(state.status.word()).into());
        }
    }
    if asked.publications.is_empty() {
        return Err(Common::invalid("publications", "name at least one").into());
    }
    let mut publications: Vec<Publication> = Vec::new();
    for publication in &asked.publications {
        if !state.publications.contains(publication) && !publications.contains(publication) {
            publications.push(publication.clone());
        }
    }
    let asset_id = asked.asset_id;
    Ok((!publications.is_empty()).then(|| CreativeAssetPublished { asset_id, publications }.into()))
}

/// Publications are gone.
pub(super) fn decide_retracted(
    state: &Asset,
    asked: &MarkAssetRetracted,
    direction: Direction,
) -> Result<Option<AssetEvent>, Common> {
    let known = asked.publications.iter().any(|publication| state.publications.contains(publication));
    match (state.status, direction) {
        (AssetStatus::Published, _) if known || asked.publications.is_empty() => {
            let (publications, reason) = (asked.publications.clone(), asked.reason.clone());
            Ok(Some(CreativeAssetRetracted { asset_id: asked.asset_id, reason, publications }.into()))
        }
        (AssetStatus::Published | AssetStatus::Retracted, _) | (_, Direction::Undo) => Ok(None),
        (AssetStatus::Absent, Direction::Do) => Err(Common::not_found("asset", asked.asset_id)),
        (status, Direction::Do) => Err(Common::wrong_state(status.word())),
    }
}

/// An asset is put away.
pub(super) fn decide_archive(state: &Asset, asked: &ArchiveAsset) -> Result<Option<AssetEvent>, AssetRefused> {
    match state.status {
        AssetStatus::Draft | AssetStatus::Approved => {
            Ok(Some(CreativeAssetArchived { asset_id: asked.asset_id, reason: asked.reason.clone() }.into()))
        }
        AssetStatus::Archived => Ok(None),
        AssetStatus::Absent => Err(Common::not_found("asset", asked.asset_id).into()),
        AssetStatus::Published | AssetStatus::Retracted | AssetStatus::Discarded => {
            Err(Common::wrong_state(state.status.word()).into())
        }
    }
}

/// An asset is dropped.
pub(super) fn decide_discard(
    state: &Asset,
    asked: &DiscardAsset,
    direction: Direction,
) -> Result<Option<AssetEvent>, Common> {
    let event = || CreativeAssetDiscarded { asset_id: asked.asset_id, reason: asked.reason.clone() }.into();
    match (state.status, direction) {
        (AssetStatus::Discarded, _) | (AssetStatus::Absent, Direction::Undo) => Ok(None),
        (AssetStatus::Absent, Direction::Do) => Err(Common::not_found("asset", asked.asset_id)),
        (AssetStatus::Published, Direction::Do) => Err(Common::wrong_state(state.status.word())),
        (AssetStatus::Draft | AssetStatus::Approved | AssetStatus::Retracted | AssetStatus::Archived, _)
        | (AssetStatus::Published, Direction::Undo) => Ok(Some(event())),
    }
}

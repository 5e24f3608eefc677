//! Glue for the commands that ask a writer or a renderer: check, ask, load, decide, append.

use super::asset::{self, Asset, Editing, Making, Version};
use super::draft::{self, Draft};
use super::gates::{self, Strategy};
use super::limits;
use crate::api::commands::{CreateAsset, EditAsset, GenerateDraft, RegenerateAsset, ReviseDraft};
use crate::api::dtos::{AssetChanges, AssetContent, AssetCopy, AssetMade, AssetSpec};
use crate::api::events::{Media, RevisionId, Rights};
use crate::api::providers::{
    CopyOrder, DraftOrder, Needs, ProviderError, RenderOrder, RevisionOrder, RewriteOrder, Written,
};
use crate::api::refusals::{AssetRefused, DraftRefused};
use events::ids::{AssetId, DraftId, StrategyId};
use saga_core::aggregate::Loaded;
use saga_core::command::Common;
use saga_core::module::{Cx, Done, Halt, Handled, OrRefuse, OrRetry};

/// A provider whose answer was lost is asked again after this long, with the same key.
const UNKNOWN_RETRY_MS: u64 = 1_000;

/// What a provider's failure is to a handler: a refusal, or weather.
fn provided<T, R>(answer: Result<T, ProviderError>, rejected: impl Fn(String) -> R) -> Result<T, Halt<R>> {
    answer.map_err(|error| error.halt(UNKNOWN_RETRY_MS, rejected))
}

fn keep<T>(done: Done<T>, text: Option<String>) -> Done<T> {
    match text {
        Some(text) => done.keep(&text),
        None => done,
    }
}

pub(super) async fn generate_draft(cx: Cx<Needs>, cmd: GenerateDraft) -> Handled<GenerateDraft> {
    draft::check_order(&cmd).or_refuse()?;
    approved(&cx, cmd.strategy_id).await?;
    let order = DraftOrder {
        content_type: cmd.content_type.clone(),
        language: cmd.language.clone(),
        strategy: cmd.strategy.clone(),
        brief: cmd.brief.clone(),
    };
    let rejected = |why| DraftRefused::WriterRejected { why };
    let written = provided(cx.needs().writer.draft(cx.key(), &order).await, rejected)?;
    let draft_id = DraftId::from(cx.key());
    let story = cx.load::<Draft>(draft_id).await.or_retry()?;
    let (reply, event, long) = draft::decide_generate(&cmd, draft_id, written.text).or_refuse()?;
    Ok(keep(cx.done(reply).append(&story, [event]), long))
}

/// The gate of a draft. An approval that was never heard of may be on its way: a no needs everything that strategy told.
async fn approved(cx: &Cx<Needs>, strategy_id: StrategyId) -> Result<(), Halt<DraftRefused>> {
    if gates::strategy(cx, strategy_id).await.or_retry()? == Some(Strategy::Approved) {
        return Ok(());
    }
    gates::all_of_strategy(cx, strategy_id).await?;
    let state = match gates::strategy(cx, strategy_id).await.or_retry()? {
        Some(Strategy::Approved) => return Ok(()),
        Some(known @ (Strategy::Revoked | Strategy::Discarded)) => known.word(),
        None => "UNKNOWN",
    };
    Err(Halt::Refuse(DraftRefused::StrategyNotApproved { strategy_id, state: state.to_owned() }))
}

pub(super) async fn revise_draft(cx: Cx<Needs>, cmd: ReviseDraft) -> Handled<ReviseDraft> {
    let before = cx.load::<Draft>(cmd.draft_id).await.or_retry()?.state;
    draft::check_revision(&before, &cmd).or_refuse()?;
    let body = match before.current() {
        Some(revision) => cx.documents().shown(&revision.body).await.or_retry()?,
        None => String::new(),
    };
    let (content_type, language) = (before.content_type, before.language);
    let order = RevisionOrder { content_type, language, body, requests: cmd.requests.clone() };
    let rejected = |why| DraftRefused::WriterRejected { why };
    let written = provided(cx.needs().writer.revise(cx.key(), &order).await, rejected)?;
    // Loaded again: writing takes long, and the commit holds only if nobody else wrote since.
    let story = cx.load::<Draft>(cmd.draft_id).await.or_retry()?;
    let id = RevisionId::from(cx.key());
    let (reply, event, long) = draft::decide_revise(&story.state, &cmd, id, written.text).or_refuse()?;
    Ok(keep(cx.done(reply).append(&story, [event]), long))
}

pub(super) async fn create_asset(cx: Cx<Needs>, cmd: CreateAsset) -> Handled<CreateAsset> {
    limits::spec(&cmd.spec).or_refuse()?;
    let basis = match cmd.draft_id {
        Some(draft_id) => {
            let draft = cx.load::<Draft>(draft_id).await.or_retry()?.state;
            draft::decide_add_asset(&draft, draft_id, AssetId::from(cx.key())).or_refuse()?;
            Some(draft)
        }
        None => None,
    };
    let from_draft = basis.as_ref().and_then(|draft| draft.strategy_id);
    let (copy, rights, strategy_id) = match &cmd.content {
        AssetContent::Given(copy) => (copy.clone(), Rights { source: "given".to_owned(), model: None }, from_draft),
        AssetContent::Write(order) => {
            let draft_body = match basis.as_ref().and_then(Draft::current) {
                Some(revision) => Some(cx.documents().shown(&revision.body).await.or_retry()?),
                None => None,
            };
            let (spec, strategy, brief) = (cmd.spec.clone(), order.strategy.clone(), order.brief.clone());
            let brief_language = basis.as_ref().map(|draft| draft.language.clone());
            let order_copy = CopyOrder { spec, strategy, brief, draft_body, brief_language };
            let rejected = |why| AssetRefused::WriterRejected { why };
            let written = provided(cx.needs().writer.copy(cx.key(), &order_copy).await, rejected)?;
            let rights = Rights { source: "writer".to_owned(), model: Some(written.model) };
            (written.text, rights, order.strategy_id.or(from_draft))
        }
    };
    limits::copy(&cmd.spec.platform, &copy).or_refuse()?;
    let media = rendered(&cx, &cmd.spec, &copy).await?;
    let asset_id = AssetId::from(cx.key());
    let story = cx.load::<Asset>(asset_id).await.or_retry()?;
    let (campaign_id, draft_id, spec) = (cmd.campaign_id, cmd.draft_id, cmd.spec);
    let making = Making { asset_id, campaign_id, draft_id, strategy_id, spec, copy, rights, media };
    let (reply, event, long) = asset::decide_create(making);
    let mut done = cx.done(reply).append(&story, [event]);
    if let Some(draft_id) = draft_id {
        // Loaded again after the slow part: twelve siblings ask for places at the same time.
        let draft = cx.load::<Draft>(draft_id).await.or_retry()?;
        let place = draft::decide_add_asset(&draft.state, draft_id, asset_id).or_refuse()?;
        done = done.append(&draft, [place]);
    }
    Ok(keep(done, long))
}

async fn rendered(cx: &Cx<Needs>, spec: &AssetSpec, copy: &AssetCopy) -> Result<Media, Halt<AssetRefused>> {
    let content_hash = asset::hash_of(spec, copy);
    let order = RenderOrder { spec: spec.clone(), copy: copy.clone(), content_hash };
    let rejected = |why| AssetRefused::RenderRejected { why };
    let file = provided(cx.needs().renderer.render(cx.key(), &order).await, rejected)?;
    Ok(Media { asset_type: file.asset_type, url: file.url, sha256: file.sha256 })
}

pub(super) async fn edit_asset(cx: Cx<Needs>, cmd: EditAsset) -> Handled<EditAsset> {
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    asset::check_edit(&story.state, cmd.asset_id).or_refuse()?;
    if cmd.patch == AssetChanges::default() {
        return Err(Halt::Refuse(Common::invalid("patch", "changes nothing").into()));
    }
    let copy = asset::changed(&words(&cx, &story).await?, &cmd.patch);
    edited(cx, cmd.asset_id, story, cmd.patch, copy, None).await
}

pub(super) async fn regenerate_asset(cx: Cx<Needs>, cmd: RegenerateAsset) -> Handled<RegenerateAsset> {
    limits::name("reason", &cmd.reason).or_refuse()?;
    let before = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    asset::check_edit(&before.state, cmd.asset_id).or_refuse()?;
    let old = words(&cx, &before).await?;
    let order = RewriteOrder { spec: before.state.spec(), copy: old, reason: cmd.reason.clone() };
    let rejected = |why| AssetRefused::WriterRejected { why };
    let Written { text: copy, .. } = provided(cx.needs().writer.rewrite(cx.key(), &order).await, rejected)?;
    // A writer gives all words, so that what it leaves out is gone.
    let patch = AssetChanges {
        hook: Some(copy.hook.clone()),
        caption: Some(copy.caption.clone().unwrap_or_default()),
        cta: Some(copy.cta.clone().unwrap_or_default()),
        tone: Some(copy.tone.clone().unwrap_or_default()),
        schedule: None,
    };
    let story = cx.load::<Asset>(cmd.asset_id).await.or_retry()?;
    edited(cx, cmd.asset_id, story, patch, copy, Some(cmd.reason)).await
}

/// All words of the version that counts.
async fn words(cx: &Cx<Needs>, story: &Loaded<Asset>) -> Result<AssetCopy, Halt<AssetRefused>> {
    match story.state.current() {
        Some(version) => copy_of(&cx.documents(), version).await.or_retry(),
        None => Ok(AssetCopy::default()),
    }
}

/// All words of one version.
pub(super) async fn copy_of(
    docs: &saga_core::module::Docs,
    version: &Version,
) -> Result<AssetCopy, saga_core::ports::ReadError> {
    let caption = match &version.caption {
        Some(text) => Some(docs.shown(text).await?),
        None => None,
    };
    let (hook, cta, tone) = (version.hook.clone(), version.cta.clone(), version.tone.clone());
    Ok(AssetCopy { hook, caption, cta, tone })
}

async fn edited(
    cx: Cx<Needs>,
    asset_id: AssetId,
    story: Loaded<Asset>,
    changes: AssetChanges,
    copy: AssetCopy,
    reason: Option<String>,
) -> Result<Done<AssetMade>, Halt<AssetRefused>> {
    limits::copy(&story.state.platform, &copy).or_refuse()?;
    let media = rendered(&cx, &story.state.spec(), &copy).await?;
    let revision_id = RevisionId::from(cx.key());
    let editing = Editing { asset_id, revision_id, changes, copy, media, reason };
    let (reply, events, long) = asset::decide_edit(&story.state, editing).or_refuse()?;
    Ok(keep(cx.done(reply).append(&story, events), long))
}

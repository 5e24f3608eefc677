//! What a strategy must have: shares that add up, numbers with a time, eight layers, a summary, no placeholders. Pure.

use crate::api::dtos::{BriefSnapshot, Outline, placeholders};
use crate::api::events::{Channel, Kpi, Layer, StrategyGenerated};
use events::values::TEXT_BYTES_MAX;
use saga_core::command::Common;

/// The whole of a budget in basis points.
const WHOLE_BP: u32 = 10_000;
/// Fifty characters: less than that sums nothing up.
const SUMMARY_CHARS_MIN: usize = 50;
/// What no strategy can do without.
pub(super) fn missing(brief: &BriefSnapshot) -> Vec<String> {
    let held = [
        ("client_name", brief.client_name.as_str()),
        ("audience", &brief.audience),
        ("primary_goal", &brief.primary_goal),
        ("offers", brief.offers.first().map_or("", |offer| &offer.name)),
    ];
    held.iter().filter(|(_, text)| text.trim().is_empty()).map(|(name, _)| (*name).to_owned()).collect()
}

/// All texts of an outline.
pub(super) fn texts(outline: &Outline) -> Vec<&str> {
    let mut texts = vec![outline.summary.as_str()];
    texts.extend(outline.layers.values().map(String::as_str));
    texts.extend(outline.channels.iter().map(|channel| channel.role.as_str()));
    texts.extend(outline.kpis.iter().map(|kpi| kpi.name.as_str()));
    texts
}

/// The first rule that an outline breaks, as a field and a sentence.
pub(super) fn broken(outline: &Outline) -> Option<(&'static str, String)> {
    if !shares_add_up(&outline.channels) {
        return Some(("channels", format!("shares must add up to {WHOLE_BP}")));
    }
    if !kpis_have_time(&outline.kpis) {
        return Some(("kpis", "each needs a name and a timeframe of at least one day".to_owned()));
    }
    let long = outline.layers.values().any(|text| text.len() > TEXT_BYTES_MAX);
    long.then(|| ("layers", format!("longer than {TEXT_BYTES_MAX} bytes")))
}

/// The same as a refusal of a field.
pub(super) fn as_refusal((field, why): (&'static str, String)) -> Common {
    Common::InvalidField { field: format!("patch.{field}"), why }
}

/// What keeps a version from being submitted.
pub(super) fn faults(version: &StrategyGenerated) -> Vec<String> {
    let empty = |layer: &Layer| version.layers.get(layer).is_none_or(|text| text.trim().is_empty());
    let mut faults: Vec<String> =
        Layer::ALL.iter().filter(|layer| empty(layer)).map(|layer| layer.word().to_owned()).collect();
    let summary = version.summary.head();
    if summary.chars().count() < SUMMARY_CHARS_MIN || !placeholders([summary]).is_empty() {
        faults.push("summary".to_owned());
    }
    if !kpis_have_time(&version.kpis) {
        faults.push("kpis".to_owned());
    }
    if !shares_add_up(&version.channels) {
        faults.push("channels".to_owned());
    }
    faults
}

fn shares_add_up(channels: &[Channel]) -> bool {
    channels.iter().map(|channel| u64::from(channel.share_bp)).sum::<u64>() == u64::from(WHOLE_BP)
}
fn kpis_have_time(kpis: &[Kpi]) -> bool {
    kpis.iter().all(|kpi| kpi.timeframe_days > 0 && !kpi.name.trim().is_empty())
}

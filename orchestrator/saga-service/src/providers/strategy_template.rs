//! A writer that needs nobody: it lays out what the brief says in fixed sentences of the brief's language.
//!
//! The same brief gives the same words; every sentence says something that stands in the brief. What people say of an
//! earlier version is between them and the writer: a template cannot think about it, and never quotes it to a client.

use super::unwritten;
use async_trait::async_trait;
use events::values::Money;
use orchestration::api::languages;
use saga_core::id::StepKey;
use saga_core::module::content_hash;
use std::collections::BTreeMap;
use strategy::api::dtos::{BriefSnapshot, Outline, measured};
use strategy::api::events::{Channel, Kpi, Layer, Layers, Phase, Timeline, Writer};
use strategy::api::providers::{ProviderError, StrategyWriter};

mod frames;
use frames::Frame;

/// The whole of a budget in basis points.
const WHOLE_BP: u64 = 10_000;
/// Eight weeks, when the brief names no time.
const WEEKS_DEFAULT: u32 = 8;
/// A summary below this is filled up with what the layers say.
const SUMMARY_CHARS_MIN: usize = 60;
/// What a brief is in that names no language.
const LANGUAGE_DEFAULT: &str = "en";
/// A platform that every client has.
const PLATFORM_DEFAULT: &str = "email";

/// The writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TemplateStrategyWriter;

#[async_trait]
impl StrategyWriter for TemplateStrategyWriter {
    async fn write(
        &self,
        _: StepKey,
        brief: &BriefSnapshot,
        context: &BTreeMap<String, String>,
    ) -> Result<Outline, ProviderError> {
        let frame = frame(brief)?;
        let weeks = brief.timeline_weeks.map_or(WEEKS_DEFAULT, |span| span.max.max(1));
        let mut channels = channels(brief);
        let words = Words::of(brief, frame, weeks, &channels);
        for channel in &mut channels {
            channel.role = words.fill(frame.role);
        }
        let layers = layers(brief, frame, &words);
        let prompt = serde_json::to_string(&(brief, context)).map_err(|_| ProviderError::Unknown)?;
        Ok(Outline {
            summary: summary(frame, &words, &layers),
            kpis: kpis(brief, weeks),
            channels,
            timeline: timeline(frame, weeks),
            layers,
            writer: Writer { provider: "template".to_owned(), prompt_hash: content_hash(&prompt) },
        })
    }
}

/// The sentences of the brief's language; a brief that says nothing of it is in the house's. Pieces in languages that
/// nobody writes are refused here too: later, a person would have approved what cannot be delivered.
fn frame(brief: &BriefSnapshot) -> Result<&'static Frame, ProviderError> {
    let own = Some(brief.language.as_str()).filter(|tag| !tag.is_empty()).unwrap_or(LANGUAGE_DEFAULT);
    let planned = brief.content_plan.iter().map(|item| item.language.as_str()).filter(|tag| !tag.is_empty());
    if let Some(tag) = std::iter::once(own).chain(planned).find(|tag| languages::written(tag).is_none()) {
        return Err(ProviderError::Rejected { code: unwritten(tag) });
    }
    languages::written(own).and_then(frames::of).ok_or_else(|| ProviderError::Rejected { code: unwritten(own) })
}

/// What stands for each name in braces.
struct Words(BTreeMap<&'static str, String>);

impl Words {
    fn of(brief: &BriefSnapshot, frame: &Frame, weeks: u32, channels: &[Channel]) -> Self {
        let list = |texts: &[String]| joined(texts.iter().map(|text| clause(text).to_owned()), frame);
        let offers = brief.offers.iter().map(|offer| match offer.usp.as_deref().map(clause) {
            Some(usp) if !usp.is_empty() => format!("{} ({usp})", clause(&offer.name)),
            Some(_) | None => clause(&offer.name).to_owned(),
        });
        let kpis = brief.kpis.iter().map(|kpi| measured(&kpi.name, kpi.target, &kpi.unit));
        let first = |text: &str| clause(text).to_owned();
        Self(BTreeMap::from([
            ("client", first(&brief.client_name)),
            ("industry", first(&brief.industry)),
            ("geography", first(&brief.geography)),
            ("audience", first(&brief.audience)),
            ("goal", first(&brief.primary_goal)),
            ("pains", list(&brief.pain_points)),
            ("tone", list(&brief.tone)),
            ("competitors", list(&brief.competitors)),
            ("include", list(&brief.must_include)),
            ("avoid", list(&brief.must_avoid)),
            ("other", list(&brief.other_constraints)),
            ("offer", offers.clone().next().unwrap_or_default()),
            ("offers", joined(offers, frame)),
            ("kpis", joined(kpis, frame)),
            ("split", split(channels, frame)),
            ("weeks", weeks.to_string()),
        ]))
    }
    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|text| !text.is_empty())
    }
    /// One pass, so that braces in a brief's own words stay what they are.
    fn fill(&self, sentence: &str) -> String {
        let mut filled = String::new();
        let mut rest = sentence;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let Some((name, after)) = after.split_once('}') else { break };
            filled.push_str(self.0.get(name).map_or("", String::as_str));
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
    /// The sentence, if there is something to say.
    fn about(&self, name: &str, sentence: &str) -> Option<String> {
        self.has(name).then(|| self.fill(sentence))
    }
}

fn joined(items: impl Iterator<Item = String>, frame: &Frame) -> String {
    items.filter(|item| !item.trim().is_empty()).collect::<Vec<_>>().join(frame.list)
}

/// A text without the full stop that the sentence around it brings.
fn clause(text: &str) -> &str {
    text.trim().trim_end_matches(['.', '。', '।', ' '])
}

fn layers(brief: &BriefSnapshot, frame: &Frame, words: &Words) -> Layers {
    let text = |sentences: Vec<Option<String>>| sentences.into_iter().flatten().collect::<Vec<_>>().join(frame.join);
    let description = Some(brief.description.trim().to_owned()).filter(|text| !text.is_empty());
    let market = if words.has("competitors") { frame.market } else { frame.alone };
    let measure = if words.has("kpis") { frame.measure } else { frame.goal_only };
    let mut rules =
        vec![words.about("include", frame.must), words.about("avoid", frame.avoid), words.about("other", frame.other)];
    if rules.iter().all(Option::is_none) {
        rules.push(Some(frame.free.to_owned()));
    }
    let narrative =
        vec![Some(words.fill(frame.narrative)), words.about("include", frame.include), words.about("tone", frame.tone)];
    Layers::from([
        (Layer::BusinessReality, text(vec![Some(words.fill(frame.business)), description.map(ended(frame))])),
        (Layer::MarketTruth, words.fill(market)),
        (Layer::AudiencePsychology, text(vec![Some(words.fill(frame.audience)), words.about("pains", frame.pains)])),
        (Layer::ValueArchitecture, words.fill(frame.value)),
        (Layer::Narrative, text(narrative)),
        (Layer::ChannelStrategy, words.fill(frame.channels)),
        (Layer::Constraints, text(rules)),
        (Layer::Measurement, words.fill(measure)),
    ])
}

/// Gives a brief's own sentence the full stop of its language.
fn ended(frame: &Frame) -> impl Fn(String) -> String {
    let stop = frame.value.chars().last().unwrap_or('.');
    move |text| format!("{}{stop}", clause(&text))
}

fn summary(frame: &Frame, words: &Words, layers: &Layers) -> String {
    let mut summary = words.fill(frame.summary);
    let further = [Layer::Measurement, Layer::ValueArchitecture, Layer::MarketTruth];
    for text in further.iter().filter_map(|layer| layers.get(layer)) {
        if summary.chars().count() >= SUMMARY_CHARS_MIN {
            break;
        }
        summary.push_str(frame.join);
        summary.push_str(text);
    }
    summary
}

fn kpis(brief: &BriefSnapshot, weeks: u32) -> Vec<Kpi> {
    let timeframe_days = weeks.saturating_mul(7);
    let named = brief.kpis.iter().filter(|kpi| !kpi.name.trim().is_empty());
    let kpis: Vec<_> = named
        .map(|kpi| Kpi { name: kpi.name.clone(), target: kpi.target, unit: kpi.unit.clone(), timeframe_days })
        .collect();
    if !kpis.is_empty() {
        return kpis;
    }
    // The goal itself, once: an honest number where the client named none.
    let name = clause(&brief.primary_goal).to_owned();
    vec![Kpi { name, target: 1, unit: "count".to_owned(), timeframe_days }]
}

/// Platforms in the order of the brief, weighted by how much is planned for each.
fn channels(brief: &BriefSnapshot) -> Vec<Channel> {
    let mut planned: Vec<(String, Vec<String>, u64)> = Vec::new();
    for item in &brief.content_plan {
        let weight = u64::from(item.count.max(1));
        match planned.iter_mut().find(|(platform, ..)| *platform == item.platform) {
            Some((_, formats, sum)) => {
                *sum += weight;
                if !formats.contains(&item.format) {
                    formats.push(item.format.clone());
                }
            }
            None => planned.push((item.platform.clone(), vec![item.format.clone()], weight)),
        }
    }
    if planned.is_empty() {
        planned = brief.focus_platforms.iter().map(|platform| (platform.clone(), Vec::new(), 1)).collect();
    }
    if planned.is_empty() {
        planned.push((PLATFORM_DEFAULT.to_owned(), Vec::new(), 1));
    }
    let weights: Vec<u64> = planned.iter().map(|(.., weight)| *weight).collect();
    let shares = apportion(WHOLE_BP, &weights);
    let whole = brief.budget.as_ref().and_then(|budget| u64::try_from(budget.minor).ok());
    let amounts = whole.map(|minor| apportion(minor, &shares));
    let channel = |(at, (platform, formats, _)): (usize, (String, Vec<String>, u64))| Channel {
        platform,
        formats,
        role: String::new(),
        share_bp: u32::try_from(shares[at]).unwrap_or_default(),
        budget: brief.budget.as_ref().zip(amounts.as_ref()).map(|(budget, amounts)| Money {
            minor: i64::try_from(amounts[at]).unwrap_or_default(),
            currency: budget.currency.clone(),
        }),
    };
    planned.into_iter().enumerate().map(channel).collect()
}

/// Divides without losing anything: whole parts first, then one each to the largest remainders, the earlier first.
fn apportion(whole: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum::<u128>().max(1);
    let product = |weight: &u64| u128::from(whole) * u128::from(*weight);
    let mut parts: Vec<u64> =
        weights.iter().map(|weight| u64::try_from(product(weight) / sum).unwrap_or_default()).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(product(&weights[*at]) % sum));
    let left = whole.saturating_sub(parts.iter().sum());
    for at in order.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        parts[at] += 1;
    }
    parts
}

fn split(channels: &[Channel], frame: &Frame) -> String {
    let item = |channel: &Channel| {
        // A single channel has everything; a share would say nothing.
        let share = if channels.len() == 1 { String::new() } else { format!(" {}", percent(channel.share_bp)) };
        let amount = channel.budget.as_ref().map(|budget| format!(" ({})", amount(budget))).unwrap_or_default();
        format!("{}{share}{amount}", channel.platform)
    };
    joined(channels.iter().map(item), frame)
}

fn percent(share_bp: u32) -> String {
    match (share_bp / 100, share_bp % 100) {
        (whole, 0) => format!("{whole}%"),
        (whole, part) => format!("{whole}.{part:02}%"),
    }
}

/// Minor units as people write them, by the currency's own number of decimals.
fn amount(money: &Money) -> String {
    let decimals = match money.currency.as_str() {
        "JPY" | "KRW" | "VND" => 0,
        "KWD" | "BHD" | "TND" => 3,
        _ => 2,
    };
    let unit = 10_i64.pow(decimals);
    let (whole, part) = (money.minor / unit, (money.minor % unit).abs());
    let width = usize::try_from(decimals).unwrap_or_default();
    match decimals {
        0 => format!("{whole} {}", money.currency),
        _ => format!("{whole}.{part:0width$} {}", money.currency),
    }
}

/// Prepare in the first sixth, review in the last, publish in between.
fn timeline(frame: &Frame, weeks: u32) -> Timeline {
    let edge = (weeks / 6).max(1);
    let spans = [(1, edge), (edge + 1, weeks.saturating_sub(edge)), (weeks.saturating_sub(edge) + 1, weeks)];
    let phases = frame.phases.iter().zip(spans).filter(|(_, (from, to))| from <= to);
    let phase =
        |(name, (week_from, week_to)): (&&str, (u32, u32))| Phase { name: (*name).to_owned(), week_from, week_to };
    Timeline { phases: phases.map(phase).collect() }
}

#[cfg(test)]
mod tests;

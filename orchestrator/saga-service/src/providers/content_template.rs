//! Writes drafts and assets from sentences that are there already: no model, no network, the same order the same text.
//!
//! What the brief forbids is left out, unless the client demands it in the same brief; what it demands always stands there.
//! A language that has no sentences here is refused, and a piece in another language than the brief's says names alone, and in
//! quotation marks what is demanded: nothing is written half in one and half in another.

use super::unwritten;
use async_trait::async_trait;
use frames::{Frame, Script, frame};
use orchestration::api::languages;
use orchestration::api::providers::{Performers, Unwritten};
use production::api::dtos::{AssetCopy, BriefEssentials};
use production::api::providers::{
    ContentWriter, CopyOrder, DraftOrder, ProviderError, RevisionOrder, RewriteOrder, Written,
};
use saga_core::id::StepKey;
use shapes::{Around, Shape};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

mod frames;
mod shapes;
#[cfg(test)]
mod tests;

/// The built-in writer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TemplateContentWriter;

/// What must be said is longer than a text of its kind may be.
const DEMANDS_TOO_LONG: &str = "DEMANDS_TOO_LONG";
const MODEL: &str = "template-1";
/// 60 visible characters: quality control wants 50.
const VISIBLE_MIN: usize = 60;
/// 20,000 characters: a draft that a person reads in one go.
const DRAFT_CHARS_MAX: usize = 20_000;
/// 20 characters are left free, for line breaks and what a platform adds itself.
const SPARE_CHARS: usize = 20;

fn written<T>(text: T) -> Result<Written<T>, ProviderError> {
    Ok(Written { text, model: MODEL.to_owned() })
}

fn rejected(code: &str) -> ProviderError {
    ProviderError::Rejected { code: code.to_owned() }
}

/// The largest number of characters that a platform takes.
fn limit_of(platform: &str) -> usize {
    let limit = match platform {
        "twitter" => 280,
        "instagram" | "tiktok" => 2_200,
        "youtube" => 5_000,
        "facebook" => 63_206,
        "email" => 100_000,
        _ => 3_000,
    };
    limit - SPARE_CHARS
}

/// One brief in one language: everything that may be said of it.
struct Desk<'a> {
    brief: &'a BriefEssentials,
    frame: &'static Frame,
    avoid: Vec<String>,
    /// Whether the words of the brief are in the language of the text, as far as that is known. Where they are not, names are
    /// said as they are, what is demanded is quoted, and the rest is left out.
    is_own: bool,
}

/// A text that is being written: its first line, how it is laid out, and how long it may be in all.
struct Sheet {
    title: String,
    shape: Shape,
    around: Around,
    limit: usize,
}

impl Sheet {
    /// Characters of the title, the text and the call, with what separates them.
    fn length(&self, body: &[String]) -> usize {
        let chars = |text: &str| text.chars().count() + 1;
        chars(&self.title) + chars(&self.shape.lay(body, &self.around)) + chars(&self.around.call)
    }
}

impl<'a> Desk<'a> {
    fn new(brief: &'a BriefEssentials, language: &str, of_brief: Option<&str>) -> Result<Self, ProviderError> {
        let frame = frame(language).ok_or_else(|| rejected(&unwritten(language)))?;
        let avoid = brief.must_avoid.iter().map(|word| folded(word)).filter(|word| !word.is_empty()).collect();
        let is_own = of_brief.and_then(languages::written).is_none_or(|own| own == frame.language);
        Ok(Self { brief, frame, avoid, is_own })
    }
    fn allowed(&self, text: &str) -> bool {
        let text = folded(text);
        !self.avoid.iter().any(|word| has_word(&text, word))
    }
    /// Fills a sentence for the offer of this turn; nothing when a value is missing or a word is forbidden.
    fn say(&self, pattern: &str, turn: usize) -> Option<String> {
        let brief = self.brief;
        let offers = &brief.offers;
        let offer = if offers.is_empty() { None } else { offers.get(turn % offers.len()) };
        let name = offer.map_or(brief.client_name.as_str(), |offer| offer.name.as_str());
        let usp = offer.and_then(|offer| offer.usp.as_deref()).unwrap_or_default();
        let values = [("{client}", brief.client_name.as_str()), ("{offer}", name), ("{usp}", usp)];
        let mut text = pattern.to_owned();
        for (mark, value) in values {
            if text.contains(mark) {
                let value = value.trim().trim_end_matches(['.', '。', '।', ' ']);
                if value.is_empty() {
                    return None;
                }
                text = text.replace(mark, value);
            }
        }
        self.allowed(&text).then_some(text)
    }
    /// What is said of the offer of this turn.
    fn offer(&self, turn: usize) -> Option<String> {
        let claimed = if self.is_own { self.say(self.frame.offer, turn) } else { None };
        claimed.or_else(|| self.say(self.frame.offer_plain, turn))
    }
    /// First lines of a variant, the one that it has by itself first: no two variants have the same. The others are for
    /// where it does not fit; one is always there.
    fn titles(&self, variant: usize) -> Vec<String> {
        let turn = variant.saturating_sub(1);
        let hooks = self.frame.hooks.iter().enumerate();
        let hooks: Vec<String> = hooks.filter_map(|(index, hook)| self.say(hook, index)).collect();
        let fillers = self.frame.fillers.iter().filter(|text| self.allowed(text)).map(|text| (*text).to_owned());
        let names = [self.brief.client_name.trim().to_owned()].into_iter().filter(|name| self.allowed(name));
        let others = fillers.chain(names);
        let numbered = |line: String, first: usize| if turn < first { line } else { format!("{line} ({variant})") };
        let own = (!hooks.is_empty()).then(|| numbered(hooks[turn % hooks.len()].clone(), hooks.len()));
        let mut lines: Vec<String> = own.into_iter().chain(others.map(|line| numbered(line, 1))).collect();
        if lines.is_empty() {
            // Nothing may be said: quality control will say so, and the door before it.
            lines.push(numbered(self.brief.client_name.clone(), 1));
        }
        lines
    }
    /// The client's own call to action, or the language's; none when all of them are forbidden.
    fn call(&self, variant: usize) -> String {
        let own = self.brief.cta_hints.iter().find(|hint| !hint.trim().is_empty() && self.allowed(hint));
        let calls = &self.frame.calls;
        let turn = variant.saturating_sub(1);
        let ours = || (0..calls.len()).map(|step| calls[(turn + step) % calls.len()]).find(|text| self.allowed(text));
        own.cloned().or_else(|| ours().map(str::to_owned)).unwrap_or_default()
    }
    /// What stands around a text of this variant.
    fn around(&self, variant: usize) -> Around {
        let allowed = |text: &String| self.allowed(text);
        let closing = format!("{}\n{}", self.frame.closing, self.brief.client_name.trim());
        Around {
            greeting: Some(self.frame.greeting.to_owned()).filter(allowed),
            call: self.call(variant),
            closing: Some(closing).filter(allowed),
        }
    }
    fn demanded(&self) -> Vec<String> {
        let is_own = |text: &str| self.is_own && !self.elsewhere(text);
        let said = |text: &String| if is_own(text) { self.closed(text) } else { format!("“{}”", text.trim()) };
        self.brief.must_include.iter().filter(|text| !text.trim().is_empty()).map(said).collect()
    }
    /// Several words without a letter of the language's script: they are quoted, and no sentence of it. One word is a name.
    fn elsewhere(&self, text: &str) -> bool {
        let mut scripts = text.chars().filter_map(script_of).peekable();
        text.split_whitespace().nth(1).is_some()
            && scripts.peek().is_some()
            && scripts.all(|script| script != Some(self.frame.script))
    }
    /// A text as a sentence.
    fn closed(&self, text: &str) -> String {
        let text = text.trim();
        let ends = text.ends_with(['.', '!', '?', '。', '！', '？', '؟', '।']);
        if ends { text.to_owned() } else { format!("{text}{}", self.frame.stop) }
    }
    /// What is said beside the first line and the call: as much of the brief as there is room for, and at least what is
    /// demanded; filled up until it is a text of its kind, and a text in its language.
    fn body(&self, sheet: &Sheet, of_brief: &[String]) -> Result<Vec<String>, ProviderError> {
        let demanded = self.demanded();
        let fillers: Vec<_> = self.frame.fillers.iter().filter(|text| self.allowed(text)).collect();
        let mut last_resort = None;
        for kept in (0..=of_brief.len()).rev() {
            let mut body: Vec<String> = of_brief[..kept].iter().chain(&demanded).cloned().collect();
            for filler in &fillers {
                if body.len() >= sheet.shape.sentences() && self.is_enough(sheet, &body) {
                    break;
                }
                body.push((**filler).to_owned());
            }
            while sheet.length(&body) > sheet.limit && body.len() > kept + demanded.len() {
                body.pop();
            }
            if sheet.length(&body) > sheet.limit {
                continue;
            }
            if self.is_enough(sheet, &body) {
                return Ok(body);
            }
            last_resort = last_resort.or(Some(body));
        }
        last_resort.ok_or_else(|| rejected(DEMANDS_TOO_LONG))
    }
    fn is_enough(&self, sheet: &Sheet, body: &[String]) -> bool {
        let text = format!("{} {} {}", sheet.title, sheet.around.call, body.join(" "));
        let visible = text.chars().filter(|c| !c.is_whitespace() && !c.is_control()).count();
        let (own, foreign) = text.chars().filter_map(script_of).fold((0_usize, 0_usize), |(own, foreign), script| {
            if script == Some(self.frame.script) { (own + 1, foreign) } else { (own, foreign + 1) }
        });
        visible >= VISIBLE_MIN && own > foreign
    }
}

/// Takes the first of the lines with which there is room for everything that has to be said.
fn fitted(
    lines: Vec<String>,
    of: impl Fn(String) -> Sheet,
    body: impl Fn(&Sheet) -> Result<Vec<String>, ProviderError>,
) -> Result<(Sheet, Vec<String>), ProviderError> {
    let mut refused = rejected(DEMANDS_TOO_LONG);
    for line in lines {
        let sheet = of(line);
        match body(&sheet) {
            Ok(body) => return Ok((sheet, body)),
            Err(why) => refused = why,
        }
    }
    Err(refused)
}

/// The draft of an order.
fn draft_of(order: &DraftOrder) -> Result<String, ProviderError> {
    let desk = Desk::new(&order.brief, &order.language, None)?;
    let mut of_brief: Vec<String> = (0..order.brief.offers.len()).filter_map(|turn| desk.offer(turn)).collect();
    of_brief.extend(desk.say(desk.frame.hooks[1], 0).map(|text| desk.closed(&text)));
    let of = |title| Sheet { title, shape: Shape::Draft, around: desk.around(1), limit: DRAFT_CHARS_MAX };
    let (sheet, body) = fitted(desk.titles(1), of, |sheet| desk.body(sheet, &of_brief))?;
    let body = sheet.shape.lay(&body, &sheet.around);
    let parts = [sheet.title, body, sheet.around.call];
    Ok(parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n"))
}

/// The words of a piece.
fn copy_of(order: &CopyOrder) -> Result<AssetCopy, ProviderError> {
    let spec = &order.spec;
    let desk = Desk::new(&order.brief, &spec.language, order.brief_language.as_deref())?;
    let variant = usize::try_from(spec.variant).unwrap_or(1);
    let turn = variant.saturating_sub(1) % desk.frame.hooks.len();
    let of_brief: Vec<String> = desk.offer(turn).into_iter().collect();
    let of = |title| {
        let (shape, limit) = (Shape::of(&spec.format), limit_of(&spec.platform));
        Sheet { title, shape, around: desk.around(variant), limit }
    };
    let (sheet, body) = fitted(desk.titles(variant), of, |sheet| desk.body(sheet, &of_brief))?;
    let caption = sheet.shape.lay(&body, &sheet.around);
    let tone = order.brief.tone.join(", ");
    let tone = Some(tone).filter(|tone| !tone.is_empty() && tone.chars().count() <= 200);
    let cta = Some(sheet.around.call).filter(|call| !call.is_empty());
    Ok(AssetCopy { hook: sheet.title, caption: Some(caption), cta, tone })
}

impl Performers for TemplateContentWriter {
    fn would_draft(&self, order: &DraftOrder) -> Result<String, Unwritten> {
        draft_of(order).map_err(|why| beforehand(why, DRAFT_CHARS_MAX))
    }
    fn would_copy(&self, order: &CopyOrder) -> Result<AssetCopy, Unwritten> {
        copy_of(order).map_err(|why| beforehand(why, limit_of(&order.spec.platform)))
    }
}

fn beforehand(why: ProviderError, most: usize) -> Unwritten {
    match why {
        ProviderError::Rejected { code } if code == DEMANDS_TOO_LONG => Unwritten::DemandsTooLong(most),
        ProviderError::Rejected { code } => Unwritten::Other(code),
        other => Unwritten::Other(other.to_string()),
    }
}

#[async_trait]
impl ContentWriter for TemplateContentWriter {
    async fn draft(&self, _: StepKey, order: &DraftOrder) -> Result<Written<String>, ProviderError> {
        draft_of(order).and_then(written)
    }

    /// A template cannot think of new words, but it can put first what the wishes are about. Words that were not there
    /// before do not appear, so that nothing forbidden can.
    async fn revise(&self, _: StepKey, order: &RevisionOrder) -> Result<Written<String>, ProviderError> {
        let wishes: Vec<String> =
            order.requests.iter().map(|request| folded(&format!("{} {}", request.section, request.change))).collect();
        let asked = |part: &str| {
            let part = folded(part);
            let words = part.split(' ').filter(|word| word.chars().count() > 3);
            words.filter(|word| wishes.iter().any(|wish| wish.contains(word))).count()
        };
        let parts: Vec<&str> = order.body.split("\n\n").collect();
        let [title, middle @ .., call] = parts.as_slice() else { return Err(rejected("NOTHING_TO_REVISE")) };
        let mut moved = middle.to_vec();
        moved.sort_by_key(|part| std::cmp::Reverse(asked(part)));
        if moved == middle && !moved.is_empty() {
            moved.rotate_left(1);
        }
        written([&[*title], moved.as_slice(), &[*call]].concat().join("\n\n"))
    }

    async fn copy(&self, _: StepKey, order: &CopyOrder) -> Result<Written<AssetCopy>, ProviderError> {
        copy_of(order).and_then(written)
    }

    /// The next sentence of the caption becomes the hook, and the hook takes its place.
    async fn rewrite(&self, _: StepKey, order: &RewriteOrder) -> Result<Written<AssetCopy>, ProviderError> {
        let frame = frame(&order.spec.language).ok_or_else(|| rejected(&unwritten(&order.spec.language)))?;
        let shape = Shape::of(&order.spec.format);
        let caption = order.copy.caption.clone().unwrap_or_default();
        let call = order.copy.cta.as_deref().unwrap_or_default();
        let (mut parts, around) = shape.take_apart(&caption, call, frame);
        let next = parts.iter().position(|part| *part != order.copy.hook);
        let Some(next) = next else { return Err(rejected("NOTHING_ELSE_TO_SAY")) };
        let hook = std::mem::replace(&mut parts[next], order.copy.hook.clone());
        parts.rotate_left(1);
        written(AssetCopy { hook, caption: Some(shape.lay(&parts, &around)), ..order.copy.clone() })
    }
}

/// The script of a letter; `Some(None)` is a letter of a script that no frame is in, `None` no letter.
fn script_of(c: char) -> Option<Option<Script>> {
    if !c.is_alphabetic() {
        return None;
    }
    Some(match u32::from(c) {
        0x41..=0x24f | 0x1e00..=0x1eff => Some(Script::Latin),
        0x370..=0x3ff | 0x1f00..=0x1fff => Some(Script::Greek),
        0x400..=0x52f => Some(Script::Cyrillic),
        0x600..=0x77f | 0x8a0..=0x8ff | 0xfb50..=0xfdff | 0xfe70..=0xfeff => Some(Script::Arabic),
        0x900..=0x97f => Some(Script::Devanagari),
        0x3040..=0x30ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff => Some(Script::East),
        0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => Some(Script::Hangul),
        _ => None,
    })
}

/// Texts as quality control compares them: normalised, folded, one space for all white space.
fn folded(text: &str) -> String {
    let seen = text.chars().filter(|c| !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'));
    let once: String = caseless::default_case_fold_str(&seen.nfkc().collect::<String>()).nfkc().collect();
    let twice: String = caseless::default_case_fold_str(&once).nfkc().collect();
    twice.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the word stands in the text by itself, or anywhere in scripts without spaces.
fn has_word(text: &str, word: &str) -> bool {
    let spaceless = |c: char| {
        matches!(u32::from(c), 0xe00..=0xeff | 0xf00..=0xfff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3040..=0x30ff
            | 0x3100..=0x312f | 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0x20000..=0x3ffff)
    };
    let wordly = |c: char| (c.is_alphanumeric() || c == '_' || is_combining_mark(c)) && !spaceless(c);
    let one = |left: Option<char>, right: Option<char>| left.is_some_and(wordly) && right.is_some_and(wordly);
    text.match_indices(word).any(|(start, found)| {
        let (before, after) = (&text[..start], &text[start + found.len()..]);
        !one(before.chars().next_back(), found.chars().next()) && !one(found.chars().next_back(), after.chars().next())
    })
}

//! The numbers of production, and what is checked of every field; pure.

use crate::api::dtos::{AssetCopy, AssetSpec};
use crate::api::ports::AssetRefused;
use events::values::{Text, world};
use saga_core::command::Common;
use saga_core::id::Direction;
use saga_core::module::{Cx, Docs};
use saga_core::ports::ReadError;

/// Twelve assets for one draft: what one person can review in one sitting, and the widest fan-out of a delivery.
pub(super) const ASSETS_PER_DRAFT_MAX: usize = 12;
/// 500 characters: a hook is the first thing read, not the text.
const HOOK_CHARS_MAX: usize = 500;
/// 200 characters, as for every name.
const NAME_CHARS_MAX: usize = 200;

/// Platforms with the largest number of characters of a caption.
const PLATFORMS: [(&str, usize); 7] = [
    ("email", 100_000),
    ("facebook", 63_206),
    ("instagram", 2_200),
    ("linkedin", 3_000),
    ("tiktok", 2_200),
    ("twitter", 280),
    ("youtube", 5_000),
];

/// Whether a command is an undo, or somebody's own wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undoing {
    Yes,
    No,
}
impl Undoing {
    pub(super) fn of<N>(cx: &Cx<N>) -> Self {
        if cx.deed().direction == Direction::Undo { Undoing::Yes } else { Undoing::No }
    }
}

pub(super) fn invalid(field: &str, why: impl Into<String>) -> Common {
    Common::InvalidField { field: field.to_owned(), why: why.into() }
}

pub(super) fn not_found(what: &str, id: impl std::fmt::Display) -> Common {
    Common::NotFound { what: format!("{what} {id}") }
}

pub(super) fn wrong_state(word: &str) -> Common {
    Common::WrongState { state: word.to_owned() }
}

/// A name: there, and not too long.
pub(super) fn name(field: &str, text: &str) -> Result<(), Common> {
    if text.trim().is_empty() {
        return Err(invalid(field, "may not be empty"));
    }
    at_most(field, text, NAME_CHARS_MAX)
}

fn at_most(field: &str, text: &str, limit: usize) -> Result<(), Common> {
    let length = text.chars().count();
    if length > limit {
        return Err(invalid(field, format!("{length} characters, at most {limit}")));
    }
    Ok(())
}

/// Platform, format, language and variant of an asset.
pub(super) fn spec(spec: &AssetSpec) -> Result<(), AssetRefused> {
    let platform = world::PLATFORMS.contains(&spec.platform.as_str());
    let format = world::FORMATS.contains(&spec.format.as_str());
    // Between the social platforms and formats any pair is somebody's wish.
    if !platform || !format || !world::goes_together(&spec.platform, &spec.format) {
        let (platform, format) = (spec.platform.clone(), spec.format.clone());
        return Err(AssetRefused::FormatUnsupported { platform, format });
    }
    name("spec.language", &spec.language)?;
    if spec.variant == 0 {
        return Err(invalid("spec.variant", "variants count from 1").into());
    }
    Ok(())
}

/// The words of an asset against the limits of its platform.
pub(super) fn copy(platform: &str, copy: &AssetCopy) -> Result<(), Common> {
    if copy.hook.trim().is_empty() {
        return Err(invalid("hook", "may not be empty"));
    }
    at_most("hook", &copy.hook, HOOK_CHARS_MAX)?;
    at_most("cta", copy.cta.as_deref().unwrap_or_default(), NAME_CHARS_MAX)?;
    at_most("tone", copy.tone.as_deref().unwrap_or_default(), NAME_CHARS_MAX)?;
    let limit = PLATFORMS.iter().find(|(name, _)| *name == platform).map_or(usize::MAX, |(_, limit)| *limit);
    at_most("caption", copy.caption.as_deref().unwrap_or_default(), limit)
}

/// A text as events carry it, and what has to be kept beside the log.
pub(super) fn text(text: &str) -> (Text, Option<String>) {
    Text::of(text)
}

/// The whole of a text, wherever it is kept.
pub(super) async fn whole(docs: &Docs, text: &Text) -> Result<String, ReadError> {
    let Text::Ref { sha256, head, .. } = text else { return Ok(text.head().to_owned()) };
    let corrupt = |why: &str| ReadError::Corrupt { place: format!("blob {sha256}"), why: why.to_owned() };
    let name = unhex(sha256).ok_or_else(|| corrupt("not a sha256"))?;
    let kept = docs.text(name).await?;
    // A text whose body is not here (an import without it) is shown as far as it is known.
    Ok(kept.unwrap_or_else(|| head.clone()))
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_limit() {
        assert_eq!(PLATFORMS.map(|(name, _)| name), world::PLATFORMS);
    }
}

//! The numbers of production, and what is checked of every field; pure.

use crate::api::dtos::{AssetCopy, AssetSpec};
use crate::api::refusals::AssetRefused;
use events::values::world;
use saga_core::command::Common;

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

/// A name: there, and not too long.
pub(super) fn name(field: &str, text: &str) -> Result<(), Common> {
    if text.trim().is_empty() {
        return Err(Common::invalid(field, "may not be empty"));
    }
    at_most(field, text, NAME_CHARS_MAX)
}

fn at_most(field: &str, text: &str, limit: usize) -> Result<(), Common> {
    let length = text.chars().count();
    if length > limit {
        return Err(Common::invalid(field, format!("{length} characters, at most {limit}")));
    }
    Ok(())
}

/// Platform, format, language and variant of an asset.
pub(super) fn spec(spec: &AssetSpec) -> Result<(), AssetRefused> {
    let platform = world::PLATFORMS.contains(&spec.platform.as_str());
    let format = world::FORMATS.contains(&spec.format.as_str());
    // Any pair of a social platform and a social format is wanted by some client.
    if !platform || !format || !world::goes_together(&spec.platform, &spec.format) {
        let (platform, format) = (spec.platform.clone(), spec.format.clone());
        return Err(AssetRefused::FormatUnsupported { platform, format });
    }
    name("spec.language", &spec.language)?;
    if spec.variant == 0 {
        return Err(Common::invalid("spec.variant", "variants count from 1").into());
    }
    Ok(())
}

/// The words of an asset against the limits of its platform.
pub(super) fn copy(platform: &str, copy: &AssetCopy) -> Result<(), Common> {
    if copy.hook.trim().is_empty() {
        return Err(Common::invalid("hook", "may not be empty"));
    }
    at_most("hook", &copy.hook, HOOK_CHARS_MAX)?;
    at_most("cta", copy.cta.as_deref().unwrap_or_default(), NAME_CHARS_MAX)?;
    at_most("tone", copy.tone.as_deref().unwrap_or_default(), NAME_CHARS_MAX)?;
    let limit = PLATFORMS.iter().find(|(name, _)| *name == platform).map_or(usize::MAX, |(_, limit)| *limit);
    at_most("caption", copy.caption.as_deref().unwrap_or_default(), limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_limit() {
        assert_eq!(PLATFORMS.map(|(name, _)| name), world::PLATFORMS);
    }
}

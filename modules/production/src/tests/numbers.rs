//! Every number of production's pages at its border: the last that is taken, and the first that is not.

use super::*;
use crate::api::commands::{AssembleBundle, RegenerateAsset};

/// What a command came to: its code, or nothing.
fn came<T>(outcome: Result<T, Refused>) -> String {
    outcome.map_or_else(|refused| refused.code, |_| String::new())
}
fn given(platform: &str, format: &str, copy: AssetCopy) -> CreateAsset {
    CreateAsset { spec: spec(platform, format), content: AssetContent::Given(copy), ..create(None) }
}

#[test]
fn captions_end_at_the_limit_of_their_platform() {
    let limits = [
        ("twitter", 280),
        ("linkedin", 3_000),
        ("instagram", 2_200),
        ("tiktok", 2_200),
        ("youtube", 5_000),
        ("facebook", 63_206),
        ("email", 100_000),
    ];
    for (platform, limit) in limits {
        let format = if platform == "email" { "email" } else { "post" };
        for letter in ["a", "ж", "絵"] {
            let of = |chars: usize| {
                let caption = Some(letter.repeat(chars));
                came(World::new().stage.send(&given(platform, format, AssetCopy { caption, ..words("hook") }), mia()))
            };
            assert_eq!((of(limit).as_str(), of(limit + 1).as_str()), ("", "INVALID_FIELD"), "{platform} {letter}");
        }
    }
}

#[test]
fn mail_takes_mail_and_every_other_platform_takes_every_other_format() {
    let formats = ["post", "carousel", "reel", "story", "thread", "video", "email"];
    let platforms = ["twitter", "linkedin", "instagram", "tiktok", "youtube", "facebook", "email"];
    let mut world = World::new();
    for platform in platforms {
        for format in formats {
            let expected = if (platform == "email") == (format == "email") { "" } else { "FORMAT_UNSUPPORTED" };
            let made = world.stage.send(&given(platform, format, words("hook")), mia());
            assert_eq!(came(made), expected, "{platform} {format}");
        }
    }
    for (platform, format) in [("Twitter", "post"), ("instagram", "hologram"), ("", "post"), ("crm", "post")] {
        let made = world.stage.send(&given(platform, format, words("hook")), mia());
        assert_eq!(came(made), "FORMAT_UNSUPPORTED", "{platform} {format}");
    }
}

#[test]
fn words_have_their_lengths() {
    let copy = |change: &dyn Fn(&mut AssetCopy)| {
        let mut copy = words("hook");
        change(&mut copy);
        came(World::new().stage.send(&given("facebook", "post", copy), mia()))
    };
    let hook = |chars: usize| copy(&|copy| copy.hook = "ж".repeat(chars));
    let cta = |chars: usize| copy(&|copy| copy.cta = Some("ж".repeat(chars)));
    let tone = |chars: usize| copy(&|copy| copy.tone = Some("ж".repeat(chars)));
    let variant = |variant: u32| {
        let command = CreateAsset { spec: AssetSpec { variant, ..spec("facebook", "post") }, ..create(None) };
        came(World::new().stage.send(&command, mia()))
    };
    let draft = |change: &dyn Fn(&mut GenerateDraft)| {
        let mut command = generate();
        change(&mut command);
        came(World::new().stage.send(&command, mia()))
    };
    let content_type = |chars: usize| draft(&|draft| draft.content_type = "x".repeat(chars));
    let client = |chars: usize| draft(&|draft| draft.brief.client_name = "ж".repeat(chars));
    let reason = |chars: usize| {
        let mut world = World::new();
        let asset_id = world.asset(None).asset_id;
        came(world.stage.send(&RegenerateAsset { asset_id, reason: "x".repeat(chars) }, mia()))
    };
    type Of<'a> = &'a dyn Fn(usize) -> String;
    let lengths: [(&str, Of<'_>, usize, usize); 6] = [
        ("hook", &hook, 1, 500),
        ("cta", &cta, 0, 200),
        ("tone", &tone, 0, 200),
        ("content_type", &content_type, 1, 200),
        ("brief.client_name", &client, 1, 200),
        ("reason", &reason, 1, 200),
    ];
    for (field, of, least, most) in lengths {
        assert_eq!((of(least).as_str(), of(most).as_str()), ("", ""), "{field}");
        assert_eq!(of(most + 1), "INVALID_FIELD", "{field}");
        if least > 0 {
            assert_eq!(of(least - 1), "INVALID_FIELD", "{field}");
        }
    }
    assert_eq!((variant(0).as_str(), variant(1).as_str()), ("INVALID_FIELD", ""));
}

#[test]
fn a_draft_and_its_bundle_hold_twelve_assets() {
    let mut world = World::new();
    let draft_id = world.draft().draft_id;
    let mut asset_ids: Vec<_> = (0..12).map(|_| world.asset(Some(draft_id)).asset_id).collect();
    assert_eq!(came(world.stage.send(&create(Some(draft_id)), mia())), "INVALID_FIELD", "the thirteenth asset");
    let mut bundle = |asset_ids: &[AssetId]| {
        let refused = world.stage.send(&AssembleBundle { draft_id, asset_ids: asset_ids.to_vec() }, mia());
        refused.map_or_else(|refused| refused.reason, |made| made.asset_ids.len().to_string())
    };
    for count in [1, 11, 12] {
        assert_eq!(bundle(&asset_ids[..count]), count.to_string());
    }
    asset_ids.push(AssetId(Uuid::from_u128(404)));
    for asset_ids in [&asset_ids[..0], &asset_ids[..]] {
        assert!(bundle(asset_ids).contains("between 1 and 12"), "{}", asset_ids.len());
    }
}

#[test]
fn a_page_of_the_gallery_holds_a_hundred() {
    let mut world = World::new();
    (0..101).for_each(|_| drop(world.asset(None)));
    world.stage.project().unwrap();
    let page = |limit| world.stage.query(&Gallery { limit, ..Gallery::default() }).unwrap().len();
    let asked = [None, Some(0), Some(1), Some(99), Some(100), Some(101)].map(page);
    assert_eq!(asked, [100, 1, 1, 99, 100, 100]);
}

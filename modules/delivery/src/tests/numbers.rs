//! Every number of delivery's pages at its border: the last that is taken, and the first that is not. The times of tries
//! and questions stand beside the job.

use super::*;
use crate::api::dtos::{ARTIFACTS, ITEMS_MAX, PLATFORMS, STAND_INS, can_retract};

fn packed(items: Vec<ArtifactItem>) -> String {
    let mut command = create();
    command.artifacts[1].items = items;
    stage().0.send(&command, mia()).map_or_else(|refused| refused.code, |_| String::new())
}

#[test]
fn an_artifact_holds_256_pieces_with_names_of_200_characters() {
    let many = |count: usize| packed((0..count).map(|at| text(&format!("{at}.txt"), "x")).collect());
    assert_eq!((many(0).as_str(), many(1).as_str()), ("ARTIFACT_MISSING", ""));
    assert_eq!((many(256).as_str(), many(257).as_str()), ("", "INVALID_FIELD"));
    assert_eq!(ITEMS_MAX, 256);
    for letter in ["a", "ж", "絵"] {
        let named = |chars: usize| packed(vec![text(&letter.repeat(chars), "x")]);
        assert_eq!((named(0).as_str(), named(1).as_str()), ("INVALID_FIELD", ""), "{letter}");
        assert_eq!((named(200).as_str(), named(201).as_str()), ("", "INVALID_FIELD"), "{letter}");
    }
}

#[test]
fn a_package_has_three_artifacts_and_only_the_pictures_may_be_none() {
    let wanted =
        [("content_pack.zip", "zip", false), ("strategy_doc.pdf", "pdf", false), ("assets_bundle.zip", "zip", true)];
    assert_eq!(ARTIFACTS, wanted);
    for (name, _, may_be_empty) in ARTIFACTS {
        let mut command = create();
        command.artifacts.iter_mut().filter(|spec| spec.name == name).for_each(|spec| spec.items.clear());
        assert_eq!(stage().0.send(&command, mia()).is_ok(), may_be_empty, "{name}");
    }
}

#[test]
fn a_document_may_be_a_page_and_never_both() {
    assert_eq!(STAND_INS, [("strategy_doc.pdf", "strategy_doc.html", "html")]);
    let (document, page, format) = STAND_INS[0];
    let mut command = create();
    let of_document = command.artifacts.iter().position(|spec| spec.name == document).unwrap();
    command.artifacts[of_document].name = page.to_owned();
    let made = stage().0.send(&command, mia()).unwrap().artifacts;
    let made = made.iter().find(|artifact| artifact.name == page).unwrap();
    assert_eq!((made.format.as_str(), made.position), (format, 2));
    let mut both = create();
    both.artifacts.push(command.artifacts[of_document].clone());
    let refused = stage().0.send(&both, mia()).unwrap_err();
    assert!(refused.code == "INVALID_FIELD" && refused.reason.contains("named twice"), "{refused:?}");
}

#[test]
fn nothing_is_published_before_somebody_says_so_and_five_platforms_take_back() {
    let settings = ExecutionSettings::default();
    assert!(!settings.enabled && settings.dry_run && settings.channels.is_empty());
    let takes_back: Vec<_> = PLATFORMS.iter().filter(|platform| can_retract(platform)).collect();
    assert_eq!(takes_back, [&"facebook", &"instagram", &"instagram-page", &"linkedin", &"twitter"]);
    let stays: Vec<_> = PLATFORMS.iter().filter(|platform| !can_retract(platform)).collect();
    assert_eq!(stays, [&"crm", &"email", &"instagram-story", &"tiktok", &"youtube"]);
}

//! Every number of strategy's pages at its border: the last that is taken, and the first that is not.

use super::{ana, approve, generate, mia, snapshot, stage, submit};
use crate::api::commands::GenerateStrategy;
use crate::api::dtos::Outline;
use crate::api::events::{Channel, Kpi, Layer};
use crate::api::fakes::FakeWriter;
use crate::api::providers::Needs;
use crate::module;
use saga_testkit::stage::Stage;
use std::sync::Arc;

/// Writes and submits an outline: empty, or the code of the first refusal with what it names.
fn came(change: impl FnOnce(&mut Outline)) -> String {
    let mut outline = FakeWriter::new("fake", []).outline(&snapshot());
    change(&mut outline);
    let writer = Arc::new(FakeWriter::new("fake", [Ok(outline)]));
    let mut stage = Stage::new(module(Needs { writer, fallback: None }));
    let said = |refused: saga_core::outcome::Refused| format!("{} {}", refused.code, refused.reason);
    match stage.send(&generate(), ana()) {
        Ok(written) => stage.send(&submit(written.strategy_id), ana()).map_or_else(said, |_| String::new()),
        Err(refused) => said(refused),
    }
}
fn shares(shares: &[u32]) -> Vec<Channel> {
    let channel = |share_bp: &u32| Channel {
        platform: "email".to_owned(),
        formats: Vec::new(),
        role: String::new(),
        share_bp: *share_bp,
        budget: None,
    };
    shares.iter().map(channel).collect()
}

#[test]
fn shares_add_up_to_exactly_ten_thousand() {
    let table: [(&[u32], bool); 9] = [
        (&[10_000], true),
        (&[3_333, 3_333, 3_334], true),
        (&[9_999, 1, 0], true),
        (&[9_999], false),
        (&[10_001], false),
        (&[5_000, 4_999], false),
        (&[5_000, 5_001], false),
        (&[], false),
        (&[u32::MAX, 10_001], false),
    ];
    for (given, fits) in table {
        let refused = came(|outline| outline.channels = shares(given));
        assert_eq!(refused.contains("BAD_CHANNELS"), !fits, "{given:?}: {refused}");
        assert_eq!(refused.is_empty(), fits, "{given:?}: {refused}");
    }
}

#[test]
fn a_number_has_a_name_and_at_least_one_day() {
    let kpi = |name: &str, timeframe_days: u32| {
        let (name, unit) = (name.to_owned(), "count".to_owned());
        came(|outline| outline.kpis = vec![Kpi { name, target: 1, unit, timeframe_days }])
    };
    assert_eq!((kpi("leads", 1), kpi("l", u32::MAX), came(|outline| outline.kpis.clear())), Default::default());
    for refused in [kpi("leads", 0), kpi(" ", 1)] {
        assert!(refused.contains("BAD_KPIS"), "{refused}");
    }
}

#[test]
fn a_summary_has_fifty_characters_and_a_layer_has_some() {
    for letter in ["a", "ж", "絵"] {
        let of = |chars: usize| came(|outline| outline.summary = letter.repeat(chars));
        assert_eq!(of(50), "", "{letter}");
        assert_eq!(of(49), "CONTRACT_INVALID incomplete: summary", "{letter}");
    }
    for layer in Layer::ALL {
        let missing = format!("CONTRACT_INVALID incomplete: {}", layer.word());
        assert_eq!(came(|outline| drop(outline.layers.remove(&layer))), missing);
        assert_eq!(came(|outline| drop(outline.layers.insert(layer, " \n".to_owned()))), missing);
        assert_eq!(came(|outline| drop(outline.layers.insert(layer, "x".to_owned()))), "");
        assert_eq!(came(|outline| drop(outline.layers.insert(layer, "x".repeat(65_536)))), "");
        let long = came(|outline| drop(outline.layers.insert(layer, "x".repeat(65_537))));
        assert!(long.contains("BAD_LAYERS"), "{long}");
    }
    assert_eq!(Layer::ALL.len(), 8);
}

#[test]
fn versions_count_without_a_gap_and_one_is_approved() {
    let mut stage = stage();
    for version in 1..=3 {
        for wrong in [version - 1, version + 1] {
            let asked = GenerateStrategy { requested_version: Some(wrong), ..generate() };
            assert_eq!(stage.send(&asked, ana()).unwrap_err().code, "VERSION_CONFLICT", "{wrong} for {version}");
        }
        let asked = GenerateStrategy { requested_version: Some(version), ..generate() };
        let written = stage.send(&asked, ana()).unwrap();
        assert_eq!(written.version, version);
        stage.send(&submit(written.strategy_id), ana()).unwrap();
        stage.send(&approve(written.strategy_id), mia()).unwrap();
    }
    stage.project().unwrap();
    let approved = super::versions(&stage).iter().filter(|version| version.status.word() == "APPROVED").count();
    assert_eq!(approved, 1);
}

//! One realistic value per version of each event of strategy: the golden samples.

use super::{
    Channel, Kpi, Layer, Phase, StrategyApprovalRevoked, StrategyApprovedV1, StrategyApprovedV2, StrategyDiscarded,
    StrategyGeneratedV1, StrategyGeneratedV2, StrategyRejected, StrategySubmissionWithdrawn, StrategySubmitted,
    StrategySuperseded, Timeline, Writer,
};
use crate::ids::{BriefId, StrategyId};
use crate::values::{Money, Text};
use saga_core::envelope::Actor;
use saga_core::id::StepKey;
use uuid::Uuid;

const BRIEF: BriefId = BriefId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_0b1e));
const FIRST: StrategyId = StrategyId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_57a1));
const SECOND: StrategyId = StrategyId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_57a2));

impl StrategyGeneratedV1 {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, brief_id: BRIEF, version: 1 }
    }
}
impl StrategyGeneratedV2 {
    /// A golden sample.
    pub fn example() -> Self {
        let own = str::to_owned;
        let channel = |platform: &str, share_bp, minor| Channel {
            platform: own(platform),
            formats: vec![own("post")],
            role: own("shows the evening crossing"),
            share_bp,
            budget: Some(Money { minor, currency: own("NOK") }),
        };
        Self {
            strategy_id: FIRST,
            brief_id: BRIEF,
            version: 1,
            kpis: vec![Kpi { name: own("passengers"), target: 400, unit: own("per week"), timeframe_days: 56 }],
            channels: vec![channel("instagram", 6_000, 540_000), channel("email", 4_000, 360_000)],
            timeline: Timeline { phases: vec![Phase { name: own("set up"), week_from: 1, week_to: 2 }] },
            layers: Layer::ALL.into_iter().map(|layer| (layer, format!("What {} comes to.", layer.word()))).collect(),
            summary: Text::Inline(own(
                "Fjordlys fills its evening crossings by selling the evening, not the crossing.",
            )),
            writer: Writer { provider: own("template"), prompt_hash: "0".repeat(64) },
            author: Some(Actor::saga(BRIEF)),
            amends: None,
        }
    }
}
impl StrategySubmitted {
    /// A golden sample.
    pub fn example() -> Self {
        let deed = StepKey::derive(BRIEF.0, "submit-strategy", saga_core::id::Direction::Do);
        Self { strategy_id: FIRST, reviewers: vec!["mia".to_owned()], deed: Some(deed) }
    }
}
impl StrategySubmissionWithdrawn {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, reason: Some("the run was compensated".to_owned()) }
    }
}
impl StrategyApprovedV1 {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, brief_id: BRIEF, approved_by: "mia".to_owned() }
    }
}
impl StrategyApprovedV2 {
    /// A golden sample.
    pub fn example() -> Self {
        Self {
            strategy_id: FIRST,
            brief_id: BRIEF,
            approved_by: Actor::operator("mia"),
            version: 1,
            note: Some("good".to_owned()),
            content_hash: Some("a".repeat(64)),
        }
    }
}
impl StrategyRejected {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, reason: "too many channels".to_owned(), actor: Actor::operator("mia") }
    }
}
impl StrategyDiscarded {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, reason: "the run was compensated".to_owned() }
    }
}
impl StrategyApprovalRevoked {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, reason: "the run was compensated".to_owned(), actor: Actor::saga(BRIEF) }
    }
}
impl StrategySuperseded {
    /// A golden sample.
    pub fn example() -> Self {
        Self { strategy_id: FIRST, by: SECOND }
    }
}

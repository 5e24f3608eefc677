//! What quality control tells: verdicts on one version of one subject, waivers and voidings.

use crate::ids::{DraftId, QcResultId};
use saga_core::envelope::Actor;
use saga_core::event::{Origin, Owner, Upcast};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The module qc.
#[derive(Debug, Clone, Copy)]
pub enum Qc {}
impl Owner for Qc {
    const MODULE: &'static str = "qc";
}

story! {
    /// The story of one subject's judgements.
    pub enum QcEvent of Qc in "qc_result" {
        QcPassed(QcPassedV1, QcPassedV2), QcFailed(QcFailedV1, QcFailedV2), QcWaived, QcResultVoided,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    Draft,
    Asset,
    Strategy,
}

/// One version of one thing that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Subject {
    pub kind: SubjectKind,
    pub id: Uuid,
    pub version: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    Pass,
    Warn,
    Fail,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Severity {
    Blocker,
    Major,
    Minor,
    /// A check that can only warn.
    Warn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckStatus {
    Pass,
    Warn,
    Fail,
    /// The check itself broke: counts as a failed blocker.
    Crash,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct CheckOutcome {
    pub check: String,
    pub status: CheckStatus,
    pub severity: Severity,
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct Issue {
    pub check: String,
    pub severity: Severity,
    pub section: String,
    pub reason: String,
    pub fixable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcPassedV1 {
    pub result_id: QcResultId,
    pub draft_id: DraftId,
    /// From 0 to 1, as decimal text.
    #[cfg_attr(feature = "schemas", schemars(regex(pattern = r"^(0(\.[0-9]*)?|1(\.0*)?)$")))]
    pub score: String,
}
impl QcPassedV1 {
    /// A sample.
    pub fn example() -> Self {
        Self {
            result_id: QcResultId(Uuid::from_u128(0x91)),
            draft_id: DraftId(Uuid::from_u128(0xd1)),
            score: "0.85".to_owned(),
        }
    }
}
impl Upcast<QcPassedV2> for QcPassedV1 {
    /// A score that is no decimal would otherwise become a number that nobody gave.
    fn check(&self) -> Result<(), String> {
        hundredths(&self.score).map(|_| ()).ok_or_else(|| format!("score {:?}", self.score))
    }
    fn upcast(self, _: &Origin) -> QcPassedV2 {
        QcPassedV2 {
            result_id: self.result_id,
            subject: Subject { kind: SubjectKind::Draft, id: self.draft_id.0, version: 1 },
            score: hundredths(&self.score).unwrap_or(0),
            verdict: Verdict::Pass,
            checks: Vec::new(),
            rules_version: "legacy".to_owned(),
        }
    }
}

/// A decimal text from 0 to 1 as hundredths, half up: `0.85` is 85, `0.845` is 85.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || !digits(whole) || !digits(part) {
        return None;
    }
    let mut after = part.bytes().map(|byte| u32::from(byte - b'0')).chain(std::iter::repeat(0));
    let mut next = || after.next().unwrap_or(0);
    let (tenth, hundredth, thousandth) = (next(), next(), next());
    let score = whole.parse::<u32>().ok()? * 100 + tenth * 10 + hundredth + u32::from(thousandth >= 5);
    (score <= 100).then_some(score)
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcPassedV2 {
    pub result_id: QcResultId,
    pub subject: Subject,
    /// From 0 to 100.
    pub score: u32,
    pub verdict: Verdict,
    pub checks: Vec<CheckOutcome>,
    pub rules_version: String,
}
impl QcPassedV2 {
    /// A sample.
    pub fn example() -> Self {
        let check = |check: &str, status, severity, reason: &str| CheckOutcome {
            check: check.to_owned(),
            status,
            severity,
            reason: reason.to_owned(),
        };
        Self {
            result_id: QcResultId(Uuid::from_u128(0x92)),
            subject: Subject { kind: SubjectKind::Asset, id: Uuid::from_u128(0xa1), version: 2 },
            score: 97,
            verdict: Verdict::Warn,
            checks: vec![
                check("not_empty", CheckStatus::Pass, Severity::Blocker, ""),
                check("competitor_named", CheckStatus::Fail, Severity::Minor, "names Amplio"),
            ],
            rules_version: "1.5".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcFailedV1 {
    pub result_id: QcResultId,
    pub draft_id: DraftId,
    pub issue_count: u32,
}
impl QcFailedV1 {
    /// A sample.
    pub fn example() -> Self {
        Self { result_id: QcResultId(Uuid::from_u128(0x93)), draft_id: DraftId(Uuid::from_u128(0xd1)), issue_count: 2 }
    }
}
/// A thousand: no old result had more issues, and a damaged count must not fill the memory.
const LEGACY_ISSUES_MAX: u32 = 1_000;
impl Upcast<QcFailedV2> for QcFailedV1 {
    fn upcast(self, _: &Origin) -> QcFailedV2 {
        let issue = || Issue {
            check: "not recorded".to_owned(),
            severity: Severity::Major,
            section: String::new(),
            reason: "not recorded".to_owned(),
            fixable: false,
        };
        QcFailedV2 {
            result_id: self.result_id,
            subject: Subject { kind: SubjectKind::Draft, id: self.draft_id.0, version: 1 },
            score: 0,
            issues: (0..self.issue_count.min(LEGACY_ISSUES_MAX)).map(|_| issue()).collect(),
            rules_version: "legacy".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcFailedV2 {
    pub result_id: QcResultId,
    pub subject: Subject,
    /// From 0 to 100.
    pub score: u32,
    pub issues: Vec<Issue>,
    pub rules_version: String,
}
impl QcFailedV2 {
    /// A sample.
    pub fn example() -> Self {
        Self {
            result_id: QcResultId(Uuid::from_u128(0x94)),
            subject: Subject { kind: SubjectKind::Draft, id: Uuid::from_u128(0xd1), version: 1 },
            score: 70,
            issues: vec![Issue {
                check: "forbidden_words".to_owned(),
                severity: Severity::Blocker,
                section: "body".to_owned(),
                reason: "the forbidden word \"disrupt\" occurs".to_owned(),
                fixable: true,
            }],
            rules_version: "1.5".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcWaived {
    pub result_id: QcResultId,
    /// Beside the result, so that listeners need no memory of results.
    pub subject: Subject,
    pub actor: Actor,
    pub reason: String,
}
impl QcWaived {
    /// A sample.
    pub fn example() -> Self {
        Self {
            result_id: QcResultId(Uuid::from_u128(0x94)),
            subject: Subject { kind: SubjectKind::Draft, id: Uuid::from_u128(0xd1), version: 1 },
            actor: Actor::operator("mia"),
            reason: "the client insists on this wording".to_owned(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemas", derive(schemars::JsonSchema))]
pub struct QcResultVoided {
    pub result_id: QcResultId,
    /// Beside the result, so that listeners need no memory of results.
    pub subject: Subject,
    pub reason: String,
}
impl QcResultVoided {
    /// A sample.
    pub fn example() -> Self {
        Self {
            result_id: QcResultId(Uuid::from_u128(0x94)),
            subject: Subject { kind: SubjectKind::Draft, id: Uuid::from_u128(0xd1), version: 1 },
            reason: "undone".to_owned(),
        }
    }
}

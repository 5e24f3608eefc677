//! One realistic value per version of each event of onboarding: the golden samples.

use super::{
    Attachment, Audience, BrandGuidelines, BriefCancelled, BriefNormalizationReverted, BriefNormalized, BriefValidated,
    Call, Constraint, ConstraintKind, IntakeCapturedV1, IntakeCapturedV2, IntakeRef, IntakeWithdrawn, Kpi, Objective,
    Offer, PlannedContent, ProjectClosed, Scope, Weeks, WorkspaceCreated, intake_of,
};
use crate::ids::{BriefId, ClientId, ProjectId};
use crate::values::{Money, Text};
use saga_core::id::StepKey;
use saga_core::time::Timestamp;
use serde_json::{Map, Value};
use uuid::Uuid;

const CLIENT: ClientId = ClientId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_0c11));
const BRIEF: BriefId = BriefId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_0b1e));
const PROJECT: ProjectId = ProjectId(Uuid::from_u128(0x0193_c000_0000_7000_8000_0000_0000_0940));
const NOON: Timestamp = Timestamp(1_765_627_200_000_000);

fn deed(path: &str) -> Option<StepKey> {
    Some(StepKey::derive(BRIEF.0, path, saga_core::id::Direction::Do))
}

impl IntakeCapturedV1 {
    /// A golden sample.
    pub fn example() -> Self {
        Self { client_id: CLIENT, brief_id: BRIEF, form_version: 1 }
    }
}
impl IntakeCapturedV2 {
    /// A golden sample.
    pub fn example() -> Self {
        let answer = |text: &str| Value::String(text.to_owned());
        let client = [("name", "Fjordlys Rederi"), ("website", "none"), ("industry", "ferries")];
        let client: Map<_, _> = client.into_iter().map(|(key, text)| (key.to_owned(), answer(text))).collect();
        Self {
            client_id: CLIENT,
            brief_id: BRIEF,
            form_version: 2,
            intake_id: intake_of(BRIEF),
            language: "en".to_owned(),
            responses: [("client".to_owned(), Value::Object(client))].into_iter().collect(),
            attachments: vec![Attachment {
                name: "logo.svg".to_owned(),
                url: Some("https://files.example/logo.svg".to_owned()),
                sha256: None,
            }],
            submitted_at: NOON,
        }
    }
}
impl IntakeWithdrawn {
    /// A golden sample.
    pub fn example() -> Self {
        Self { intake_id: intake_of(BRIEF), version: 2, reason: "sent by mistake".to_owned(), brief_id: Some(BRIEF) }
    }
}
impl BriefNormalized {
    /// A golden sample.
    pub fn example() -> Self {
        let own = str::to_owned;
        Self {
            brief_id: BRIEF,
            client_id: CLIENT,
            intake: IntakeRef { id: intake_of(BRIEF), version: 1 },
            scope: Scope {
                deliverables: vec![own("strategy"), own("content_pack")],
                timeline_weeks: Some(Weeks { min: 8, max: 8 }),
                offers: vec![Offer { name: own("Evening crossing"), usp: Some(own("dinner with a view of the pass")) }],
                content_plan: vec![PlannedContent {
                    platform: own("instagram"),
                    format: own("post"),
                    language: own("en"),
                    count: 3,
                }],
                defaults_used: vec![own("deliverables"), own("timeline_weeks")],
                ..Scope::default()
            },
            objectives: vec![Objective {
                goal: own("400 evening passengers a week"),
                kpis: vec![Kpi { name: own("passengers"), target: 400, unit: own("per week") }],
            }],
            target_audience: Audience {
                primary: own("Couples on a long weekend"),
                pain_points: vec![own("ferries feel like buses")],
            },
            brand_guidelines: BrandGuidelines {
                client_name: own("Fjordlys Rederi"),
                brand_name: own("Fjordlys"),
                website: own("none"),
                industry: own("ferries"),
                geography: own("western Norway"),
                tone: vec![own("unhurried")],
                ..BrandGuidelines::default()
            },
            budget: Some(Money { minor: 900_000, currency: own("NOK") }),
            constraints: vec![Constraint { kind: ConstraintKind::MustAvoid, text: own("cruise") }],
            language: own("en"),
            notes: None,
            call: Some(Call {
                notes: Text::Inline(own("Season starts in April.")),
                date: Some(own("2025-12-12")),
                ..Call::default()
            }),
            deed: deed("normalize-brief"),
        }
    }
}
impl BriefValidated {
    /// A golden sample.
    pub fn example() -> Self {
        Self {
            brief_id: BRIEF,
            client_id: CLIENT,
            scope_deliverables: vec!["strategy".to_owned(), "content_pack".to_owned()],
            deed: deed("validate-brief"),
        }
    }
}
impl BriefNormalizationReverted {
    /// A golden sample.
    pub fn example() -> Self {
        Self { brief_id: BRIEF, reason: "the run was compensated".to_owned() }
    }
}
impl BriefCancelled {
    /// A golden sample.
    pub fn example() -> Self {
        Self { brief_id: BRIEF }
    }
}
impl WorkspaceCreated {
    /// A golden sample.
    pub fn example() -> Self {
        Self {
            project_id: PROJECT,
            brief_id: Some(BRIEF),
            workspace_url: format!("https://workspace.example/{PROJECT}"),
            client_id: Some(CLIENT),
        }
    }
}
impl ProjectClosed {
    /// A golden sample.
    pub fn example() -> Self {
        Self { project_id: PROJECT, reason: "the engagement ended".to_owned() }
    }
}

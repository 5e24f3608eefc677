//! The published language: every version of every event there is, as pure data. One file per owner.
#![expect(missing_docs, reason = "the fields of events are described by their schemas, which are generated from here")]
#![deny(clippy::wildcard_enum_match_arm)]

use saga_core::event::{DecodeError, Event, EventSet, Origin, Owner};
use saga_core::json::Payload;
use serde::Serialize;
use serde_json::Value;

pub mod client_review;
pub mod delivery;
pub mod ids;
pub mod onboarding;
pub mod orchestration;
pub mod production;
pub mod qc;
pub mod strategy;
pub mod values;

/// One version of one event, for those who handle events without their types: schemas, samples, canvases, checks.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The module whose event it is.
    pub owner: &'static str,
    /// The category of the streams it is written to.
    pub category: &'static str,
    /// Past tense, without the module's name.
    pub name: &'static str,
    /// From 1.
    pub version: u16,
    /// Name and newest version of every event of the same story.
    pub story: &'static [(&'static str, u16)],
    /// Its shape as writers write it. Readers ignore what they do not know.
    #[cfg(feature = "schemas")]
    pub schema: fn() -> schemars::Schema,
    /// A golden sample of this version.
    pub example: fn() -> Value,
    /// Reads any version of this event, and gives what the newest makes of it.
    pub decode: fn(u16, &Payload, &Origin) -> Result<Value, DecodeError>,
}

impl Entry {
    /// Whether there is no newer version.
    pub fn is_newest(&self) -> bool {
        self.story.contains(&(self.name, self.version))
    }
}

/// Of each story: whose, in which category, its set, and its events, each as its newest version and the older ones.
macro_rules! stories {
    ($($owner:ident $category:literal $story:ident {
        $($newest:ident $(($($older:ident),+))?),+ $(,)?
    })+) => {
        /// Every version of every event there is.
        pub fn catalogue() -> Vec<Entry> {
            vec![$($(
                $($(stories!(entry $owner $category $story $older $newest),)+)?
                stories!(entry $owner $category $story $newest $newest),
            )+)+]
        }
    };
    (entry $owner:ident $category:literal $story:ident $event:ident $newest:ident) => {
        Entry {
            owner: <<$owner::$event as Event>::Owner as Owner>::MODULE,
            category: $category,
            name: <$owner::$event as Event>::NAME,
            version: <$owner::$event as Event>::VERSION,
            story: <$owner::$story as EventSet>::EVENTS,
            #[cfg(feature = "schemas")]
            schema: written::<$owner::$event>,
            example: || json(&$owner::$event::example()),
            decode: |version, data, origin| {
                <$owner::$newest as Event>::decode(version, data, origin).map(|event| json(&event))
            },
        }
    };
}
stories! {
    client_review "client_review_package" ReviewEvent { ApprovalRevoked, ClientApproved }
    delivery "delivery_execution" ExecutionEvent { ExecutionSet }
    delivery "delivery_job" JobEvent {
        PublishCancelled, PublishCompleted(PublishCompletedV1), PublishFailed(PublishFailedV1), PublishHeld,
        PublishOutcomeUnknown, PublishQueued, PublishReleased, PublishResolved, PublishRetractFailed, PublishRetracted,
        PublishRetryScheduled, PublishStarted,
    }
    delivery "delivery_package" PackageEvent { Delivered, PackageCreated, PackageWithdrawn }
    delivery "delivery_payment_rule" PaymentRuleEvent { PaymentRuleSet }
    onboarding "onboarding_brief" BriefEvent {
        BriefCancelled, BriefNormalizationReverted, BriefNormalized, BriefValidated,
    }
    onboarding "onboarding_intake" IntakeEvent { IntakeCaptured(IntakeCapturedV1), IntakeWithdrawn }
    onboarding "onboarding_project" ProjectEvent { ProjectClosed, WorkspaceCreated }
    orchestration "orchestration_saga" SagaFact {
        BranchFailed, CompensationDispatched, CompensationFailed, CompensationSkipped, CompensationStarted,
        ConditionRecorded, LateReplyRecorded, ListRecorded, OperatorNote, PivotPassed, RetryOrdered, RoundEnded,
        SagaCancelled, SagaCompensated, SagaCompleted, SagaParked, SagaPaused, SagaResumed, SagaStarted,
        SignalReceived, StepCompensated, StepDispatched, StepFailed(StepFailedV1), StepOutcomeUnknown, StepProbed,
        StepRetryScheduled, StepSkipped, StepSucceeded, TimerFired, WaitStarted,
    }
    production "production_asset" AssetEvent {
        CreativeAssetApprovalRevoked, CreativeAssetApproved, CreativeAssetArchived,
        CreativeAssetCreated(CreativeAssetCreatedV1), CreativeAssetDiscarded, CreativeAssetEdited,
        CreativeAssetPublished, CreativeAssetRetracted,
    }
    production "production_bundle" BundleEvent { AssetGenerated, BundleAssembled, BundleDiscarded }
    production "production_draft" DraftEvent {
        DraftAssetAdded, DraftAssetRemoved, DraftDiscarded, DraftReady(DraftReadyV1), DraftReleased, DraftRevised,
        DraftRevisionReverted,
    }
    qc "qc_result" QcEvent { QcFailed(QcFailedV1), QcPassed(QcPassedV1), QcResultVoided, QcWaived }
    strategy "strategy_document" StrategyEvent {
        StrategyApprovalRevoked, StrategyApproved(StrategyApprovedV1), StrategyDiscarded,
        StrategyGenerated(StrategyGeneratedV1), StrategyRejected, StrategySubmissionWithdrawn, StrategySubmitted,
        StrategySuperseded,
    }
}

/// An event has string keys and finite numbers only, so it always becomes JSON; `null` would fail every check of it.
fn json<E: Serialize>(event: &E) -> Value {
    serde_json::to_value(event).unwrap_or(Value::Null)
}

/// The shape as a writer writes it: what is always written is required.
#[cfg(feature = "schemas")]
fn written<E: schemars::JsonSchema>() -> schemars::Schema {
    schemars::generate::SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<E>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What every file says that it holds.
    const CATALOGUES: [&[(&str, u16)]; 7] = [
        client_review::CATALOGUE,
        delivery::CATALOGUE,
        onboarding::CATALOGUE,
        orchestration::CATALOGUE,
        production::CATALOGUE,
        qc::CATALOGUE,
        strategy::CATALOGUE,
    ];

    /// What is wrong with a catalogue: events twice, events of a story that are missing, and the reverse.
    fn faults(catalogue: &[Entry]) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let twice = catalogue.iter().filter(|entry| !seen.insert((entry.owner, entry.name, entry.version)));
        let mut faults: Vec<_> =
            twice.map(|entry| format!("{} v{} is there twice", entry.name, entry.version)).collect();
        for entry in catalogue {
            let newest = entry.story.iter().find(|(name, _)| *name == entry.name);
            if newest.is_none_or(|(_, version)| entry.version > *version) {
                faults.push(format!("{} v{} is in no story", entry.name, entry.version));
            }
            let missing = entry.story.iter().filter(|(name, version)| !seen.contains(&(entry.owner, *name, *version)));
            faults.extend(missing.map(|(name, version)| format!("{name} v{version} of a story is missing")));
        }
        faults
    }

    #[test]
    fn every_event_of_a_story_is_in_the_catalogue_once_and_the_reverse() {
        assert_eq!(faults(&catalogue()), Vec::<String>::new());
    }

    #[test]
    fn the_catalogue_is_the_sum_of_the_files() {
        let told: BTreeSet<_> = CATALOGUES.iter().flat_map(|list| list.iter().copied()).collect();
        let held: BTreeSet<_> = catalogue().iter().map(|entry| (entry.name, entry.version)).collect();
        assert_eq!(told, held);
    }

    #[test]
    fn a_hole_a_double_and_a_stranger_are_seen() {
        let all = catalogue();
        let mut hole = all.clone();
        let place = hole.iter().position(|entry| entry.name == "QcWaived").unwrap();
        let waived = hole.remove(place);
        assert!(faults(&hole).contains(&"QcWaived v1 of a story is missing".to_owned()));
        let double = [all.as_slice(), &[waived]].concat();
        assert_eq!(faults(&double), ["QcWaived v1 is there twice"]);
        let stranger = [all.as_slice(), &[Entry { version: 2, ..waived }]].concat();
        assert_eq!(faults(&stranger), ["QcWaived v2 is in no story"]);
    }

    #[test]
    fn every_sample_is_json_and_reads_as_the_newest_version() {
        let origin =
            Origin { id: saga_core::id::EventId(uuid::Uuid::nil()), recorded_at: saga_core::time::Timestamp(0) };
        for entry in catalogue() {
            let sample = (entry.example)();
            let newest = (entry.decode)(entry.version, &Payload::of(&sample).unwrap(), &origin).unwrap();
            assert!(sample.is_object() && newest.is_object());
            assert!(!entry.is_newest() || newest == sample, "{} v{}", entry.name, entry.version);
        }
    }
}

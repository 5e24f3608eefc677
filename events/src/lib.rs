//! The published language: every version of every event there is, as pure data. One file per owner.
#![expect(missing_docs, reason = "the fields of events are described by their schemas, which are generated from here")]
#![deny(clippy::wildcard_enum_match_arm)]

use saga_core::event::{DecodeError, EventSet, Origin};
use saga_core::json::Payload;
use serde::Serialize;
use serde_json::Value;

/// A story whose events are published: `saga_core::story!`, and every version of its events in the catalogue.
macro_rules! story {
    ($(#[$meta:meta])* pub enum $set:ident of $($rest:tt)+) => {
        saga_core::story! { $(#[$meta])* pub enum $set of $($rest)+ }
        published! { $set of $($rest)+ }
    };
}
/// The part of it that is special to published events.
macro_rules! published {
    ($set:ident of $owner:ident in $category:literal { $($event:ident $(($($version:ident),+))?),+ $(,)? }) => {
        impl crate::Published for $set {
            fn entries(entries: &mut Vec<crate::Entry>) {
                $(published!(entries $set $event $($($version)+)?);)+
            }
        }
    };
    ($entries:ident $set:ident $event:ident) => { published!($entries $set $event $event); };
    ($entries:ident $set:ident $event:ident $($version:ident)+) => {
        $($entries.push(crate::Entry {
            owner: <<$set as saga_core::event::EventSet>::Owner as saga_core::event::Owner>::MODULE,
            category: <$set as saga_core::event::EventSet>::CATEGORY,
            name: stringify!($event),
            story: <$set as saga_core::event::EventSet>::EVENTS,
            version: <$version as saga_core::event::Event>::VERSION,
            #[cfg(feature = "schemas")]
            schema: crate::written::<$version>,
            example: || crate::json(&$version::example()),
            decode: |version, data, origin| {
                <$event as saga_core::event::Event>::decode(version, data, origin).map(|event| crate::json(&event))
            },
        });)+
    };
}

pub mod client_review;
pub mod delivery;
pub mod ids;
pub mod onboarding;
pub mod orchestration;
pub mod production;
pub mod qc;
pub mod strategy;
pub mod values;

/// One version of one event, for code that handles events without their types: schemas, samples, canvases, checks.
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

/// A story that knows every version of its events.
trait Published: EventSet {
    fn entries(entries: &mut Vec<Entry>);
}

/// Every version of every event there is, by owner, category, name and version.
pub fn catalogue() -> Vec<Entry> {
    let stories = [
        client_review::ReviewEvent::entries,
        delivery::ExecutionEvent::entries,
        delivery::JobEvent::entries,
        delivery::PackageEvent::entries,
        delivery::PaymentRuleEvent::entries,
        onboarding::BriefEvent::entries,
        onboarding::IntakeEvent::entries,
        onboarding::ProjectEvent::entries,
        orchestration::SagaFact::entries,
        production::AssetEvent::entries,
        production::BundleEvent::entries,
        production::DraftEvent::entries,
        qc::QcEvent::entries,
        strategy::StrategyEvent::entries,
    ];
    let mut entries = Vec::new();
    for story in stories {
        story(&mut entries);
    }
    entries.sort_by_key(|entry: &Entry| (entry.owner, entry.category, entry.name, entry.version));
    entries
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
    fn every_sample_reads_as_the_newest_version_also_with_a_field_of_a_newer_writer() {
        let origin =
            Origin { id: saga_core::id::EventId(uuid::Uuid::nil()), recorded_at: saga_core::time::Timestamp(0) };
        for entry in catalogue() {
            let sample = (entry.example)();
            let read = |value: &Value| (entry.decode)(entry.version, &Payload::of(value).unwrap(), &origin).unwrap();
            let newest = read(&sample);
            assert!(sample.is_object() && newest.is_object());
            assert!(!entry.is_newest() || newest == sample, "{} v{}", entry.name, entry.version);
            let mut newer = sample.clone();
            newer["from_a_newer_writer"] = Value::from(1);
            assert_eq!(read(&newer), newest, "{} v{}", entry.name, entry.version);
        }
    }

    #[test]
    fn no_version_is_guessed_that_is_not_there() {
        let origin =
            Origin { id: saga_core::id::EventId(uuid::Uuid::nil()), recorded_at: saga_core::time::Timestamp(0) };
        for entry in catalogue().iter().filter(|entry| entry.is_newest()) {
            let read = |version| (entry.decode)(version, &Payload::of(&(entry.example)()).unwrap(), &origin);
            assert_eq!(
                read(entry.version + 1),
                Err(DecodeError::FromTheFuture { of: entry.name, version: entry.version + 1 })
            );
            assert_eq!(read(0), Err(DecodeError::NoSuchVersion { version: 0 }));
        }
    }
}

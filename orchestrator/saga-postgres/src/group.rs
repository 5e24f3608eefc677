//! A plan as the arguments of one function call: arrays side by side, one for each column.

use saga_core::appender::Plan;
use saga_core::batch::{DocumentWrite, INDEX_FIELDS_MAX};
use saga_core::id::Epoch;
use saga_core::written::answer_columns;
use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;
use std::collections::BTreeMap;
use uuid::Uuid;

/// How many arguments `es_append` has.
const ARGUMENTS: usize = 47;

/// The call that writes a group. Always this one text, so that it is prepared once.
pub(crate) fn call() -> String {
    let places: Vec<String> = (1..=ARGUMENTS).map(|place| format!("${place}")).collect();
    format!("SELECT es_append({})", places.join(","))
}

/// The lowest epoch that a batch of a group carries for each scope: none of them may be below what the store knows.
pub(crate) type Checks<'b> = BTreeMap<&'b str, Epoch>;

/// Everything that a plan writes, as `es_append` takes it.
pub(crate) fn arguments(plan: &Plan<'_, '_>, checks: &Checks<'_>) -> Result<PgArguments, sqlx::error::BoxDynError> {
    let mut arguments = PgArguments::default();
    let start = plan.start();
    arguments.add(start.position.0.cast_signed())?;
    arguments.add(start.chain.as_slice())?;
    arguments.add(plan.head().public_seq.cast_signed())?;
    arguments.add(plan.head().recorded_at.0)?;
    arguments.add(checks.keys().copied().collect::<Vec<&str>>())?;
    arguments.add(checks.values().map(|epoch| epoch.0.cast_signed()).collect::<Vec<_>>())?;
    arguments.add(plan.absent.iter().map(|(saga, _)| *saga).collect::<Vec<Uuid>>())?;
    arguments.add(plan.absent.iter().map(|(_, key)| key.uuid()).collect::<Vec<Uuid>>())?;
    events(plan, &mut arguments)?;
    inbox(plan, &mut arguments)?;
    arguments.add(plan.marks.keys().copied().collect::<Vec<&str>>())?;
    arguments.add(plan.marks.values().map(|position| position.0.cast_signed()).collect::<Vec<_>>())?;
    documents(plan, &mut arguments)?;
    arguments.add(plan.blobs.keys().map(<[u8; 32]>::as_slice).collect::<Vec<&[u8]>>())?;
    arguments.add(plan.blobs.values().copied().collect::<Vec<&[u8]>>())?;
    arguments.add(plan.snapshots.keys().map(|stream| stream.as_str()).collect::<Vec<_>>())?;
    let snapshots = || plan.snapshots.values();
    arguments.add(snapshots().map(|snapshot| snapshot.version.0.cast_signed()).collect::<Vec<_>>())?;
    arguments.add(snapshots().map(|snapshot| snapshot.digest.as_str()).collect::<Vec<_>>())?;
    arguments.add(snapshots().map(|snapshot| snapshot.state.as_str().as_bytes()).collect::<Vec<_>>())?;
    arguments.add(plan.fences.keys().copied().collect::<Vec<&str>>())?;
    arguments.add(plan.fences.values().map(|epoch| epoch.0.cast_signed()).collect::<Vec<_>>())?;
    Ok(arguments)
}

fn events(plan: &Plan<'_, '_>, arguments: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
    let events = || plan.events.iter();
    // Zero stands for no public place: an array of numbers without NULL is cheaper on both sides.
    arguments.add(events().map(|event| event.public_seq.unwrap_or(0).cast_signed()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.stream.as_str()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.version.0.cast_signed()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.id.0).collect::<Vec<Uuid>>())?;
    arguments.add(events().map(|event| event.name.as_str()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| i32::from(event.schema_version)).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.data.as_str().as_bytes()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.meta.as_str().as_bytes()).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.time.0).collect::<Vec<_>>())?;
    arguments.add(events().map(|event| event.chain.as_slice()).collect::<Vec<_>>())
}

fn inbox(plan: &Plan<'_, '_>, arguments: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
    let entries = || plan.inbox.values();
    let answers = entries().map(|entry| answer_columns(&entry.answer)).collect::<Result<Vec<_>, _>>()?;
    arguments.add(entries().map(|entry| entry.saga).collect::<Vec<Uuid>>())?;
    arguments.add(entries().map(|entry| entry.key.uuid()).collect::<Vec<Uuid>>())?;
    arguments.add(entries().map(|entry| entry.direction.word()).collect::<Vec<_>>())?;
    arguments.add(entries().map(|entry| entry.payload_hash.as_slice()).collect::<Vec<_>>())?;
    arguments.add(entries().map(|entry| entry.epoch.0.cast_signed()).collect::<Vec<_>>())?;
    arguments.add(answers.iter().map(|(outcome, _)| *outcome).collect::<Vec<_>>())?;
    arguments.add(answers.iter().map(|(_, text)| text.as_bytes()).collect::<Vec<_>>())
}

fn documents(plan: &Plan<'_, '_>, arguments: &mut PgArguments) -> Result<(), sqlx::error::BoxDynError> {
    let (kept, gone): (Vec<&DocumentWrite>, Vec<_>) =
        plan.documents.values().copied().partition(|write| write.body.is_some());
    for writes in [&gone, &kept] {
        arguments.add(writes.iter().map(|write| write.projection.as_str()).collect::<Vec<_>>())?;
        arguments.add(writes.iter().map(|write| i32::from(write.version)).collect::<Vec<_>>())?;
        arguments.add(writes.iter().map(|write| write.key.as_str()).collect::<Vec<_>>())?;
    }
    let fields = kept.iter().map(|write| i16::try_from(write.index.len())).collect::<Result<Vec<_>, _>>()?;
    arguments.add(fields)?;
    for field in 0..INDEX_FIELDS_MAX {
        let values: Vec<Option<&str>> =
            kept.iter().map(|write| write.index.get(field).and_then(Option::as_deref)).collect();
        arguments.add(values)?;
    }
    let bodies = kept.iter().map(|write| write.body.as_ref().map_or(&b"null"[..], |body| body.as_str().as_bytes()));
    arguments.add(bodies.collect::<Vec<_>>())
}

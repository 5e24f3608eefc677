//! A plan as the arguments of one function call: arrays side by side, one for each column.

use saga_core::appender::WriteSet;
use saga_core::batch::{DocumentWrite, INDEX_FIELDS_MAX};
use saga_core::id::Epoch;
use saga_core::written::answer_columns;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArguments, PgHasArrayType};
use sqlx::{Arguments as _, Encode, Postgres, Type};
use std::collections::BTreeMap;

/// How many arguments `es_append` has.
const ARGUMENTS: usize = 47;

/// The call that writes a group. Always this one text, so that it is prepared once.
pub(crate) fn call() -> String {
    let places: Vec<String> = (1..=ARGUMENTS).map(|place| format!("${place}")).collect();
    format!("SELECT es_append({})", places.join(","))
}

/// The lowest epoch that a batch of a group carries for each scope: none of them may be below what the store knows.
pub(crate) type Checks<'b> = BTreeMap<&'b str, Epoch>;

/// One column of what is written. Without rows it is NULL: an array that is empty would still be unpacked for each call,
/// and most calls write rows of two kinds out of eight.
fn column<'q, T>(arguments: &mut PgArguments, values: impl Iterator<Item = T>) -> Result<(), BoxDynError>
where
    T: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType + 'q,
{
    let values: Vec<T> = values.collect();
    arguments.add(Some(values).filter(|values| !values.is_empty()))
}

/// Everything that a plan writes, as `es_append` takes it.
pub(crate) fn arguments(plan: &WriteSet<'_, '_>, checks: &Checks<'_>) -> Result<PgArguments, BoxDynError> {
    let mut arguments = PgArguments::default();
    let start = plan.start();
    arguments.add(start.position.0.cast_signed())?;
    arguments.add(start.chain.as_slice())?;
    arguments.add(plan.head().public_seq.cast_signed())?;
    arguments.add(plan.head().recorded_at.0)?;
    column(&mut arguments, checks.keys().copied())?;
    column(&mut arguments, checks.values().map(|epoch| epoch.0.cast_signed()))?;
    column(&mut arguments, plan.absent.iter().map(|(saga, _)| *saga))?;
    column(&mut arguments, plan.absent.iter().map(|(_, key)| key.uuid()))?;
    events(plan, &mut arguments)?;
    inbox(plan, &mut arguments)?;
    column(&mut arguments, plan.marks.keys().copied())?;
    column(&mut arguments, plan.marks.values().map(|position| position.0.cast_signed()))?;
    documents(plan, &mut arguments)?;
    column(&mut arguments, plan.blobs.keys().map(<[u8; 32]>::as_slice))?;
    column(&mut arguments, plan.blobs.values().copied())?;
    column(&mut arguments, plan.snapshots.keys().map(|stream| stream.as_str()))?;
    let snapshots = || plan.snapshots.values();
    column(&mut arguments, snapshots().map(|snapshot| snapshot.version.0.cast_signed()))?;
    column(&mut arguments, snapshots().map(|snapshot| snapshot.digest.as_str()))?;
    column(&mut arguments, snapshots().map(|snapshot| snapshot.state.as_str().as_bytes()))?;
    column(&mut arguments, plan.fences.keys().copied())?;
    column(&mut arguments, plan.fences.values().map(|epoch| epoch.0.cast_signed()))?;
    Ok(arguments)
}

fn events(plan: &WriteSet<'_, '_>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
    let events = || plan.events.iter();
    // Zero stands for no public place: an array of numbers without NULL is cheaper on both sides.
    column(arguments, events().map(|event| event.public_seq.unwrap_or(0).cast_signed()))?;
    column(arguments, events().map(|event| event.stream.as_str()))?;
    column(arguments, events().map(|event| event.version.0.cast_signed()))?;
    column(arguments, events().map(|event| event.id.0))?;
    column(arguments, events().map(|event| event.name.as_str()))?;
    column(arguments, events().map(|event| i32::from(event.schema_version)))?;
    column(arguments, events().map(|event| event.data.as_str().as_bytes()))?;
    column(arguments, events().map(|event| event.meta.as_str().as_bytes()))?;
    column(arguments, events().map(|event| event.time.0))?;
    column(arguments, events().map(|event| event.chain.as_slice()))
}

fn inbox(plan: &WriteSet<'_, '_>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
    let entries = || plan.inbox.values();
    let answers = entries().map(|entry| answer_columns(&entry.answer)).collect::<Result<Vec<_>, _>>()?;
    column(arguments, entries().map(|entry| entry.saga))?;
    column(arguments, entries().map(|entry| entry.key.uuid()))?;
    column(arguments, entries().map(|entry| entry.direction.word()))?;
    column(arguments, entries().map(|entry| entry.payload_hash.as_slice()))?;
    column(arguments, entries().map(|entry| entry.epoch.0.cast_signed()))?;
    column(arguments, answers.iter().map(|(outcome, _)| *outcome))?;
    column(arguments, answers.iter().map(|(_, text)| text.as_bytes()))
}

fn documents(plan: &WriteSet<'_, '_>, arguments: &mut PgArguments) -> Result<(), BoxDynError> {
    let (kept, gone): (Vec<&DocumentWrite>, Vec<_>) =
        plan.documents.values().copied().partition(|write| write.body.is_some());
    for writes in [&gone, &kept] {
        column(arguments, writes.iter().map(|write| write.projection.as_str()))?;
        column(arguments, writes.iter().map(|write| i32::from(write.version)))?;
        column(arguments, writes.iter().map(|write| write.key.as_str()))?;
    }
    let fields = kept.iter().map(|write| i16::try_from(write.index.len())).collect::<Result<Vec<_>, _>>()?;
    column(arguments, fields.into_iter())?;
    for field in 0..INDEX_FIELDS_MAX {
        column(arguments, kept.iter().map(|write| write.index.get(field).and_then(Option::as_deref)))?;
    }
    let bodies = kept.iter().map(|write| write.body.as_ref().map_or(&b"null"[..], |body| body.as_str().as_bytes()));
    column(arguments, bodies)
}

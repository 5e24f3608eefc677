//! Revokes what others granted to the roles of a module and on its schema. It makes the text of statements and nothing
//! else: an inspection afterwards finds what could not be revoked.

use crate::access::{Names, turns};

/// The tables of a schema, each for the module and the auditor to read.
pub(super) const TABLES: &[&str] = &[
    "es_events",
    "es_head",
    "es_inbox",
    "es_fences",
    "es_checkpoints",
    "es_documents",
    "es_blobs",
    "es_snapshots",
    "es_meta",
];
/// The functions that a module calls.
pub(super) const FUNCTIONS: &[&str] = &["es_append", "es_lock", "es_lease"];
/// The function behind the trigger, which nobody calls.
const GUARD: &str = "es_events_are_final";

/// As the administrator: attributes, memberships, settings and property of the roles, what others are given of things that are made
/// later, and whatever could hold up a migration.
pub(super) fn of_roles(names: &Names, prefix: &str) -> String {
    let list = |names: &[&str]| names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
    named(include_str!("roles_back.sql"), names)
        .replace("TURNS", &turns(prefix))
        .replace("(TABLES)", &format!("({})", list(TABLES)))
        .replace("(FUNCTIONS)", &format!("({})", list(&[FUNCTIONS, &[GUARD]].concat())))
}
/// As the owner of the schema: every right in it.
pub(super) fn of_schema(names: &Names) -> String {
    named(include_str!("schema_back.sql"), names)
}
/// Names need no care in SQL beyond the quotes that are there.
fn named(sql: &str, names: &Names) -> String {
    sql.replace("'OWNER'", &format!("'{}'", names.owner))
        .replace("AUDITOR", &names.auditor)
        .replace("MODULE", &names.schema)
}

//! What PostgreSQL's errors mean for a caller.

use saga_core::ports::{OpenError, ReadError};
use sqlx::postgres::{PgDatabaseError, PgSeverity};

/// The kinds of trouble that are answered differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A key refuted the statement.
    Taken,
    /// The values can never be stored: a NUL in a text, a key longer than an index page.
    Unstorable,
    /// What is stored is damaged.
    Corrupt,
    /// The server has refused the statement, and rolled back with it. Trying again may help.
    Refused,
    /// No answer, or a last word before the connection was closed: what was sent may have been done.
    Lost,
}

impl Fault {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let Some(error) = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        else {
            return Fault::Lost;
        };
        // A fatal error ends the connection, and may come between the end of a transaction and its acknowledgement.
        if matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic) {
            return Fault::Lost;
        }
        match error.code() {
            "23505" => Fault::Taken,
            // Integrity beside keys, program limits (a row too large for an index), data exceptions.
            code if ["22", "54"].contains(&code.get(..2).unwrap_or_default()) => Fault::Unstorable,
            "23502" | "23514" => Fault::Unstorable,
            code if code.starts_with("XX00") => Fault::Corrupt,
            _ => Fault::Refused,
        }
    }
}

/// A failed read of `place`.
pub(crate) fn read_error(place: &str, error: &sqlx::Error) -> ReadError {
    match Fault::of(error) {
        Fault::Corrupt => ReadError::Corrupt { place: place.to_owned(), why: error.to_string() },
        Fault::Taken | Fault::Unstorable | Fault::Refused | Fault::Lost => {
            ReadError::Unavailable(format!("{place}: {error}"))
        }
    }
}

/// A failed start on `place`, with the way out if there is one.
pub(crate) fn open_error(place: &str, error: &sqlx::Error) -> OpenError {
    let (place, why) = (place.to_owned(), error.to_string());
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        // No such role or a wrong password, no right to connect, no such database, schema, table or function.
        Some("28000" | "28P01" | "42501" | "3D000" | "3F000" | "42P01" | "42883") => {
            OpenError::Unavailable { place, why: format!("{why}; run: sagactl store migrate") }
        }
        _ => match Fault::of(error) {
            Fault::Corrupt => OpenError::Corrupt { place, why },
            Fault::Taken | Fault::Unstorable | Fault::Refused | Fault::Lost => OpenError::Unavailable { place, why },
        },
    }
}

/// A failed read of `place`, at the start.
pub(crate) fn unreadable(place: &str, error: ReadError) -> OpenError {
    match error {
        ReadError::Corrupt { place: within, why } => {
            OpenError::Corrupt { place: place.to_owned(), why: format!("{within}: {why}") }
        }
        other => OpenError::Unavailable { place: place.to_owned(), why: other.to_string() },
    }
}

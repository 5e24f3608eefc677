//! What SQLite's errors mean for a caller.

use saga_core::ports::{OpenError, ReadError};

/// The kinds of trouble that are answered differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A key or guard refuted the transaction.
    Constraint,
    /// The file is not what was written, or not ours.
    Corrupt,
    /// The disk or its quota is full.
    Full,
    /// Another process holds the file for the moment.
    Busy,
    /// The disk said no: whether what was sent to it arrived is not known.
    Io,
    /// Anything else.
    Other,
}

impl Fault {
    pub(crate) fn of(error: &sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
        // The low byte is SQLite's primary result code; the rest says where it happened.
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Fault::Busy,
            Some(10) => Fault::Io,
            // Our statements are constants: one that the file has no place or no format for (1) says that the file is damaged.
            Some(1 | 11 | 26) => Fault::Corrupt,
            Some(13) => Fault::Full,
            Some(19) => Fault::Constraint,
            Some(_) | None => Fault::Other,
        }
    }
}

/// A failed read of `place`.
pub(crate) fn read_error(place: &str, error: &sqlx::Error) -> ReadError {
    match Fault::of(error) {
        Fault::Corrupt => ReadError::Corrupt { place: place.to_owned(), why: error.to_string() },
        Fault::Constraint | Fault::Full | Fault::Busy | Fault::Io | Fault::Other => {
            ReadError::Unavailable(format!("{place}: {error}"))
        }
    }
}

/// A failed start on `place`.
pub(crate) fn open_error(place: &str, error: &sqlx::Error) -> OpenError {
    let (place, why) = (place.to_owned(), error.to_string());
    match Fault::of(error) {
        Fault::Corrupt => OpenError::Corrupt { place, why },
        Fault::Constraint | Fault::Full | Fault::Busy | Fault::Io | Fault::Other => {
            OpenError::Unavailable { place, why }
        }
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

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

/// What to do when the server lets nobody more in.
const CROWDED: &str = "see in pg_stat_activity which role holds them: one that holds more than it should has to be bounded; otherwise raise \
                       max_connections, or run fewer processes (sagactl help SG0322)";
/// What to do when it lets in no more of one role.
const CROWDED_ROLE: &str = "the server has room, and this role holds as many as it may: stop what else logs in as it, or give it more \
                            (ALTER ROLE ... CONNECTION LIMIT), 7 for each process that serves the module (sagactl help SG0322)";

/// What an error says, in the server's own words; and what it means where the client has hidden them.
pub(crate) fn said(error: &sqlx::Error) -> String {
    match error {
        // The client asks again and again, and forgets why it was refused.
        sqlx::Error::PoolTimedOut => {
            format!("no connection in time: the server is away, or has too many clients already; then {CROWDED}")
        }
        sqlx::Error::Database(database) if matches!(database.code().as_deref(), Some("53300")) => {
            // One code for both, in the language of the server's operator: where it was found tells them apart.
            let found = database.try_downcast_ref::<PgDatabaseError>().and_then(PgDatabaseError::routine);
            let advice = if found == Some("InitializeSessionUserId") { CROWDED_ROLE } else { CROWDED };
            format!("{error}; {advice}")
        }
        _ => error.to_string(),
    }
}

/// A failed read of `place`.
pub(crate) fn read_error(place: &str, error: &sqlx::Error) -> ReadError {
    match Fault::of(error) {
        Fault::Corrupt => ReadError::Corrupt { place: place.to_owned(), why: error.to_string() },
        Fault::Taken | Fault::Unstorable | Fault::Refused | Fault::Lost => {
            ReadError::Unavailable(format!("{place}: {}", said(error)))
        }
    }
}

/// A failed start on `place`, with the way out if there is one.
pub(crate) fn open_error(place: &str, error: &sqlx::Error) -> OpenError {
    let place = place.to_owned();
    if let Some(why) = distrust(error) {
        return OpenError::Refused { place, why };
    }
    let why = said(error);
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    match code.as_deref() {
        // A wrong password and a role that is not there are told alike, so that nobody can guess names.
        Some("28P01") => {
            let next = "if its password file is out of date, remove that first; then run: sagactl store migrate";
            OpenError::Unavailable { place, why: format!("{why}; {next}") }
        }
        // No such role, no right to connect, no such database, schema, table or function.
        Some("28000" | "42501" | "3D000" | "3F000" | "42P01" | "42883") => {
            OpenError::Unavailable { place, why: format!("{why}; run: sagactl store migrate") }
        }
        _ => match Fault::of(error) {
            Fault::Corrupt => OpenError::Corrupt { place, why },
            Fault::Taken | Fault::Unstorable | Fault::Refused | Fault::Lost => OpenError::Unavailable { place, why },
        },
    }
}

/// A fault in the trust between server and process, and the next step; `None` for every other error. Neither a
/// migration nor waiting mends such a fault.
pub(crate) fn distrust(error: &sqlx::Error) -> Option<String> {
    let (said, next) = match error {
        // The client of TLS wraps all that it finds wrong in this kind; sockets have none such.
        sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::InvalidData => (io.to_string(), of_handshake(io)),
        sqlx::Error::Tls(why) => {
            (why.to_string(), "compare sslmode, sslrootcert, sslcert and sslkey with the server's")
        }
        sqlx::Error::Configuration(why) => (why.to_string(), "check the files of sslcert and sslkey in the URL"),
        sqlx::Error::Database(database) if database.code().as_deref() == Some("28000") => {
            let said = database.message();
            let next = match said {
                _ if said.contains("client certificate") => "name sslcert and sslkey in the URL",
                _ if said.contains("certificate authentication failed") => {
                    "issue sslcert with the name of this role, or change the line in pg_hba.conf"
                }
                _ if said.contains("pg_hba.conf") && said.contains("no encryption") => {
                    "ask for TLS in the URL: ?sslmode=verify-full&sslrootcert=FILE"
                }
                _ if said.contains("pg_hba.conf") => "add a line for it to pg_hba.conf",
                _ => return None,
            };
            (said.to_owned(), next)
        }
        _ => return None,
    };
    Some(format!("{said}; {next}"))
}

fn of_handshake(error: &std::io::Error) -> &'static str {
    let said = error.to_string();
    match said.as_str() {
        _ if said.contains("UnknownIssuer") || said.contains("BadSignature") => {
            "name the certificate of the server's authority: sslrootcert in the URL"
        }
        _ if said.contains("not valid for name") => {
            "connect by a name that stands in the server's certificate, or issue one with the name in the URL"
        }
        _ if said.contains("expired") || said.contains("not valid yet") => "renew the server's certificate",
        _ if said.contains("alert") => "show a certificate that the server trusts: sslcert and sslkey in the URL",
        _ => "compare sslmode, sslrootcert, sslcert and sslkey with the server's",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_hides_is_told() {
        let why = read_error("m", &sqlx::Error::PoolTimedOut).to_string();
        assert!(
            ["m: ", "too many clients", "max_connections", "SG0322"].iter().all(|words| why.contains(words)),
            "{why}"
        );
    }
}

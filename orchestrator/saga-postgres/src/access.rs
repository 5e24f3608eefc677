//! The logins of a module: the names of its schema and roles, and the password of its login role.

use crate::address::{host_and_port, options_of};
use saga_core::ports::OpenError;
use sqlx::postgres::PgConnectOptions;
use std::fmt;
use std::path::{Path, PathBuf};

/// What the names of all schemas and roles begin with unless it is said otherwise.
pub(crate) use saga_core::bus::PREFIX;
/// The role that reads every schema of a system and writes nothing is called `<prefix>_auditor`.
const AUDITOR: &str = "auditor";
/// The schema by which migrations take turns is called `<prefix>_migration`.
const MIGRATION: &str = "migration";
/// 63 bytes: what PostgreSQL keeps of a name, also of a connection's.
const KEPT_BYTES_MAX: usize = 63;
/// The longest name made here adds `_owner` to prefix and module.
const NAME_BYTES_MAX: usize = KEPT_BYTES_MAX - "_owner".len();

/// Where the server is, and how each module logs in: as the role `<prefix>_<module>`.
#[derive(Clone)]
pub struct Credentials {
    server: PgConnectOptions,
    prefix: String,
    passwords: Passwords,
    /// Every schema is opened as the role that only reads.
    audits: bool,
}

#[derive(Clone)]
enum Passwords {
    /// The one in the URL, or whatever the server asks for instead (`pg_hba.conf`, `.pgpass`).
    OfUrl,
    /// `<folder>/<role>.password`.
    Folder(PathBuf),
}

impl Credentials {
    /// Takes `postgres://[:password@]host[:port]/database[?options]`. The user in it is not used: each module has its own.
    ///
    /// Options for secured connections: `sslmode` (`verify-full` is what protects; `require` encrypts and asks for no proof,
    /// and so does the default, `prefer`, if the server likes), `sslrootcert` (an authority that is trusted beside the
    /// system's), `sslcert` and `sslkey` (what we show of ourselves).
    ///
    /// # Errors
    /// `Unavailable` when the text is not such a URL, `Refused` when it has an unknown option or names a file that cannot be
    /// read. The password is never part of a message.
    pub fn of_url(url: &str) -> Result<Self, OpenError> {
        Ok(Self { server: options_of(url)?, prefix: PREFIX.to_owned(), passwords: Passwords::OfUrl, audits: false })
    }
    /// Another beginning of the names of schemas and roles than `aicmo`, so that two systems can share a server.
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }
    /// Reads each role's password from `<folder>/<role>.password`, where [`migrate`](crate::migrate) leaves it.
    #[must_use]
    pub fn with_password_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { passwords: Passwords::Folder(folder.into()), ..self }
    }
    /// Logs in as the one role `<prefix>_auditor` instead of each module's own: it may read every schema and write none,
    /// so that a check of the logs needs no module's password. [`migrate`](crate::migrate) makes it.
    #[must_use]
    pub fn as_auditor(self) -> Self {
        Self { audits: true, ..self }
    }

    /// Whether it is the auditor who logs in.
    pub(crate) fn audits(&self) -> bool {
        self.audits
    }
    /// How to log in for a module, and how its things are named.
    pub(crate) fn module(&self, module: &str) -> Result<(PgConnectOptions, Names), OpenError> {
        let unavailable = |why: String| OpenError::Unavailable { place: format!("the schema of {module:?}"), why };
        let names = Names::of(&self.prefix, module).map_err(unavailable)?;
        let role = if self.audits { auditor(&self.prefix) } else { names.role.clone() };
        let mut options = self.server.clone().username(&role);
        if let Passwords::Folder(folder) = &self.passwords {
            let file = password_file(folder, &role);
            let password = std::fs::read_to_string(&file)
                .map_err(|why| unavailable(format!("{}: {why}; run: sagactl store migrate", file.display())))?;
            options = options.password(password.trim_end());
        }
        Ok((options, names))
    }
    /// Where a schema is, for messages.
    pub(crate) fn place(&self, names: &Names) -> String {
        let database = self.server.get_database().unwrap_or("postgres");
        format!("postgres://{}/{database} schema {}", host_and_port(&self.server), names.schema)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Never derived: the options hold the password.
        f.debug_struct("Credentials")
            .field("host", &self.server.get_host())
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// The name of the role that may read every schema of a system and write none.
pub fn auditor(prefix: &str) -> String {
    format!("{prefix}_{AUDITOR}")
}
/// The name of the schema by which the migrations of a system take turns.
pub(crate) fn turns(prefix: &str) -> String {
    format!("{prefix}_{MIGRATION}")
}
/// Where the password of a role is kept.
pub(crate) fn password_file(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{role}.password"))
}

/// How a module's things are named in PostgreSQL. Every name is made of letters that need no care in SQL but quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The schema, which holds everything of the module.
    pub(crate) schema: String,
    /// The role that the module logs in as.
    pub(crate) role: String,
    /// The role that owns the objects and cannot log in.
    pub(crate) owner: String,
    /// The channel on which growth is announced.
    pub(crate) channel: String,
    /// The role that reads every schema of the system.
    pub(crate) auditor: String,
}

impl Names {
    pub(crate) fn of(prefix: &str, module: &str) -> Result<Self, String> {
        let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b);
        if module.is_empty() || !module.bytes().all(legal) {
            return Err("a module's name has only lower-case letters, digits, _ and -".to_owned());
        }
        if module == AUDITOR {
            return Err(format!("{AUDITOR:?} is the name of the role that reads everything, and of no module"));
        }
        if module == MIGRATION {
            return Err(format!(
                "{MIGRATION:?} is the name of the schema that migrations take turns by, and of no module"
            ));
        }
        let name = format!("{prefix}_{module}");
        if prefix.is_empty() || prefix.starts_with("pg") || !prefix.bytes().all(legal) || name.len() > NAME_BYTES_MAX {
            return Err(format!(
                "{name:?} is no name for a schema: lower-case letters, digits, _ and -, at most {NAME_BYTES_MAX} bytes, not \
                 beginning with pg"
            ));
        }
        Ok(Self {
            owner: format!("{name}_owner"),
            channel: format!("es_{name}"),
            auditor: auditor(prefix),
            schema: name.clone(),
            role: name,
        })
    }
    /// What a connection for this purpose calls itself.
    pub(crate) fn connection(&self, purpose: &str) -> String {
        let mut name = format!("{} {purpose}", self.schema);
        // The server keeps no more of it, and it is compared.
        name.truncate(KEPT_BYTES_MAX);
        name
    }
}

/// A name as SQL takes it.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_before_they_reach_sql() {
        assert_eq!(Names::of("aicmo", "qc").map(|names| names.owner), Ok("aicmo_qc_owner".to_owned()));
        for (prefix, module) in [
            ("aicmo", ""),
            ("aicmo", "a\"b"),
            ("", "qc"),
            ("pg_x", "qc"),
            ("aicmo", "QC"),
            ("aicmo", AUDITOR),
            ("aicmo", MIGRATION),
        ] {
            assert!(Names::of(prefix, module).is_err(), "{prefix} {module}");
        }
        assert!(Names::of("aicmo", &"x".repeat(60)).is_err());
    }
}

//! Makes and renews what a module needs in a database: roles, schema, tables, functions, rights. Run as an administrator,
//! before the modules are started; repeating it changes nothing.
//!
//! Everything of a module is one transaction: however it ends, there is the old state or the new one.

mod back;
mod password;
mod scram;

use crate::access::{Names, PREFIX, quoted, turns};
use crate::address::options_of;
use crate::connection::ROLE_CONNECTIONS_MAX;
use crate::fault::distrust;
use crate::inspect;
use password::{Kept, Password};
use saga_core::export::Flaw;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::path::PathBuf;

/// In order; one is only ever added at the end.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_first.sql"),
    include_str!("../migrations/0002_ask_less.sql"),
    include_str!("../migrations/0003_believe_less.sql"),
];

/// How [`migrate`] names and secures what it makes.
#[derive(Clone)]
pub struct Migration {
    prefix: String,
    passwords: Option<PathBuf>,
    connections_max: Option<u32>,
}

impl Default for Migration {
    fn default() -> Self {
        Self { prefix: PREFIX.to_owned(), passwords: None, connections_max: None }
    }
}

impl Migration {
    /// Another beginning of the names of schemas and roles than `aicmo`.
    #[must_use]
    pub fn with_prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }
    /// Gives each role a random password and leaves it in `<folder>/<role>.password`, readable by this user alone. One that
    /// is there is kept; to change it, remove the file. Without a folder roles get no password, and the server must let
    /// them in by other means.
    #[must_use]
    pub fn with_password_folder(self, folder: impl Into<PathBuf>) -> Self {
        Self { passwords: Some(folder.into()), ..self }
    }
    /// At most this many connections for each role, whatever it had before. A process holds up to
    /// [`CONNECTIONS_MAX`](crate::CONNECTIONS_MAX) for each module that it runs. Unless it is said, a role without a limit gets
    /// [`ROLE_CONNECTIONS_MAX`], and one that somebody has given another number keeps it.
    #[must_use]
    pub fn with_connections_max(self, connections: u32) -> Self {
        Self { connections_max: Some(connections), ..self }
    }
}

/// What was done for one module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The module.
    pub module: String,
    /// Its schema, which is also the name of its role.
    pub schema: String,
    /// The version of the tables before; `None` when there were none.
    pub from: Option<i64>,
    /// The version of the tables now.
    pub to: i64,
    /// Rights beyond those given here, and objects that are not as they were made, which this administrator could not
    /// mend. They do not keep a module from working; `events verify` reports them until they are taken back.
    pub left: Vec<Flaw>,
}

/// Why a module was not migrated. The modules before it were, and this one is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The name of the module or the prefix cannot be one in a database.
    #[error("{0}")]
    Name(String),
    /// The tables were made by a newer program.
    #[error("{schema} has schema version {found}, this program knows {known}")]
    Newer {
        /// Which schema.
        schema: String,
        /// Its version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The server refused, or is away.
    #[error("{what}")]
    Server {
        /// What was tried.
        what: String,
        /// What the server said.
        source: sqlx::Error,
    },
    /// Server and administrator do not agree on how to trust each other: what is wrong, and the next step.
    #[error("connecting as the administrator: {0}")]
    Refused(String),
    /// A password could not be read or kept.
    #[error("{file}")]
    Password {
        /// Which file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
}

fn server<T>(what: &str, outcome: Result<T, sqlx::Error>) -> Result<T, MigrateError> {
    outcome.map_err(|source| MigrateError::Server { what: what.to_owned(), source })
}

/// Brings every named module to the newest version, one after another.
///
/// `admin_url` names the database and a role that may create roles and schemas in it. Safe to repeat, to kill at any
/// moment, and to run twice at once.
///
/// # Errors
/// See [`MigrateError`]: the modules before the failed one are done, the failed one is as it was.
pub async fn migrate(admin_url: &str, modules: &[&str], how: &Migration) -> Result<Vec<Migrated>, MigrateError> {
    let options = options_of(admin_url).map_err(|why| MigrateError::Refused(why.to_string()))?;
    let connecting = options.application_name("store migrate").connect().await;
    let mut connection = match connecting {
        Ok(connection) => connection,
        Err(error) => match distrust(&error) {
            Some(why) => return Err(MigrateError::Refused(why)),
            None => server("connecting as the administrator", Err(error))?,
        },
    };
    // Questions to the catalogues are short, and compiling them is not.
    run(&mut connection, "SET jit = off").await?;
    let mut done = Vec::with_capacity(modules.len());
    for module in modules {
        let names = Names::of(&how.prefix, module).map_err(MigrateError::Name)?;
        turn(&mut connection, &how.prefix).await?;
        done.extend(one(&mut connection, module, &names, how, MIGRATIONS, usize::MAX).await?);
    }
    connection.close().await.ok();
    Ok(done)
}

/// Runs so many statements of a migration and then loses the connection: for tests. Says whether it came to that.
#[doc(hidden)]
pub async fn migrate_killed_after(admin_url: &str, module: &str, how: &Migration, statements: usize) -> bool {
    let Ok(mut connection) = PgConnection::connect(admin_url).await else { return false };
    let Ok(names) = Names::of(&how.prefix, module) else { return false };
    if turn(&mut connection, &how.prefix).await.is_err() {
        return false;
    }
    let killed = matches!(one(&mut connection, module, &names, how, MIGRATIONS, statements).await, Ok(None));
    connection.close_hard().await.ok();
    killed
}

/// Migrates as the program did that knew so many migrations: for tests.
#[doc(hidden)]
pub async fn migrate_as_of(admin_url: &str, module: &str, how: &Migration, known: usize) -> Option<Migrated> {
    let mut connection = PgConnection::connect(admin_url).await.ok()?;
    let names = Names::of(&how.prefix, module).ok()?;
    turn(&mut connection, &how.prefix).await.ok()?;
    one(&mut connection, module, &names, how, MIGRATIONS.get(..known)?, usize::MAX).await.ok()?
}

/// Migrates one module; `None` when the statements that may be run did not suffice.
async fn one(
    connection: &mut PgConnection,
    module: &str,
    names: &Names,
    how: &Migration,
    migrations: &[&str],
    statements_max: usize,
) -> Result<Option<Migrated>, MigrateError> {
    run(connection, "BEGIN").await?;
    // The lock is of one database, roles are of all of them; the checks of each statement meet what a migration in
    // another database creates in this moment.
    run(connection, &format!("LOCK TABLE {}.turn IN ACCESS EXCLUSIVE MODE", quoted(&turns(&how.prefix)))).await?;
    let role: Option<i32> = ask(connection, "SELECT 1 FROM pg_roles WHERE rolname = $1", &names.role).await?;
    let there: Option<i32> =
        ask(connection, "SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = 'es_meta'", &names.schema)
            .await?;
    let from = match there {
        None => None,
        Some(_) => {
            let sql = format!("SELECT schema_version FROM {}.es_meta WHERE id = 1 AND $1 <> ''", quoted(&names.schema));
            ask::<i64>(connection, &sql, &names.schema).await?
        }
    };
    let known = i64::try_from(migrations.len()).unwrap_or(i64::MAX);
    if let Some(found) = from.filter(|found| *found > known) {
        run(connection, "ROLLBACK").await?;
        return Err(MigrateError::Newer { schema: names.schema.clone(), found, known });
    }
    let auditor = &names.auditor;
    let audits: Option<i32> = ask(connection, "SELECT 1 FROM pg_roles WHERE rolname = $1", auditor).await?;
    let mut passwords = Vec::new();
    for (role, there) in [(&names.role, role.is_some()), (auditor, audits.is_some())] {
        let Some(folder) = &how.passwords else { continue };
        let kept = if there { kept(connection, role).await? } else { Kept::Nothing };
        passwords.extend(Password::of(folder, role, &kept)?.map(|password| (role.as_str(), password)));
    }
    let script = script(names, from, how, migrations, &passwords);
    for statement in script.iter().take(statements_max) {
        run(connection, statement).await?;
    }
    if statements_max <= script.len() {
        return Ok(None);
    }
    run(connection, "COMMIT").await?;
    for (_, password) in passwords {
        password.keep()?;
    }
    let left = match migrations.len() == MIGRATIONS.len() {
        true => server("looking at what everybody may do", inspect::flaws(connection, names).await)?,
        false => Vec::new(),
    };
    Ok(Some(Migrated { module: module.to_owned(), schema: names.schema.clone(), from, to: known, left }))
}

/// What the server keeps of a role's password; a role may have changed its own.
async fn kept(connection: &mut PgConnection, role: &str) -> Result<Kept, MigrateError> {
    let may = "SELECT has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT') AND $1 <> ''";
    if ask::<bool>(connection, may, role).await? != Some(true) {
        return Ok(Kept::Unseen);
    }
    let sql = "SELECT coalesce(rolpassword, '') FROM pg_catalog.pg_authid WHERE rolname = $1";
    Ok(ask::<String>(connection, sql, role).await?.map_or(Kept::Nothing, Kept::Verifier))
}

/// Makes what migrations take turns by: a table that only administrators can lock. An advisory lock could be held by anybody who
/// logs in.
async fn turn(connection: &mut PgConnection, prefix: &str) -> Result<(), MigrateError> {
    let schema = quoted(&turns(prefix));
    for what in [format!("CREATE SCHEMA {schema}"), format!("CREATE TABLE {schema}.turn ()")] {
        // Another process makes it in this moment, or has.
        let sql = format!(
            "DO $$ BEGIN {what}; EXCEPTION WHEN duplicate_schema OR duplicate_table OR duplicate_object OR unique_violation \
             THEN NULL; END $$"
        );
        run(connection, &sql).await?;
    }
    Ok(())
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), MigrateError> {
    let what = sql.trim_start().lines().next().unwrap_or_default();
    // The name of what failed, never what the server keeps of a password.
    let what = what.split(" PASSWORD ").next().unwrap_or_default();
    server(what, sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await).map(drop)
}
async fn ask<T>(connection: &mut PgConnection, sql: &str, name: &str) -> Result<Option<T>, MigrateError>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres> + Send + Unpin,
{
    let asked = sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).bind(name.to_owned());
    server(sql, asked.fetch_optional(connection).await)
}

/// What is run between the lock and the end of the transaction, in order.
fn script(
    names: &Names,
    from: Option<i64>,
    how: &Migration,
    migrations: &[&str],
    passwords: &[(&str, Password)],
) -> Vec<String> {
    let (schema, role, owner) = (quoted(&names.schema), quoted(&names.role), quoted(&names.owner));
    let auditor = quoted(&names.auditor);
    let mut script = roles(names);
    script.extend([
        back::of_roles(names, &how.prefix),
        format!("SET LOCAL ROLE {owner}"),
        // Functions keep this search path for ever: temporary objects of a caller come last in it.
        format!("SET LOCAL search_path = {schema}, pg_temp"),
    ]);
    let applied = usize::try_from(from.unwrap_or(0)).unwrap_or(usize::MAX);
    for (number, migration) in (1..).zip(migrations).skip(applied) {
        script.push((*migration).to_owned());
        script.push(format!("UPDATE es_meta SET schema_version = {number} WHERE id = 1"));
    }
    script.push(back::of_schema(names));
    script.extend(rights(&schema, &role, &auditor));
    script.push("RESET ROLE".to_owned());
    script.extend(database(names, how));
    let tell =
        |(role, password): &(&str, Password)| format!("ALTER ROLE {} PASSWORD '{}'", quoted(role), password.verifier());
    script.extend(passwords.iter().map(tell));
    script
}
/// The roles of a module, and its schema.
fn roles(names: &Names) -> Vec<String> {
    let (schema, owner) = (quoted(&names.schema), quoted(&names.owner));
    vec![
        // The owner of the objects cannot log in, and the role that logs in owns nothing: not even by mistake can a module
        // change its tables, or write to the log by another way than the functions.
        create_role(&names.owner, "NOLOGIN NOINHERIT"),
        create_role(&names.role, "LOGIN NOINHERIT"),
        // One for all schemas of a system: a check of the logs needs no module's password, and can change nothing.
        create_role(&names.auditor, "LOGIN NOINHERIT"),
        // An administrator who is no superuser must belong to a role to create something for it.
        format!(
            "DO $$ BEGIN IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN \
             EXECUTE 'GRANT {owner} TO ' || quote_ident(current_user); END IF; END $$"
        ),
        format!("CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}"),
    ]
}

/// The roles and rights that [`migrate`] gives these modules in a database, as a script for an administrator who wants
/// to read them, or to run them by hand before: `migrate` then makes the tables and the rights in them, and changes
/// nothing of this. Without passwords.
///
/// # Errors
/// The name of a module or the prefix cannot be one in a database.
pub fn roles_sql(modules: &[&str], how: &Migration) -> Result<String, MigrateError> {
    let mut script: Vec<String> = Vec::new();
    for module in modules {
        let names = Names::of(&how.prefix, module).map_err(MigrateError::Name)?;
        let statements = roles(&names).into_iter().chain(database(&names, how));
        // Statements for the whole database stand there once.
        let fresh: Vec<String> = statements.filter(|statement| !script.contains(statement)).collect();
        script.extend(fresh);
    }
    Ok(script.iter().map(|statement| format!("{statement};\n")).collect())
}

fn create_role(name: &str, attributes: &str) -> String {
    let (quoted, literal) = (quoted(name), name.replace('\'', "''"));
    format!(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{literal}') THEN CREATE ROLE {quoted} \
         {attributes}; END IF; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
}
/// The rights in a module's schema: the module reads everything, and writes through the functions; the auditor reads.
fn rights(schema: &str, role: &str, auditor: &str) -> Vec<String> {
    let within = |names: &[&str]| names.iter().map(|name| format!("{schema}.{name}")).collect::<Vec<_>>().join(", ");
    vec![
        format!("GRANT USAGE ON SCHEMA {schema} TO {role}, {auditor}"),
        format!("GRANT SELECT ON {} TO {role}, {auditor}", within(back::TABLES)),
        format!("GRANT EXECUTE ON FUNCTION {} TO {role}", within(back::FUNCTIONS)),
    ]
}
/// What makes a large object: it would belong to the role that made it, outside of every schema. Only the owner of
/// these functions can take them away, which is the superuser.
const LARGE_OBJECTS: &str = "DO $$ DECLARE f regprocedure; BEGIN \
     IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN \
     FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace \
     AND proname IN ('lo_creat', 'lo_create', 'lo_from_bytea') LOOP \
     EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f); END LOOP; END IF; END $$";

/// The rights of a module and of the auditor in the database: they connect, and that is all.
fn database(names: &Names, how: &Migration) -> Vec<String> {
    let (role, auditor) = (quoted(&names.role), quoted(&names.auditor));
    let each = |sql: &str| format!("DO $$ BEGIN EXECUTE format('{sql}', current_database()); END $$");
    let mut script = vec![
        each(&format!("REVOKE ALL ON DATABASE %I FROM PUBLIC, {role}, {auditor}")),
        each(&format!("GRANT CONNECT ON DATABASE %I TO {role}, {auditor}")),
        // For people who log in by hand; our own connections say it themselves.
        each(&format!("ALTER ROLE {role} IN DATABASE %I SET search_path = {}", quoted(&names.schema))),
        // Some administrators have taken it away altogether.
        "DO $$ BEGIN REVOKE CREATE ON SCHEMA public FROM PUBLIC; EXCEPTION WHEN invalid_schema_name THEN NULL; END $$"
            .to_owned(),
        LARGE_OBJECTS.to_owned(),
    ];
    script.push(match how.connections_max {
        Some(most) => format!("ALTER ROLE {role} CONNECTION LIMIT {most}"),
        None => format!(
            "DO $$ BEGIN IF (SELECT rolconnlimit FROM pg_roles WHERE rolname = '{}') < 0 THEN ALTER ROLE {role} CONNECTION \
             LIMIT {ROLE_CONNECTIONS_MAX}; END IF; END $$",
            names.role
        ),
    });
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newest_schema_is_left_as_it_is() {
        let names = Names::of(PREFIX, "qc").unwrap();
        let known = i64::try_from(MIGRATIONS.len()).unwrap();
        let script = script(&names, Some(known), &Migration::default(), MIGRATIONS, &[]);
        assert!(!script.iter().any(|statement| statement.contains("CREATE TABLE")), "{script:?}");
    }

    #[test]
    fn the_server_is_told_a_verifier_and_never_a_password() {
        let folder = tempfile::tempdir().unwrap();
        let names = Names::of(PREFIX, "qc").unwrap();
        let password = Password::of(folder.path(), &names.role, &Kept::Nothing).unwrap().unwrap();
        let secret = std::fs::read_to_string(folder.path().join("aicmo_qc.password.new")).unwrap();
        let script = script(&names, None, &Migration::default(), MIGRATIONS, &[(&names.role, password)]);
        let told = script.iter().find(|statement| statement.starts_with("ALTER ROLE \"aicmo_qc\" PASSWORD")).unwrap();
        assert!(told.contains("PASSWORD 'SCRAM-SHA-256$4096:"), "{told}");
        assert!(secret.len() > 40 && script.iter().all(|statement| !statement.contains(&secret)));
    }
}

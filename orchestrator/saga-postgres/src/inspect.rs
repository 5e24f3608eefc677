//! Looks at the ground of a schema: its tables, functions, triggers and rights are those that the migrations made.

use crate::access::{Names, quoted};
use crate::store::PostgresStore;
use async_trait::async_trait;
use saga_core::export::{Flaw, Inspect};
use saga_core::ports::ReadError;
use sqlx::PgPool;
use std::collections::BTreeSet;

/// Everything that makes a schema, a line each: what there is, who owns it, who may what.
const SQL: &str = include_str!("picture.sql");
/// The lines of a schema that was migrated to the newest version. A test compares them with the migrations.
const PICTURE: &str = include_str!("picture.txt");

#[async_trait]
impl Inspect for PostgresStore {
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError> {
        let found = picture(&self.readers, &self.names).await.map_err(|error| self.failed(&error))?;
        let wanted: BTreeSet<String> = PICTURE.lines().map(str::to_owned).collect();
        let flaw = |line: &String, says: &str| Flaw { place: line.clone(), says: says.to_owned() };
        let gone = wanted.difference(&found).map(|line| flaw(line, "was made by the migrations, and is not there"));
        let more = found.difference(&wanted).map(|line| flaw(line, "is there, and no migration made it"));
        Ok(gone.chain(more).collect())
    }
}

/// The schema as lines, with the same names in every one.
pub(crate) async fn picture(pool: &PgPool, names: &Names) -> Result<BTreeSet<String>, sqlx::Error> {
    let lines: Vec<String> =
        sqlx::query_scalar(SQL).bind(&names.schema).bind(&names.owner).bind(&names.auditor).fetch_all(pool).await?;
    // The longer name first: the owner's begins with the schema's.
    let plain = |line: String| {
        [(&names.owner, "OWNER"), (&names.auditor, "AUDITOR"), (&names.schema, "MODULE")]
            .into_iter()
            .fold(line, |line, (name, word)| line.replace(&quoted(name), word).replace(name.as_str(), word))
    };
    Ok(lines.into_iter().map(plain).collect())
}

//! Looks at the ground of a schema: its tables, functions, triggers and rights are those that the migrations made, and
//! no login role of a module may do more than they gave.

use crate::access::{Names, quoted};
use crate::store::PostgresStore;
use async_trait::async_trait;
use saga_core::export::{Flaw, Inspect};
use saga_core::ports::ReadError;
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Everything that makes a schema, a line each: the objects, their owners, and the rights on them.
const SQL: &str = include_str!("picture.sql");
/// What may be done beyond that, a line each.
const RIGHTS: &str = include_str!("rights.sql");
/// The lines of a schema that was migrated to the newest version. A test compares them with the migrations.
const PICTURE: &str = include_str!("picture.txt");

#[async_trait]
impl Inspect for PostgresStore {
    async fn flaws(&self) -> Result<Vec<Flaw>, ReadError> {
        let mut connection = self.readers.acquire().await.map_err(|error| self.failed(&error))?;
        flaws(&mut connection, &self.names).await.map_err(|error| self.failed(&error))
    }
}

/// What of a schema, and of the rights of its roles, is not as the migrations made it.
pub(crate) async fn flaws(connection: &mut PgConnection, names: &Names) -> Result<Vec<Flaw>, sqlx::Error> {
    let found = picture(connection, names).await?;
    let wanted: BTreeSet<String> = PICTURE.lines().map(str::to_owned).collect();
    let flaw = |line: &String, says: &str| Flaw { place: line.clone(), says: says.to_owned() };
    let gone = wanted.difference(&found).map(|line| flaw(line, "was made by the migrations, and is not there"));
    let more = found.difference(&wanted).map(|line| flaw(line, "is there, and no migration made it"));
    Ok(gone.chain(more).collect())
}

/// The schema and all rights as lines, with the same names in every one.
pub(crate) async fn picture(connection: &mut PgConnection, names: &Names) -> Result<BTreeSet<String>, sqlx::Error> {
    let mut lines = Vec::new();
    for sql in [SQL, RIGHTS] {
        let asked = sqlx::query_scalar::<_, String>(sql).bind(&names.schema).bind(&names.owner).bind(&names.auditor);
        lines.extend(asked.fetch_all(&mut *connection).await?);
    }
    Ok(lines.into_iter().map(|line| plain(line, names)).collect())
}

/// A line with `OWNER`, `AUDITOR` and `MODULE` for the names of these. Pure.
fn plain(line: String, names: &Names) -> String {
    [(&names.owner, "OWNER"), (&names.auditor, "AUDITOR"), (&names.schema, "MODULE")]
        .into_iter()
        .fold(line, |line, (name, word)| replaced(&line.replace(&quoted(name), word), name, word))
}
/// A text with another word for a name, where it is not the beginning or the end of another name. Pure.
fn replaced(text: &str, name: &str, word: &str) -> String {
    let part = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    let (mut done, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once(name) {
        let within = before.ends_with(part) || after.starts_with(part);
        done.push_str(before);
        done.push_str(if within { name } else { word });
        rest = after;
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_part_of_another() {
        let names = Names::of("aicmo", "m").unwrap();
        for (line, wanted) in [
            ("function aicmo_m.f() of aicmo_m_owner", "function MODULE.f() of OWNER"),
            (
                "grant of usage on schema aicmo_migration to aicmo_m",
                "grant of usage on schema aicmo_migration to MODULE",
            ),
            ("membership of x-aicmo_m in aicmo_m", "membership of x-aicmo_m in MODULE"),
        ] {
            assert_eq!(plain(line.to_owned(), &names), wanted);
        }
    }
}

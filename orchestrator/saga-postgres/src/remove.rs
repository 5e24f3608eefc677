//! Takes away what [`migrate`](crate::migrate) made: for measurements and tests, which leave nothing behind.

use crate::access::{Names, quoted};
use crate::address::options_of;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// Drops the schemas and roles of these modules, with everything in them. A schema that is not there is passed over. A
/// process that still has one open loses it.
///
/// # Errors
/// What the server said; the modules before are gone.
pub async fn remove(admin_url: &str, prefix: &str, modules: &[&str]) -> Result<(), sqlx::Error> {
    let options = options_of(admin_url).map_err(|why| sqlx::Error::Configuration(why.into()))?;
    let mut connection = options.application_name("store remove").connect().await?;
    for module in modules {
        let Ok(names) = Names::of(prefix, module) else { continue };
        let schema = format!("DROP SCHEMA IF EXISTS {} CASCADE", quoted(&names.schema));
        sqlx::query(AssertSqlSafe(schema)).execute(&mut connection).await?;
        for role in [&names.role, &names.owner] {
            let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
                .bind(role)
                .fetch_one(&mut connection)
                .await?;
            if known {
                // Rights on the database itself hang on the role beside what is in the schema.
                let role = quoted(role);
                sqlx::query(AssertSqlSafe(format!("DROP OWNED BY {role}"))).execute(&mut connection).await?;
                sqlx::query(AssertSqlSafe(format!("DROP ROLE {role}"))).execute(&mut connection).await?;
            }
        }
    }
    connection.close().await
}

//! Makes the tables of a store, or prints how.

use std::io::{self, Write};

use super::refused::Refused;
use super::store::named;
use crate::args::MigrateArguments;
use crate::environment::Environment;
use crate::store::{self, StoreError};
use crate::store_url::StoreUrl;
use crate::visible::visible;

pub(super) async fn migrate(
    arguments: &MigrateArguments,
    environment: &Environment,
) -> Result<(), Refused> {
    let (url, _) = named(&arguments.store, &arguments.file, environment)?;
    let script = script(&url, arguments.from.unwrap_or(0))?;
    let mut out = io::stdout().lock();
    if arguments.print {
        let script = script.as_deref();
        out.write_all(
            script
                .unwrap_or("-- This store keeps no tables.\n")
                .as_bytes(),
        )?;
        return Ok(());
    }
    let store = store::open(&url, None, store::Purpose::Run).await?;
    let is = match script {
        Some(_) => "its tables are those of this version",
        None => "it keeps no tables, there is nothing to migrate",
    };
    writeln!(out, "{}: {is}", visible(&store.location))?;
    Ok(())
}

#[cfg_attr(
    not(any(feature = "mysql", feature = "postgres", feature = "sqlite")),
    allow(unused_variables, reason = "none of the stores has tables")
)]
/// What brings the tables from a version to the newest, where there are any.
fn script(url: &StoreUrl, from: i64) -> Result<Option<String>, StoreError> {
    Ok(match url {
        #[cfg(feature = "sqlite")]
        StoreUrl::Sqlite(_) => Some(sexton::sqlite::migration_sql(from)),
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(_) => {
            Some(sexton::postgres::PostgresOptions::new().migration_sql(from)?)
        }
        #[cfg(feature = "mysql")]
        StoreUrl::MySql(_) => Some(sexton::mysql::MySqlOptions::new().migration_sql(from)?),
        _ => None,
    })
}

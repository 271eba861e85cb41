//! Makes the tables of a store, or prints how.

use std::io::{self, Write};

use sexton::mysql::MySqlOptions;
use sexton::postgres::PostgresOptions;
use sexton::sqlite;
use sexton_sql::OpenError;

use super::Refused;
use super::store::named;
use crate::args::MigrateArguments;
use crate::environment::Environment;
use crate::store;
use crate::store_url::StoreUrl;
use crate::visible::visible;

pub(super) async fn migrate(
    arguments: &MigrateArguments,
    environment: &Environment,
) -> Result<(), Refused> {
    let (url, _) = named(&arguments.store, arguments.file.as_deref(), environment)?;
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

/// What brings the tables from a version to the newest, where there are any.
fn script(url: &StoreUrl, from: i64) -> Result<Option<String>, OpenError> {
    Ok(match url {
        StoreUrl::Sqlite(_) => Some(sqlite::migration_sql(from)),
        StoreUrl::Postgres(_) => Some(PostgresOptions::new().migration_sql(from)?),
        StoreUrl::MySql(_) => Some(MySqlOptions::new().migration_sql(from)?),
        StoreUrl::Redis(_) | StoreUrl::MongoDb(_) | StoreUrl::Memory => None,
    })
}

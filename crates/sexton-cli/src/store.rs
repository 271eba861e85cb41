//! The store that the command line or the file names, opened.

use std::path::Path;
use std::sync::Arc;

use sexton::MemoryLockManager;
use sexton::lock::LockManager;
use sexton::mongodb::MongoOptions;
use sexton::mysql::MySqlOptions;
use sexton::name::Namespace;
use sexton::postgres::PostgresOptions;
use sexton::redis::RedisOptions;
use sexton::sqlite::{Missing, SqliteOptions};
use sexton_sql::{Migrations, ServerDatabase, ServerLockManager, ServerOptions};
use thiserror::Error;

use crate::secret::Secret;
use crate::store_url::{StoreUrl, StoreUrlError};
use crate::tasks::TaskFile;
use crate::tls;

/// Why there is no store.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("{from}: {why}; allowed is {}", crate::store_url::FORM)]
    Url {
        from: &'static str,
        why: StoreUrlError,
    },
    #[error("the store cannot be used")]
    Sql(#[from] sexton_sql::OpenError),
    #[error("the store cannot be used")]
    Mongo(#[from] sexton_mongo::OpenError),
    #[error("the store cannot be used")]
    Redis(#[from] sexton_redis::ConnectError),
}

/// The store's URL: the command line's (relative to the current folder), else the file's, else the default beside the
/// file.
pub(crate) fn url(flag: Option<&str>, file: Option<&TaskFile>) -> Result<StoreUrl, StoreError> {
    let here = Path::new("");
    let folder = file.map_or(here, |file| &file.folder);
    let own = file.and_then(|file| file.store.url.as_ref());
    let (from, parsed) = match (flag, own) {
        (Some(url), _) => ("--store", StoreUrl::parse(url, here)),
        (None, Some(url)) => ("[store] url", StoreUrl::parse(url.expose(), folder)),
        (None, None) => return Ok(StoreUrl::default_in(folder)),
    };
    parsed.map_err(|why| StoreError::Url { from, why })
}

/// The store, as people know it.
pub(crate) fn location(url: &StoreUrl, manager: &dyn LockManager) -> String {
    match url {
        // As it was written: shorter than the whole path.
        StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreUrl::Redis(_)
        | StoreUrl::Postgres(_)
        | StoreUrl::MySql(_)
        | StoreUrl::MongoDb(_)
        | StoreUrl::Memory => manager.location(),
    }
}

/// Opens the store; `missing` says whether one may be made where there is none.
pub(crate) async fn open(
    url: &StoreUrl,
    namespace: Option<Namespace>,
    missing: Missing,
) -> Result<Arc<dyn LockManager>, StoreError> {
    let namespace = namespace.unwrap_or_default();
    Ok(match url {
        StoreUrl::Memory => Arc::new(MemoryLockManager::new().in_namespace(namespace)),
        StoreUrl::Redis(url) => {
            let options = RedisOptions::new().namespace(namespace);
            Arc::new(options.connect(url.expose()).await?)
        }
        StoreUrl::Postgres(url) => {
            let options = PostgresOptions::new().namespace(namespace);
            Arc::new(on_server(options, url, missing).await?)
        }
        StoreUrl::MongoDb(url) => {
            let options = MongoOptions::new().namespace(namespace);
            // The other drivers find the machine's authorities by themselves.
            let options = match tls::machine_file() {
                Some(path) => options.ca_file(path),
                None => options,
            };
            Arc::new(options.connect(url.expose()).await?)
        }
        StoreUrl::MySql(url) => {
            let options = MySqlOptions::new().namespace(namespace);
            Arc::new(on_server(options, url, missing).await?)
        }
        StoreUrl::Sqlite(path) => {
            let options = SqliteOptions::new().namespace(namespace).missing(missing);
            Arc::new(options.open(path).await?)
        }
    })
}

async fn on_server<DB: ServerDatabase>(
    options: ServerOptions<DB>,
    url: &Secret,
    missing: Missing,
) -> Result<ServerLockManager<DB>, sexton_sql::OpenError> {
    let migrations = match missing {
        Missing::Create => Migrations::Apply,
        Missing::Refuse => Migrations::Refuse,
    };
    options.migrations(migrations).connect(url.expose()).await
}

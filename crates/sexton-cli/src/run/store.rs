//! The store that the command line or the file names, opened.

use std::path::PathBuf;

use sexton::name::Namespace;
use sexton::sqlite::SqliteOptions;
use sexton::{MemoryLockManager, SchedulerBuilder};
use thiserror::Error;

use crate::store_url::{StoreUrl, StoreUrlError};
use crate::tasks::TaskFile;

/// Why there is no store.
#[derive(Debug, Error)]
pub(crate) enum StoreError {
    #[error("{from}: {why}; allowed is {}", crate::store_url::FORM)]
    Url {
        from: &'static str,
        why: StoreUrlError,
    },
    #[error("the store cannot be used")]
    Sqlite(#[from] sexton_sql::OpenError),
}

/// The store's URL: the command line's (relative to the current folder), else the file's, else the default beside the
/// file.
pub(super) fn url(flag: Option<&str>, file: &TaskFile) -> Result<StoreUrl, StoreError> {
    let own = file.store.url.as_ref();
    let (from, parsed) = match (flag, own) {
        (Some(url), _) => ("--store", StoreUrl::parse(url, &PathBuf::new())),
        (None, Some(url)) => ("[store] url", StoreUrl::parse(url.expose(), &file.folder)),
        (None, None) => return Ok(StoreUrl::default_in(&file.folder)),
    };
    parsed.map_err(|why| StoreError::Url { from, why })
}

/// The store, as people know it.
pub(crate) fn location(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        StoreUrl::Memory => "memory:".to_owned(),
    }
}

/// A scheduler's builder with the store as its lock manager.
pub(super) async fn open(
    url: &StoreUrl,
    namespace: Option<Namespace>,
    builder: SchedulerBuilder,
) -> Result<SchedulerBuilder, StoreError> {
    Ok(match url {
        StoreUrl::Memory => builder.manager(MemoryLockManager::new()),
        StoreUrl::Sqlite(path) => {
            let options = SqliteOptions::new().namespace(namespace.unwrap_or_default());
            builder.manager(options.open(path).await?)
        }
    })
}

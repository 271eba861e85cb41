//! The store that the command line or the file names, opened.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sexton::MemoryLockManager;
use sexton::lock::LockManager;
use sexton::mongodb::{Indexes, MongoOptions};
use sexton::mysql::MySqlOptions;
use sexton::name::Namespace;
use sexton::postgres::PostgresOptions;
use sexton::redis::RedisOptions;
use sexton::sqlite::{Missing, SqliteLockManager, SqliteOptions};
use sexton_sql::{Migrations, ServerDatabase, ServerLockManager, ServerOptions};
use thiserror::Error;

use crate::args::StoreFlags;
use crate::config::interpolate;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::secret::Secret;
use crate::store_file::{self, UnsafeFile};
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
    #[error("--store: {0}")]
    Variable(String),
    #[error("--store-file {path:?} cannot be read")]
    UrlFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the store cannot be used")]
    UnsafeFile(#[from] UnsafeFile),
    #[error("the folder of the store {path:?} cannot be made")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the store cannot be used")]
    Sql(#[from] sexton_sql::OpenError),
    #[error("the store cannot be used")]
    Mongo(#[from] sexton_mongo::OpenError),
    #[error("the store cannot be used")]
    Redis(#[from] sexton_redis::ConnectError),
}

impl StoreError {
    /// Whether the same may go through later: the store is away.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            StoreError::Url { .. } | StoreError::Variable(_) | StoreError::UrlFile { .. } => false,
            StoreError::UnsafeFile(_) | StoreError::Folder { .. } => false,
            StoreError::Sql(error) => error.is_transient(),
            StoreError::Mongo(error) => error.is_transient(),
            StoreError::Redis(error) => error.is_transient(),
        }
    }

    /// How the program ends by it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            StoreError::Url { .. } | StoreError::Variable(_) | StoreError::UrlFile { .. } => {
                Exit::BadInput
            }
            _ => Exit::of_store(self.is_transient()),
        }
    }
}

/// Holds the store's URL where neither flag does.
const STORE_VARIABLE: &str = "SEXTON_STORE";
/// The longest file that holds a URL, in bytes.
const URL_FILE_BYTES_MAX: u64 = 64 * 1024;

/// The store's URL: that of the flags, else the environment's, else the file's, else the default
/// of [`store_file`]. Relative paths begin in the current folder, those of a task file in its own.
pub(crate) fn url(
    flags: &StoreFlags,
    file: Option<&TaskFile>,
    environment: &Environment,
) -> Result<StoreUrl, StoreError> {
    let here = Path::new("");
    let folder = file.map_or(here, |file| &file.folder);
    let default = || match file {
        Some(file) => store_file::default_beside(&file.folder),
        None => store_file::default_here(),
    };
    let of_file = file.and_then(|file| file.store.url.as_ref());
    let parsed = |from: &'static str, url: &str, folder: &Path| {
        StoreUrl::parse(url, folder).map_err(|why| StoreError::Url { from, why })
    };
    if let Some(written) = &flags.store {
        let url = interpolate(written, environment);
        let url = url.map_err(|why| StoreError::Variable(why.to_string()))?;
        return parsed("--store", url.expose(), here);
    }
    if let Some(path) = &flags.store_file {
        return parsed("--store-file", read_url(path)?.trim(), here);
    }
    if let Some(url) = environment.text(STORE_VARIABLE) {
        return parsed(STORE_VARIABLE, url, here);
    }
    match of_file {
        Some(url) => parsed("[store] url", url.expose(), folder),
        None => Ok(StoreUrl::Sqlite(default())),
    }
}

fn read_url(path: &Path) -> Result<String, StoreError> {
    let mut text = String::new();
    let opened = std::fs::File::open(path);
    let read = opened.and_then(|file| file.take(URL_FILE_BYTES_MAX).read_to_string(&mut text));
    read.map_err(|source| StoreError::UrlFile {
        path: path.to_owned(),
        source,
    })?;
    Ok(text)
}

/// A store that is open.
pub(crate) struct Store {
    pub(crate) manager: Arc<dyn LockManager>,
    /// The store, as people know it.
    pub(crate) location: String,
    sqlite: Option<SqliteLockManager>,
}

impl Store {
    fn of(manager: impl LockManager) -> Store {
        Store {
            location: manager.location(),
            manager: Arc::new(manager),
            sqlite: None,
        }
    }

    fn of_sqlite(manager: SqliteLockManager, path: &Path) -> Store {
        Store {
            // As it was written: shorter than the whole path.
            location: format!("sqlite:{}", path.display()),
            sqlite: Some(manager.clone()),
            manager: Arc::new(manager),
        }
    }

    /// Leaves the store as others expect to find it: a SQLite file without its write-ahead log, if
    /// no other process has it open.
    pub(crate) async fn close(&self) {
        if let Some(sqlite) = &self.sqlite {
            // What is in the log is not lost: who opens the file next finds it there.
            let _ = sqlite.close().await;
        }
    }
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To run tasks: one that is not there is made.
    Run,
    /// To change something that is there.
    Operate,
    /// To look, by a user who may not have the right to write.
    Look,
}

impl Purpose {
    fn missing(self) -> Missing {
        match self {
            Purpose::Run => Missing::Create,
            Purpose::Operate | Purpose::Look => Missing::Refuse,
        }
    }
}

/// Opens the store.
pub(crate) async fn open(
    url: &StoreUrl,
    namespace: Option<Namespace>,
    purpose: Purpose,
) -> Result<Store, StoreError> {
    let namespace = namespace.unwrap_or_default();
    let missing = purpose.missing();
    Ok(match url {
        StoreUrl::Memory => Store::of(MemoryLockManager::new().in_namespace(namespace)),
        StoreUrl::Redis(url) => {
            let options = RedisOptions::new().namespace(namespace);
            let options = match purpose {
                Purpose::Look => options.read_only(),
                Purpose::Run | Purpose::Operate => options,
            };
            Store::of(options.connect(url.expose()).await?)
        }
        StoreUrl::Postgres(url) => {
            let options = PostgresOptions::new().namespace(namespace);
            Store::of(on_server(options, url, missing).await?)
        }
        StoreUrl::MongoDb(url) => {
            let options = MongoOptions::new().namespace(namespace);
            let options = match purpose {
                Purpose::Look => options.indexes(Indexes::Expect),
                Purpose::Run | Purpose::Operate => options,
            };
            // The other drivers find the machine's authorities by themselves.
            let options = match tls::machine_file() {
                Some(path) => options.ca_file(path),
                None => options,
            };
            Store::of(options.connect(url.expose()).await?)
        }
        StoreUrl::MySql(url) => {
            let options = MySqlOptions::new().namespace(namespace);
            Store::of(on_server(options, url, missing).await?)
        }
        StoreUrl::Sqlite(path) => {
            let options = SqliteOptions::new().namespace(namespace).missing(missing);
            let options = match purpose {
                Purpose::Look => options.read_only(),
                Purpose::Run | Purpose::Operate => {
                    store_file::check_owner(path)?;
                    options
                }
            };
            if purpose == Purpose::Run {
                store_file::make_folder(path).map_err(|source| StoreError::Folder {
                    path: path.clone(),
                    source,
                })?;
            }
            Store::of_sqlite(options.open(path).await?, path)
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

//! The store that the command line or the file names, opened.

use std::error::Error as StdError;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sexton::MemoryLockManager;
use sexton::lock::LockManager;
use sexton::name::Namespace;
#[cfg(feature = "sqlite")]
use sexton::sqlite::{SqliteLockManager, SqliteOptions};
use thiserror::Error;

use crate::args::StoreFlags;
use crate::config::interpolate;
use crate::descriptors::is_shortage;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::headroom;
use crate::store_file::{self, UnsafeFile};
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
    #[error("--store: {0}")]
    Variable(String),
    #[error("--store-file {path:?} cannot be read")]
    UrlFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the store cannot be used")]
    UnsafeFile(#[from] UnsafeFile),
    #[error("this sexton was built without this kind of store")]
    NotBuiltIn,
    #[error("the folder of the store {path:?} cannot be made")]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the store cannot be {}", if *is_transient { "reached" } else { "used" })]
    Open {
        is_transient: bool,
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl StoreError {
    /// Whether the same may go through later: the store is away.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, StoreError::Open { is_transient, .. } if *is_transient)
    }

    /// How the program ends by it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            StoreError::Url { .. }
            | StoreError::Variable(_)
            | StoreError::UrlFile { .. }
            | StoreError::NotBuiltIn => Exit::BadInput,
            StoreError::UnsafeFile(_) | StoreError::Folder { .. } => Exit::StoreRefuses,
            StoreError::Open { is_transient, .. } => Exit::of_store(*is_transient),
        }
    }
}

/// The error of each driver that is built in.
macro_rules! of_driver {
    ($($error:ty => $feature:meta),* $(,)?) => {
        $(
            #[cfg($feature)]
            impl From<$error> for StoreError {
                fn from(error: $error) -> StoreError {
                    StoreError::Open {
                        is_transient: error.is_transient() || is_for_shortage(&error),
                        source: Box::new(error),
                    }
                }
            }
        )*
    };
}

/// Whether a store cannot be opened because the machine lacks something now and may have it soon.
/// Some drivers do not say so: then whether descriptors are lacking is tried out.
fn is_for_shortage(error: &(dyn StdError + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let mut of_system = causes.filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    of_system.any(is_shortage) || headroom::lacks_descriptors()
}

of_driver! {
    sexton_sql::OpenError => any(feature = "mysql", feature = "postgres", feature = "sqlite"),
    sexton_mongo::OpenError => feature = "mongodb",
    sexton_redis::ConnectError => feature = "redis",
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

/// What becomes of a store, or of its tables, that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// They are made.
    Create,
    /// The store is refused.
    Refuse,
}

/// A store that is open.
pub(crate) struct Store {
    pub(crate) manager: Arc<dyn LockManager>,
    /// The store, as people know it.
    pub(crate) location: String,
    #[cfg(feature = "sqlite")]
    sqlite: Option<SqliteLockManager>,
}

impl Store {
    fn of(manager: impl LockManager) -> Store {
        Store {
            location: manager.location(),
            manager: Arc::new(manager),
            #[cfg(feature = "sqlite")]
            sqlite: None,
        }
    }

    /// Leaves the store as others expect to find it: a SQLite file without its write-ahead log, if
    /// no other process has it open.
    pub(crate) async fn close(&self) {
        #[cfg(feature = "sqlite")]
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
    match url {
        StoreUrl::Memory => Ok(Store::of(MemoryLockManager::new().in_namespace(namespace))),
        #[cfg(feature = "redis")]
        StoreUrl::Redis(url) => {
            let options = sexton::redis::RedisOptions::new().namespace(namespace);
            let options = match purpose {
                Purpose::Look => options.read_only(),
                Purpose::Run | Purpose::Operate => options,
            };
            Ok(Store::of(options.connect(url.expose()).await?))
        }
        #[cfg(feature = "postgres")]
        StoreUrl::Postgres(url) => {
            let options = sexton::postgres::PostgresOptions::new().namespace(namespace);
            let options = options.migrations(migrations(purpose.missing()));
            Ok(Store::of(options.connect(url.expose()).await?))
        }
        #[cfg(feature = "mongodb")]
        StoreUrl::MongoDb(url) => {
            let options = sexton::mongodb::MongoOptions::new().namespace(namespace);
            let options = match purpose {
                Purpose::Look => options.indexes(sexton::mongodb::Indexes::Expect),
                Purpose::Run | Purpose::Operate => options,
            };
            // The other drivers find the machine's authorities by themselves.
            let options = match crate::tls::machine_file() {
                Some(path) => options.ca_file(path),
                None => options,
            };
            Ok(Store::of(options.connect(url.expose()).await?))
        }
        #[cfg(feature = "mysql")]
        StoreUrl::MySql(url) => {
            let options = sexton::mysql::MySqlOptions::new().namespace(namespace);
            let options = options.migrations(migrations(purpose.missing()));
            Ok(Store::of(options.connect(url.expose()).await?))
        }
        StoreUrl::Sqlite(path) => sqlite(path, namespace, purpose).await,
        #[allow(unreachable_patterns, reason = "it depends on the features")]
        // A URL of such a store is not read in the first place.
        _ => Err(StoreError::NotBuiltIn),
    }
}

#[cfg(any(feature = "mysql", feature = "postgres"))]
fn migrations(missing: Missing) -> sexton_sql::Migrations {
    match missing {
        Missing::Create => sexton_sql::Migrations::Apply,
        Missing::Refuse => sexton_sql::Migrations::Refuse,
    }
}

#[cfg(feature = "sqlite")]
async fn sqlite(path: &Path, namespace: Namespace, purpose: Purpose) -> Result<Store, StoreError> {
    let missing = match purpose.missing() {
        Missing::Create => sexton::sqlite::Missing::Create,
        Missing::Refuse => sexton::sqlite::Missing::Refuse,
    };
    let options = SqliteOptions::new().namespace(namespace).missing(missing);
    store_file::check_kind(path)?;
    let options = match purpose {
        Purpose::Look => options.read_only(),
        Purpose::Run | Purpose::Operate => {
            store_file::check_owner(path)?;
            options
        }
    };
    if purpose == Purpose::Run {
        store_file::make_folder(path).map_err(|source| StoreError::Folder {
            path: path.to_owned(),
            source,
        })?;
    }
    let manager = options.open(path).await?;
    Ok(Store {
        // As it was written: shorter than the whole path.
        location: format!("sqlite:{}", path.display()),
        sqlite: Some(manager.clone()),
        manager: Arc::new(manager),
    })
}

/// The default store is one that this program was built without.
#[cfg(not(feature = "sqlite"))]
async fn sqlite(_: &Path, _: Namespace, _: Purpose) -> Result<Store, StoreError> {
    Err(StoreError::Url {
        from: "the default store",
        why: StoreUrlError::NO_SQLITE,
    })
}

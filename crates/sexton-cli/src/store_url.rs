//! The URL of a store: which kind it is.

use std::path::{Path, PathBuf};

use sexton_core::url::{self, FileUrl, UnencodedLogin, UrlError};
use thiserror::Error;

use crate::secret::Secret;

/// What a store's URL looks like, for error messages.
pub const FORM: &str = "\"sqlite:sexton.db\" (relative to the file's folder), \"sqlite:///absolute/path.db\", \
    \"redis://user:password@host:6379/0\" (or rediss, redis+sentinel, redis+cluster), \"postgres://user:password@host:5432/database\", \
    \"mysql://user:password@host:3306/database\", \"mongodb://user:password@host:27017/database\" or \"memory:\" (this process alone)";

/// The name of the default store's file, beside the task file.
pub const SQLITE_FILE_DEFAULT: &str = "sexton.db";

/// A store, by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreUrl {
    /// One SQLite file, shared by the processes of one machine.
    Sqlite(PathBuf),
    /// Redis or Valkey: a server, what Sentinels watch, or a cluster. Its URL may hold a password.
    Redis(Secret),
    /// A PostgreSQL database. Its URL may hold a password.
    Postgres(Secret),
    /// A MySQL or MariaDB database. Its URL may hold a password.
    MySql(Secret),
    /// A MongoDB database. Its URL may hold a password.
    MongoDb(Secret),
    /// The memory of this process: nobody to share with.
    Memory,
}

/// A URL that names no store that can be used. It never repeats the URL, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StoreUrlError {
    /// Not a kind of store.
    #[error("unknown kind of store{}", .scheme.as_ref().map_or_else(String::new, |scheme| format!(" `{scheme}:`")))]
    Unknown {
        /// What stands before the colon, if that is no more than a word.
        scheme: Option<String>,
    },
    /// A kind of store that this program was built without.
    #[error(
        "this sexton was built without {store}: build it with `--features {feature}`, or with `--features full` for all stores"
    )]
    NotBuiltIn {
        /// The kind of store.
        store: &'static str,
        /// The feature that has it.
        feature: &'static str,
    },
    /// A URL whose user or password is not percent-encoded.
    #[error("the store's URL cannot be read: {0}")]
    Login(#[from] UnencodedLogin),
    /// A Redis URL that cannot be read.
    #[error("the Redis store's URL cannot be read: {problem}")]
    Redis {
        /// What is wrong with it.
        problem: String,
    },
    /// A PostgreSQL URL that cannot be read.
    #[error("the PostgreSQL store's URL cannot be read: {problem}")]
    Postgres {
        /// What is wrong with it.
        problem: String,
    },
    /// A MySQL URL that cannot be read.
    #[error("the MySQL store's URL cannot be read: {problem}")]
    MySql {
        /// What is wrong with it.
        problem: String,
    },
    /// A MongoDB URL that cannot be read.
    #[error("the MongoDB store's URL cannot be read: {problem}")]
    MongoDb {
        /// What is wrong with it.
        problem: String,
    },
    /// `sqlite:` without a file.
    #[error("the SQLite store's URL names no file")]
    NoFile,
    /// `memory:` with something behind it.
    #[error("nothing goes behind `memory:`")]
    MemoryHasNoPath,
    /// `sqlite://name`, which reads as a machine's name.
    #[error("a SQLite URL has no host: write `sqlite:name.db` or `sqlite:///absolute/path.db`")]
    SqliteHost,
    /// `sqlite:name.db?…`
    #[error("the SQLite store takes no parameters in its URL")]
    SqliteParameters,
}

impl StoreUrlError {
    pub(crate) const NO_SQLITE: StoreUrlError = StoreUrlError::NotBuiltIn {
        store: "SQLite",
        feature: "sqlite",
    };
}

impl StoreUrl {
    /// Reads a URL; a relative path begins in `folder`.
    ///
    /// # Errors
    /// [`StoreUrlError`].
    pub fn parse(url: &str, folder: &Path) -> Result<StoreUrl, StoreUrlError> {
        let Some((scheme, rest)) = url.split_once(':') else {
            return Err(StoreUrlError::Unknown { scheme: None });
        };
        // Told of every kind of store alike, with no more of the URL than one character.
        if scheme != "sqlite"
            && let Err(UrlError::Login(login)) = url::StoreUrl::parse(url)
        {
            return Err(login.into());
        }
        match scheme {
            "memory" if rest.is_empty() => Ok(StoreUrl::Memory),
            "memory" => Err(StoreUrlError::MemoryHasNoPath),
            "sqlite" if cfg!(not(feature = "sqlite")) => Err(StoreUrlError::NO_SQLITE),
            "sqlite" => sqlite_path(url).map(|path| StoreUrl::Sqlite(folder.join(path))),
            "redis" | "rediss" | "redis+sentinel" | "rediss+sentinel" | "redis+cluster"
            | "rediss+cluster" => redis(url),
            "postgres" | "postgresql" => postgres(url),
            "mysql" | "mariadb" => mysql(url),
            "mongodb" | "mongodb+srv" => mongodb(url),
            _ => {
                let is_word =
                    scheme.len() <= 20 && scheme.bytes().all(|b| b.is_ascii_alphanumeric());
                let scheme = is_word.then(|| scheme.to_owned());
                Err(StoreUrlError::Unknown { scheme })
            }
        }
    }
}

fn sqlite_path(url: &str) -> Result<&str, StoreUrlError> {
    let parts = FileUrl::parse(url, "sqlite").map_err(|error| match error {
        UrlError::HasHost { .. } => StoreUrlError::SqliteHost,
        // Whether a file is made is the command's to say.
        _ => StoreUrlError::SqliteParameters,
    })?;
    parts
        .check_parameters(&[])
        .map_err(|_| StoreUrlError::SqliteParameters)?;
    let path = parts.path();
    if path.is_empty() || path.ends_with('/') || path == ":memory:" {
        return Err(StoreUrlError::NoFile);
    }
    Ok(path)
}

#[cfg(feature = "redis")]
fn redis(url: &str) -> Result<StoreUrl, StoreUrlError> {
    match sexton_redis::location(url) {
        Ok(location) => Ok(StoreUrl::Redis(Secret::resolved(location, url))),
        Err(sexton_redis::ConnectError::Url { problem }) => Err(StoreUrlError::Redis { problem }),
        Err(other) => Err(StoreUrlError::Redis {
            problem: other.to_string(),
        }),
    }
}

#[cfg(not(feature = "redis"))]
fn redis(_: &str) -> Result<StoreUrl, StoreUrlError> {
    Err(StoreUrlError::NotBuiltIn {
        store: "Redis",
        feature: "redis",
    })
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<StoreUrl, StoreUrlError> {
    match sexton_sql::postgres::location(url) {
        Ok(location) => Ok(StoreUrl::Postgres(Secret::resolved(location, url))),
        Err(sexton_sql::OpenError::BadPostgresUrl { problem }) => {
            Err(StoreUrlError::Postgres { problem })
        }
        Err(other) => Err(StoreUrlError::Postgres {
            problem: other.to_string(),
        }),
    }
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<StoreUrl, StoreUrlError> {
    Err(StoreUrlError::NotBuiltIn {
        store: "PostgreSQL",
        feature: "postgres",
    })
}

#[cfg(feature = "mysql")]
fn mysql(url: &str) -> Result<StoreUrl, StoreUrlError> {
    match sexton_sql::mysql::location(url) {
        Ok(location) => Ok(StoreUrl::MySql(Secret::resolved(location, url))),
        Err(sexton_sql::OpenError::BadMySqlUrl { problem }) => {
            Err(StoreUrlError::MySql { problem })
        }
        Err(other) => Err(StoreUrlError::MySql {
            problem: other.to_string(),
        }),
    }
}

#[cfg(not(feature = "mysql"))]
fn mysql(_: &str) -> Result<StoreUrl, StoreUrlError> {
    Err(StoreUrlError::NotBuiltIn {
        store: "MySQL and MariaDB",
        feature: "mysql",
    })
}

#[cfg(feature = "mongodb")]
fn mongodb(url: &str) -> Result<StoreUrl, StoreUrlError> {
    match sexton_mongo::location(url) {
        Ok(location) => Ok(StoreUrl::MongoDb(Secret::resolved(location, url))),
        Err(sexton_mongo::OpenError::BadUrl { problem }) => Err(StoreUrlError::MongoDb { problem }),
        Err(other) => Err(StoreUrlError::MongoDb {
            problem: other.to_string(),
        }),
    }
}

#[cfg(not(feature = "mongodb"))]
fn mongodb(_: &str) -> Result<StoreUrl, StoreUrlError> {
    Err(StoreUrlError::NotBuiltIn {
        store: "MongoDB",
        feature: "mongodb",
    })
}

/// Whether the URL names a store that can be used.
///
/// # Errors
/// [`StoreUrlError`].
pub fn check(url: &str) -> Result<(), StoreUrlError> {
    StoreUrl::parse(url, Path::new("")).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_file_lies_beside_the_task_file() {
        let parse = |url| StoreUrl::parse(url, Path::new("/etc/sexton"));
        assert_eq!(
            parse("sqlite:a.db"),
            Ok(StoreUrl::Sqlite("/etc/sexton/a.db".into()))
        );
        assert_eq!(
            parse("sqlite:/var/a.db"),
            Ok(StoreUrl::Sqlite("/var/a.db".into()))
        );
        assert_eq!(
            parse("sqlite:///var/a.db"),
            Ok(StoreUrl::Sqlite("/var/a.db".into()))
        );
        assert_eq!(
            parse("sqlite:///home/a@b/50%#1.db"),
            Ok(StoreUrl::Sqlite("/home/a@b/50%#1.db".into()))
        );
        assert_eq!(parse("memory:"), Ok(StoreUrl::Memory));
    }

    #[test]
    fn a_url_that_cannot_be_used_is_answered_without_repeating_it() {
        for url in [
            "rediss://u:hunter2@h:port/",
            "redis+sentinel://u:hunter2@h/",
            "redis+cluster://u:hunter2@h/7",
            "redis:hunter2",
            "postgres://u:hunter2@h:port/",
            "postgres://u:hunter2@h/?sslmod=require",
            "postgres://u:?hunter2@h/",
            "mysql://u:hunter2@h:port/",
            "mysql://u:hunter2@h/?charset=latin1",
            "mongodb://u:hunter2@h/",
            "ftp://u:hunter2@h",
            "hunter2",
            "hunter2@x:y",
            "redis://u:hunter2/@h",
            "postgres://u:hunter2#1@h/",
            "sqlite://hunter2",
            "sqlite:",
            "memory:x",
            "sqlite:a?b",
        ] {
            let error = check(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}

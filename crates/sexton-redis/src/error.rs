//! Trouble with a server, in Sexton's words.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use sexton_core::lock::LockError;
use thiserror::Error;

use crate::tls;

/// Why a server could not be connected to.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Not a URL of Redis servers. It is not repeated, since it may hold a password.
    #[error(
        "this is not a URL of Redis servers: {problem}; it is written redis://[user:password@]host[:port][/database], \
         redis+sentinel://…host,host,host/MASTER, or redis+cluster://…host,host"
    )]
    Url {
        /// What is wrong with it.
        problem: String,
    },
    /// A file of certificates or keys that cannot be read.
    #[error("{} cannot be read: it is to hold PEM, and this user is to be allowed to read it", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answers there, or nobody in time.
    #[error(
        "{store} cannot be reached: is the server running, may this machine talk to it, and does it speak TLS (which is written rediss://)?"
    )]
    Unreachable {
        /// Which server, without secrets.
        store: String,
        /// What the driver said.
        #[source]
        source: RedisError,
    },
    /// The server refuses this user or password.
    #[error("{store} refuses the user or the password of the URL")]
    Authentication {
        /// Which server, without secrets.
        store: String,
        /// What the server said.
        #[source]
        source: RedisError,
    },
    /// No connection within the limit.
    #[error("{store} did not answer within {limit:?}{hint}")]
    TimedOut {
        /// Which server, without secrets.
        store: String,
        /// The limit.
        limit: Duration,
        /// What may be the cause.
        hint: &'static str,
    },
    /// TLS failed, on our side or on the server's.
    #[error("{store} cannot be reached: {problem}")]
    Tls {
        /// Which server, without secrets.
        store: String,
        /// What is wrong, and what to do.
        problem: &'static str,
        /// What the driver said.
        #[source]
        source: RedisError,
    },
    /// The server answers, but not as one that could be used.
    #[error("{store} cannot be used: {advice}")]
    Unusable {
        /// Which server, without secrets.
        store: String,
        /// What was found, and what to do.
        advice: String,
        /// What the server said, if it did.
        #[source]
        source: Option<RedisError>,
    },
}

impl ConnectError {
    /// Whether the same call may go through later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            ConnectError::Unreachable { .. } | ConnectError::TimedOut { .. }
        )
    }

    pub(crate) fn timed_out(store: &str, limit: Duration) -> ConnectError {
        let hint = if store.starts_with("rediss") {
            ": is it there, and is it sure that it speaks TLS on this port?"
        } else {
            ""
        };
        ConnectError::TimedOut {
            store: store.to_owned(),
            limit,
            hint,
        }
    }

    pub(crate) fn of(store: &str, source: RedisError) -> ConnectError {
        let store = store.to_owned();
        if is_refused_login(&source) {
            return ConnectError::Authentication { store, source };
        }
        if let Some(problem) = tls::problem(&source) {
            return ConnectError::Tls {
                store,
                problem,
                source,
            };
        }
        if is_passing(&source) {
            return ConnectError::Unreachable { store, source };
        }
        let advice = match source.kind() {
            ErrorKind::MasterNameNotFoundBySentinel => {
                "the name behind the hosts has to be one that the Sentinels watch"
            }
            // The driver has asked the server for its role.
            ErrorKind::InvalidClientConfig => "what answers there is no Sentinel",
            ErrorKind::Parse => {
                "what answers there is no Redis server, or one that speaks TLS: that is written rediss://"
            }
            _ => advice(&source).unwrap_or("the server refused a command that Sexton needs"),
        };
        ConnectError::Unusable {
            store,
            advice: advice.to_owned(),
            source: Some(source),
        }
    }
}

/// Whether it may pass by itself.
fn is_passing(error: &RedisError) -> bool {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain};
    if error.is_io_error() || error.is_timeout() || error.is_connection_refusal() {
        return true;
    }
    match error.kind() {
        ErrorKind::ClusterConnectionNotFound => true,
        ErrorKind::Server(kind) => {
            [BusyLoading, ClusterDown, MasterDown, ReadOnly, TryAgain].contains(&kind)
                || begins(error, "max number of clients")
        }
        _ => false,
    }
}

/// A server that took a write but did not keep it as it was asked to.
#[derive(Debug, Error)]
#[error("{found} of {wanted} confirmed within {limit:?}")]
pub(crate) struct Unconfirmed {
    pub(crate) found: i64,
    pub(crate) wanted: String,
    pub(crate) limit: Duration,
}

/// An answer that no script of ours gives.
pub(crate) fn unreadable(store: &str, found: impl Into<String>) -> LockError {
    LockError::Unreadable {
        store: store.to_owned(),
        found: found.into(),
    }
}

pub(crate) fn unavailable(
    store: &str,
    action: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> LockError {
    LockError::Unavailable {
        store: store.to_owned(),
        action,
        source: Arc::new(source),
    }
}

/// What goes on being refused until somebody changes something there is told so; everything else is
/// an outage.
pub(crate) fn lock_error(store: &str, action: &'static str, error: RedisError) -> LockError {
    let Some(advice) = advice(&error) else {
        return unavailable(store, action, error);
    };
    LockError::Refused {
        store: store.to_owned(),
        action,
        advice: advice.to_owned(),
        source: Some(Arc::new(error)),
    }
}

fn is_refused_login(error: &RedisError) -> bool {
    matches!(error.code(), Some("WRONGPASS" | "NOAUTH"))
        || error.kind() == ErrorKind::AuthenticationFailed
}

/// Older servers wrap the code of what failed within a script into a message of their own.
fn says(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code)
        || error
            .detail()
            .is_some_and(|detail| detail.contains(&format!("-{code} ")))
}

/// Of some things the server tells by its words alone: their code is `ERR`.
fn begins(error: &RedisError, words: &str) -> bool {
    let detail = error.detail();
    detail.is_some_and(|detail| detail.starts_with(words))
}

/// Whether a script calls what the server does not know or the user may not: Redis 7 and later and
/// Valkey say so without a code, Redis 6.2 behind another message.
fn is_lacking(error: &RedisError) -> bool {
    let within = [
        "Unknown Redis command called from",
        "Unknown command called from",
        "ACL failure in script",
        "The user executing the script can't run this command",
    ];
    let detail = error.detail().unwrap_or_default();
    begins(error, "unknown command") || within.iter().any(|words| detail.contains(words))
}

/// What to do about a command that does not work.
pub(crate) const PERMISSIONS: &str = "give the user the commands that docs/stores/redis.md lists, on keys sexton:*, and undo rename-command; a server without Lua scripts cannot be used";

fn advice(error: &RedisError) -> Option<&'static str> {
    let known = [
        ("NOPERM", PERMISSIONS),
        (
            "OOM",
            "it is out of memory: raise maxmemory, or keep less history",
        ),
        (
            "WRONGTYPE",
            "a key of Sexton's holds something else: give Sexton a database or a prefix of its own",
        ),
    ];
    if is_refused_login(error) {
        return Some("it refuses the user or the password");
    }
    if is_lacking(error) {
        return Some(PERMISSIONS);
    }
    if let Some(problem) = tls::problem(error) {
        return Some(problem);
    }
    let found = known.iter().find(|(code, _)| says(error, code));
    found.map(|(_, advice)| *advice)
}

//! Trouble with a server, in Sexton's words.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use sexton_core::lock::LockError;
use thiserror::Error;

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
    #[error("{store} cannot be reached: is the server running, and may this machine talk to it?")]
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
    #[error("{store} did not answer within {limit:?}")]
    TimedOut {
        /// Which server, without secrets.
        store: String,
        /// The limit.
        limit: Duration,
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
    pub(crate) fn of(store: &str, source: RedisError) -> ConnectError {
        let store = store.to_owned();
        if is_refused_login(&source) {
            return ConnectError::Authentication { store, source };
        }
        if source.is_io_error() || source.is_timeout() || source.is_connection_refusal() {
            return ConnectError::Unreachable { store, source };
        }
        ConnectError::Unusable {
            store,
            advice: "the server refused a command that Sexton needs".to_owned(),
            source: Some(source),
        }
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

/// What goes on being refused until somebody changes something there is told so; everything else is an outage.
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
        || error.kind() == redis::ErrorKind::AuthenticationFailed
}

/// Older servers wrap the code of what failed within a script into a message of their own.
fn says(error: &RedisError, code: &str) -> bool {
    error.code() == Some(code)
        || error
            .detail()
            .is_some_and(|detail| detail.contains(&format!("-{code} ")))
}

fn advice(error: &RedisError) -> Option<&'static str> {
    let known = [
        (
            "NOPERM",
            "give the user the commands EVAL, EVALSHA, TIME, HSETNX, HGET and those that the scripts call, for keys sexton:*",
        ),
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
    let found = known.iter().find(|(code, _)| says(error, code));
    found.map(|(_, advice)| *advice)
}

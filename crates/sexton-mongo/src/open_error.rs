//! Why a store could not be opened.

use std::error::Error as StdError;

use thiserror::Error;

/// Why a store could not be opened. Never shows a URL: it may have a password in it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is not one of a MongoDB database.
    #[error(
        "this is not the URL of a MongoDB database: {problem}; \
         write mongodb://USER:PASSWORD@HOST:PORT/DATABASE or mongodb+srv://USER:PASSWORD@HOST/DATABASE"
    )]
    BadUrl {
        /// What is wrong with it.
        problem: String,
    },
    /// A collection prefix cannot be used.
    #[error("the {what} {name:?} cannot be used: {problem}")]
    BadName {
        /// What is named.
        what: &'static str,
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The server cannot be reached, has no primary, or does not answer as it should. Try again.
    #[error(
        "{store} cannot be reached: check that the server runs, that host and port are right, \
         and that its replica set has a primary and the name that the URL gives it by replicaSet"
    )]
    Unreachable {
        /// The store.
        store: String,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server could not authenticate the user.
    #[error("{store}: authentication failed: check user, password and authSource")]
    AuthenticationFailed {
        /// The store.
        store: String,
        /// What the server said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The user may not do what is needed.
    #[error(
        "{store} does not allow this user what is needed: the role readWrite on the database is enough; \
         without the privilege createIndex, make the indexes beforehand and open with Indexes::Expect"
    )]
    NotPrivileged {
        /// The store.
        store: String,
        /// What the server said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The collections were written by a newer version of Sexton.
    #[error(
        "{store} has collections of version {found}, this version of sexton knows up to {known}: update sexton"
    )]
    NewerLayout {
        /// The store.
        store: String,
        /// The collections' version.
        found: i64,
        /// The newest version that this version of Sexton knows.
        known: i64,
    },
    /// The store holds something that no version of Sexton wrote.
    #[error("{store} holds {found}, which this version of sexton cannot read")]
    Unreadable {
        /// The store.
        store: String,
        /// What was found.
        found: String,
    },
    /// The server refuses, and keeps refusing until somebody changes something there.
    #[error("{store} cannot be opened: {advice}")]
    Refused {
        /// The store.
        store: String,
        /// What to do.
        advice: &'static str,
        /// What the driver said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl OpenError {
    /// Whether the same call may go through later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, OpenError::Unreachable { .. })
    }
}

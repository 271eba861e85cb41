//! What is asked of MongoDB: to run commands on the primary. Everything about the driver stands in
//! `driver.rs`; the tests have another store, which runs the same commands over documents in memory.

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use mongodb::bson::Document;

/// Runs commands on the primary of one database, or on a standalone server.
#[async_trait]
pub(crate) trait Store: fmt::Debug + Send + Sync + 'static {
    /// Runs a command once and answers its reply.
    async fn run(&self, command: Document) -> Result<Document, CommandError>;

    /// Runs a command that answers with a cursor, and reads that to its end.
    async fn read(&self, command: Document) -> Result<Vec<Document>, CommandError>;

    /// Closes its connections, unless they belong to the application.
    async fn close(&self);
}

/// Why a command failed.
#[derive(Debug)]
pub struct CommandError {
    /// How it is answered.
    pub(crate) cause: Cause,
    /// What the driver or the server said.
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

/// The cause of a failure, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// May pass by itself: no primary, a failover, a broken connection, a timeout.
    Transient,
    /// The server could not authenticate the user.
    AuthenticationFailed,
    /// The user lacks a privilege.
    NotPrivileged,
    /// Does not pass until somebody acts on this advice.
    Permanent(&'static str),
}

/// Judges what a server answers, by its code. See
/// <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>.
pub(crate) fn cause_of_code(code: i32) -> Cause {
    match code {
        18 => Cause::AuthenticationFailed,
        13 | 31 | 33 | 8000 => Cause::NotPrivileged,
        59 => Cause::Permanent(
            "the server does not know the command: MongoDB 4.4.2 or later is needed",
        ),
        72 | 9 | 14 | 40415 => {
            Cause::Permanent("the server does not take a command: MongoDB 4.4.2 or later is needed")
        }
        85 | 86 => Cause::Permanent("it has other indexes under the names of sexton's: drop those"),
        121 => {
            Cause::Permanent("a validator of its collections refuses sexton's documents: drop it")
        }
        148 => Cause::Permanent(
            "its majority reads are switched off: start its members without enableMajorityReadConcern=false",
        ),
        73 => Cause::Permanent("a database cannot be called so: choose another name"),
        79 | 100 => Cause::Permanent(
            "it cannot have a majority of its members: check the replica set's configuration",
        ),
        166 | 167 => {
            Cause::Permanent("a name of its collections is a view's: choose another prefix")
        }
        10334 | 17280 | 17419 | 17420 => Cause::Permanent(
            "a document has become too large: let executions run, or withdraw them",
        ),
        // The rest is about the server's state, or about other clients in the way.
        _ => Cause::Transient,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failover_passes_and_a_refusal_does_not() {
        // NotWritablePrimary, InterruptedDueToReplStateChange, PrimarySteppedDown,
        // WriteConcernTimeout, MaxTimeMSExpired, CursorNotFound, WriteConflict,
        // NotPrimaryNoSecondaryOk, InterruptedAtShutdown.
        for code in [10_107, 11_602, 189, 64, 50, 43, 112, 13_435, 11_600] {
            assert_eq!(cause_of_code(code), Cause::Transient, "{code}");
        }
        assert_eq!(cause_of_code(18), Cause::AuthenticationFailed);
        assert_eq!(cause_of_code(13), Cause::NotPrivileged);
        for code in [59, 72, 73, 85, 121, 100, 148, 166, 10_334] {
            let cause = cause_of_code(code);
            assert!(matches!(cause, Cause::Permanent(_)), "{code}: {cause:?}");
        }
    }
}

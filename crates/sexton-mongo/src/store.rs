//! What is asked of MongoDB: to run commands on the primary. All that is known of the driver stands in `driver.rs`; the tests have another
//! store, which runs the same commands over documents in memory.

use std::error::Error as StdError;
use std::fmt;

use async_trait::async_trait;
use mongodb::bson::Document;

/// Runs commands on the primary of one database, or on a server that is alone.
#[async_trait]
pub(crate) trait Store: fmt::Debug + Send + Sync + 'static {
    /// Runs a command and answers its reply, once.
    async fn run(&self, command: Document) -> Result<Document, StoreError>;

    /// Runs a command that answers with a cursor, and reads that to its end.
    async fn read(&self, command: Document) -> Result<Vec<Document>, StoreError>;

    /// Gives back what it holds, if it is its own.
    async fn close(&self);
}

/// Why a command was not answered as it should be.
#[derive(Debug)]
pub(crate) struct StoreError {
    pub(crate) kind: Kind,
    pub(crate) source: Box<dyn StdError + Send + Sync>,
}

/// A kind of failure, as far as it makes a difference here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// May pass by itself: no primary, a failover, a broken connection, a timeout.
    Outage,
    /// The server does not let this user in.
    NotLetIn,
    /// The user may not do this.
    NotPrivileged,
    /// Will not pass until somebody acts on this advice.
    Permanent(&'static str),
}

/// Judges what a server answers, by its code. See
/// <https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml>.
pub(crate) fn kind_of_code(code: i32) -> Kind {
    match code {
        18 => Kind::NotLetIn,
        13 | 31 | 33 | 8000 => Kind::NotPrivileged,
        59 => Kind::Permanent(
            "the server does not know the command: MongoDB 4.4.2 or later is needed",
        ),
        72 | 9 | 14 | 40415 => {
            Kind::Permanent("the server does not take a command: MongoDB 4.4.2 or later is needed")
        }
        85 | 86 => Kind::Permanent("it has other indexes under the names of sexton's: drop those"),
        121 => {
            Kind::Permanent("a validator of its collections refuses sexton's documents: drop it")
        }
        148 => Kind::Permanent(
            "its majority reads are switched off: start its members without enableMajorityReadConcern=false",
        ),
        73 => Kind::Permanent("a database cannot be called so: choose another name"),
        79 | 100 => Kind::Permanent(
            "it cannot have a majority of its members: check the replica set's configuration",
        ),
        166 | 167 => {
            Kind::Permanent("a name of its collections is a view's: choose another prefix")
        }
        10334 | 17280 | 17419 | 17420 => {
            Kind::Permanent("a document has become too large: let executions run, or withdraw them")
        }
        // The rest of what a server says is about its state, or about who was in the way.
        _ => Kind::Outage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failover_passes_and_a_refusal_does_not() {
        // NotWritablePrimary, InterruptedDueToReplStateChange, PrimarySteppedDown, WriteConcernTimeout, MaxTimeMSExpired, CursorNotFound,
        // WriteConflict, NotPrimaryNoSecondaryOk, InterruptedAtShutdown.
        for code in [10_107, 11_602, 189, 64, 50, 43, 112, 13_435, 11_600] {
            assert_eq!(kind_of_code(code), Kind::Outage, "{code}");
        }
        assert_eq!(kind_of_code(18), Kind::NotLetIn);
        assert_eq!(kind_of_code(13), Kind::NotPrivileged);
        for code in [59, 72, 73, 85, 121, 100, 148, 166, 10_334] {
            let kind = kind_of_code(code);
            assert!(matches!(kind, Kind::Permanent(_)), "{code}: {kind:?}");
        }
    }
}

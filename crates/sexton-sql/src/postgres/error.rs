//! What a PostgreSQL server reports, judged by its code. See
//! <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use sqlx::postgres::PgDatabaseError;

use crate::server::cause::{Cause, NOT_MADE_BY_US};

const NOT_PRIVILEGED: &str = "its user lacks privileges: SELECT, INSERT, UPDATE and DELETE on the tables, \
    USAGE on their schema";

const NO_PREPARED_STATEMENTS: &str = "a pooler hands out its connections by transaction and does not know prepared statements: PgBouncer does \
    from 1.21 on, with max_prepared_statements; or let it pool by session";

/// Judges by SQLSTATE, most of it by the class that its first two digits name.
pub(crate) fn cause(reported: &PgDatabaseError) -> Cause {
    let code = reported.code();
    match code {
        // Serialization failure, deadlock, a lock not to be had in time.
        "40001" | "40P01" | "55P03" => Cause::Busy,
        // A statement prepared before somebody changed the tables, or lost by a pooler; a session
        // that was ended.
        "0A000" | "26000" | "25P03" | "57P01" | "57P02" | "57P05" => Cause::Broken,
        "25006" => Cause::ReadOnly,
        // On a session that another client has prepared the same statement on.
        "42P05" => Cause::Permanent(NO_PREPARED_STATEMENTS),
        // Only a handler's transaction lives on after a statement that failed.
        "25P02" => {
            Cause::Permanent("a statement of the transaction had failed, and the handler went on")
        }
        "3D000" => Cause::NoDatabase,
        "42501" => Cause::NotPrivileged(NOT_PRIVILEGED),
        _ => match code.get(..2).unwrap_or_default() {
            "08" => Cause::Broken,
            "28" => Cause::AuthenticationFailed,
            // Resources; a cancelled statement, a shutdown; the system.
            "25" | "53" | "57" | "58" => Cause::Transient,
            "42" | "3F" | "22" | "23" => NOT_MADE_BY_US,
            "XX" => Cause::Permanent("the server reports an internal error or damaged data"),
            _ => Cause::Permanent("the server does not take the statement"),
        },
    }
}

//! The table, once it was found good.

use super::table::Holds;
use crate::server::database::ServerDatabase;

/// The table as it was found.
pub(crate) struct Opened<DB: ServerDatabase> {
    pub(super) sql: DB::KtorSql,
    pub(super) holds: Holds,
}

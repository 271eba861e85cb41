//! Who makes and changes the tables.

/// Who makes and changes the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Migrations {
    /// The manager does, when it is opened, if anything is missing. Its user needs the privilege to
    /// create tables then.
    #[default]
    Apply,
    /// Somebody else does, by [`ServerOptions::migration_sql`](crate::ServerOptions::migration_sql). Tables that are missing or old are
    /// an error.
    Refuse,
}

//! What a database has to be able to do on a connection, beyond the calls of its port.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use sqlx::{Connection, Database};

use super::error::StoreError;
use super::ktor::database::KtorDatabase;
use super::migrations::Migrations;
use super::names::{Dictionary, Names};
use crate::error::OpenError;
use crate::lent::Lent;

/// How to connect to a database.
pub(crate) type ConnectOptions<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What it takes to make a database's tables, or to find them.
#[derive(Debug, Clone, Copy)]
pub struct Prepare<'p> {
    pub names: &'p Names,
    pub migrations: Migrations,
    pub limit: Duration,
    pub location: &'p str,
}

/// What a database that runs as a server does on its connections.
pub trait ServerDriver:
    Database<Connection: Connection<Options: Clone>> + KtorDatabase + Sized
{
    /// All its statements, with the tables' names in them.
    #[doc(hidden)]
    type Sql: fmt::Debug + Send + Sync + 'static;

    /// The names of its tables and what else stands in its statements.
    #[doc(hidden)]
    const DICTIONARY: &'static Dictionary;

    /// Whether clients can be notified of changes.
    #[doc(hidden)]
    const NOTIFIES: bool;

    /// Reads a URL.
    #[doc(hidden)]
    fn parse_url(url: &str) -> Result<ConnectOptions<Self>, OpenError>;

    /// Where options lead to, without user or password.
    #[doc(hidden)]
    fn location(options: &ConnectOptions<Self>) -> String;

    /// A text as the database can hold it.
    #[doc(hidden)]
    fn text(text: &str) -> Cow<'_, str>;

    /// Applies timeouts to a new or borrowed connection.
    #[doc(hidden)]
    fn configure(
        connection: &mut Self::Connection,
        limit: Duration,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Whether a borrowed connection is in no transaction that somebody has left open: an
    /// application that drops the future of a `begin` leaves one on its pool's connection, of which
    /// the driver does not know.
    #[doc(hidden)]
    fn is_in_no_transaction(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Restores a borrowed connection's settings.
    #[doc(hidden)]
    fn restore(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Makes the tables if they are missing, and may be made.
    #[doc(hidden)]
    fn prepare(
        connection: &mut Self::Connection,
        prepare: Prepare<'_>,
    ) -> impl Future<Output = Result<Self::Sql, StoreError>> + Send;

    /// The script that leads from a version of the tables to the newest.
    #[doc(hidden)]
    fn migration_script(names: &Names, from: i64) -> String;

    /// Rolls back the transaction that a call has begun, if it has.
    #[doc(hidden)]
    fn roll_back(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Begins a transaction for a handler, in which each statement sees what is committed by then.
    /// The server ends it when its client is silent for longer.
    #[doc(hidden)]
    fn begin_for_handler(
        connection: &mut Lent<Self>,
        silence: Duration,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;

    /// Whether a handler's transaction is still the one that was begun, with all that was written
    /// in it. Asked once, at its end: from then on it is ours, and the server waits no longer for it
    /// than for any other.
    #[doc(hidden)]
    fn is_as_begun(
        connection: &mut Self::Connection,
        limit: Duration,
    ) -> impl Future<Output = Result<bool, sqlx::Error>> + Send;

    /// Restores a connection's settings after a handler's transaction, which is over.
    #[doc(hidden)]
    fn restore_after_handler(
        connection: &mut Self::Connection,
    ) -> impl Future<Output = Result<(), sqlx::Error>> + Send;
}

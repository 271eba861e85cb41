//! A server's store as a port: its connections, its namespace, its statements.

use std::borrow::Cow;
use std::time::Duration;

use sexton_core::lock::engine::{Connect, Limits};
use sexton_core::name::Namespace;
use tokio::time::Instant;

use super::checkout::{Checkout, Source};
use super::driver::ServerDriver;
use super::error::StoreError;

/// The tables of one namespace in a server's database. What PostgreSQL and MySQL say their own way
/// stands in their folders.
#[derive(Debug)]
pub struct ServerPort<DB: ServerDriver> {
    pub(super) source: Source<DB>,
    pub(super) location: String,
    pub(super) namespace: Namespace,
    pub(super) limits: Limits,
    /// Whether notifications are listened to.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(dead_code, reason = "PostgreSQL alone has notifications")
    )]
    pub(super) listens: bool,
    pub(super) sql: DB::Sql,
}

impl<DB: ServerDriver> ServerPort<DB> {
    /// The database's statements.
    pub(crate) fn sql(&self) -> &DB::Sql {
        &self.sql
    }

    /// The namespace, for a statement.
    pub(crate) fn namespace_word(&self) -> &str {
        self.namespace.as_str()
    }

    /// Whether notifications are listened to.
    #[cfg(feature = "postgres")]
    pub(crate) fn listens(&self) -> bool {
        self.listens
    }

    /// The limit of a call.
    pub(crate) fn call_limit(&self) -> Duration {
        self.limits.call
    }

    /// How a connection of another kind of use is made.
    #[cfg(feature = "postgres")]
    pub(crate) fn connect_options(&self) -> super::driver::ConnectOptions<DB> {
        self.source.connect_options()
    }
}

impl<DB: ServerDriver> Connect for ServerPort<DB> {
    type Connection = DB::Connection;
    type Checkout<'p> = Checkout<'p, DB>;
    type Error = StoreError;

    fn location(&self) -> &str {
        &self.location
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        DB::text(text)
    }

    async fn check_out(&self, limit: Duration) -> Result<Checkout<'_, DB>, StoreError> {
        let deadline = Instant::now() + limit;
        self.source.check_out(deadline, self.limits.call).await
    }

    fn connection<'c>(checkout: &'c mut Checkout<'_, DB>) -> &'c mut DB::Connection {
        checkout.connection()
    }

    async fn give_back<'p>(&'p self, checkout: Checkout<'p, DB>) {
        checkout.give_back().await;
    }

    async fn undo(&self, connection: &mut DB::Connection) -> Result<(), StoreError> {
        DB::roll_back(connection).await
    }

    fn suspect_connections(&self) {
        self.source.suspect();
    }
}

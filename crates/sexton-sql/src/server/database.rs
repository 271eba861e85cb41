//! A database that runs as a server, with its port.

use std::borrow::Borrow;

use sexton_core::lock::engine::Port;

use super::driver::ServerDriver;
use super::error::StoreError;
use super::port::ServerPort;

/// A database that runs as a server: [`sqlx::Postgres`] and [`sqlx::MySql`], by their features.
pub trait ServerDatabase: ServerDriver {
    /// Its port: a [`ServerPort`] for this database.
    #[doc(hidden)]
    type Port: Port<Connection = Self::Connection, Error = StoreError>
        + From<ServerPort<Self>>
        + Borrow<ServerPort<Self>>;
}

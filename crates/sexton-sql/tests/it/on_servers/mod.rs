//! What every database that runs as a server must stand, tried on each.

mod contention;
mod faults;
mod ktor;
mod lent;
mod making;
#[cfg(feature = "mysql")]
mod mariadb;
#[cfg(feature = "postgres")]
mod postgres;
mod silence;
mod sweeps;
mod tls;
mod transactions;

#[cfg(feature = "mysql")]
pub(crate) use faults::{HOLD_REGISTERS, someone_waits};
use std::time::Duration;

use sexton_sql::{ServerDatabase, ServerLockManager, ServerOptions, TransactionalDatabase};
use sexton_testkit::process::Disk;
use sqlx::{Database, Pool};

/// How long a test waits for a call that is held up. Far more than a call takes that is not, on a
/// busy machine too.
pub(crate) const HELD_UP: Duration = Duration::from_secs(2);

/// A server of one kind or another.
pub(crate) trait TestServer: Sized + Send {
    type DB: ServerDatabase + TransactionalDatabase<Manager = Manager<Self>>;

    /// How many connections it has for its clients when told to have few, and how it is told.
    const FEW_CONNECTIONS: &'static [&'static str];
    /// How it is told to have many.
    const MANY_CONNECTIONS: &'static [&'static str];
    /// Which session this is.
    const SESSION: &'static str;
    /// Holds a whole table.
    const LOCK_EXECUTIONS: &'static str;
    /// Transactions that do not say otherwise are serializable.
    const SERIALIZABLE: &'static str;
    /// Counts the sessions that wait for what others hold.
    const WAITING: &'static str;
    /// Lets the server read only, from now on.
    const ONLY_READ: &'static [&'static str];
    /// Makes the user `visitor`, who may look at the tables once they are there and do no more.
    const MAY_NOT_CREATE: &'static str;
    /// Settings of a server that speaks TLS by the certificates in `FOLDER`.
    const TLS: &'static [&'static str];
    /// How a URL says that a certificate must be right in every way, and which authority's is
    /// trusted.
    const TLS_VERIFIED: &'static str;
    const TLS_CA: &'static str;

    /// Settings of a server that speaks no TLS: newer ones make a certificate themselves.
    fn without_tls() -> &'static [&'static str];

    fn start_with(disk: Disk, settings: &[&str]) -> Option<Self>;
    fn begin(&mut self);
    fn kill(&mut self);
    /// Ends it, and answers what it said all the while.
    fn stop(self) -> Vec<String>;
    fn port(&self) -> u16;
    fn url_at(&self, port: u16) -> String;
    async fn raw(&self) -> <Self::DB as Database>::Connection;
    async fn execute(connection: &mut <Self::DB as Database>::Connection, sql: &'static str);
    async fn attempt(
        connection: &mut <Self::DB as Database>::Connection,
        sql: String,
    ) -> Result<(), sqlx::Error>;
    async fn number_of(connection: &mut <Self::DB as Database>::Connection, sql: String) -> i64;
    async fn number(connection: &mut <Self::DB as Database>::Connection, sql: &'static str) -> i64;
    async fn pool(&self, connections: u32) -> Pool<Self::DB>;
    /// Whether this session was left in a transaction.
    async fn is_in_transaction(connection: &mut <Self::DB as Database>::Connection) -> bool;

    /// Returns when a session is held up by what another one holds.
    async fn someone_is_held_up(&self) {
        let mut watcher = self.raw().await;
        while Self::number(&mut watcher, Self::WAITING).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    fn url(&self) -> String {
        self.url_at(self.port())
    }

    async fn open(&self) -> Manager<Self> {
        Options::<Self>::new().connect(&self.url()).await.unwrap()
    }

    /// Makes the tables, for managers that wait less long: opening one has the limit of a call, and
    /// making the tables takes many statements.
    async fn make_tables(&self) {
        self.open().await.close().await;
    }
}

pub(crate) type Manager<S> = ServerLockManager<<S as TestServer>::DB>;
pub(crate) type Options<S> = ServerOptions<<S as TestServer>::DB>;

/// A test of each of these, on each kind of server.
macro_rules! on_each_server {
    ($($test:ident),* $(,)?) => {
        #[cfg(feature = "postgres")]
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test::<sexton_testkit::postgres::Server>().await;
                }
            )*
        }
        #[cfg(feature = "mysql")]
        mod on_mariadb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    super::$test::<sexton_testkit::mariadb::Server>().await;
                }
            )*
        }
    };
}
pub(crate) use on_each_server;

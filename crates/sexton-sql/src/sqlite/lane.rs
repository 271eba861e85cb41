//! Connections: one that writes, one that reads, one that only looks, or an application's pool.
//!
//! SQLite ends a transaction by itself where the disk is full or a statement says `OR ROLLBACK`,
//! and the driver does not notice: it counts on the transaction and refuses to begin another one.
//! So a connection stays, or goes back to its pool, only after a call that ended well, or that
//! found another one in its way. Whatever else happened to it, an abandoned call among it, it is
//! closed; the next call opens one. In memory that would be the data's end: there the connection is
//! taken out of whatever it is in.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Database, Sqlite, SqlitePool};
use sqlx_core::transaction::TransactionManager;
use tokio::sync::{Mutex, MutexGuard};

use super::error::Trouble;
use super::file::{self, own_options};
use super::look::{self, Looking};
use super::schema;
use super::url::{Missing, Target};
use crate::error::OpenError;
use crate::lent::Lent;

type Slot = Mutex<Option<SqliteConnection>>;

/// Where connections come from.
#[derive(Debug)]
pub(super) enum Source {
    File {
        path: PathBuf,
        missing: Missing,
        writer: Slot,
        reader: Slot,
    },
    /// A file that is never written to.
    LookedAt {
        path: PathBuf,
        slot: Mutex<Option<Looking>>,
    },
    /// One connection, whose end would be the data's end.
    Memory(Slot),
    Pool(Application),
}

/// An application's pool.
#[derive(Debug)]
pub(super) struct Application {
    pool: SqlitePool,
    is_in_memory: OnceLock<bool>,
}

/// A connection for one call.
pub(super) enum Lane<'s> {
    File {
        slot: MutexGuard<'s, Option<SqliteConnection>>,
        connection: SqliteConnection,
    },
    LookedAt {
        slot: MutexGuard<'s, Option<Looking>>,
        looking: Looking,
    },
    Memory(MutexGuard<'s, Option<SqliteConnection>>),
    Pool(Lent<Sqlite>),
}

impl Source {
    pub(super) fn own(target: Target, missing: Missing) -> Source {
        match target {
            Target::File(path) => Source::File {
                path,
                missing,
                writer: Slot::default(),
                reader: Slot::default(),
            },
            Target::Memory => Source::Memory(Slot::default()),
        }
    }

    pub(super) fn looked_at(path: PathBuf) -> Source {
        Source::LookedAt {
            path,
            slot: Mutex::default(),
        }
    }

    pub(super) fn pool(pool: SqlitePool) -> Source {
        Source::Pool(Application {
            pool,
            is_in_memory: OnceLock::new(),
        })
    }

    /// How many connections may have been left in a transaction by somebody.
    pub(super) fn connections_max(&self) -> u32 {
        match self {
            Source::File { .. } | Source::LookedAt { .. } | Source::Memory(_) => 1,
            Source::Pool(application) => application.pool.options().get_max_connections(),
        }
    }

    pub(super) fn location(&self) -> String {
        match self {
            Source::File { path, .. } | Source::LookedAt { path, .. } => {
                Target::File(path.clone()).location()
            }
            Source::Memory(_) => Target::Memory.location(),
            Source::Pool(application) => {
                let options = application.pool.connect_options();
                format!("sqlite:{} (pool)", options.get_filename().display())
            }
        }
    }

    /// The first connection, with the schema as it should be.
    pub(super) async fn prepare(&self, location: &str) -> Result<(), Trouble> {
        match self {
            Source::File {
                path,
                missing,
                writer,
                ..
            } => {
                let mut slot = writer.lock().await;
                if slot.is_none() {
                    *slot = Some(file::open(path, *missing, location).await?);
                }
                Ok(())
            }
            Source::LookedAt { path, slot } => {
                let mut slot = slot.lock().await;
                if slot.is_none() {
                    *slot = Some(look::open(path, location).await?);
                }
                Ok(())
            }
            Source::Memory(slot) => {
                let mut slot = slot.lock().await;
                if slot.is_none() {
                    let mut connection = own_options().filename(":memory:").connect().await?;
                    schema::prepare(&mut connection, schema::Place::Memory, location).await?;
                    *slot = Some(connection);
                }
                Ok(())
            }
            Source::Pool(application) => {
                let mut lent = application.lend().await?;
                schema::prepare(&mut lent, schema::Place::Shared, location).await?;
                lent.give_back();
                Ok(())
            }
        }
    }

    pub(super) async fn writer(&self, location: &str) -> Result<Lane<'_>, Trouble> {
        match self {
            Source::File { path, writer, .. } => file_lane(path, writer, location).await,
            Source::LookedAt { .. } => {
                let store = location.to_owned();
                Err(OpenError::LookOnly { store }.into())
            }
            Source::Memory(slot) => Ok(Lane::Memory(slot.lock().await)),
            Source::Pool(application) => Ok(Lane::Pool(application.lend().await?)),
        }
    }

    pub(super) async fn reader(&self, location: &str) -> Result<Lane<'_>, Trouble> {
        match self {
            Source::File { path, reader, .. } => file_lane(path, reader, location).await,
            Source::LookedAt { path, slot } => {
                let mut slot = slot.lock().await;
                let looking = match slot.take() {
                    Some(looking) if !looking.is_outdated() => looking,
                    _ => look::open(path, location).await?,
                };
                Ok(Lane::LookedAt { slot, looking })
            }
            Source::Memory(_) | Source::Pool(_) => self.writer(location).await,
        }
    }

    /// Closes what is ours, after the calls that are under way.
    pub(super) async fn close(&self) -> Result<(), sqlx::Error> {
        let slots = match self {
            Source::File { writer, reader, .. } => vec![reader, writer],
            Source::Memory(slot) => vec![slot],
            Source::LookedAt { slot, .. } => {
                if let Some(looking) = slot.lock().await.take() {
                    looking.connection.close().await?;
                }
                Vec::new()
            }
            Source::Pool(_) => Vec::new(),
        };
        for slot in slots {
            if let Some(connection) = slot.lock().await.take() {
                connection.close().await?;
            }
        }
        Ok(())
    }
}

impl Application {
    pub(super) async fn lend(&self) -> Result<Lent<Sqlite>, Trouble> {
        let connection = self.pool.acquire().await?;
        if let Some(is_in_memory) = self.is_in_memory.get() {
            return Ok(match is_in_memory {
                true => Lent::all_there_is(connection),
                false => Lent::new(connection),
            });
        }
        // Until it is known it is taken for the dearer of the two.
        let mut lent = Lent::all_there_is(connection);
        let file = sqlx::query_scalar("SELECT file FROM pragma_database_list WHERE name = 'main'");
        let file: Option<String> = file.fetch_one(&mut *lent).await?;
        let is_in_memory = file.is_none_or(|file| file.is_empty());
        let _ = self.is_in_memory.set(is_in_memory);
        if !is_in_memory {
            lent.is_one_of_many();
        }
        Ok(lent)
    }
}

/// A later connection never makes a file: one that vanished has taken all watermarks with it.
async fn file_lane<'s>(path: &Path, slot: &'s Slot, location: &str) -> Result<Lane<'s>, Trouble> {
    let mut slot = slot.lock().await;
    let connection = match slot.take() {
        Some(connection) => connection,
        None => file::open(path, Missing::Refuse, location).await?,
    };
    Ok(Lane::File { slot, connection })
}

impl Lane<'_> {
    pub(super) fn connection(&mut self) -> Result<&mut SqliteConnection, Trouble> {
        match self {
            Lane::File { connection, .. } => Ok(connection),
            Lane::LookedAt { looking, .. } => Ok(&mut looking.connection),
            Lane::Memory(slot) => slot
                .as_mut()
                .ok_or(Trouble::Driver(sqlx::Error::PoolClosed)),
            Lane::Pool(lent) => Ok(lent),
        }
    }

    /// Keeps it for the next call.
    pub(super) fn keep(self) {
        match self {
            Lane::File {
                mut slot,
                connection,
            } => {
                if !connection.is_in_transaction() {
                    *slot = Some(connection);
                }
            }
            Lane::LookedAt { mut slot, looking } => {
                if !looking.connection.is_in_transaction() {
                    *slot = Some(looking);
                }
            }
            Lane::Memory(_) => {}
            Lane::Pool(lent) => lent.give_back(),
        }
    }

    /// Whether what was read may be half of one state and half of another.
    pub(super) fn is_outdated(&self) -> bool {
        matches!(self, Lane::LookedAt { looking, .. } if looking.is_outdated())
    }

    /// Keeps it after a call that found others in its way, as soon as what the call had begun is
    /// undone.
    pub(super) async fn keep_undone(mut self) {
        let undone = match self.connection() {
            Ok(connection) => connection.ping().await.is_ok(),
            Err(_) => false,
        };
        match undone {
            true => self.keep(),
            false => self.discard().await,
        }
    }

    /// Closes it, where that is not the data's end.
    pub(super) async fn discard(self) {
        match self {
            Lane::File { .. } | Lane::LookedAt { .. } => {}
            Lane::Memory(mut slot) => {
                if let Some(connection) = slot.as_mut() {
                    mend(connection).await;
                }
            }
            Lane::Pool(lent) => discard(lent).await,
        }
    }
}

/// Closes it, where that is not the data's end.
pub(super) async fn discard(mut lent: Lent<Sqlite>) {
    if lent.is_all_there_is() {
        mend(&mut lent).await;
        lent.give_back();
    }
}

/// Takes a connection out of whatever transaction it is in, and the driver's count of them back to
/// none. If that fails, whoever has it next finds it as it is.
async fn mend(connection: &mut SqliteConnection) {
    type Count = <Sqlite as Database>::TransactionManager;
    // Fails where there is none, as it should be.
    let _ = sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await;
    let depth = Count::get_transaction_depth(connection);
    if depth == 0 {
        return;
    }
    // The count goes back with a rollback that succeeds: of a transaction as deep as it says.
    let mut levels = "BEGIN".to_owned();
    (1..depth).for_each(|level| levels.push_str(&format!("; SAVEPOINT _sqlx_savepoint_{level}")));
    let begun = sqlx::raw_sql(AssertSqlSafe(levels)).execute(&mut *connection);
    if begun.await.is_ok() {
        for _ in 0..depth {
            let _ = Count::rollback(connection).await;
        }
    }
}

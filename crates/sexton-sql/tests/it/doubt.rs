//! Connections that SQLite has taken out of their transaction by itself, and disks that were full
//! for a while.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, ClaimLead, Committed, ExecutionState, HeldLock, HistoryQuery, InstanceReport, LockError,
    LockManager, OpenTransaction, Outcome, Settlement, TransactionEnd, TransactionSlot, Verdict,
};
use sexton_sql::sqlite::{SqliteLockManager, SqliteOptions};
use sexton_sql::{OpenTx, Tx};
use sexton_testkit::fixtures::{claim, grant, instance};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Connection, Sqlite, SqlitePool};
use tempfile::TempDir;
use tokio::time::Instant;

/// How soon everything is back, at the latest.
const BACK_WITHIN: Duration = Duration::from_secs(5);

async fn pool_at(path: &Path, connections: u32) -> SqlitePool {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let options = options.journal_mode(sqlx::sqlite::SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(connections);
    pool.connect_with(options).await.unwrap()
}

async fn claimed(manager: &dyn LockManager, claim: Claim) -> Result<Verdict, LockError> {
    let answer = manager
        .claim(ClaimLead::default(), &[claim])
        .await?
        .whole()?;
    Ok(answer.value.into_iter().next().unwrap())
}

/// Another instance is there, with a version of some length.
async fn reported(manager: &dyn LockManager, number: i64) -> Result<(), LockError> {
    let report = InstanceReport {
        instance: instance(&format!("instance-{number}")),
        incarnation: sexton_core::name::Incarnation::from_u128(1),
        started_at: SystemClock.now(),
        version: "1".repeat(500),
        clock_offset: None,
        running: 0,
        presence: Duration::from_secs(60),
    };
    manager.heartbeat(&report).await.map(drop)
}

/// Claims and reports until both fail: one of them undoes its statement, the other its transaction.
async fn until_it_fails(manager: &dyn LockManager, tick: &mut i64) {
    let mut failed = [false; 2];
    for _ in 0..100_000 {
        *tick += 1;
        let claimed = claimed(manager, claim("digest", *tick, "one")).await;
        for (failed, done) in failed
            .iter_mut()
            .zip([claimed.map(drop), reported(manager, *tick).await])
        {
            if let Err(error) = done {
                assert!(error.is_transient(), "{error:?}");
                *failed = true;
            }
        }
        if failed == [true; 2] {
            return;
        }
    }
    panic!("there is room without end");
}

/// Every call goes on, on each connection there is.
async fn is_back(manager: &SqliteLockManager, tick: &mut i64) {
    let began = Instant::now();
    loop {
        *tick += 1;
        match claimed(manager, claim("digest", *tick, "one")).await {
            Ok(verdict) => {
                grant(&verdict);
                break;
            }
            Err(error) if began.elapsed() < BACK_WITHIN => {
                assert!(error.is_transient(), "{error:?}");
            }
            Err(error) => panic!("not back within {BACK_WITHIN:?}: {error:?}"),
        }
    }
    for _ in 0..8 {
        *tick += 1;
        grant(
            &claimed(manager, claim("digest", *tick, "one"))
                .await
                .unwrap(),
        );
        manager.history(&HistoryQuery::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_whose_database_may_not_grow_for_a_while_is_back_when_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let pages_max = Arc::new(AtomicU32::new(1_000_000));
    let of_pool = Arc::clone(&pages_max);
    let options = SqliteConnectOptions::new().filename(&path);
    let pool = SqlitePoolOptions::new()
        .max_connections(1)
        // A limit of the connection's, which a new one has as well.
        .after_connect(move |connection, _| {
            let pages_max = of_pool.load(Ordering::Relaxed);
            let limit = format!("PRAGMA max_page_count = {pages_max}");
            Box::pin(async move {
                let limit = sqlx::raw_sql(AssertSqlSafe(limit));
                limit.execute(connection).await.map(drop)
            })
        })
        .connect_with(options.create_if_missing(true))
        .await
        .unwrap();
    let manager = SqliteLockManager::with_pool(pool.clone()).await.unwrap();
    let mut tick = 0;
    grant(
        &claimed(&manager, claim("digest", tick, "one"))
            .await
            .unwrap(),
    );
    // It is no less than it is large, and so as large as it may be.
    pages_max.store(1, Ordering::Relaxed);
    let shrink = sqlx::raw_sql("PRAGMA max_page_count = 1");
    shrink.execute(&pool).await.unwrap();
    until_it_fails(&manager, &mut tick).await;
    pages_max.store(1_000_000, Ordering::Relaxed);
    let grow = sqlx::raw_sql("PRAGMA max_page_count = 1000000");
    grow.execute(&pool).await.unwrap();
    is_back(&manager, &mut tick).await;
    let begun = pool.begin_with("BEGIN IMMEDIATE").await;
    begun.unwrap().rollback().await.unwrap();
}

/// A disk of two megabytes.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> SmallDisk {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
        assert!(
            mount.arg(folder.path()).status().unwrap().success(),
            "a disk of the test's own takes the right to mount one"
        );
        SmallDisk(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a connection's thread may still have its file open.
        let unmounted = Command::new("umount").arg("-l").arg(self.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_on_a_disk_that_was_full_is_back_when_it_has_room() {
    for lent in [true, false] {
        let disk = SmallDisk::mount();
        let path = disk.path().join("sexton.db");
        let manager = match lent {
            true => SqliteLockManager::with_pool(pool_at(&path, 2).await).await,
            false => SqliteLockManager::open(&path).await,
        };
        let manager = manager.unwrap();
        let mut tick = 0;
        for _ in 0..2 {
            let ballast = disk.path().join("ballast");
            let left = vec![0_u8; 4 * 1024 * 1024];
            assert!(std::fs::write(&ballast, left).is_err(), "it takes no more");
            until_it_fails(&manager, &mut tick).await;
            std::fs::remove_file(&ballast).unwrap();
            is_back(&manager, &mut tick).await;
        }
        manager.close().await.unwrap();
    }
}

/// What takes a handler's transaction away from under it.
const ENDS: [&str; 4] = [
    "INSERT OR ROLLBACK INTO entries VALUES ('once')",
    "INSERT INTO entries VALUES ('forbidden')",
    "COMMIT",
    "ROLLBACK",
];
const TABLES: &str = "\
    CREATE TABLE entries (what TEXT NOT NULL PRIMARY KEY); \
    INSERT INTO entries VALUES ('once'); \
    CREATE TRIGGER forbids BEFORE INSERT ON entries WHEN NEW.what = 'forbidden' \
        BEGIN SELECT RAISE(ROLLBACK, 'no'); END";
const COUNT: &str = "SELECT count(*) FROM entries WHERE what LIKE 'by %'";

struct Application {
    pool: SqlitePool,
    manager: SqliteLockManager,
    _folder: TempDir,
}

impl Application {
    async fn open() -> Application {
        let folder = tempfile::tempdir().unwrap();
        let pool = pool_at(&folder.path().join("app.db"), 1).await;
        Application::with(pool, folder).await
    }

    async fn with(pool: SqlitePool, folder: TempDir) -> Application {
        sqlx::raw_sql(TABLES).execute(&pool).await.unwrap();
        let options = SqliteOptions::new().wait_max(Duration::from_secs(2));
        let manager = options.with_pool(pool.clone()).await.unwrap();
        Application {
            pool,
            manager,
            _folder: folder,
        }
    }

    fn slot(&self) -> TransactionSlot {
        TransactionSlot::new(Arc::new(self.manager.clone()))
    }

    async fn begin(&self, slot: &TransactionSlot) -> OpenTx<Sqlite> {
        Tx::<Sqlite>::of(slot.clone())
            .unwrap()
            .begin()
            .await
            .unwrap()
    }

    /// A handler that has written, was taken its transaction away, and may have written on.
    async fn ended_by(&self, end: &'static str, goes_on: bool) -> Box<dyn OpenTransaction> {
        let slot = self.slot();
        let mut tx = self.begin(&slot).await;
        write(&mut tx, "by the handler").await;
        let ended = sqlx::raw_sql(end).execute(&mut *tx).await;
        assert_eq!(ended.is_err(), end.starts_with("INSERT"), "{end}");
        if goes_on {
            write(&mut tx, "by the handler, later").await;
        }
        drop(tx);
        match slot.close() {
            TransactionEnd::Transaction(transaction) => transaction,
            other => panic!("{other:?}"),
        }
    }

    /// It, its manager and its handlers can write.
    async fn is_whole(&self, end: &str, tick: i64) {
        let begun = self.pool.begin_with("BEGIN IMMEDIATE").await;
        let begun = begun.unwrap_or_else(|error| panic!("{end}: {error}"));
        begun.rollback().await.unwrap();
        let verdict = claimed(&self.manager, claim("other", tick, "one")).await;
        grant(&verdict.unwrap_or_else(|error| panic!("{end}: {error}")));
        let slot = self.slot();
        drop(self.begin(&slot).await);
        let TransactionEnd::Transaction(transaction) = slot.close() else {
            panic!("none was handed over");
        };
        transaction.roll_back().await.unwrap();
    }
}

async fn write(connection: &mut sqlx::SqliteConnection, what: &str) {
    let write = sqlx::query("INSERT INTO entries VALUES ($1)");
    write
        .bind(what.to_owned())
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handlers_transaction_that_ended_by_itself_is_undone_and_its_connection_closed() {
    for (tick, end) in (0..).zip(ENDS) {
        let application = Application::open().await;
        let transaction = application.ended_by(end, false).await;
        // It is the handler's failure, and not the store's.
        transaction.roll_back().await.unwrap();
        application.is_whole(end, tick).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_after_the_transaction_has_ended_does_not_settle_the_run() {
    for end in ENDS {
        let application = Application::open().await;
        let manager = &application.manager;
        let ours = claim("interest", 0, "one");
        let verdict = claimed(manager, ours.clone()).await.unwrap();
        let lock = HeldLock {
            execution: ours.execution.clone(),
            claim_id: ours.claim_id,
            fence: grant(&verdict).fence,
        };
        let transaction = application.ended_by(end, true).await;
        let now = SystemClock.now();
        let settlement = Settlement::new(lock, Outcome::Succeeded, now, now);
        let committed = transaction.settle_and_commit(&settlement).await;
        let Committed::RolledBack(error @ LockError::Refused { .. }) = committed else {
            panic!("{end}: {committed:?}");
        };
        let told = error.to_string();
        assert!(told.contains("ended before its handler did"), "{told}");
        let history = manager.history(&HistoryQuery::default()).await.unwrap();
        assert_eq!(history.value[0].state, ExecutionState::Running, "{end}");
        application.is_whole(end, 0).await;
    }
}

/// What is dropped may be in the middle of anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_or_a_begin_that_is_dropped_leaves_no_transaction_in_the_pool() {
    let application = Application::open().await;
    for round in 0..200 {
        let moment = Duration::from_micros(u64::try_from(round).unwrap() * 5);
        let call = claimed(&application.manager, claim("digest", round, "one"));
        drop(tokio::time::timeout(moment, call).await);
        let slot = application.slot();
        let begin = Tx::<Sqlite>::of(slot.clone()).unwrap().begin();
        drop(tokio::time::timeout(moment, begin).await);
        // It has what was begun and let go.
        drop(slot);
        application.is_whole("a drop", round).await;
    }
}

/// As an application leaves one that begins by a statement, and forgets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_left_in_a_transaction_is_not_decided_on() {
    let application = Application::open().await;
    let (pool, manager) = (&application.pool, &application.manager);
    let path = pool.connect_options().get_filename().to_owned();
    for (tick, begin) in (0..).zip(["BEGIN", "BEGIN IMMEDIATE"]) {
        let left = sqlx::raw_sql(begin);
        left.execute(&mut *pool.acquire().await.unwrap())
            .await
            .unwrap();
        let verdict = claimed(manager, claim("digest", tick, "one")).await;
        grant(&verdict.unwrap());
        // It is there for everybody, and not only for that connection.
        let other = SqliteConnectOptions::new().filename(&path);
        let mut other = sqlx::SqliteConnection::connect_with(&other).await.unwrap();
        let granted = "SELECT count(*) FROM sexton_executions WHERE task = 'digest'";
        let granted: i64 = sqlx::query_scalar(granted)
            .fetch_one(&mut other)
            .await
            .unwrap();
        assert_eq!(granted, tick + 1, "{begin}");
    }
}

/// With a connection in memory its data would go.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_in_memory_is_mended_and_not_closed() {
    let pool = SqlitePoolOptions::new().max_connections(1);
    let pool = pool.connect("sqlite::memory:").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let application = Application::with(pool, folder).await;
    for (tick, end) in (0..).zip(ENDS) {
        let transaction = application.ended_by(end, false).await;
        transaction.roll_back().await.unwrap();
        application.is_whole(end, tick).await;
        let counting = sqlx::query_scalar(COUNT).fetch_one(&application.pool);
        let entries: i64 = counting.await.unwrap();
        assert_eq!(entries, i64::from(end == "COMMIT"), "{end}");
        let clear = sqlx::raw_sql("DELETE FROM entries WHERE what LIKE 'by %'");
        clear.execute(&application.pool).await.unwrap();
    }
}

//! Transactional delivery on SQLite: what a handler wrote is there if its run succeeded, and not
//! otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use sexton::clock::{Clock, SystemClock};
use sexton::lock::{ExecutionState, HistoryQuery, LockManager, Outcome};
use sexton::policy::Retry;
use sexton::schedule::Once;
use sexton::sqlite::SqliteOptions;
use sexton::{
    BuildError, Completion, MemoryLockManager, MissingArgument, OpenTx, ReadyTask, Run, Scheduler,
    SqliteLockManager, State, Task, TaskProblem, Tx,
};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqlitePool};
use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::ended::{record_of, record_seen_by};

type Error = Box<dyn std::error::Error + Send + Sync>;

struct Database {
    pool: SqlitePool,
    manager: SqliteLockManager,
    _folder: TempDir,
}

impl Database {
    async fn open() -> Database {
        Database::with(10).await
    }

    async fn with(connections: u32) -> Database {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("app.db"))
            .create_if_missing(true)
            .busy_timeout(Duration::from_millis(50));
        let pool = SqlitePoolOptions::new().max_connections(connections);
        let pool = pool.connect_with(options).await.unwrap();
        let table = "CREATE TABLE entries (what TEXT NOT NULL)";
        sqlx::query(table).execute(&pool).await.unwrap();
        let options = SqliteOptions::new().wait_max(Duration::from_millis(500));
        let manager = options.with_pool(pool.clone()).await.unwrap();
        Database {
            pool,
            manager,
            _folder: folder,
        }
    }

    async fn entries(&self) -> i64 {
        let counting = sqlx::query_scalar("SELECT count(*) FROM entries");
        counting.fetch_one(&self.pool).await.unwrap()
    }

    /// Runs it once and says how its only execution ended.
    async fn outcome_of(&self, task: ReadyTask) -> (Outcome, Option<String>) {
        let record = record_of(self.manager.clone(), task).await;
        match record.state {
            ExecutionState::Ended(outcome) => (outcome, record.error),
            other => panic!("it was not run: {other}"),
        }
    }
}

fn soon() -> Task<Once> {
    let due = SystemClock.now() + SignedDuration::from_millis(300);
    Task::new("t").once(due).transactional(3)
}

async fn enter(tx: Tx<Sqlite>) -> Result<OpenTx<Sqlite>, Error> {
    let mut tx = tx.begin().await?;
    sqlx::query("INSERT INTO entries VALUES ('x')")
        .execute(&mut *tx)
        .await?;
    Ok(tx)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_wrote_is_there_when_it_has_succeeded() {
    let database = Database::open().await;
    let task = soon().run(async |tx: Tx<Sqlite>| -> Result<Completion, Error> {
        enter(tx).await?;
        Ok(Completion::succeeded().with_output("entered"))
    });
    let (outcome, _) = database.outcome_of(task).await;
    assert_eq!((outcome, database.entries().await), (Outcome::Succeeded, 1));
    let history = database
        .manager
        .history(&HistoryQuery::default())
        .await
        .unwrap();
    assert_eq!(history.value[0].output.as_deref(), Some("entered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_wrote_is_gone_when_it_has_failed_panicked_or_timed_out() {
    async fn fail(tx: Tx<Sqlite>) -> Result<(), Error> {
        let _tx = enter(tx).await?;
        Err("no".into())
    }
    async fn panic(tx: Tx<Sqlite>) -> Result<(), Error> {
        let _tx = enter(tx).await?;
        panic!("no");
    }
    async fn hang(tx: Tx<Sqlite>) -> Result<(), Error> {
        let _tx = enter(tx).await?;
        std::future::pending().await
    }
    type Complete = fn(Task<Once>) -> ReadyTask;
    let cases: [(Complete, Outcome); 3] = [
        (|task| task.run(fail), Outcome::Failed),
        (|task| task.run(panic), Outcome::Panicked),
        (
            |task| task.timeout(Duration::from_millis(200)).run(hang),
            Outcome::TimedOut,
        ),
    ];
    for (complete, expected) in cases {
        let database = Database::open().await;
        let (outcome, error) = database.outcome_of(complete(soon())).await;
        assert_eq!(outcome, expected, "{error:?}");
        assert_eq!(database.entries().await, 0, "{expected:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_retry_has_a_transaction_of_its_own() {
    let database = Database::open().await;
    let tries = Arc::new(AtomicU32::new(0));
    let of_handler = Arc::clone(&tries);
    let retry = Retry::times(5).unwrap();
    let retry = retry.backoff(Duration::from_millis(10), Duration::from_millis(10));
    let task = soon().retry(retry).run(move |tx: Tx<Sqlite>| {
        let tries = Arc::clone(&of_handler);
        async move {
            enter(tx).await?;
            match tries.fetch_add(1, Ordering::Relaxed) {
                2 => Ok::<(), Error>(()),
                _ => Err("not yet".into()),
            }
        }
    });
    let (outcome, _) = database.outcome_of(task).await;
    assert_eq!(
        (outcome, tries.load(Ordering::Relaxed)),
        (Outcome::Succeeded, 3)
    );
    assert_eq!(database.entries().await, 1);
}

/// The handler finds the database locked, for longer than its manager waits, twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_transaction_cannot_begin_is_tried_again_without_spending_an_attempt() {
    let database = Database::open().await;
    let (pool, tries) = (database.pool.clone(), Arc::new(AtomicU32::new(0)));
    let handler = move |tx: Tx<Sqlite>| {
        let (pool, before) = (pool.clone(), tries.fetch_add(1, Ordering::Relaxed));
        async move {
            let intruder = match before {
                0 | 1 => Some(pool.begin_with("BEGIN IMMEDIATE").await?),
                _ => None,
            };
            let entered = enter(tx).await;
            drop(intruder);
            assert_eq!(entered.is_err(), before < 2);
            entered.map(drop)
        }
    };
    let task = soon().lease(Duration::from_secs(10)).run(handler);
    let record = record_of(database.manager.clone(), task).await;
    let error = &record.error;
    assert_eq!(
        record.state,
        ExecutionState::Ended(Outcome::Succeeded),
        "{error:?}"
    );
    assert_eq!(record.attempt.map(sexton::Attempt::get), Some(1));
    assert_eq!(database.entries().await, 1);
}

/// The database stays locked for longer than the lease: another instance may have more luck.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_transaction_never_begins_is_given_back_without_spending_an_attempt() {
    let database = Database::open().await;
    let (pool, tries) = (database.pool.clone(), Arc::new(AtomicU32::new(0)));
    let of_handler = Arc::clone(&tries);
    let handler = move |run: Run, tx: Tx<Sqlite>| {
        let (pool, tries) = (pool.clone(), Arc::clone(&of_handler));
        async move {
            tries.fetch_add(1, Ordering::Relaxed);
            // Under its first fence none can begin.
            let intruder = match run.fence().get() {
                1 => Some(pool.begin_with("BEGIN IMMEDIATE").await?),
                _ => None,
            };
            let entered = enter(tx).await;
            drop(intruder);
            entered.map(drop)
        }
    };
    let task = soon().lease(Duration::from_secs(2)).run(handler);
    let record = record_of(database.manager.clone(), task).await;
    let error = &record.error;
    assert_eq!(
        record.state,
        ExecutionState::Ended(Outcome::Succeeded),
        "{error:?}"
    );
    assert!(record.fence.get() > 1, "it was granted again");
    assert_eq!(record.attempt.map(sexton::Attempt::get), Some(1));
    assert!(tries.load(Ordering::Relaxed) > 2);
}

/// Sixty missed ticks of three tasks, on a database that has one transaction at a time.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_caught_up_with_begins_no_more_runs_than_transactions() {
    let database = Database::open().await;
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let task = |name: &str| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        let handler = move |run: Run, tx: Tx<Sqlite>| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            async move {
                let age = SystemClock.now().duration_since(run.tick().timestamp());
                let is_caught_up = age > SignedDuration::from_millis(1_500);
                let running = u32::from(is_caught_up);
                let running = now.fetch_add(running, Ordering::SeqCst) + running;
                most.fetch_max(running, Ordering::SeqCst);
                let entered = enter(tx).await;
                tokio::time::sleep(Duration::from_millis(20)).await;
                now.fetch_sub(u32::from(is_caught_up), Ordering::SeqCst);
                entered.map(drop)
            }
        };
        let missed = sexton::policy::Missed::All {
            window: Duration::from_secs(600),
        };
        let task = Task::new(name).every(Duration::from_millis(200)).unwrap();
        task.missed(missed).transactional(3).run(handler)
    };
    let start = || {
        let tasks = ["one", "two", "three"].map(task);
        let builder = Scheduler::builder().manager(database.manager.clone());
        builder.tasks(tasks).retention(None).start()
    };
    let first = start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    first.shutdown(Duration::from_secs(5)).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let back = start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(6)).await;
    back.shutdown(Duration::from_secs(10)).await;
    let query = HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let records = database.manager.history(&query).await.unwrap().value;
    let over: Vec<_> = records.iter().filter(|one| one.state.is_over()).collect();
    assert!(over.len() > 100, "{} executions", over.len());
    for record in over {
        let succeeded = ExecutionState::Ended(Outcome::Succeeded);
        assert_eq!(record.state, succeeded, "{record:?}");
        assert_eq!(
            record.attempt.map(sexton::Attempt::get),
            Some(1),
            "{record:?}"
        );
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_the_database_refuses_is_a_failure_of_the_run() {
    let database = Database::open().await;
    for statement in [
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE children (parent INTEGER REFERENCES parents DEFERRABLE INITIALLY DEFERRED)",
    ] {
        sqlx::query(statement)
            .execute(&database.pool)
            .await
            .unwrap();
    }
    let task = soon().run(async |tx: Tx<Sqlite>| -> Result<(), Error> {
        let mut tx = enter(tx).await?;
        // Checked when it commits.
        sqlx::query("INSERT INTO children VALUES (1)")
            .execute(&mut *tx)
            .await?;
        Ok(())
    });
    let (outcome, error) = database.outcome_of(task).await;
    assert_eq!(outcome, Outcome::Failed);
    assert!(error.unwrap().contains("FOREIGN KEY"));
    assert_eq!(database.entries().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_leaves_its_transaction_elsewhere_fails_and_what_it_wrote_is_gone() {
    let database = Database::open().await;
    let (keep, mut kept) = unbounded_channel();
    let (again, mut asked_again) = unbounded_channel();
    type Kept = UnboundedSender<OpenTx<Sqlite>>;
    let handler = move |tx: Tx<Sqlite>, second: Tx<Sqlite>| {
        let (keep, again): (Kept, _) = (keep.clone(), again.clone());
        async move {
            let tx = enter(tx).await?;
            // A run has one.
            again.send(second.begin().await.unwrap_err().to_string())?;
            keep.send(tx).map_err(|_| "nobody listens")?;
            Ok::<(), Error>(())
        }
    };
    let task = soon().run(handler);
    let waiting = database.outcome_of(task);
    let undoing = async {
        let tx = kept.recv().await.unwrap();
        // The handler has ended by now, or will find it given back too late to matter.
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(tx);
    };
    let ((outcome, error), ()) = tokio::join!(waiting, undoing);
    assert_eq!(outcome, Outcome::Failed);
    assert!(error.unwrap().contains("still held its transaction"));
    assert!(asked_again.recv().await.unwrap().contains("begun already"));
    assert_eq!(database.entries().await, 0);
}

#[tokio::test]
async fn what_cannot_be_transactional_is_told_when_the_scheduler_is_built() {
    async fn takes_it(_tx: Tx<Sqlite>) {}
    async fn takes_none(_run: Run, State(()): State<()>) {}
    let problem = async |manager: Arc<dyn LockManager>, task: ReadyTask| {
        let builder = Scheduler::builder()
            .shared_manager("default", manager)
            .state(())
            .task(task);
        match builder.start().await.unwrap_err() {
            BuildError::Tasks(errors) => errors.into_iter().next().unwrap().problem,
            other => panic!("it is the task's fault: {other}"),
        }
    };
    let database = Database::open().await;
    let sqlite: Arc<dyn LockManager> = Arc::new(database.manager.clone());
    let found = problem(Arc::clone(&sqlite), soon().run(takes_none)).await;
    assert!(matches!(found, TaskProblem::NoTransaction), "{found:?}");
    let plain = Task::new("t").once(SystemClock.now()).at_least_once(3);
    let found = problem(Arc::clone(&sqlite), plain.run(takes_it)).await;
    let expected = MissingArgument::NotTransactional;
    assert!(
        matches!(&found, TaskProblem::Argument(missing) if *missing == expected),
        "{found:?}"
    );
    let memory: Arc<dyn LockManager> = Arc::new(MemoryLockManager::new());
    let found = problem(memory, soon().run(takes_it)).await;
    assert!(
        matches!(found, TaskProblem::Unsupported { .. }),
        "{found:?}"
    );
    // A file of Sexton's own has no tables of an application's.
    let folder = tempfile::tempdir().unwrap();
    let own = SqliteLockManager::open(folder.path().join("own.db"))
        .await
        .unwrap();
    let found = problem(Arc::new(own), soon().run(takes_it)).await;
    assert!(
        matches!(found, TaskProblem::Unsupported { .. }),
        "{found:?}"
    );
    #[cfg(feature = "postgres")]
    {
        async fn takes_another(_tx: Tx<sqlx::Postgres>) {}
        let found = problem(sqlite, soon().run(takes_another)).await;
        let told = "the handler takes Tx<PostgreSQL>, but the task's locks are kept in SQLite";
        assert_eq!(found.to_string(), told);
    }
}

/// What SQLite does by itself, or the handler by a statement of its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_after_its_transaction_was_rolled_back_has_failed_as_it_says() {
    for statement in [
        "INSERT OR ROLLBACK INTO once VALUES (1)",
        "INSERT INTO forbidden VALUES (1)",
        "ROLLBACK",
        "COMMIT",
    ] {
        let database = Database::open().await;
        let tables = "CREATE TABLE once (id INTEGER PRIMARY KEY); INSERT INTO once VALUES (1); \
            CREATE TABLE forbidden (id INTEGER); CREATE TRIGGER forbids BEFORE INSERT ON forbidden \
            BEGIN SELECT RAISE(ROLLBACK, 'no'); END";
        sqlx::raw_sql(tables).execute(&database.pool).await.unwrap();
        let tries = Arc::new(AtomicU32::new(0));
        let of_handler = Arc::clone(&tries);
        let handler = move |tx: Tx<Sqlite>| {
            of_handler.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut tx = enter(tx).await?;
                sqlx::raw_sql(statement).execute(&mut *tx).await?;
                Err::<(), Error>("as it says".into())
            }
        };
        let lease = Duration::from_millis(500);
        let (outcome, error) = database.outcome_of(soon().lease(lease).run(handler)).await;
        assert_eq!(outcome, Outcome::Failed, "{statement}: {error:?}");
        assert_eq!(tries.load(Ordering::Relaxed), 1, "{statement}");
        // Each connection of the application's can still begin one.
        for _ in 0..12 {
            let begun = database.pool.begin_with("BEGIN IMMEDIATE").await;
            begun.unwrap().rollback().await.unwrap();
        }
    }
}

/// While it has the write lock nobody can be granted anything, its own renewals wait, and those of
/// others.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_takes_longer_than_its_lease_commits() {
    for connections in [1, 4] {
        let database = Database::with(connections).await;
        let handler = async |run: Run, tx: Tx<Sqlite>| {
            let tx = enter(tx).await?;
            let work = tokio::time::sleep(Duration::from_millis(4_500));
            tokio::select! {
                () = run.cancellation().cancelled() => return Err("cancelled".into()),
                () = work => {}
            }
            drop(tx);
            Ok::<(), Error>(())
        };
        let task = soon().lease(Duration::from_millis(1_500)).run(handler);
        // By a pool of its own: the one connection may be the handler's.
        let options = database.pool.connect_options().as_ref().clone();
        let pool = SqlitePoolOptions::new().connect_with(options);
        let observer = SqliteLockManager::with_pool(pool.await.unwrap()).await;
        let manager = database.manager.clone();
        let record = record_seen_by(&observer.unwrap(), manager, task).await;
        let ended = ExecutionState::Ended(Outcome::Succeeded);
        assert_eq!(record.state, ended, "{:?}", record.error);
        assert_eq!(record.attempt.map(sexton::Attempt::get), Some(1));
        assert_eq!(database.entries().await, 1);
    }
}

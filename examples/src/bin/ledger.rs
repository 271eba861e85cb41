//! Exactly once: what a run writes and how it ended commit together, so that each tick is in the ledger once however often replicas are
//! killed.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin ledger
//! ticks 20, entries 20
//! ```
//!
//! With a database's URL, the end of the ticks in ms since 1970, and a number for chance, it is one replica of a fleet that
//! crashes now and then in the middle of a run: the tests start many, and kill them besides.

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use sexton::clock::{Clock, SystemClock};
use sexton::policy::Missed;
use sexton::{
    MySqlLockManager, PostgresLockManager, ReadyTask, Run, Scheduler, SqliteLockManager, State,
    Task, Tx,
};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{MySql, Postgres, Sqlite};

type BoxError = Box<dyn Error + Send + Sync>;

const TASKS: usize = 10;
const TABLE: &str = "CREATE TABLE IF NOT EXISTS ledger (task TEXT NOT NULL, tick BIGINT NOT NULL)";
// Nothing but the transaction keeps a tick from being entered twice.
const ENTER: &str = "INSERT INTO ledger (task, tick) VALUES ($1, $2)";

/// When to crash: never, or one time in a hundred.
#[derive(Clone)]
struct Chance(Option<Arc<AtomicU64>>);

impl Chance {
    fn crash_perhaps(&self) {
        let Some(state) = &self.0 else { return };
        let number = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (number ^ (number >> 31)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if (mixed >> 33) % 100 == 0 {
            std::process::abort();
        }
    }
}

async fn enter_postgres(
    run: Run,
    tx: Tx<Postgres>,
    State(chance): State<Chance>,
) -> Result<(), BoxError> {
    let mut tx = tx.begin().await?;
    chance.crash_perhaps();
    let entry = sqlx::query(ENTER).bind(run.task().as_str().to_owned());
    entry.bind(run.tick().as_millis()).execute(&mut *tx).await?;
    chance.crash_perhaps();
    Ok(())
}

async fn enter_mysql(
    run: Run,
    tx: Tx<MySql>,
    State(chance): State<Chance>,
) -> Result<(), BoxError> {
    let mut tx = tx.begin().await?;
    chance.crash_perhaps();
    let entry = sqlx::query("INSERT INTO ledger (task, tick) VALUES (?, ?)");
    let entry = entry.bind(run.task().as_str().to_owned());
    entry.bind(run.tick().as_millis()).execute(&mut *tx).await?;
    chance.crash_perhaps();
    Ok(())
}

async fn enter_sqlite(
    run: Run,
    tx: Tx<Sqlite>,
    State(chance): State<Chance>,
) -> Result<(), BoxError> {
    let mut tx = tx.begin().await?;
    chance.crash_perhaps();
    let entry = sqlx::query(ENTER).bind(run.task().as_str().to_owned());
    entry.bind(run.tick().as_millis()).execute(&mut *tx).await?;
    chance.crash_perhaps();
    Ok(())
}

/// Due ten times a second from `begin` to `end`; whatever was missed is caught up with.
fn task<M: 'static>(
    number: usize,
    begin: Timestamp,
    end: Timestamp,
    enter: impl sexton::Handler<M>,
) -> Result<ReadyTask, BoxError> {
    let window = Duration::from_secs(600);
    let task = Task::new(format!("entry {number}"))
        .every(Duration::from_millis(100))?
        .starting(begin)
        .ending(end)
        .missed(Missed::All { window })
        .transactional(1_000)
        .lease(Duration::from_millis(500));
    Ok(task.run(enter))
}

async fn replica(
    url: &str,
    begin: Timestamp,
    end: Timestamp,
    chance: Chance,
) -> Result<Scheduler, BoxError> {
    let builder = Scheduler::builder()
        .state(chance)
        .heartbeat(Duration::from_millis(300));
    let builder = if url.starts_with("sqlite:") {
        let options = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().connect_with(options).await?;
        sqlx::query(TABLE).execute(&pool).await?;
        let tasks = (0..TASKS).map(|number| task(number, begin, end, enter_sqlite));
        let manager = SqliteLockManager::with_pool(pool).await?;
        builder
            .manager(manager)
            .tasks(tasks.collect::<Result<Vec<_>, _>>()?)
    } else if url.starts_with("mysql:") {
        let pool = MySqlPoolOptions::new();
        let pool = pool.max_connections(8).connect(url).await?;
        let tasks = (0..TASKS).map(|number| task(number, begin, end, enter_mysql));
        let manager = MySqlLockManager::with_pool(pool).await?;
        builder
            .manager(manager)
            .tasks(tasks.collect::<Result<Vec<_>, _>>()?)
    } else {
        let pool = PgPoolOptions::new().max_connections(8).connect(url).await?;
        let tasks = (0..TASKS).map(|number| task(number, begin, end, enter_postgres));
        let manager = PostgresLockManager::with_pool(pool).await?;
        builder
            .manager(manager)
            .tasks(tasks.collect::<Result<Vec<_>, _>>()?)
    };
    Ok(builder.start().await?)
}

async fn show() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let second = Duration::from_secs(1);
    let begin = Timestamp::from_second((SystemClock.now() + second).as_second())?;
    let end = begin + Duration::from_millis(200);
    let first = replica(&url, begin, end, Chance(None)).await?;
    let second_one = replica(&url, begin, end, Chance(None)).await?;
    let pool = sqlx::SqlitePool::connect(&url).await?;
    let ticks = i64::try_from(TASKS * 2)?;
    let count = async || -> Result<i64, sqlx::Error> {
        let counting = sqlx::query_scalar("SELECT count(*) FROM ledger");
        counting.fetch_one(&pool).await
    };
    while count().await? < ticks {
        tokio::time::sleep(second / 10).await;
    }
    // Whoever would enter one twice has the time to.
    tokio::time::sleep(second).await;
    println!("ticks {ticks}, entries {}", count().await?);
    first.shutdown(second).await;
    second_one.shutdown(second).await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, end, chance] = arguments.as_slice() else {
        return show().await;
    };
    let end = Timestamp::from_millisecond(end.parse()?)?;
    let chance = Chance(Some(Arc::new(AtomicU64::new(chance.parse()?))));
    let scheduler = replica(url, Timestamp::UNIX_EPOCH, end, chance).await?;
    scheduler.shutdown_signal().await;
    Ok(())
}

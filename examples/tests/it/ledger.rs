//! Exactly once, by processes that crash in the middle of runs and are killed at random: each tick is in the ledger once.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use sexton::clock::{Clock, SystemClock};

use crate::servers::{mariadb, postgres};

const REPLICAS: usize = 4;
const TASKS: i64 = 10;
/// Ten ticks a second and task.
const SECONDS: i64 = 21;
const LIMIT: Duration = Duration::from_secs(300);

/// Numbers that look random and are the same for the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 32) % limit
    }
}

struct Replica(Child);

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(url: &str, begin: Timestamp, end: Timestamp, chance: &mut Chance) -> Replica {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ledger"));
    let millis = |time: Timestamp| time.as_millisecond().to_string();
    command.args([
        url,
        &millis(begin),
        &millis(end),
        &chance.below(1 << 32).to_string(),
    ]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    Replica(child.unwrap())
}

/// Runs a fleet that is killed and started again all the time, until `entered` says that all is entered.
async fn entered_by_a_fleet_that_is_killed(
    url: &str,
    seed: u64,
    entered: impl AsyncFn() -> i64,
) -> (Timestamp, Timestamp) {
    println!("seed {seed}");
    let mut chance = Chance(seed);
    let begin = Timestamp::from_second(SystemClock.now().as_second() + 2).unwrap();
    let end = begin + Duration::from_secs(SECONDS.unsigned_abs());
    let expected = TASKS * SECONDS * 10;
    // The first makes the tables.
    let mut fleet = Vec::new();
    for _ in 0..REPLICAS {
        fleet.push(start(url, begin, end, &mut chance));
    }
    let (mut kills, mut crashes) = (0, 0);
    let until = SystemClock.monotonic() + LIMIT;
    while entered().await < expected {
        assert!(
            SystemClock.monotonic() < until,
            "not all ticks were entered"
        );
        tokio::time::sleep(Duration::from_millis(50 + chance.below(250))).await;
        for replica in &mut fleet {
            if replica.0.try_wait().unwrap().is_some() {
                crashes += 1;
                *replica = start(url, begin, end, &mut chance);
            }
        }
        // Towards the end somebody is to have the time to finish.
        if SystemClock.now() < end {
            let one = usize::try_from(chance.below(4)).unwrap();
            fleet[one].0.kill().unwrap();
            fleet[one].0.wait().unwrap();
            fleet[one] = start(url, begin, end, &mut chance);
            kills += 1;
        }
    }
    println!("{expected} executions, {kills} kills, {crashes} crashes of their own");
    assert!(kills > 20, "{kills} kills");
    // Long enough for whoever would enter one twice.
    tokio::time::sleep(Duration::from_secs(2)).await;
    (begin, end)
}

/// Each (task, tick) that was to be entered, in order.
fn expected(begin: Timestamp, end: Timestamp) -> Vec<(String, i64)> {
    let ticks = begin.as_millisecond()..end.as_millisecond();
    let of_task = |task: i64| {
        ticks
            .clone()
            .step_by(100)
            .map(move |tick| (format!("entry {task}"), tick))
    };
    (0..TASKS).flat_map(of_task).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_in_sqlites_ledger_once_however_often_replicas_are_killed() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("ledger.db").display());
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("ledger.db"));
    let pool = sqlx::SqlitePool::connect_lazy_with(options.create_if_missing(true));
    let entered = async || {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger")
            .fetch_one(&pool)
            .await;
        // Nobody has made the table yet.
        counted.unwrap_or(0)
    };
    let (begin, end) = entered_by_a_fleet_that_is_killed(&url, 0x005e_ed01, entered).await;
    let entries = "SELECT task, tick FROM ledger ORDER BY task, tick";
    let entries: Vec<(String, i64)> = sqlx::query_as(entries).fetch_all(&pool).await.unwrap();
    assert_eq!(entries, expected(begin, end));
}

/// What is slow in the server, so that kills fall into it: the settling within a transaction, and its commit.
const SLOW: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS ledger (task TEXT NOT NULL, tick BIGINT NOT NULL)",
    "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.02); RETURN NULL; END $$",
    "CREATE TRIGGER slow_entry AFTER INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION dawdle()",
    "CREATE CONSTRAINT TRIGGER slow_commit AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED \
        FOR EACH ROW EXECUTE FUNCTION dawdle()",
    "CREATE TRIGGER slow_settling AFTER INSERT OR UPDATE ON sexton_executions FOR EACH ROW \
        WHEN (NEW.state = 'succeeded') EXECUTE FUNCTION dawdle()",
    "CREATE VIEW doubtful AS SELECT task, tick FROM ledger EXCEPT \
        SELECT task, tick_ms FROM sexton_executions WHERE state = 'succeeded'",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_in_postgresqls_ledger_once_however_often_replicas_are_killed() {
    let Some(server) = postgres::Server::start() else {
        return;
    };
    let pool = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let manager = sexton::PostgresLockManager::with_pool(pool.clone())
        .await
        .unwrap();
    for statement in SLOW {
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    }
    let entered = async || {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&pool);
        counted.await.unwrap()
    };
    let (begin, end) = entered_by_a_fleet_that_is_killed(&server.url(), 0x005e_ed02, entered).await;
    let entries = "SELECT task, tick FROM ledger ORDER BY task COLLATE \"C\", tick";
    let entries: Vec<(String, i64)> = sqlx::query_as(entries).fetch_all(&pool).await.unwrap();
    assert_eq!(entries, expected(begin, end));
    let doubtful: i64 = sqlx::query_scalar("SELECT count(*) FROM doubtful")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(doubtful, 0, "entries of executions that did not succeed");
    drop(manager);
}

/// A tick may be entered by one who was killed while the server commits, and looked for by the next one meanwhile.
const SLOW_IN_MYSQL: [&str; 4] = [
    "CREATE TABLE ledger (task VARCHAR(200) NOT NULL, tick BIGINT NOT NULL) \
        CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TRIGGER slow_entry AFTER INSERT ON ledger FOR EACH ROW DO SLEEP(0.02)",
    "CREATE TRIGGER slow_settling AFTER UPDATE ON sexton_executions FOR EACH ROW \
        DO IF(NEW.state = 'succeeded', SLEEP(0.02), 0)",
    "CREATE VIEW doubtful AS SELECT l.task, l.tick FROM ledger AS l LEFT JOIN sexton_executions AS e \
        ON e.task = l.task AND e.tick_ms = l.tick AND e.state = 'succeeded' WHERE e.task IS NULL",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_in_mariadbs_ledger_once_however_often_replicas_are_killed() {
    let Some(server) = mariadb::Server::start() else {
        return;
    };
    let pool = sqlx::MySqlPool::connect(&server.url()).await.unwrap();
    let manager = sexton::MySqlLockManager::with_pool(pool.clone())
        .await
        .unwrap();
    for statement in SLOW_IN_MYSQL {
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    }
    let entered = async || {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger").fetch_one(&pool);
        counted.await.unwrap()
    };
    let (begin, end) = entered_by_a_fleet_that_is_killed(&server.url(), 0x005e_ed03, entered).await;
    let entries = "SELECT task, tick FROM ledger ORDER BY task, tick";
    let entries: Vec<(String, i64)> = sqlx::query_as(entries).fetch_all(&pool).await.unwrap();
    assert_eq!(entries, expected(begin, end));
    let doubtful: i64 = sqlx::query_scalar("SELECT count(*) FROM doubtful")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(doubtful, 0, "entries of executions that did not succeed");
    drop(manager);
}

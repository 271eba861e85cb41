//! Exactly once, by processes that crash in the middle of runs and are killed at random: each tick
//! since the tasks are known is in the ledger once.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use sexton::Tick;
use sexton::clock::{Clock, SystemClock};
use sexton::lock::{HistoryQuery, LockManager, TaskQuery};
use sexton::name::TaskName;
use sexton_testkit::{mariadb, postgres};

const REPLICAS: usize = 4;
const TASKS: usize = 10;
/// From before the first replica starts to the end of the ticks, of which a task has ten a second.
/// A slow machine has room in it: the fleet needs half of it for its kills.
const SECONDS: u64 = 25;
/// Below what `.config/nextest.toml` lets these tests take, so that they name what is missing.
const LIMIT: Duration = Duration::from_secs(450);
/// The most ticks that a failed test names.
const NAMED_MAX: usize = 20;

/// A task and one of its ticks in ms, as in the ledger.
type Entry = (String, i64);

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

/// A fleet on a database.
struct Fleet<'f> {
    url: &'f str,
    manager: &'f dyn LockManager,
    /// The end of the ticks. The same for every replica: with another one a task would have another
    /// schedule, whose ticks count only from its own definition.
    end: Timestamp,
    chance: Chance,
}

impl Fleet<'_> {
    fn start(&mut self) -> Replica {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledger"));
        command.args([
            self.url,
            &self.end.as_millisecond().to_string(),
            &self.chance.below(1 << 32).to_string(),
        ]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Replica(child.unwrap())
    }

    /// Starts a replica, kills it when the tasks are known, and returns since when they are: from
    /// then on the fleet owes every tick, even while no replica runs.
    async fn make_tasks_known(&mut self) -> Timestamp {
        let mut founder = self.start();
        let names = (0..TASKS).map(|number| TaskName::new(format!("entry {number}")).unwrap());
        let query = TaskQuery::Named(names.collect());
        loop {
            if founder.0.try_wait().unwrap().is_some() {
                founder = self.start();
            }
            let states = self.manager.tasks(&query).await.unwrap().value;
            let known: Vec<Timestamp> = states.iter().filter_map(|task| task.known_since).collect();
            if known.len() == TASKS {
                // One call defined them all.
                assert!(known.iter().all(|since| *since == known[0]), "{known:?}");
                return known[0];
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Each of these ticks with its record, for a person to read: a tick that was never claimed has
    /// none.
    async fn describe(&self, ticks: impl Iterator<Item = &Entry>) -> String {
        let mut lines = Vec::new();
        for (task, tick_ms) in ticks {
            let query = HistoryQuery {
                task: Some(TaskName::new(task).unwrap()),
                since: Some(Tick::from_millis(*tick_ms).unwrap()),
                until: Some(Tick::from_millis(tick_ms + 1).unwrap()),
                ..HistoryQuery::default()
            };
            let records = self.manager.history(&query).await.unwrap().value;
            let known = records.first().map(|record| format!("{record:?}"));
            let known = known.unwrap_or_else(|| "no record".to_owned());
            lines.push(format!("{task} at {tick_ms}: {known}"));
        }
        lines.join("\n")
    }
}

/// Runs a fleet whose replicas are killed and started again all the time, until `entered` counts as
/// many entries after the instant at which the tasks became known, in ms, as there are ticks since
/// then. Each tick must be in the ledger once: `entries` returns its entries from a tick on.
async fn a_fleet_that_is_killed_enters_each_tick_once(
    url: &str,
    seed: u64,
    manager: &dyn LockManager,
    entered: impl AsyncFn(i64) -> i64,
    entries: impl AsyncFn(i64) -> Vec<Entry>,
) {
    println!("seed {seed}");
    let mut fleet = Fleet {
        url,
        manager,
        end: SystemClock.now() + Duration::from_secs(SECONDS),
        chance: Chance(seed),
    };
    let known_since = fleet.make_tasks_known().await;
    let ticks = ticks(known_since, fleet.end);
    let mut replicas: Vec<Replica> = (0..REPLICAS).map(|_| fleet.start()).collect();
    let (mut kills, mut crashes) = (0, 0);
    let until = SystemClock.monotonic() + LIMIT;
    while entered(known_since.as_millisecond()).await < i64::try_from(ticks.len()).unwrap() {
        if SystemClock.monotonic() > until {
            let found: BTreeSet<Entry> = entries(ticks[0].1).await.into_iter().collect();
            let missing: Vec<&Entry> = ticks.iter().filter(|tick| !found.contains(tick)).collect();
            let some = fleet.describe(missing.iter().copied().take(NAMED_MAX));
            panic!(
                "{} of {} ticks were not entered:\n{}",
                missing.len(),
                ticks.len(),
                some.await
            );
        }
        tokio::time::sleep(Duration::from_millis(50 + fleet.chance.below(250))).await;
        for replica in &mut replicas {
            if replica.0.try_wait().unwrap().is_some() {
                crashes += 1;
                *replica = fleet.start();
            }
        }
        // After the last tick the replicas need time to finish.
        if SystemClock.now() < fleet.end {
            let one = usize::try_from(fleet.chance.below(4)).unwrap();
            replicas[one].0.kill().unwrap();
            replicas[one].0.wait().unwrap();
            replicas[one] = fleet.start();
            kills += 1;
        }
    }
    println!(
        "{} executions, {kills} kills, {crashes} crashes",
        ticks.len()
    );
    assert!(kills > 20, "{kills} kills");
    // A replica that would enter a tick twice has the time for it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(entries(ticks[0].1).await, ticks);
}

/// Each tick that the fleet owes, by task.
fn ticks(known_since: Timestamp, end: Timestamp) -> Vec<Entry> {
    // The founder may have entered what was due before.
    let first = (known_since.as_millisecond() / 100 + 1) * 100;
    let of_task = |task: usize| {
        let ticks = (first..end.as_millisecond()).step_by(100);
        ticks.map(move |tick| (format!("entry {task}"), tick))
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
    let manager = sexton::SqliteLockManager::open(folder.path().join("ledger.db"))
        .await
        .unwrap();
    let entered = async |since_ms: i64| {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger WHERE tick > $1")
            .bind(since_ms)
            .fetch_one(&pool)
            .await;
        // No replica has made the table yet.
        counted.unwrap_or(0)
    };
    let entries = async |first_ms: i64| {
        let entries = "SELECT task, tick FROM ledger WHERE tick >= $1 ORDER BY task, tick";
        let entries = sqlx::query_as(entries).bind(first_ms).fetch_all(&pool);
        entries.await.unwrap()
    };
    a_fleet_that_is_killed_enters_each_tick_once(&url, 0x005e_ed01, &manager, entered, entries)
        .await;
}

/// What is slow in the server, so that kills fall into it: the settling within a transaction, and
/// its commit.
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
    let entered = async |since_ms: i64| {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger WHERE tick > $1");
        counted.bind(since_ms).fetch_one(&pool).await.unwrap()
    };
    let entries = async |first_ms: i64| {
        let entries =
            "SELECT task, tick FROM ledger WHERE tick >= $1 ORDER BY task COLLATE \"C\", tick";
        let entries = sqlx::query_as(entries).bind(first_ms).fetch_all(&pool);
        entries.await.unwrap()
    };
    let url = server.url();
    a_fleet_that_is_killed_enters_each_tick_once(&url, 0x005e_ed02, &manager, entered, entries)
        .await;
    let doubtful: i64 = sqlx::query_scalar("SELECT count(*) FROM doubtful")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(doubtful, 0, "entries of executions that did not succeed");
}

/// A replica may be killed while the server commits its entry, and the next one look for that entry
/// meanwhile.
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
    let entered = async |since_ms: i64| {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger WHERE tick > ?");
        counted.bind(since_ms).fetch_one(&pool).await.unwrap()
    };
    let entries = async |first_ms: i64| {
        let entries = "SELECT task, tick FROM ledger WHERE tick >= ? ORDER BY task, tick";
        let entries = sqlx::query_as(entries).bind(first_ms).fetch_all(&pool);
        entries.await.unwrap()
    };
    let url = server.url();
    a_fleet_that_is_killed_enters_each_tick_once(&url, 0x005e_ed03, &manager, entered, entries)
        .await;
    let doubtful: i64 = sqlx::query_scalar("SELECT count(*) FROM doubtful")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(doubtful, 0, "entries of executions that did not succeed");
}

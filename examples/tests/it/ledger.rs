//! Exactly once, by processes that crash in the middle of runs and are killed at random: each tick since the tasks are known is in the
//! ledger once.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use sexton::clock::{Clock, SystemClock};
use sexton::lock::{ExecutionState, HistoryQuery, LockManager, Outcome, TaskQuery};
use sexton::name::TaskName;

use crate::servers::{mariadb, postgres};

const REPLICAS: usize = 4;
const TASKS: usize = 10;
/// Ten ticks a second and task.
const SECONDS: u64 = 21;
/// So long there is no end for whoever makes the tasks known.
const NO_END: Duration = Duration::from_secs(3_600);
/// Below what `.config/nextest.toml` lets these tests take, so that what is missing is told.
const LIMIT: Duration = Duration::from_secs(450);
/// How many executions are told when it is over.
const TOLD_MAX: usize = 20;

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
    chance: Chance,
}

impl Fleet<'_> {
    fn start(&mut self, end: Timestamp) -> Replica {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ledger"));
        command.args([
            self.url,
            &end.as_millisecond().to_string(),
            &self.chance.below(1 << 32).to_string(),
        ]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Replica(child.unwrap())
    }

    /// Lets a replica make the tasks known, and kills it at once. From then on every tick is to be entered, whoever is there. Answers since
    /// when.
    async fn make_tasks_known(&mut self) -> Timestamp {
        let no_end = SystemClock.now() + NO_END;
        let mut founder = self.start(no_end);
        let names = (0..TASKS).map(|number| TaskName::new(format!("entry {number}")).unwrap());
        let query = TaskQuery::Named(names.collect());
        loop {
            if founder.0.try_wait().unwrap().is_some() {
                founder = self.start(no_end);
            }
            let states = self.manager.tasks(&query).await.unwrap().value;
            let known: Vec<Timestamp> = states.iter().filter_map(|task| task.known_since).collect();
            if known.len() == TASKS {
                // They were told of together.
                assert!(known.iter().all(|since| *since == known[0]), "{known:?}");
                return known[0];
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// What is known of what was not entered, for a person to read.
    async fn tell_what_is_missing(&self) -> String {
        let entered = ExecutionState::Ended(Outcome::Succeeded);
        let states = ExecutionState::ALL.into_iter();
        let states = states.filter(|state| *state != entered);
        let query = HistoryQuery {
            states: states.collect(),
            limit: TOLD_MAX,
            ..HistoryQuery::default()
        };
        let records = self.manager.history(&query).await.unwrap().value;
        let lines = records.iter().map(|record| format!("{record:?}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Runs a fleet that is killed and started again all the time, until `entered`, told since when the tasks are known in ms, says that as
/// much is entered as there are ticks since then. Answers those, in order.
async fn entered_by_a_fleet_that_is_killed(
    url: &str,
    seed: u64,
    manager: &dyn LockManager,
    entered: impl AsyncFn(i64) -> i64,
) -> Vec<(String, i64)> {
    println!("seed {seed}");
    let chance = Chance(seed);
    let mut fleet = Fleet {
        url,
        manager,
        chance,
    };
    let known_since = fleet.make_tasks_known().await;
    let end = known_since + Duration::from_secs(SECONDS);
    let ticks = ticks(known_since, end);
    let mut replicas: Vec<Replica> = (0..REPLICAS).map(|_| fleet.start(end)).collect();
    let (mut kills, mut crashes) = (0, 0);
    let until = SystemClock.monotonic() + LIMIT;
    while entered(known_since.as_millisecond()).await < i64::try_from(ticks.len()).unwrap() {
        if SystemClock.monotonic() > until {
            let missing = fleet.tell_what_is_missing().await;
            panic!("not all of {} ticks were entered:\n{missing}", ticks.len());
        }
        tokio::time::sleep(Duration::from_millis(50 + fleet.chance.below(250))).await;
        for replica in &mut replicas {
            if replica.0.try_wait().unwrap().is_some() {
                crashes += 1;
                *replica = fleet.start(end);
            }
        }
        // Towards the end somebody is to have the time to finish.
        if SystemClock.now() < end {
            let one = usize::try_from(fleet.chance.below(4)).unwrap();
            replicas[one].0.kill().unwrap();
            replicas[one].0.wait().unwrap();
            replicas[one] = fleet.start(end);
            kills += 1;
        }
    }
    println!(
        "{} executions, {kills} kills, {crashes} crashes of their own",
        ticks.len()
    );
    assert!(kills > 20, "{kills} kills");
    // Long enough for whoever would enter one twice.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ticks
}

/// Each (task, tick) that is to be entered, in order.
fn ticks(known_since: Timestamp, end: Timestamp) -> Vec<(String, i64)> {
    let first = (known_since.as_millisecond() / 100 + 1) * 100;
    // Whoever made them known may have entered what was due before.
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
        // Nobody has made the table yet.
        counted.unwrap_or(0)
    };
    let ticks = entered_by_a_fleet_that_is_killed(&url, 0x005e_ed01, &manager, entered).await;
    let entries = "SELECT task, tick FROM ledger WHERE tick >= $1 ORDER BY task, tick";
    let entries = sqlx::query_as(entries).bind(ticks[0].1).fetch_all(&pool);
    let entries: Vec<(String, i64)> = entries.await.unwrap();
    assert_eq!(entries, ticks);
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
    let entered = async |since_ms: i64| {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger WHERE tick > $1");
        counted.bind(since_ms).fetch_one(&pool).await.unwrap()
    };
    let ticks =
        entered_by_a_fleet_that_is_killed(&server.url(), 0x005e_ed02, &manager, entered).await;
    let entries =
        "SELECT task, tick FROM ledger WHERE tick >= $1 ORDER BY task COLLATE \"C\", tick";
    let entries = sqlx::query_as(entries).bind(ticks[0].1).fetch_all(&pool);
    let entries: Vec<(String, i64)> = entries.await.unwrap();
    assert_eq!(entries, ticks);
    let doubtful: i64 = sqlx::query_scalar("SELECT count(*) FROM doubtful")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(doubtful, 0, "entries of executions that did not succeed");
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
    let entered = async |since_ms: i64| {
        let counted = sqlx::query_scalar("SELECT count(*) FROM ledger WHERE tick > ?");
        counted.bind(since_ms).fetch_one(&pool).await.unwrap()
    };
    let ticks =
        entered_by_a_fleet_that_is_killed(&server.url(), 0x005e_ed03, &manager, entered).await;
    let entries = "SELECT task, tick FROM ledger WHERE tick >= ? ORDER BY task, tick";
    let entries = sqlx::query_as(entries).bind(ticks[0].1).fetch_all(&pool);
    let entries: Vec<(String, i64)> = entries.await.unwrap();
    assert_eq!(entries, ticks);
    let doubtful: i64 = sqlx::query_scalar("SELECT count(*) FROM doubtful")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(doubtful, 0, "entries of executions that did not succeed");
}

//! Claims per second in an SQLite file, beside the least that a batch could be: one upsert for all
//! of it, by the same driver with the same settings, in the same run. `cargo bench -p sexton-sql
//! --bench claims`.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark")]

use std::path::Path;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Execution, HeldLock, LockManager, Outcome, Settlement, Verdict,
};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use sexton_sql::SqliteLockManager;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

const BATCHES: [usize; 4] = [1, 10, 100, 1_000];
const MEASURED: Duration = Duration::from_secs(3);
/// The reference of DESIGN.md for the bare statement, on two cores: single, and in batches of 100.
const REFERENCES: [(usize, u32); 2] = [(1, 6_000), (100, 102_000)];
const UPSERT: &str = "INSERT INTO registers (task, concurrency_index, tick_ms) \
     SELECT value, 1, $2 FROM json_each($1) WHERE true \
     ON CONFLICT (task, concurrency_index) DO UPDATE SET tick_ms = excluded.tick_ms \
     WHERE excluded.tick_ms > registers.tick_ms";

/// How many a second went through, by batches of `batch`, once `step` has been at it for a while.
async fn per_second(batch: usize, mut step: impl AsyncFnMut(i64)) -> f64 {
    let began = SystemClock.monotonic();
    let mut rounds: u32 = 0;
    loop {
        step(i64::from(rounds)).await;
        rounds += 1;
        let passed = SystemClock.monotonic() - began;
        if passed >= MEASURED {
            let claims = f64::from(rounds) * f64::from(u32::try_from(batch).unwrap());
            return claims / passed.as_secs_f64();
        }
    }
}

/// The tick of a round: long past, so that each is later than the one before and none too early.
fn tick(round: i64) -> Tick {
    Tick::from_millis(1_600_000_000_000 + round * 1_000).unwrap()
}

struct Ours {
    manager: SqliteLockManager,
    instance: InstanceId,
    tasks: Vec<TaskName>,
}

impl Ours {
    async fn open(folder: &Path, batch: usize) -> Ours {
        let path = folder.join(format!("sexton-{batch}.db"));
        let name = |number| TaskName::new(format!("task-{number}")).unwrap();
        Ours {
            manager: SqliteLockManager::open(path).await.unwrap(),
            instance: InstanceId::random(),
            tasks: (0..batch).map(name).collect(),
        }
    }

    fn claims(&self, round: i64) -> Vec<Claim> {
        let claim = |task: &TaskName| {
            let execution = Execution {
                task: task.clone(),
                index: ConcurrencyIndex::ONE,
                tick: tick(round),
            };
            Claim::new(execution, Concurrency::ONE, self.instance.clone())
        };
        self.tasks.iter().map(claim).collect()
    }

    async fn claim(&self, round: i64) -> Vec<HeldLock> {
        let claims = self.claims(round);
        let answer = self
            .manager
            .claim(ClaimLead::default(), &claims)
            .await
            .and_then(Answer::whole);
        let held = claims.iter().zip(answer.unwrap().value);
        held.map(|(claim, verdict)| match verdict {
            Verdict::Granted(grant) => HeldLock {
                execution: claim.execution.clone(),
                claim_id: claim.claim_id,
                fence: grant.fence,
            },
            other => unreachable!("nobody else claims: {other:?}"),
        })
        .collect()
    }

    async fn claim_and_settle(&self, round: i64) {
        let now = SystemClock.now();
        let settle = |lock| Settlement::new(lock, Outcome::Succeeded, now, now);
        let settlements: Vec<_> = self.claim(round).await.into_iter().map(settle).collect();
        self.manager
            .settle(&settlements)
            .await
            .unwrap()
            .whole()
            .unwrap();
    }
}

/// One row a task and nothing else: no record, no history, no reasons.
struct Bare {
    connection: SqliteConnection,
    tasks: Vec<String>,
}

impl Bare {
    async fn open(folder: &Path, batch: usize) -> Bare {
        let options = SqliteConnectOptions::new()
            .filename(folder.join(format!("bare-{batch}.db")))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let mut connection = options.connect().await.unwrap();
        let table = "CREATE TABLE registers (task TEXT NOT NULL, concurrency_index INTEGER NOT NULL, \
             tick_ms INTEGER NOT NULL, PRIMARY KEY (task, concurrency_index)) STRICT, WITHOUT ROWID";
        sqlx::query(table).execute(&mut connection).await.unwrap();
        Bare {
            connection,
            tasks: (0..batch).map(|number| format!("task-{number}")).collect(),
        }
    }

    async fn claim(&mut self, round: i64) {
        let begun = self.connection.begin_with("BEGIN IMMEDIATE").await;
        let mut transaction = begun.unwrap();
        let tasks = serde_json::to_string(&self.tasks).unwrap();
        let upsert = sqlx::query(UPSERT)
            .bind(tasks)
            .bind(tick(round).as_millis());
        let done = upsert.execute(&mut *transaction).await.unwrap();
        assert_eq!(done.rows_affected(), self.tasks.len() as u64);
        transaction.commit().await.unwrap();
    }
}

async fn measure(folder: &Path) {
    for batch in BATCHES {
        let mut bare = Bare::open(folder, batch).await;
        let peer = per_second(batch, async |round| bare.claim(round).await).await;
        bare.connection.close().await.unwrap();
        let ours = Ours::open(folder, batch).await;
        let claims = per_second(batch, async |round| drop(ours.claim(round).await)).await;
        ours.manager.close().await.unwrap();
        let settled_folder = folder.join(format!("settled-{batch}"));
        std::fs::create_dir(&settled_folder).unwrap();
        let ours = Ours::open(&settled_folder, batch).await;
        let settled = per_second(batch, async |round| ours.claim_and_settle(round).await).await;
        ours.manager.close().await.unwrap();
        let reference = REFERENCES
            .iter()
            .find(|(of, _)| *of == batch)
            .map_or(String::new(), |(_, rate)| {
                format!(", DESIGN.md's reference for the bare one {rate}/s")
            });
        println!(
            "batches of {batch:>4}: {claims:>7.0} claims/s, {settled:>7.0}/s claimed and settled; \
             bare upsert {peer:>7.0}/s (ours {:.2} ×{reference})",
            claims / peer
        );
    }
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure(folder.path()));
}

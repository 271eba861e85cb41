//! Claims per second in PostgreSQL, beside `pgbench` with the least that a batch could be: one upsert of one narrow row a claim, by as many
//! clients, against the same server (a private one, `fsync` on) in the same run. `cargo bench -p sexton-sql --features postgres --bench
//! claims_postgres`.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark"
)]
#![allow(
    dead_code,
    reason = "the tests' server can do more than is needed here"
)]

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, ClaimLead, Execution, HeldLock, LockManager, Outcome, Settlement, Verdict,
};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use sexton_sql::PostgresLockManager;
use sexton_sql::postgres::PostgresOptions;
use tokio::task::JoinSet;

#[path = "../tests/it/servers"]
mod servers {
    pub(crate) mod postgres;
    pub(crate) mod process;
}

use servers::postgres::{DATABASE, Server, program};
use servers::process::Disk;

const BATCHES: [u32; 4] = [1, 10, 100, 1_000];
const CLIENTS: u32 = 4;
const MEASURED: Duration = Duration::from_secs(4);
/// DESIGN.md's aim for batches of 100.
const AIM: f64 = 0.8;

const BARE_TABLE: &str = "CREATE TABLE bare (task text NOT NULL, concurrency_index integer NOT NULL, \
     tick_ms bigint NOT NULL, PRIMARY KEY (task, concurrency_index)) WITH (fillfactor = 50)";

/// One statement a batch; ticks rise.
fn bare_script(batch: u32) -> String {
    format!(
        "\\set tick :tick + 1\n\
         INSERT INTO bare (task, concurrency_index, tick_ms) \
         SELECT 'task-' || :client_id || '-' || n, 1, :tick FROM generate_series(1, {batch}) AS n \
         ON CONFLICT (task, concurrency_index) DO UPDATE SET tick_ms = excluded.tick_ms \
         WHERE excluded.tick_ms > bare.tick_ms;\n"
    )
}

/// How many rows a second `pgbench` upserts, and how many of its batches.
fn pgbench(server: &Server, batch: u32) -> f64 {
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), bare_script(batch)).unwrap();
    let output = Command::new(program("pgbench"))
        .args(["-n", "-M", "prepared", "-D", "tick=0", "-j", "2"])
        .args([
            "-c",
            &CLIENTS.to_string(),
            "-T",
            &MEASURED.as_secs().to_string(),
        ])
        .args(["-h", "127.0.0.1", "-U", "sexton"])
        .args(["-p", &server.port().to_string(), "-f"])
        .arg(script.path())
        .arg(DATABASE)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split(' ').next());
    let Some(rate) = rate.and_then(|rate| rate.parse::<f64>().ok()) else {
        panic!("pgbench: {said}{}", String::from_utf8_lossy(&output.stderr));
    };
    rate * f64::from(batch)
}

/// One client: a batch of tasks of its own, an instance.
struct Client {
    manager: PostgresLockManager,
    instance: InstanceId,
    tasks: Vec<TaskName>,
}

#[derive(Clone, Copy)]
enum Work {
    Claim,
    ClaimAndSettle,
    /// Claims what is taken already.
    Lose,
}

impl Client {
    fn new(manager: PostgresLockManager, number: u32, batch: u32) -> Client {
        let name = |task| TaskName::new(format!("task-{number}-{task}")).unwrap();
        Client {
            manager,
            instance: InstanceId::random(),
            tasks: (0..batch).map(name).collect(),
        }
    }

    /// Ticks long past, so that each is later than the one before and none too early.
    async fn claim(&self, round: i64) -> (Vec<Claim>, Vec<Verdict>) {
        let claim = |task: &TaskName| {
            let execution = Execution {
                task: task.clone(),
                index: ConcurrencyIndex::ONE,
                tick: Tick::from_millis(1_600_000_000_000 + round * 1_000).unwrap(),
            };
            Claim::new(execution, Concurrency::ONE, self.instance.clone())
        };
        let claims: Vec<_> = self.tasks.iter().map(claim).collect();
        let answer = self.manager.claim(ClaimLead::default(), &claims).await;
        (claims, answer.unwrap().value)
    }

    async fn step(&self, work: Work, round: i64) {
        let round = match work {
            Work::Lose => 0,
            Work::Claim | Work::ClaimAndSettle => round,
        };
        let (claims, verdicts) = self.claim(round).await;
        if let Work::ClaimAndSettle = work {
            let now = SystemClock.now();
            let settle = |(claim, verdict): (Claim, Verdict)| {
                let Some(grant) = verdict.grant() else {
                    unreachable!("nobody else claims")
                };
                let lock = HeldLock {
                    execution: claim.execution,
                    claim_id: claim.claim_id,
                    fence: grant.fence,
                };
                Settlement::new(lock, Outcome::Succeeded, now, now)
            };
            let pairs = claims.into_iter().zip(verdicts);
            let settlements: Vec<_> = pairs.map(settle).collect();
            self.manager.settle(&settlements).await.unwrap();
        }
    }
}

/// How many claims a second all clients together had answered.
async fn per_second(server: &Server, batch: u32, work: Work, name: &str) -> f64 {
    let namespace = Namespace::new(format!("{name}-{batch}")).unwrap();
    let options = PostgresOptions::new()
        .namespace(namespace)
        .connections_max(CLIENTS);
    let manager = options.connect(&server.url()).await.unwrap();
    let clients = (0..CLIENTS).map(|number| Arc::new(Client::new(manager.clone(), number, batch)));
    let mut running = JoinSet::new();
    for client in clients {
        // What everything costs the first time is nobody's pace.
        client.step(Work::Claim, 0).await;
        running.spawn(async move {
            let began = SystemClock.monotonic();
            let mut rounds: u32 = 0;
            loop {
                rounds += 1;
                client.step(work, i64::from(rounds)).await;
                let passed = SystemClock.monotonic() - began;
                if passed >= MEASURED {
                    return f64::from(rounds) / passed.as_secs_f64();
                }
            }
        });
    }
    let rounds: f64 = running.join_all().await.into_iter().sum();
    manager.close().await;
    rounds * f64::from(batch)
}

async fn measure(server: &Server) {
    server.run(BARE_TABLE).await;
    for batch in BATCHES {
        server.run("TRUNCATE bare; CHECKPOINT").await;
        let peer = pgbench(server, batch);
        let claims = per_second(server, batch, Work::Claim, "claimed").await;
        let settled = per_second(server, batch, Work::ClaimAndSettle, "settled").await;
        let lost = per_second(server, batch, Work::Lose, "lost").await;
        let aim = if batch == 100 {
            format!(", aim {AIM}")
        } else {
            String::new()
        };
        println!(
            "{CLIENTS} clients, batches of {batch:>4}: {claims:>7.0} claims/s, {settled:>7.0}/s claimed and settled, \
             {lost:>7.0}/s denied; pgbench's upsert {peer:>7.0}/s (ours {:.2} ×{aim})",
            claims / peer
        );
    }
}

fn main() {
    // What the tests' server is spared for, and what would only measure the disk's share in it.
    let settings = [
        "shared_buffers=256MB",
        "max_wal_size=4GB",
        "checkpoint_timeout=1h",
    ];
    let Some(server) = Server::start_with(Disk::Synced, &settings) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure(&server));
}

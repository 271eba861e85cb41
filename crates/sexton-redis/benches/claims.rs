//! Claims per second through the library, beside what `redis-benchmark` reaches with `SET NX PX` in pipelines of 128 on
//! the same server: `cargo bench -p sexton-redis --bench claims`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a benchmark"
)]

#[path = "../tests/it/server.rs"]
#[allow(dead_code, reason = "shared with the tests")]
mod server;

use std::process::Command;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Claim, ClaimLead, Execution, HeldLock, LockManager, Outcome, Settlement, Verdict,
};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use sexton_redis::{RedisLockManager, RedisOptions};

const BATCHES: [usize; 4] = [1, 10, 100, 1_000];
const MEASURED: Duration = Duration::from_secs(3);
/// Replicas that claim at once, each over a connection of its own.
const CLAIMANTS: [usize; 2] = [1, 4];
/// The budget of DESIGN.md at batches of 100.
const BUDGET: f64 = 0.8;

struct Claimant {
    manager: RedisLockManager,
    instance: InstanceId,
    tasks: Vec<TaskName>,
}

impl Claimant {
    async fn new(url: &str, fleet: &str, number: usize, batch: usize) -> Claimant {
        let namespace = Namespace::new(fleet).unwrap();
        let name = |task| TaskName::new(format!("task-{number}-{task}")).unwrap();
        Claimant {
            manager: RedisOptions::new()
                .namespace(namespace)
                .connect(url)
                .await
                .unwrap(),
            instance: InstanceId::random(),
            tasks: (0..batch).map(name).collect(),
        }
    }

    async fn claim(&self, round: i64) -> Vec<HeldLock> {
        // Long past, so that each is later than the one before and none too early.
        let tick = Tick::from_millis(1_600_000_000_000 + round * 1_000).unwrap();
        let claim = |task: &TaskName| {
            let (task, index) = (task.clone(), ConcurrencyIndex::ONE);
            Claim::new(
                Execution { task, index, tick },
                Concurrency::ONE,
                self.instance.clone(),
            )
        };
        let claims: Vec<Claim> = self.tasks.iter().map(claim).collect();
        let answer = self
            .manager
            .claim(ClaimLead::default(), &claims)
            .await
            .unwrap();
        let held = claims
            .iter()
            .zip(answer.value)
            .map(|(claim, verdict)| match verdict {
                Verdict::Granted(grant) => HeldLock {
                    execution: claim.execution.clone(),
                    claim_id: claim.claim_id,
                    fence: grant.fence,
                },
                other => unreachable!("nobody else claims these: {other:?}"),
            });
        held.collect()
    }

    /// How many it claimed, and whether it settled them too.
    async fn work(self, settles: bool) -> usize {
        let until = SystemClock.monotonic() + MEASURED;
        let mut round = 0;
        while SystemClock.monotonic() < until {
            let held = self.claim(round).await;
            round += 1;
            if settles {
                let now = SystemClock.now();
                let settle = |lock| Settlement::new(lock, Outcome::Succeeded, now, now);
                let settlements: Vec<_> = held.into_iter().map(settle).collect();
                self.manager.settle(&settlements).await.unwrap();
            }
        }
        usize::try_from(round).unwrap() * self.tasks.len()
    }
}

/// Claims a second of so many claimants together.
async fn per_second(url: &str, claimants: usize, batch: usize, settles: bool) -> f64 {
    let mut working = Vec::new();
    // Each measurement begins with a store that knows nothing.
    let fleet = format!("{claimants} {batch} {settles}");
    for number in 0..claimants {
        let claimant = Claimant::new(url, &fleet, number, batch).await;
        working.push(tokio::spawn(claimant.work(settles)));
    }
    let mut claims = 0;
    for working in working {
        claims += working.await.unwrap();
    }
    f64::from(u32::try_from(claims).unwrap()) / MEASURED.as_secs_f64()
}

/// What the server does when it is asked for nothing but one key a claim.
fn bare(port: u16) -> f64 {
    let port = port.to_string();
    let output = Command::new("redis-benchmark")
        .args([
            "-p",
            &port,
            "-P",
            "128",
            "-n",
            "2000000",
            "-r",
            "100000000",
            "--csv",
            "-c",
            "4",
        ])
        .args(["SET", "lock:__rand_int__", "instance", "NX", "PX", "60000"])
        .output()
        .unwrap_or_else(|error| panic!("redis-benchmark: {error}"));
    let text = String::from_utf8(output.stdout).unwrap();
    let figures = text
        .lines()
        .find(|line| line.contains("SET"))
        .unwrap_or_else(|| panic!("{text:?}"));
    let figure = figures
        .rsplit_once("\",\"")
        .map_or(figures, |_| figures.split("\",\"").nth(1).unwrap());
    figure
        .trim_matches('"')
        .parse()
        .unwrap_or_else(|error| panic!("{error}: {figures:?}"))
}

async fn measure() {
    let server = server::Server::start_with(&["--appendonly", "no"]).await;
    let peer = bare(server.port());
    println!("SET NX PX, pipelines of 128, 4 connections: {peer:>9.0}/s");
    for claimants in CLAIMANTS {
        for batch in BATCHES {
            let claims = per_second(&server.url(), claimants, batch, false).await;
            let settled = per_second(&server.url(), claimants, batch, true).await;
            let budget = if batch == 100 {
                format!(", budget {BUDGET} ×")
            } else {
                String::new()
            };
            println!(
                "{claimants} claimants, batches of {batch:>4}: {claims:>9.0} claims/s ({:.2} × SET{budget}), \
                 {settled:>9.0}/s claimed and settled",
                claims / peer
            );
        }
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.unwrap().block_on(measure());
}

//! Claims per second through the library, beside what `redis-benchmark` reaches with `SET NX PX` in
//! pipelines of 128 on the same server: `cargo bench -p sexton-redis --bench claims`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark"
)]

use std::process::Command;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Execution, HeldLock, LockManager, Outcome, Settlement, Verdict,
};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use sexton_redis::{RedisLockManager, RedisOptions};
use sexton_testkit::redis::Server;

const BATCHES: [usize; 4] = [1, 10, 100, 1_000];
const MEASURED: Duration = Duration::from_secs(3);
/// Replicas that claim at once, each over a connection of its own.
const CLAIMANTS: [usize; 3] = [1, 4, 16];
/// The budget of DESIGN.md at batches of 100.
const BUDGET: f64 = 0.8;

/// Calls before those that were claimed are settled. A tick is usually claimed when the one before
/// is over.
const CALLS: usize = 32;

struct Claimant {
    manager: RedisLockManager,
    instance: InstanceId,
    batches: Vec<Vec<TaskName>>,
    round: i64,
}

impl Claimant {
    async fn new(url: &str, fleet: &str, number: usize, batch: usize) -> Claimant {
        let namespace = Namespace::new(fleet).unwrap();
        let name = |call: usize, task: usize| {
            TaskName::new(format!("task-{number}-{call}-{task}")).unwrap()
        };
        let batches = (0..CALLS).map(|call| (0..batch).map(|task| name(call, task)).collect());
        Claimant {
            manager: RedisOptions::new()
                .namespace(namespace)
                .connect(url)
                .await
                .unwrap(),
            instance: InstanceId::random(),
            batches: batches.collect(),
            round: 0,
        }
    }

    /// One claim of each task, a batch after the other.
    async fn claim(&mut self) -> Vec<Vec<HeldLock>> {
        // Long past, so that each is later than the one before and none too early.
        let tick = Tick::from_millis(1_600_000_000_000 + self.round * 1_000).unwrap();
        self.round += 1;
        let mut held = Vec::with_capacity(CALLS);
        for tasks in &self.batches {
            let claim = |task: &TaskName| {
                let (task, index) = (task.clone(), ConcurrencyIndex::ONE);
                Claim::new(
                    Execution { task, index, tick },
                    Concurrency::ONE,
                    self.instance.clone(),
                )
            };
            let claims: Vec<Claim> = tasks.iter().map(claim).collect();
            let answer = self
                .manager
                .claim(ClaimLead::default(), &claims)
                .await
                .and_then(Answer::whole);
            let verdicts = answer.unwrap().value;
            held.push(claims.into_iter().zip(verdicts).map(held_lock).collect());
        }
        held
    }

    async fn settle(&self, held: Vec<Vec<HeldLock>>) {
        let now = SystemClock.now();
        for locks in held {
            let settle = |lock| Settlement::new(lock, Outcome::Succeeded, now, now);
            let settlements: Vec<_> = locks.into_iter().map(settle).collect();
            self.manager
                .settle(&settlements)
                .await
                .unwrap()
                .whole()
                .unwrap();
        }
    }
}

fn held_lock((claim, verdict): (Claim, Verdict)) -> HeldLock {
    match verdict {
        Verdict::Granted(grant) => HeldLock {
            execution: claim.execution,
            claim_id: claim.claim_id,
            fence: grant.fence,
        },
        other => unreachable!("nobody else claims these: {other:?}"),
    }
}

/// What claimants together did within a time.
#[derive(Default)]
struct Rates {
    claimed: f64,
    settled: f64,
    server_us: f64,
}

/// All claim, then all settle, and again.
async fn rates(server: &Server, claimants: usize, batch: usize) -> Rates {
    // Each measurement begins with a store that knows nothing.
    let fleet = format!("{claimants} {batch}");
    let mut fleet_of = Vec::new();
    for number in 0..claimants {
        fleet_of.push(Claimant::new(&server.url(), &fleet, number, batch).await);
    }
    let (mut claiming, mut settling, mut busy) = (Duration::ZERO, Duration::ZERO, 0.0);
    let mut claims = 0;
    while claiming < MEASURED {
        busy_us(server).await;
        let began = SystemClock.monotonic();
        let working = fleet_of.into_iter().map(|mut claimant| {
            tokio::spawn(async move {
                let held = claimant.claim().await;
                (claimant, held)
            })
        });
        let mut done = Vec::new();
        for working in working.collect::<Vec<_>>() {
            done.push(working.await.unwrap());
        }
        let claimed = SystemClock.monotonic();
        busy += busy_us(server).await;
        let began_to_settle = SystemClock.monotonic();
        let working = done.into_iter().map(|(claimant, held)| {
            tokio::spawn(async move {
                claimant.settle(held).await;
                claimant
            })
        });
        fleet_of = Vec::new();
        for working in working.collect::<Vec<_>>() {
            fleet_of.push(working.await.unwrap());
        }
        settling += SystemClock.monotonic() - began_to_settle;
        claiming += claimed - began;
        claims += claimants * CALLS * batch;
    }
    let claims = f64::from(u32::try_from(claims).unwrap());
    Rates {
        claimed: claims / claiming.as_secs_f64(),
        settled: claims / settling.as_secs_f64(),
        server_us: busy / claims,
    }
}

/// How long the server was busy with scripts since it last forgot, in µs.
async fn busy_us(server: &Server) -> f64 {
    let mut client = server.client().await;
    let info: String = redis::cmd("INFO")
        .arg("commandstats")
        .query_async(&mut client)
        .await
        .unwrap();
    let forget = redis::cmd("CONFIG").arg("RESETSTAT").to_owned();
    forget.query_async::<()>(&mut client).await.unwrap();
    let scripts = info.lines().filter(|line| line.starts_with("cmdstat_eval"));
    let used = scripts.filter_map(|line| line.split_once("usec=")?.1.split_once(','));
    used.map(|(us, _)| us.parse::<f64>().unwrap()).sum()
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
    let server = Server::start_with(&["--appendonly", "no"]).await;
    let peer = bare(server.port());
    println!("SET NX PX, pipelines of 128, 4 connections: {peer:>9.0}/s");
    for claimants in CLAIMANTS {
        for batch in BATCHES {
            let rates = rates(&server, claimants, batch).await;
            let budget = if batch == 100 {
                format!(", budget {BUDGET} ×")
            } else {
                String::new()
            };
            println!(
                "{claimants} claimants, batches of {batch:>4}: {:>9.0} claims/s ({:.2} × SET{budget}; the server {:.2} µs each), \
                 {:>9.0}/s settled",
                rates.claimed,
                rates.claimed / peer,
                rates.server_us,
                rates.settled
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

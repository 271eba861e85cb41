//! How late runs start, at 1,000 executions a second on one instance: `cargo bench -p sexton
//! --bench lateness`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::lock::LockManager;
use sexton::schedule::Every;
use sexton::{MemoryLockManager, Run, Scheduler, State, Task};
use sexton_testkit::faulty::{Fault, FaultyManager};

const SECONDS: u64 = 10;
const TASKS: u64 = 1_000;
const P50_MAX: Duration = Duration::from_millis(1);
const P99_MAX: Duration = Duration::from_millis(3);

type LatenessUs = Arc<Mutex<Vec<i64>>>;

async fn note(run: Run, State(lateness): State<LatenessUs>) {
    let now_us = SystemClock.now().as_microsecond();
    lateness
        .lock()
        .unwrap()
        .push(now_us - run.tick().as_millis() * 1_000);
}

/// Each task is due once a second, `apart` after the one before.
async fn measure(what: &str, manager: impl LockManager, apart: Duration) {
    let lateness = LatenessUs::default();
    let second = Duration::from_secs(1);
    let tasks = (0..TASKS).map(|number| {
        let phase = apart * u32::try_from(number).unwrap();
        let every = Every::new(second)
            .and_then(|every| every.phase(phase))
            .unwrap();
        Task::new(format!("task {number}"))
            .schedule(every)
            .run(note)
    });
    let builder = Scheduler::builder()
        .manager(manager)
        .state(Arc::clone(&lateness))
        .tasks(tasks);
    let scheduler = builder.start().await.unwrap();
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    scheduler.shutdown(second).await;
    let mut lateness = std::mem::take(&mut *lateness.lock().unwrap());
    lateness.sort_unstable();
    let at = |percent: usize| {
        Duration::from_micros(
            u64::try_from(lateness[(lateness.len() - 1) * percent / 100]).unwrap_or(0),
        )
    };
    println!(
        "{what:<46} {:>6} runs  p50 {:>9.3?} (limit {P50_MAX:?})  p99 {:>9.3?} (limit {P99_MAX:?})  max {:>9.3?}",
        lateness.len(),
        at(50),
        at(99),
        at(100),
    );
}

fn twenty_ms_away(manager: impl LockManager) -> FaultyManager {
    let slow = FaultyManager::new(manager);
    slow.all(Fault::Slow(Duration::from_millis(20)));
    slow
}

#[cfg(feature = "redis")]
async fn measure_redis() {
    let server = sexton_testkit::redis::Server::start_with(&["--appendonly", "no"]).await;
    for (what, apart) in [
        ("one a millisecond", Duration::from_millis(1)),
        ("a thousand at once", Duration::ZERO),
    ] {
        let connect = async |fleet: &str| {
            let namespace = sexton::name::Namespace::new(format!("{fleet} {what}")).unwrap();
            let options = sexton::redis::RedisOptions::new().namespace(namespace);
            options.connect(&server.url()).await.unwrap()
        };
        let manager = connect("near").await;
        measure(&format!("in Redis, {what}"), manager, apart).await;
        let manager = twenty_ms_away(connect("far").await);
        measure(&format!("in Redis 20 ms away, {what}"), manager, apart).await;
    }
}

#[tokio::main]
async fn main() {
    let apart = Duration::from_millis(1);
    measure(
        "in memory, one a millisecond",
        MemoryLockManager::new(),
        apart,
    )
    .await;
    measure(
        "in memory, a thousand at once",
        MemoryLockManager::new(),
        Duration::ZERO,
    )
    .await;
    let slow = || twenty_ms_away(MemoryLockManager::new());
    measure("20 ms away, one a millisecond", slow(), apart).await;
    measure("20 ms away, a thousand at once", slow(), Duration::ZERO).await;
    #[cfg(feature = "redis")]
    measure_redis().await;
}

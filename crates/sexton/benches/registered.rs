//! What a million registered tasks cost while nothing is due: `cargo bench -p sexton --bench
//! registered`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a benchmark"
)]

use std::fs;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::{MemoryLockManager, Run, Scheduler, Task};
use sexton_testkit::faulty::FaultyManager;

const TASKS: usize = 1_000_000;
const IDLE: Duration = Duration::from_secs(10);
/// Of `/proc/self/stat`: fixed on Linux for user space.
const CLOCK_TICKS_PER_SECOND: u64 = 100;
const PAGE_BYTES: usize = 4_096;

async fn idle(_: Run) {}

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * PAGE_BYTES
}

fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let ticks: u64 = fields[11..=12]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 1_000 / CLOCK_TICKS_PER_SECOND)
}

#[tokio::main]
async fn main() {
    // A year away, whenever this is run.
    let year = (SystemClock.now().as_second() / 31_556_952 + 1971).to_string();
    let expressions: Vec<String> = (0..28)
        .map(|day| format!("0 0 3 {} 1 * {year}", day + 1))
        .collect();
    let before_bytes = resident_bytes();
    let began = SystemClock.monotonic();
    let tasks = (0..TASKS).map(|number| {
        let expression = &expressions[number % expressions.len()];
        Task::new(format!("task {number:07}"))
            .cron(expression)
            .unwrap()
            .run(idle)
    });
    // So that the memory is the scheduler's own, the store is not told the definitions.
    let manager = FaultyManager::new(MemoryLockManager::new()).without_capabilities();
    let scheduler = Scheduler::builder()
        .manager(manager)
        .tasks(tasks)
        .start()
        .await
        .unwrap();
    let took = SystemClock.monotonic() - began;
    println!("start-up with {TASKS} tasks     {took:>10.2?}  (limit 10s)");
    let bytes = (resident_bytes() - before_bytes) / TASKS;
    println!("resident memory a task            {bytes:>10}  bytes (limit 600)");
    let before = cpu();
    tokio::time::sleep(IDLE).await;
    let used = cpu() - before;
    println!("CPU in {IDLE:?} while nothing is due {used:>10.2?}  (limit: not measurable)");
    scheduler.shutdown(Duration::ZERO).await;
}

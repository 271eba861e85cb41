//! Retry and timeout: what a run may do about its own failure, and how long it may take.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin retry
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::policy::Retry;
use sexton::{Event, MemoryLockManager, Run, Scheduler, Task};

/// Has luck with its third try.
async fn fetch(run: Run) -> Result<(), std::io::Error> {
    match run.retry() {
        0 | 1 => Err(std::io::Error::other("connection refused")),
        _ => Ok(()),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let due = SystemClock.now() + Duration::from_millis(300);
    let retry = Retry::times(5)?.backoff(Duration::from_millis(100), Duration::from_secs(1));
    let scheduler = Scheduler::builder()
        .manager(MemoryLockManager::new())
        // What does not end by itself when it is asked to is dropped so long afterwards.
        .cancel_grace(Duration::from_millis(100))
        .task(Task::new("fetch").once(due).retry(retry).run(fetch))
        .task(
            Task::new("crunch")
                .once(due)
                .timeout(Duration::from_millis(500))
                .run(std::future::pending::<()>),
        )
        .start()
        .await?;
    let mut events = scheduler.events();
    let mut ended = 0;
    while ended < 2 {
        match &*events.recv().await? {
            Event::Retried {
                execution,
                retry,
                error,
                ..
            } => {
                println!("{}: {error}; retry {retry}", execution.task);
            }
            Event::Finished {
                execution, outcome, ..
            } => {
                println!("{}: {outcome}", execution.task);
                ended += 1;
            }
            _ => {}
        }
    }
    scheduler.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

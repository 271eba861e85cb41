//! Overlap: what happens when a tick comes due while an earlier run of its task goes on.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin overlap
//! ```
//!
//! Four tasks are due every second, and each run takes 1.5 s. They differ in one word.

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::time::Duration;

use sexton::policy::Overlap;
use sexton::{Event, MemoryLockManager, Run, Scheduler, Task};

async fn work(run: Run) {
    let (task, tick) = (run.task(), run.tick());
    println!("{task} {tick} begins");
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(1_500)) => println!("{task} {tick} ends"),
        () = run.cancellation().cancelled() => println!("{task} {tick} stops, as it was asked to"),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut builder = Scheduler::builder().manager(MemoryLockManager::new());
    for (name, overlap) in [
        ("allow", Overlap::Allow),
        ("skip", Overlap::Skip),
        ("queue one", Overlap::QueueOne),
        ("cancel earlier", Overlap::CancelEarlier),
    ] {
        let task = Task::new(name).every(Duration::from_secs(1))?;
        builder = builder.task(task.overlap(overlap).run(work));
    }
    let scheduler = builder.start().await?;
    let mut events = scheduler.events();
    let mut skipped = 0;
    while skipped < 2 {
        if let Event::Denied { execution, denial } = &*events.recv().await? {
            println!(
                "{} {} is not run now: {denial}",
                execution.task, execution.tick
            );
            skipped += usize::from(execution.task.as_str() == "skip");
        }
    }
    scheduler.shutdown(Duration::from_secs(5)).await;
    Ok(())
}

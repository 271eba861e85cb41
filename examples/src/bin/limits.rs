//! Limits and priorities: how many may run at once, and which go first when not all can.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin limits
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::{MemoryLockManager, Run, Scheduler, State, Task};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

async fn work(run: Run, State(ran): State<UnboundedSender<()>>) {
    println!("{} begins", run.task());
    tokio::time::sleep(Duration::from_millis(200)).await;
    println!("{} ends", run.task());
    let _ = ran.send(());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let due = SystemClock.now() + Duration::from_millis(500);
    let (ran, mut runs) = unbounded_channel::<()>();
    let scheduler = Scheduler::builder()
        .manager(MemoryLockManager::new())
        .state(ran)
        // At most three runs on this instance at once, and one that uses the database.
        .running_max(3)
        .group_running_max("database", 1)
        .task(Task::new("vacuum").once(due).group("database").run(work))
        .task(
            Task::new("invoices")
                .once(due)
                .group("database")
                .priority(10)
                .run(work),
        )
        .task(Task::new("thumbnails").once(due).run(work))
        .start()
        .await?;
    for _ in 0..3 {
        runs.recv().await.ok_or("nothing ran")?;
    }
    scheduler.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

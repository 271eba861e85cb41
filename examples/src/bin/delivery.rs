//! Delivery: a run whose holder crashes is run again by another, if the task asks for it.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin delivery
//! backup: attempt 1, fence 1
//! its holder crashes
//! backup: attempt 2, fence 2
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::time::Duration;

use jiff::Timestamp;
use sexton::clock::{Clock, SystemClock};
use sexton::{MemoryLockManager, Run, Scheduler, State, Task};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Tells that it began; the first attempt never ends.
async fn back_up(run: Run, State(begun): State<UnboundedSender<Run>>) {
    println!(
        "{}: attempt {}, fence {}",
        run.task(),
        run.attempt(),
        run.fence()
    );
    let is_first = run.attempt().get() == 1;
    let _ = begun.send(run);
    if is_first {
        std::future::pending::<()>().await;
    }
}

async fn replica(
    store: &MemoryLockManager,
    due: Timestamp,
    begun: &UnboundedSender<Run>,
) -> Result<Scheduler, Box<dyn Error>> {
    let task = Task::new("backup")
        .once(due)
        .at_least_once(3)
        // Renewed every 200 ms while the run goes on, so it ends 600 ms after its holder's last sign of life.
        .lease(Duration::from_millis(600))
        .run(back_up);
    let builder = Scheduler::builder()
        .manager(store.clone())
        .state(begun.clone())
        .heartbeat(Duration::from_millis(500));
    Ok(builder.task(task).start().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = MemoryLockManager::new();
    let due = SystemClock.now() + Duration::from_millis(500);
    let (begun, mut runs) = unbounded_channel();
    let first = replica(&store, due, &begun).await?;
    let second = replica(&store, due, &begun).await?;
    let run = runs.recv().await.ok_or("nothing ran")?;
    println!("its holder crashes");
    let (crashed, survivor) = match run.instance() == first.instance() {
        true => (first, second),
        false => (second, first),
    };
    drop(crashed);
    runs.recv().await.ok_or("nothing ran again")?;
    survivor.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

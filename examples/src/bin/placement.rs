//! Placement: which replicas may take which of a tick's executions.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin placement
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::time::Duration;

use sexton::policy::Placement;
use sexton::{MemoryLockManager, Run, Scheduler, State, Task};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[derive(Clone)]
struct Replica {
    name: &'static str,
    ran: UnboundedSender<()>,
}

async fn work(run: Run, State(replica): State<Replica>) {
    let (task, index, of) = (run.task(), run.index(), run.concurrency());
    println!("{task} {}: {index} of {of} on {}", run.tick(), replica.name);
    let _ = replica.ran.send(());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let store = MemoryLockManager::new();
    let (ran, mut runs) = unbounded_channel();
    let mut fleet = Vec::new();
    for (name, zone) in [("anna", "zone=eu"), ("bert", "zone=us")] {
        let state = Replica {
            name,
            ran: ran.clone(),
        };
        let second = Duration::from_secs(1);
        let scheduler = Scheduler::builder()
            .manager(store.clone())
            .label(zone)
            .state(state)
            // One on each replica. Without `Distinct` one replica may take both.
            .task(
                Task::new("reindex")
                    .every(second)?
                    .concurrency(2)
                    .placement(Placement::Distinct)
                    .run(work),
            )
            // Only where the label is.
            .task(
                Task::new("report for Europe")
                    .every(second)?
                    .only_on("zone=eu")
                    .run(work),
            )
            .start()
            .await?;
        fleet.push(scheduler);
    }
    for _ in 0..6 {
        runs.recv().await.ok_or("nothing ran")?;
    }
    for scheduler in fleet {
        scheduler.shutdown(Duration::from_secs(1)).await;
    }
    Ok(())
}

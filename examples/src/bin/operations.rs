//! While it runs: tasks added, replaced and removed; paused and resumed; triggered; a run
//! cancelled; the history read.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin operations
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::time::Duration;

use sexton::lock::{Execution, HistoryQuery, TaskQuery};
use sexton::name::{ManagerName, TaskName};
use sexton::{ConcurrencyIndex, Event, MemoryLockManager, Run, Scheduler, Task};
use tokio::sync::broadcast::Receiver;

/// Goes on until it is asked to stop.
async fn work(run: Run) {
    println!("{} begins", run.task());
    run.cancellation().cancelled().await;
}

async fn started(
    events: &mut Receiver<std::sync::Arc<Event>>,
) -> Result<Execution, Box<dyn Error>> {
    loop {
        if let Event::Started { execution, .. } = &*events.recv().await? {
            return Ok(execution.clone());
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let scheduler = Scheduler::builder()
        .manager(MemoryLockManager::new())
        .start()
        .await?;
    let (handle, mut events) = (scheduler.handle(), scheduler.events());
    let (manager, name) = (ManagerName::default(), TaskName::new("rebuild")?);

    handle
        .add(Task::new("rebuild").cron("@yearly")?.run(work))
        .await?;
    handle.pause(&name, "until the release is out").await?;
    for task in handle
        .tasks(&manager, &TaskQuery::Named(vec![name.clone()]))
        .await?
    {
        if let Some(pause) = task.pause {
            println!("{} is paused: {}", task.task, pause.note);
        }
    }
    handle.resume(&name).await?;

    // Once over the fleet, besides its schedule.
    let tick = handle.trigger(&manager, &name).await?;
    let execution = started(&mut events).await?;
    assert_eq!(
        execution,
        Execution {
            task: name.clone(),
            index: ConcurrencyIndex::ONE,
            tick
        }
    );

    // On whichever instance it runs.
    handle.cancel(&execution).await?;
    while !matches!(&*events.recv().await?, Event::Finished { .. }) {}
    scheduler.shutdown(Duration::from_secs(1)).await;

    let query = HistoryQuery {
        task: Some(name),
        ..HistoryQuery::default()
    };
    for record in handle.history(&manager, &query).await? {
        println!("{} {}", record.execution.task, record.state);
    }
    Ok(())
}

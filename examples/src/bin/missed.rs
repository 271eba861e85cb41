//! Missed ticks: what becomes of those that came due while the whole fleet was down.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin missed
//! ```

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use sexton::policy::Missed;
use sexton::{Run, Scheduler, SqliteLockManager, State, Task};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const HOUR: Duration = Duration::from_secs(3600);

async fn work(run: Run, State(ran): State<UnboundedSender<String>>) {
    println!("  {:<7} {}", run.task(), run.tick());
    let _ = ran.send(run.task().to_string());
}

async fn service(file: &Path, ran: &UnboundedSender<String>) -> Result<Scheduler, Box<dyn Error>> {
    let mut builder = Scheduler::builder()
        .manager(SqliteLockManager::open(file).await?)
        .state(ran.clone());
    for (name, missed) in [
        ("skip", Missed::Skip),
        ("latest", Missed::Latest { window: HOUR }),
        ("all", Missed::All { window: HOUR }),
    ] {
        let task = Task::new(name).every(Duration::from_secs(1))?;
        builder = builder.task(task.missed(missed).run(work));
    }
    Ok(builder.start().await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("sexton.db");
    let (ran, mut runs) = unbounded_channel();
    println!("up");
    let scheduler = service(&file, &ran).await?;
    for _ in 0..3 {
        runs.recv().await.ok_or("nothing ran")?;
    }
    scheduler.shutdown(Duration::from_secs(1)).await;
    println!("down for 4 s");
    tokio::time::sleep(Duration::from_secs(4)).await;
    println!("up again");
    let scheduler = service(&file, &ran).await?;
    // All three go on, once what was missed has been caught up with.
    let mut skip = 0;
    while skip < 2 {
        skip += usize::from(runs.recv().await.ok_or("nothing ran")? == "skip");
    }
    scheduler.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

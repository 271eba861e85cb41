//! A scheduler that is asked whether it still decides what is due.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sexton::schedule::Schedule;
use sexton::{MemoryLockManager, Scheduler, Task, Tick};

/// Never due, and found out only when the test lets it.
#[derive(Debug)]
struct Stuck(Arc<Mutex<()>>);

impl Schedule for Stuck {
    fn next_after(&self, _: Tick) -> Option<Tick> {
        drop(self.0.lock());
        None
    }

    fn describe(&self) -> String {
        "never".to_owned()
    }
}

#[allow(
    clippy::await_holding_lock,
    reason = "the driver's thread waits for it, and there are others"
)]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_driver_that_is_stuck_does_not_answer_a_ping() {
    let builder = Scheduler::builder().manager(MemoryLockManager::new());
    let scheduler = builder.start().await.unwrap();
    let handle = scheduler.handle();
    handle.ping().await.unwrap();
    let stuck = Arc::new(Mutex::new(()));
    let held = stuck.lock().unwrap();
    let task = Task::new("stuck").schedule(Stuck(Arc::clone(&stuck)));
    let adding = {
        let handle = handle.clone();
        tokio::spawn(async move { handle.add(task.run(|| async {})).await })
    };
    // The driver has it once it does not answer any more.
    let limit = Duration::from_millis(200);
    while tokio::time::timeout(limit, handle.ping()).await.is_ok() {}
    drop(held);
    handle.ping().await.unwrap();
    adding.await.unwrap().unwrap();
    scheduler.shutdown(Duration::from_secs(5)).await;
    let ended = handle.ping().await.unwrap_err();
    assert!(
        matches!(ended, sexton::HandleError::ShuttingDown),
        "{ended}"
    );
}

//! What others do reaches a running instance at once where the store tells, whatever its heartbeat.

use std::time::Duration;

use futures::StreamExt;
use sexton::lock::{CancelRequested, Execution};
use sexton::name::TaskName;
use sexton::{Operator, PostgresLockManager, Run, Scheduler, State, Task};
use sexton_testkit::postgres::Server;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::timeout;

/// What is found by a heartbeat is found too late for the test.
const HEARTBEAT: Duration = Duration::from_secs(3_600);
const AGES: Duration = Duration::from_secs(60);

type Heard = UnboundedSender<(&'static str, Execution)>;

async fn until_cancelled(run: Run, State(heard): State<Heard>) {
    let execution = Execution {
        task: run.task().clone(),
        index: run.index(),
        tick: run.tick(),
    };
    // Nobody listens any more once the test has failed.
    let _ = heard.send(("started", execution.clone()));
    run.cancellation().cancelled().await;
    let _ = heard.send(("cancelled", execution));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_and_a_cancel_by_an_operator_elsewhere() {
    let Some(server) = Server::start() else {
        return;
    };
    let (sender, mut heard) = unbounded_channel();
    let mut next = async || timeout(AGES, heard.recv()).await.unwrap().unwrap();
    let open = async || PostgresLockManager::connect(&server.url()).await.unwrap();
    let manager = open().await;
    let operator = Operator::new(open().await, "anna");
    let mut changes = operator.manager().notifications().unwrap();
    let name = TaskName::new("digest").unwrap();
    let task = Task::new("digest").every(HEARTBEAT).unwrap();
    let scheduler = Scheduler::builder()
        .manager(manager)
        .heartbeat(HEARTBEAT)
        .state::<Heard>(sender)
        .task(task.run(until_cancelled));
    let scheduler = scheduler.start().await.unwrap();
    while operator.task(&name).await.unwrap().is_none() {
        timeout(AGES, changes.next()).await.unwrap().unwrap();
    }

    let tick = operator.trigger(&name).await.unwrap().unwrap();
    let (what, execution) = next().await;
    assert_eq!((what, execution.tick), ("started", tick));
    let asked = operator.cancel(&execution).await.unwrap();
    assert_eq!(asked, CancelRequested::Told);
    assert_eq!(next().await, ("cancelled", execution));
    scheduler.shutdown(AGES).await;
}

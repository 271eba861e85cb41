//! Clients that race for the same executions.

use std::collections::HashMap;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{Claim, ClaimLead, Execution, LockManager};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};

use crate::server::Database;

const RACERS: u8 = 4;
const TICKS: i64 = 50;
const TASKS: usize = 5;

fn claim(task: usize, tick: Tick, instance: &InstanceId) -> Claim {
    let execution = Execution {
        task: TaskName::new(format!("task {task}")).unwrap(),
        index: ConcurrencyIndex::ONE,
        tick,
    };
    Claim::new(execution, Concurrency::ONE, instance.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_clients_after_the_same_executions_get_each_once() {
    let Some(database) = Database::new() else {
        return;
    };
    let begin = Tick::at_or_before(SystemClock.now()).as_millis() - 3_600_000;
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..RACERS {
        let manager = database.open(&Namespace::default()).await;
        racing.spawn(async move {
            let instance = InstanceId::random();
            let mut won = Vec::new();
            for tick in 0..TICKS {
                let tick = Tick::from_millis(begin + tick).unwrap();
                let batch: Vec<Claim> = (0..TASKS)
                    .map(|task| claim(task, tick, &instance))
                    .collect();
                let answer = manager
                    .claim(ClaimLead::default(), &batch)
                    .await
                    .unwrap()
                    .whole()
                    .unwrap();
                let granted = batch.into_iter().zip(answer.value);
                won.extend(granted.filter_map(|(claim, verdict)| {
                    let fence = verdict.grant()?.fence;
                    Some((claim.execution, fence))
                }));
            }
            won
        });
    }
    let mut owners = HashMap::new();
    for (execution, fence) in racing.join_all().await.into_iter().flatten() {
        assert_eq!(owners.insert(execution, fence), None, "granted twice");
    }
    assert_eq!(owners.len(), TASKS * usize::try_from(TICKS).unwrap());
}

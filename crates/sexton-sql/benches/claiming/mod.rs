//! Clients that claim as fast as they are answered.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Execution, HeldLock, LockManager, Outcome, Settlement, Verdict,
};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use tokio::task::JoinSet;

pub(crate) const CLIENTS: u32 = 4;
pub(crate) const MEASURED: Duration = Duration::from_secs(4);

/// One client: a batch of tasks of its own, an instance.
pub(crate) struct Client {
    manager: Arc<dyn LockManager>,
    instance: InstanceId,
    tasks: Vec<TaskName>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    Claim,
    ClaimAndSettle,
    /// Claims what is taken already.
    Lose,
}

impl Client {
    pub(crate) fn new(manager: Arc<dyn LockManager>, number: u32, batch: u32) -> Client {
        let name = |task| TaskName::new(format!("task-{number}-{task}")).unwrap();
        Client {
            manager,
            instance: InstanceId::random(),
            tasks: (0..batch).map(name).collect(),
        }
    }

    /// Ticks long past, so that each is later than the one before and none too early.
    async fn claim(&self, round: i64) -> (Vec<Claim>, Vec<Verdict>) {
        let claim = |task: &TaskName| {
            let execution = Execution {
                task: task.clone(),
                index: ConcurrencyIndex::ONE,
                tick: Tick::from_millis(1_600_000_000_000 + round * 1_000).unwrap(),
            };
            Claim::new(execution, Concurrency::ONE, self.instance.clone())
        };
        let claims: Vec<_> = self.tasks.iter().map(claim).collect();
        let answer = self
            .manager
            .claim(ClaimLead::default(), &claims)
            .await
            .and_then(Answer::whole);
        (claims, answer.unwrap().value)
    }

    pub(crate) async fn step(&self, work: Work, round: i64) {
        let round = match work {
            Work::Lose => 0,
            Work::Claim | Work::ClaimAndSettle => round,
        };
        let (claims, verdicts) = self.claim(round).await;
        if let Work::ClaimAndSettle = work {
            let now = SystemClock.now();
            let settle = |(claim, verdict): (Claim, Verdict)| {
                let Some(grant) = verdict.grant() else {
                    unreachable!("nobody else claims")
                };
                let lock = HeldLock {
                    execution: claim.execution,
                    claim_id: claim.claim_id,
                    fence: grant.fence,
                };
                Settlement::new(lock, Outcome::Succeeded, now, now)
            };
            let pairs = claims.into_iter().zip(verdicts);
            let settlements: Vec<_> = pairs.map(settle).collect();
            self.manager
                .settle(&settlements)
                .await
                .unwrap()
                .whole()
                .unwrap();
        }
    }
}

/// How many claims a second all clients together had answered, in a namespace of their own.
pub(crate) async fn per_second<M: LockManager>(
    open: impl AsyncFn(Namespace) -> M,
    batch: u32,
    work: Work,
) -> f64 {
    let namespace = Namespace::new(format!("{work:?}-{batch}")).unwrap();
    let manager: Arc<dyn LockManager> = Arc::new(open(namespace).await);
    let clients =
        (0..CLIENTS).map(|number| Arc::new(Client::new(Arc::clone(&manager), number, batch)));
    let mut running = JoinSet::new();
    for client in clients {
        // What everything costs the first time is nobody's pace.
        client.step(Work::Claim, 0).await;
        running.spawn(async move {
            let began = SystemClock.monotonic();
            let mut rounds: u32 = 0;
            loop {
                rounds += 1;
                client.step(work, i64::from(rounds)).await;
                let passed = SystemClock.monotonic() - began;
                if passed >= MEASURED {
                    return f64::from(rounds) / passed.as_secs_f64();
                }
            }
        });
    }
    let rounds: f64 = running.join_all().await.into_iter().sum();
    rounds * f64::from(batch)
}

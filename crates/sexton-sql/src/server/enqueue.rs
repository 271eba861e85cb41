//! Executions that are to wait for a claim, each once however often the call is sent.
//!
//! A call that is sent again since its answer was lost finds what it has written itself, and must not take that for somebody else's: whoever
//! triggers a task would try the next tick, and the task would run twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{Answer, Enqueue, Enqueued, Execution, LockError};

use super::ServerLockManager;
use super::call::Errand;
use super::decide::{Decision, Kind};
use super::dialect::Dialect;
use super::error::{Outage, Trouble};
use crate::wanted::Wanted;

/// What the tries of one call have written, as far as they know.
#[derive(Debug, Default)]
struct Tries(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    by_this_try: HashSet<Execution>,
    /// By tries whose end is not known.
    perhaps: HashSet<Execution>,
}

impl Tries {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, state: &mut LockState, enqueue: &Enqueue, now: Timestamp) -> Enqueued {
        let mut written = self.written();
        match state.enqueue(enqueue, now) {
            Enqueued::Already if written.perhaps.contains(&enqueue.execution) => Enqueued::Waiting,
            Enqueued::Waiting => {
                written.by_this_try.insert(enqueue.execution.clone());
                Enqueued::Waiting
            }
            other => other,
        }
    }

    fn ended<T>(&self, tried: &Result<T, Trouble>) {
        let mut written = self.written();
        let by_this_try = std::mem::take(&mut written.by_this_try);
        // Whoever was overtaken has not written.
        let is_known = matches!(tried, Ok(_) | Err(Trouble::Outage(Outage::Overtaken)));
        if !is_known {
            written.perhaps.extend(by_this_try);
        }
    }
}

struct EnqueueEach<'b, R> {
    decision: Decision<'b, Enqueue, Enqueued, R>,
    tries: &'b Tries,
}

impl<DB, R> Errand<DB> for EnqueueEach<'_, R>
where
    DB: Dialect,
    R: Fn(&mut LockState, &Enqueue, Timestamp) -> Enqueued + Send + Sync,
{
    type Found = Timestamp;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Timestamp, Trouble> {
        let tried = self.decision.run(manager, connection).await;
        self.tries.ended(&tried);
        tried
    }
}

impl<DB: Dialect> ServerLockManager<DB> {
    pub(super) async fn enqueue_once(
        &self,
        batch: &[Enqueue],
    ) -> Result<Answer<Vec<Enqueued>>, LockError> {
        let kind = Kind {
            action: "enqueue",
            wanted: Wanted::by_enqueues,
            execution: |enqueue: &Enqueue| &enqueue.execution,
        };
        // The second of two in a batch finds the first.
        let mut known = HashSet::new();
        let firsts = batch
            .iter()
            .filter(|enqueue| known.insert(&enqueue.execution));
        let firsts: Vec<Enqueue> = firsts.cloned().collect();
        let tries = Tries::default();
        let rule =
            |state: &mut LockState, enqueue: &Enqueue, now| tries.enqueue(state, enqueue, now);
        let mut errand = EnqueueEach {
            decision: Decision::new(kind, &firsts, rule),
            tries: &tries,
        };
        let now = self.call(kind.action, &mut errand).await?;
        let executions = firsts.iter().map(|enqueue| enqueue.execution.clone());
        let answers = errand.decision.into_answers();
        let mut answers: HashMap<Execution, Enqueued> = executions.zip(answers).collect();
        let of_each = batch.iter().map(|enqueue| {
            let answer = answers.insert(enqueue.execution.clone(), Enqueued::Already);
            answer.unwrap_or(Enqueued::Already)
        });
        let value = of_each.collect();
        Ok(Answer { now, value })
    }
}

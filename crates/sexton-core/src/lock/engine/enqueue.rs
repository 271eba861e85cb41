//! Executions that wait for a claim, each made once however often the call runs.
//!
//! A call that runs again since its answer was lost finds what it has written itself, and must not
//! take that for somebody else's: the trigger would try the next tick, and the task would run twice.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::decide::{BatchOp, Decision};
use super::{Engine, Operation, Port, PortError, ReadSet};
use crate::lock::rules::LockState;
use crate::lock::{Answer, Enqueue, Enqueued, Execution, LockError};

/// What the tries of one call have written, as far as they know.
#[derive(Debug, Default)]
struct Tries(Mutex<Written>);

#[derive(Debug, Default)]
struct Written {
    by_this_try: HashSet<Execution>,
    /// By tries that failed, perhaps after they took effect.
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

    fn ended<T, E: PortError>(&self, tried: &Result<T, E>) {
        let mut written = self.written();
        let by_this_try = std::mem::take(&mut written.by_this_try);
        let is_known = match tried {
            Ok(_) => true,
            Err(error) => error.class().is_without_effect(),
        };
        if !is_known {
            written.perhaps.extend(by_this_try);
        }
    }
}

/// A decision of which each try says how it ended.
struct EnqueueEach<'b, R> {
    decision: Decision<'b, Enqueue, Enqueued, R>,
    tries: &'b Tries,
}

impl<P, R> Operation<P> for EnqueueEach<'_, R>
where
    P: Port,
    R: Fn(&mut LockState, &Enqueue, Timestamp) -> Enqueued + Send + Sync,
{
    type Output = Timestamp;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Timestamp, P::Error> {
        let tried = self.decision.run(engine, connection).await;
        self.tries.ended(&tried);
        tried
    }
}

impl<P: Port> Engine<P> {
    pub(super) async fn enqueue(
        &self,
        batch: &[Enqueue],
    ) -> Result<Answer<Vec<Enqueued>>, LockError> {
        let op = BatchOp::new("enqueue", ReadSet::of_enqueues, |enqueue: &Enqueue| {
            &enqueue.execution
        })
        .without_memory();
        // The second of two in a batch finds the first.
        let mut known = HashSet::new();
        let firsts = batch
            .iter()
            .filter(|enqueue| known.insert(&enqueue.execution));
        let firsts: Vec<Enqueue> = firsts.cloned().collect();
        let tries = Tries::default();
        let rule =
            |state: &mut LockState, enqueue: &Enqueue, now| tries.enqueue(state, enqueue, now);
        let mut operation = EnqueueEach {
            decision: Decision::new(op, &firsts, rule),
            tries: &tries,
        };
        let now = self.call(op.action, &mut operation).await?;
        let executions = firsts.iter().map(|enqueue| enqueue.execution.clone());
        let answers = operation.decision.into_answers();
        let mut answers: HashMap<Execution, Enqueued> = executions.zip(answers).collect();
        let of_each = batch.iter().map(|enqueue| {
            let answer = answers.insert(enqueue.execution.clone(), Enqueued::Already);
            answer.unwrap_or(Enqueued::Already)
        });
        let value = of_each.collect();
        Ok(Answer { now, value })
    }
}

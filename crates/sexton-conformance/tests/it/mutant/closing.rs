//! Settlements and sweeps answered wrongly, where that takes a look at what waits.

use jiff::Timestamp;
use sexton_core::lock::{
    Answer, Execution, ExecutionRecord, ExecutionState, HistoryQuery, LockError, Pause,
    PauseChange, Reason, Released, Settled, Settlement, Sweep, SweepQuery, TaskQuery,
};
use sexton_core::name::TaskName;
use sexton_core::policy::Overlap;
use sexton_core::tick::Attempt;

use super::look::{has_passed, is_beside};
use super::{Answered, Fault, Mutant};

impl Mutant {
    pub(super) async fn settle_each(&self, batch: &[Settlement]) -> Answered<Vec<Settled>> {
        if !self.fault.is_about_settling() {
            return self.inner.settle(batch).await?.whole();
        }
        let mut answer = self.inner.settle(&[]).await?.whole()?;
        for settlement in batch {
            let lock = &settlement.lock;
            let task = &lock.execution.task;
            let mut waiting = self.records(task, ExecutionState::Waiting).await?;
            waiting.retain(|record| is_beside(&record.execution, &lock.execution));
            if self.has(Fault::QueuedForgottenBySettling) {
                self.withdraw_queued(&waiting).await?;
            }
            let one = std::slice::from_ref(settlement);
            let Answer { now, value } = self.inner.settle(one).await?.whole()?;
            let mut settled = value[0];
            if let Settled::Recorded { waiting: named } = &mut settled {
                let record = self.record(&lock.execution).await?;
                let had_lease = record.is_some_and(|record| {
                    record.delivery.recovers() || record.overlap != Overlap::Allow
                });
                let is_named = named.is_some();
                let name = |is_such: &dyn Fn(&&ExecutionRecord) -> bool| {
                    let found = waiting.iter().find(is_such);
                    found.map(|record| record.execution.tick)
                };
                match self.fault {
                    Fault::SettlingNamesOnlyTheQueued => {
                        *named = name(&|record| record.reason == Some(Reason::Overlap));
                    }
                    Fault::SettlingNamesOnlyTheLater if is_named => {
                        *named = name(&|record| record.execution.tick > lock.execution.tick);
                    }
                    Fault::SettlingNamesWithoutALease if !had_lease => {
                        *named = name(&|record| !has_passed(record, now));
                    }
                    Fault::SettlingNamesBesideALease if had_lease && !is_named => {
                        *named = name(&|record| !has_passed(record, now));
                    }
                    Fault::SettlingNamesTheTooLate if had_lease => *named = name(&|_| true),
                    _ => {}
                }
            }
            answer.now = now;
            answer.value.push(settled);
        }
        Ok(answer)
    }

    pub(super) async fn sweep_wrongly(&self, query: &SweepQuery) -> Answered<Sweep> {
        match self.fault {
            Fault::MissedNotCounted => {
                let mut query = query.clone();
                query.limit += 1;
                let mut answer = self.inner.sweep(&query).await?;
                if answer.value.missed.is_empty() {
                    answer.value.claimable.truncate(query.limit - 1);
                }
                Ok(answer)
            }
            Fault::MissedAlthoughPaused => {
                let paused = self.resume_all().await?;
                let mut answer = self.inner.sweep(query).await?;
                for (task, Pause { note, by, .. }) in paused {
                    let pause = PauseChange::Pause { note, by };
                    answer
                        .value
                        .claimable
                        .retain(|found| found.execution.task != task);
                    self.inner.change_pause(&[task], &pause).await?;
                }
                Ok(answer)
            }
            Fault::QueuedForgottenWithTheLost => {
                let mut answer = self.inner.sweep(query).await?;
                for lost in answer.value.lost.clone() {
                    let mut waiting = self.records(&lost.task, ExecutionState::Waiting).await?;
                    waiting.retain(|record| is_beside(&record.execution, &lost));
                    self.withdraw_queued(&waiting).await?;
                    answer.value.claimable.retain(|found| {
                        !waiting
                            .iter()
                            .any(|record| record.execution == found.execution)
                    });
                }
                Ok(answer)
            }
            Fault::MissedBesideARunOfAnotherPage => {
                if let Some(last) = &query.after {
                    let mut waiting = self.records(&last.task, ExecutionState::Waiting).await?;
                    waiting.retain(|record| is_beside(&record.execution, last));
                    self.withdraw_queued(&waiting).await?;
                }
                self.inner.sweep(query).await
            }
            _ => self.inner.sweep(query).await,
        }
    }

    async fn resume_all(&self) -> Result<Vec<(TaskName, Pause)>, LockError> {
        let all = TaskQuery::Page {
            after: None,
            limit: 1_000,
        };
        let states = self.inner.tasks(&all).await?.value;
        let paused: Vec<_> = states
            .into_iter()
            .filter_map(|state| Some((state.task, state.pause?)))
            .collect();
        for (task, _) in &paused {
            let tasks = std::slice::from_ref(task);
            self.inner.change_pause(tasks, &PauseChange::Resume).await?;
        }
        Ok(paused)
    }

    /// Closes what was given back by another attempt than its first.
    pub(super) async fn close_a_repeat(
        &self,
        execution: &Execution,
    ) -> Result<Released, LockError> {
        let record = self.record(execution).await?;
        if record.is_some_and(|record| record.attempt > Some(Attempt::FIRST)) {
            self.inner.request_cancel(execution).await?;
            return Ok(Released::TooLate);
        }
        Ok(Released::Open)
    }

    async fn withdraw_queued(&self, waiting: &[ExecutionRecord]) -> Result<(), LockError> {
        for record in waiting {
            if record.reason == Some(Reason::Overlap) {
                self.inner.request_cancel(&record.execution).await?;
            }
        }
        Ok(())
    }

    /// Whether anything waits whose deadline has not passed.
    pub(super) async fn has_waiting_in_time(&self, now: Timestamp) -> Result<bool, LockError> {
        let query = HistoryQuery {
            states: vec![ExecutionState::Waiting],
            limit: 1_000,
            ..HistoryQuery::default()
        };
        let waiting = self.inner.history(&query).await?.value;
        Ok(waiting.iter().any(|record| !has_passed(record, now)))
    }
}

//! What may be claimed although no schedule brings it up, and what nobody will finish.
//!
//! A port finds *candidates* by its indexes; the rules say which of them count. What is closed as
//! lost or missed is swapped in like everything else: a holder that settles at that very moment is
//! the faster one, and its execution is not lost.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{
    Backoff, Candidates, CandidatesPage, Engine, Found, LookBack, Operation, Port, ReadSet,
    Snapshot, Swap,
};
use crate::lock::rules::LockState;
use crate::lock::{
    Answer, Execution, ExecutionRecord, ExecutionState, LockError, PAGE_MAX, Sweep, SweepQuery,
};
use crate::name::InstanceId;

/// How often a sweep looks again at what others wrote to between its look and its write.
const CONFLICTS_MAX: usize = 24;

/// Whether a sweep would find something to claim, or to close because it waited too long.
pub(super) async fn needs_sweep<P: Port>(
    port: &P,
    connection: &mut P::Connection,
) -> Result<bool, P::Error> {
    for candidates in [Candidates::Waiting, Candidates::LeaseOver] {
        let mut after = None;
        loop {
            let page = CandidatesPage {
                candidates,
                after: after.as_ref(),
                abandoned_after: Duration::ZERO,
            };
            let found = port.candidates(connection, &page).await?;
            if found.snapshot.state.needs_sweep(found.snapshot.now) {
                return Ok(true);
            }
            if found.is_last {
                break;
            }
            after = found.last;
        }
    }
    Ok(false)
}

/// A sweep, as far as it has come.
struct Sweeping<'q> {
    query: &'q SweepQuery,
    after: Option<Execution>,
    found: Sweep,
    /// What a try that failed has closed, perhaps, and how.
    perhaps: Vec<ExecutionRecord>,
}

impl Sweeping<'_> {
    fn limit(&self) -> usize {
        self.query.limit.min(PAGE_MAX)
    }

    /// What is left to find, behind what was found.
    fn rest(&self) -> SweepQuery {
        SweepQuery {
            after: self.after.clone(),
            limit: self.limit().saturating_sub(self.found.len()),
            abandoned_after: self.query.abandoned_after,
        }
    }

    /// Closes what a page shows to be lost or missed, and answers what may be claimed. `true`
    /// beside it where another client wrote to what was closed.
    async fn close<P: Port>(
        &mut self,
        port: &P,
        connection: &mut P::Connection,
        found: &mut Found<P::Rows>,
    ) -> Result<(Sweep, bool), P::Error> {
        let Found {
            snapshot, present, ..
        } = found;
        let is_present = |instance: &InstanceId, granted_at| {
            let since = present.get(instance);
            since.is_some_and(|since| *since <= granted_at)
        };
        let Snapshot { now, state, .. } = snapshot;
        let mut page = state.sweep(&self.rest(), &is_present, *now);
        let writes = state.take_writes();
        if writes.is_empty() {
            return Ok((page, false));
        }
        let swap = Swap {
            keys: writes.keys(),
            writes: &writes,
            reservations: &BTreeSet::new(),
        };
        let swapped = match port.swap(connection, snapshot, &swap).await {
            Ok(swapped) => swapped,
            Err(error) => {
                let closed = page.lost.iter().chain(&page.missed);
                let records = closed.filter_map(|one| snapshot.state.record(one).cloned());
                self.perhaps = records.collect();
                return Err(error);
            }
        };
        let stands = |one: &Execution| swapped.contains(&one.key());
        page.lost.retain(stands);
        page.missed.retain(stands);
        self.found.lost.append(&mut page.lost);
        self.found.missed.append(&mut page.missed);
        Ok((page, swapped.len() < swap.keys.len()))
    }

    /// Answers what an earlier try has closed, if it took effect: no later page shows that.
    async fn find_closed<P: Port>(
        &mut self,
        port: &P,
        connection: &mut P::Connection,
    ) -> Result<(), P::Error> {
        if self.perhaps.is_empty() {
            return Ok(());
        }
        let executions: Vec<Execution> = self
            .perhaps
            .iter()
            .map(|record| record.execution.clone())
            .collect();
        let read_set = ReadSet {
            look_back: LookBack::Always,
            ..ReadSet::of_cancels(&executions)
        };
        let state = port.load(connection, &read_set).await?.state;
        for record in std::mem::take(&mut self.perhaps) {
            if !is_closed_so(&state, &record) {
                continue;
            }
            match record.state {
                ExecutionState::Missed => self.found.missed.push(record.execution),
                _ => self.found.lost.push(record.execution),
            }
        }
        Ok(())
    }
}

/// Whether an execution was closed as it was to be, and at that time.
fn is_closed_so(state: &LockState, record: &ExecutionRecord) -> bool {
    let found = state.record(&record.execution);
    found
        .is_some_and(|found| found.state == record.state && found.finished_at == record.finished_at)
}

impl<P: Port> Operation<P> for Sweeping<'_> {
    type Output = Timestamp;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Timestamp, P::Error> {
        let port = &engine.port;
        self.find_closed(port, connection).await?;
        let mut conflicts = 0;
        let mut backoff = Backoff::default();
        let deadline = engine.deadline(port.limits().call);
        loop {
            let after = self.after.clone();
            let page = CandidatesPage {
                candidates: Candidates::Open,
                after: after.as_ref(),
                abandoned_after: self.query.abandoned_after,
            };
            let mut found = port.candidates(connection, &page).await?;
            let (mut swept, is_conflict) = self.close(port, connection, &mut found).await?;
            let has_room = self.found.len() < self.limit();
            if is_conflict
                && conflicts < CONFLICTS_MAX
                && has_room
                && engine
                    .pause(backoff.next_wait(&engine.draw), deadline)
                    .await
            {
                // What is still to be closed is closed now, and not a heartbeat later.
                conflicts += 1;
                continue;
            }
            // What was loaded beside the last candidates may be a candidate of the next page.
            swept
                .claimable
                .retain(|one| found.last.as_ref() >= Some(&one.execution));
            self.found.claimable.append(&mut swept.claimable);
            self.after = found.last;
            if found.is_last || self.found.len() >= self.limit() {
                return Ok(found.snapshot.now);
            }
        }
    }
}

impl<P: Port> Engine<P> {
    pub(super) async fn sweep(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let mut sweeping = Sweeping {
            query,
            after: query.after.clone(),
            found: Sweep::default(),
            perhaps: Vec::new(),
        };
        let now = self.call("sweep", &mut sweeping).await?;
        let mut value = sweeping.found;
        // A later look has closed what was in conflict with an earlier one, wherever that stands.
        value.lost.sort_unstable();
        value.missed.sort_unstable();
        Ok(Answer { now, value })
    }
}

//! What may be claimed although no schedule brings it up, and what nobody will finish.
//!
//! The statements find *candidates*, from the indexes of what is open; the rules say which of them
//! count. So a statement may bring too much, never too little. What is closed as lost or missed is
//! written like everything else: where nothing has changed since it was read. A holder that settles
//! at that very moment is the faster one, and its execution is not lost.

use jiff::Timestamp;
use sexton_core::lock::{Answer, Execution, LockError, Sweep, SweepQuery};
use sexton_core::name::InstanceId;

use super::ServerLockManager;
use super::call::Errand;
use super::decide::write_each;
use super::dialect::{Candidates, CandidatesPage, Dialect};
use super::error::Trouble;
use super::loaded::{Loaded, touched};
use crate::patience::Patience;

/// The most executions of an answer.
const ANSWER_MAX: usize = 1_000;
/// How many candidates are looked at together.
const PAGE: usize = 1_000;
/// How often a sweep looks again at what others wrote to between its look and its write.
const OVERTAKEN_MAX: usize = 24;

/// A walk over candidates in the order of (task, index, tick).
#[derive(Debug, Clone)]
struct Walk {
    candidates: Candidates,
    abandoned_after_ms: i64,
    after: Option<Execution>,
    is_at_end: bool,
}

impl Walk {
    /// All that decides the next page's candidates. Only its clock if there are none any more.
    async fn next<DB: Dialect>(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Loaded, Trouble> {
        let page = CandidatesPage {
            candidates: self.candidates,
            after: self.after.as_ref(),
            size: i64::try_from(PAGE).unwrap_or(i64::MAX),
            abandoned_after_ms: self.abandoned_after_ms,
        };
        let loaded = DB::load_candidates(manager, connection, page).await?;
        self.is_at_end = loaded.asked.len() < PAGE;
        self.after = loaded.asked.last().cloned().or(self.after.take());
        Ok(loaded)
    }
}

/// Whether a sweep would find something to claim, or to close because it waited too long.
pub(super) async fn needs_sweep<DB: Dialect>(
    manager: &ServerLockManager<DB>,
    connection: &mut DB::Connection,
) -> Result<bool, Trouble> {
    for candidates in [Candidates::Waiting, Candidates::LeaseOver] {
        let mut walk = Walk {
            candidates,
            abandoned_after_ms: 0,
            after: None,
            is_at_end: false,
        };
        while !walk.is_at_end {
            let loaded = walk.next(manager, connection).await?;
            if loaded.state.needs_sweep(loaded.now) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// A sweep, as far as it has come.
struct Sweeping<'q> {
    query: &'q SweepQuery,
    after: Option<Execution>,
    found: Sweep,
}

impl<DB: Dialect> ServerLockManager<DB> {
    pub(super) async fn sweep_open(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let mut sweeping = Sweeping {
            query,
            after: query.after.clone(),
            found: Sweep::default(),
        };
        let now = self.call("sweep", &mut sweeping).await?;
        let value = sweeping.found;
        Ok(Answer { now, value })
    }
}

impl<DB: Dialect> Errand<DB> for Sweeping<'_> {
    type Found = Timestamp;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Timestamp, Trouble> {
        let limit = self.query.limit.min(ANSWER_MAX);
        let abandoned_after = self.query.abandoned_after;
        let abandoned_after_ms = i64::try_from(abandoned_after.as_millis()).unwrap_or(i64::MAX / 4);
        let mut walk = Walk {
            candidates: Candidates::Open,
            abandoned_after_ms: abandoned_after_ms.min(i64::MAX / 4),
            after: self.after.clone(),
            is_at_end: false,
        };
        let mut overtaken = 0;
        let mut patience = Patience::new(manager.inner.wait_max);
        loop {
            let before = walk.clone();
            let rest = SweepQuery {
                after: self.after.clone(),
                limit: limit.saturating_sub(self.found.len()),
                abandoned_after,
            };
            let mut loaded = walk.next(manager, connection).await?;
            let Loaded {
                now,
                state,
                present,
                ..
            } = &mut loaded;
            let now = *now;
            let is_present = |instance: &InstanceId, granted_at| {
                let since = present.get(instance);
                since.is_some_and(|since| *since <= granted_at)
            };
            let page = state.sweep(&rest, &is_present, now);
            let changes = state.take_changes();
            let pairs = touched(&changes);
            let Sweep {
                mut claimable,
                mut lost,
                mut missed,
            } = page;
            let mut was_overtaken = false;
            if !pairs.is_empty() {
                let kept = write_each(manager, connection, &loaded, &pairs, &changes).await?;
                was_overtaken = kept.len() < pairs.len();
                let stands = |one: &Execution| kept.contains(&(one.task.clone(), one.index));
                lost.retain(stands);
                missed.retain(stands);
            }
            self.found.lost.extend(lost);
            self.found.missed.extend(missed);
            let may_wait = was_overtaken && overtaken < OVERTAKEN_MAX && self.found.len() < limit;
            if may_wait && patience.wait().await {
                // What is still to be closed is closed now, and not a heartbeat later.
                overtaken += 1;
                walk = before;
                continue;
            }
            // What was loaded beside the last candidates may be a candidate of the next page.
            claimable.retain(|one| walk.after.as_ref() >= Some(&one.execution));
            self.found.claimable.extend(claimable);
            self.after.clone_from(&walk.after);
            if walk.is_at_end || self.found.len() >= limit {
                return Ok(now);
            }
        }
    }
}

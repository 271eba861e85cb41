//! What may be claimed although no schedule brings it up, and what nobody will finish.
//!
//! The statements here find *candidates*, from the indexes of what is open; the rules say which of
//! them count. So a statement may bring too much, never too little.

use std::collections::{BTreeSet, HashMap};

use futures::TryStreamExt;
use jiff::Timestamp;
use sexton_core::lock::rules::LockState;
use sexton_core::lock::{
    Answer, Claimable, Execution, ExecutionRecord, LockError, PAGE_MAX, Sweep, SweepQuery,
};
use sexton_core::name::{InstanceId, Namespace, TaskName};
use sexton_core::policy::Overlap;
use sexton_core::tick::ConcurrencyIndex;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::begin::{begin_read, begin_write};
use super::call::{Access, Errand};
use super::error::Trouble;
use super::load::{json, read_pause, read_record, record_columns};
use super::present::present;
use super::store_back::store_back;
use crate::record_row::{millis, task_name};

/// How many candidates are looked at together.
const PAGE: usize = 1_000;

macro_rules! not_paused {
    () => {
        "NOT EXISTS (SELECT 1 FROM sexton_tasks AS t WHERE t.namespace = $1 AND t.task = e.task \
         AND t.paused_since_ms IS NOT NULL)"
    };
}

/// $1 the namespace, $2 to $4 the last (task, index, tick) of the page before, $5 the page's size,
/// $6 now, $7 the latest grant that counts as abandoned without a present instance.
macro_rules! candidates_sql {
    ($index:literal, $where:expr) => {
        concat!(
            "SELECT ",
            record_columns!(),
            " FROM sexton_executions AS e INDEXED BY ",
            $index,
            " WHERE e.namespace = $1 AND (e.task, e.concurrency_index, e.tick_ms) > ($2, $3, $4) AND ",
            $where,
            " ORDER BY e.task, e.concurrency_index, e.tick_ms LIMIT $5"
        )
    };
}

/// Whatever a sweep may find or close.
pub(super) const OPEN: &str = candidates_sql!(
    "sexton_executions_open",
    concat!(
        "e.state IN ('waiting', 'running') AND CASE \
            WHEN e.state = 'waiting' THEN ",
        not_paused!(),
        " WHEN e.lease_until_ms IS NOT NULL THEN e.lease_until_ms <= $6 \
            ELSE max(e.granted_at_ms, e.tick_ms) <= $7 AND NOT EXISTS (\
                SELECT 1 FROM sexton_instances AS i WHERE i.namespace = $1 \
                AND i.instance = e.instance AND i.since_ms <= e.granted_at_ms \
                AND i.seen_at_ms + i.presence_ms > $6) END"
    )
);

pub(super) const WAITING: &str = candidates_sql!(
    "sexton_executions_waiting",
    concat!("e.state = 'waiting' AND ", not_paused!())
);

pub(super) const LEASE_OVER: &str = candidates_sql!(
    "sexton_executions_leased",
    concat!(
        "e.lease_until_ms IS NOT NULL AND e.lease_until_ms <= $6 AND e.state = 'running' AND ",
        not_paused!()
    )
);

/// $1 the namespace, $2 \[\[task, index]]
const BESIDE: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM json_each($2) AS w CROSS JOIN sexton_executions AS e INDEXED BY sexton_executions_open \
     ON e.namespace = $1 AND e.task = w.value ->> 0 AND e.concurrency_index = w.value ->> 1 \
     AND e.state IN ('waiting', 'running') \
     AND (e.state = 'waiting' OR e.lease_until_ms IS NOT NULL)"
);

/// $1 the namespace, $2 \[task]
const PAUSES: &str = "\
    SELECT t.task, t.pause_note, t.paused_by, t.paused_since_ms \
    FROM json_each($2) AS w CROSS JOIN sexton_tasks AS t \
    ON t.namespace = $1 AND t.task = w.value AND t.paused_since_ms IS NOT NULL";

/// A walk over candidates in the order of (task, index, tick).
struct Walk<'w> {
    sql: &'static str,
    namespace: &'w Namespace,
    now: Timestamp,
    abandoned_before: Timestamp,
    after: Option<Execution>,
    is_at_end: bool,
}

impl Walk<'_> {
    /// The state as far as it decides the next page's candidates, or nothing if there are none.
    async fn next(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<LockState>, Trouble> {
        if self.is_at_end {
            return Ok(None);
        }
        let candidates = self.page(connection).await?;
        self.is_at_end = candidates.len() < PAGE;
        let Some(last) = candidates.last() else {
            return Ok(None);
        };
        self.after = Some(last.execution.clone());
        let mut state = LockState::new();
        let tasks: BTreeSet<TaskName> = candidates
            .iter()
            .map(|record| record.execution.task.clone())
            .collect();
        let not_alone: BTreeSet<(TaskName, ConcurrencyIndex)> = candidates
            .iter()
            .filter(|record| record.overlap != Overlap::Allow || record.lease_until.is_some())
            .map(|record| (record.execution.task.clone(), record.execution.index))
            .collect();
        self.load_pauses(connection, &mut state, &tasks).await?;
        if !not_alone.is_empty() {
            self.load_beside(connection, &mut state, &not_alone).await?;
        }
        candidates
            .into_iter()
            .for_each(|record| state.load_record(record));
        Ok(Some(state))
    }

    async fn page(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Vec<ExecutionRecord>, Trouble> {
        let after = self.after.as_ref();
        let query = sqlx::query(self.sql)
            .bind(self.namespace.as_str().to_owned())
            .bind(after.map_or_else(String::new, |after| after.task.to_string()))
            .bind(after.map_or(0, |after| i64::from(after.index.get())))
            .bind(after.map_or(0, |after| after.tick.as_millis()))
            .bind(i64::try_from(PAGE).unwrap_or(i64::MAX))
            .bind(millis(self.now))
            .bind(millis(self.abandoned_before));
        let mut rows = query.fetch(connection);
        let mut candidates = Vec::new();
        while let Some(row) = rows.try_next().await? {
            candidates.push(read_record(&row, 0)?);
        }
        Ok(candidates)
    }

    async fn load_pauses(
        &self,
        connection: &mut SqliteConnection,
        state: &mut LockState,
        tasks: &BTreeSet<TaskName>,
    ) -> Result<(), Trouble> {
        let names: Vec<&str> = tasks.iter().map(TaskName::as_str).collect();
        let query = sqlx::query(PAUSES)
            .bind(self.namespace.as_str().to_owned())
            .bind(json(&names));
        for row in query.fetch_all(connection).await? {
            let task = task_name(row.try_get(0)?)?;
            state.load_pause(task, Some(read_pause(&row, 1)?));
        }
        Ok(())
    }

    /// What waits or has a lease beside a candidate: what stands before it if its task allows no
    /// overlap, what is queued behind it, what it is queued behind.
    async fn load_beside(
        &self,
        connection: &mut SqliteConnection,
        state: &mut LockState,
        not_alone: &BTreeSet<(TaskName, ConcurrencyIndex)>,
    ) -> Result<(), Trouble> {
        let pairs: Vec<_> = not_alone
            .iter()
            .map(|(task, index)| (task.as_str(), index.get()))
            .collect();
        let query = sqlx::query(BESIDE)
            .bind(self.namespace.as_str().to_owned())
            .bind(json(&pairs));
        for row in query.fetch_all(connection).await? {
            state.load_record(read_record(&row, 0)?);
        }
        Ok(())
    }
}

/// Whether a sweep would find something to claim, or to close because it waited too long.
pub(super) async fn needs_sweep(
    connection: &mut SqliteConnection,
    namespace: &Namespace,
    now: Timestamp,
) -> Result<bool, Trouble> {
    for sql in [WAITING, LEASE_OVER] {
        let mut walk = Walk {
            sql,
            namespace,
            now,
            abandoned_before: now,
            after: None,
            is_at_end: false,
        };
        while let Some(state) = walk.next(connection).await? {
            if state.needs_sweep(now) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

struct Sweeping<'q> {
    query: &'q SweepQuery,
    access: Access,
}

impl SqliteLockManager {
    /// Sweeps without the write lock first; only what is closed has to be written.
    pub(super) async fn sweep_open(&self, query: &SweepQuery) -> Result<Answer<Sweep>, LockError> {
        let mut sweeping = Sweeping {
            query,
            access: Access::Read,
        };
        let answer = self.call("sweep", sweeping.access, &sweeping).await?;
        if answer.value.lost.is_empty() && answer.value.missed.is_empty() {
            return Ok(answer);
        }
        sweeping.access = Access::Write;
        self.call("sweep", sweeping.access, &sweeping).await
    }
}

impl Errand for Sweeping<'_> {
    type Found = Answer<Sweep>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let namespace = &manager.inner.namespace;
        let mut transaction = match self.access {
            Access::Read => begin_read(connection).await?,
            Access::Write => begin_write(connection).await?,
        };
        let now = manager.clock_now();
        let present = present(&mut transaction, namespace.as_str(), now).await?;
        let value = self
            .walk(&mut transaction, namespace, &present, now)
            .await?;
        transaction.commit().await?;
        Ok(Answer { now, value })
    }
}

impl Sweeping<'_> {
    async fn walk(
        &self,
        connection: &mut SqliteConnection,
        namespace: &Namespace,
        present: &HashMap<InstanceId, Timestamp>,
        now: Timestamp,
    ) -> Result<Sweep, Trouble> {
        let limit = self.query.limit.min(PAGE_MAX);
        let earliest = now.saturating_sub(self.query.abandoned_after);
        let mut walk = Walk {
            sql: OPEN,
            namespace,
            now,
            abandoned_before: earliest.unwrap_or(Timestamp::MIN),
            after: self.query.after.clone(),
            is_at_end: false,
        };
        let is_present = |instance: &InstanceId, granted_at| {
            let since = present.get(instance);
            since.is_some_and(|since| *since <= granted_at)
        };
        let mut sweep = Sweep::default();
        loop {
            let rest = SweepQuery {
                after: walk.after.clone(),
                limit: limit.saturating_sub(sweep.len()),
                abandoned_after: self.query.abandoned_after,
            };
            if rest.limit == 0 {
                return Ok(sweep);
            }
            let Some(mut state) = walk.next(connection).await? else {
                return Ok(sweep);
            };
            let page = state.sweep(&rest, &is_present, now);
            // What was loaded beside the last candidates may be a candidate of the next page.
            let is_of_page = |one: &Claimable| walk.after.as_ref() >= Some(&one.execution);
            let claimable = page.claimable.into_iter().filter(is_of_page);
            sweep.claimable.extend(claimable);
            sweep.lost.extend(page.lost);
            sweep.missed.extend(page.missed);
            if self.access == Access::Write {
                let writes = state.take_writes();
                store_back(connection, namespace, &state, &writes).await?;
            }
        }
    }
}

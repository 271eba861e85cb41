//! Pages of the history, found by key: each begins where the one before ended, however far back that is. And its end: pruning.

use futures::TryStreamExt;
use jiff::Timestamp;
use sexton_core::lock::{Answer, ExecutionRecord, HistoryQuery, LockError, Retention};
use sexton_core::name::TaskName;
use sexton_core::tick::Tick;
use sqlx::postgres::PgConnection;

use super::PostgresLockManager;
use super::call::{Errand, Now};
use super::error::Trouble;
use super::load::read_record;
use crate::record_row::millis;

/// The most records of a page.
const PAGE_MAX: usize = 1_000;
/// How many records one statement deletes.
const DELETED_MAX: usize = 1_000;

pub(super) struct History<'q>(pub(super) &'q HistoryQuery);

impl Errand for History<'_> {
    type Found = Answer<Vec<ExecutionRecord>>;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<Self::Found, Trouble> {
        let HistoryQuery {
            task,
            states,
            since,
            until,
            after,
            limit,
        } = self.0;
        let sql = &manager.inner.sql;
        let only_open = !states.is_empty() && !states.iter().any(|state| state.is_over());
        let statement = match task {
            _ if only_open => &sql.history_of_what_is_open,
            Some(_) => &sql.history_of_a_task,
            None => &sql.history_of_all,
        };
        let words: Vec<_> = states.iter().map(|state| state.as_str()).collect();
        let since = since.map_or(i64::MIN, Tick::as_millis);
        // Nothing behind the last page's tick can be newer than it: said as a bound, the index ends there.
        let until = until.map_or(i64::MAX, Tick::as_millis);
        let until = after
            .as_ref()
            .map_or(until, |after| until.min(after.tick.as_millis() + 1));
        let limit = i64::try_from((*limit).min(PAGE_MAX)).unwrap_or(0);
        let query = statement
            .query()
            .bind(manager.inner.namespace.as_str())
            .bind(since)
            .bind(until)
            .bind((!states.is_empty()).then_some(words))
            .bind(after.as_ref().map(|after| after.tick.as_millis()))
            .bind(after.as_ref().map(|after| after.task.as_str()))
            .bind(after.as_ref().map(|after| i32::from(after.index.get())))
            .bind(limit)
            .bind(task.as_ref().map(TaskName::as_str));
        let mut records = Vec::new();
        let mut rows = query.fetch(&mut *connection);
        while let Some(row) = rows.try_next().await? {
            records.push(read_record(&row, 0)?);
        }
        drop(rows);
        let now = manager.clock_now(connection).await?;
        Ok(Answer {
            now,
            value: records,
        })
    }
}

#[derive(Clone, Copy)]
enum Prune {
    Old { kept_from: Timestamp },
    TooMany { kept: u32 },
}

struct Deletion {
    prune: Prune,
    limit: usize,
}

impl Errand for Deletion {
    type Found = usize;

    async fn run(
        &mut self,
        manager: &PostgresLockManager,
        connection: &mut PgConnection,
    ) -> Result<usize, Trouble> {
        let sql = &manager.inner.sql;
        let (statement, bound) = match self.prune {
            Prune::Old { kept_from } => (&sql.prune_old, millis(kept_from)),
            Prune::TooMany { kept } => (&sql.prune_too_many, i64::from(kept)),
        };
        let deleted = statement
            .query()
            .bind(manager.inner.namespace.as_str())
            .bind(bound)
            .bind(i64::try_from(self.limit).unwrap_or(i64::MAX))
            .execute(connection)
            .await?;
        Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
    }
}

impl PostgresLockManager {
    pub(super) async fn prune_history(
        &self,
        retention: &Retention,
        limit: usize,
    ) -> Result<Answer<usize>, LockError> {
        let now = self.call("prune", &mut Now).await?;
        let mut pruned = 0;
        if let Some(age) = retention.age_max
            && let Ok(kept_from) = now.saturating_sub(age)
        {
            pruned += self.prune_all(Prune::Old { kept_from }, limit).await?;
        }
        if let Some(kept) = retention.per_task_max {
            let rest = limit.saturating_sub(pruned);
            pruned += self.prune_all(Prune::TooMany { kept }, rest).await?;
        }
        Ok(Answer { now, value: pruned })
    }

    /// A little at a time, so that no row is held for long.
    async fn prune_all(&self, prune: Prune, limit: usize) -> Result<usize, LockError> {
        let mut pruned = 0;
        while pruned < limit {
            let wanted = (limit - pruned).min(DELETED_MAX);
            let mut deletion = Deletion {
                prune,
                limit: wanted,
            };
            let gone = self.call("prune", &mut deletion).await?;
            pruned += gone;
            if gone < wanted {
                break;
            }
        }
        Ok(pruned)
    }
}

//! Pages of the history. And its end: pruning.

use sexton_core::lock::{Answer, ExecutionRecord, HistoryQuery, LockError, Retention};

use super::ServerLockManager;
use super::call::{Errand, Now};
use super::dialect::{Dialect, Prune};
use super::error::Trouble;

/// The most records of a page.
const PAGE_MAX: usize = 1_000;
/// How many records one statement deletes.
const DELETED_MAX: usize = 1_000;

pub(super) struct History(HistoryQuery);

impl History {
    pub(super) fn new(query: &HistoryQuery) -> History {
        let limit = query.limit.min(PAGE_MAX);
        History(HistoryQuery {
            limit,
            ..query.clone()
        })
    }
}

impl<DB: Dialect> Errand<DB> for History {
    type Found = Answer<Vec<ExecutionRecord>>;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<Self::Found, Trouble> {
        let value = DB::history(manager, connection, &self.0).await?;
        let now = DB::clock_now(manager, connection).await?;
        Ok(Answer { now, value })
    }
}

struct Deletion {
    prune: Prune,
    limit: usize,
}

impl<DB: Dialect> Errand<DB> for Deletion {
    type Found = usize;

    async fn run(
        &mut self,
        manager: &ServerLockManager<DB>,
        connection: &mut DB::Connection,
    ) -> Result<usize, Trouble> {
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        DB::prune(manager, connection, self.prune, limit).await
    }
}

impl<DB: Dialect> ServerLockManager<DB> {
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

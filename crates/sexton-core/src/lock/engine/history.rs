//! Pages of the history, and its end: pruning.

use super::fleet::Now;
use super::{Engine, Operation, Port, Prune};
use crate::lock::{Answer, ExecutionRecord, HistoryQuery, LockError, PAGE_MAX, Retention};

/// Reads a page.
struct ReadHistory(HistoryQuery);

impl<P: Port> Operation<P> for ReadHistory {
    type Output = Answer<Vec<ExecutionRecord>>;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<Self::Output, P::Error> {
        let value = engine.port.history(connection, &self.0).await?;
        let now = engine.port.now(connection).await?;
        Ok(Answer { now, value })
    }
}

/// Drops records.
struct Deletion {
    prune: Prune,
    limit: usize,
}

impl<P: Port> Operation<P> for Deletion {
    type Output = usize;

    async fn run(
        &mut self,
        engine: &Engine<P>,
        connection: &mut P::Connection,
    ) -> Result<usize, P::Error> {
        engine.port.prune(connection, self.prune, self.limit).await
    }
}

impl<P: Port> Engine<P> {
    pub(super) async fn history(
        &self,
        query: &HistoryQuery,
    ) -> Result<Answer<Vec<ExecutionRecord>>, LockError> {
        let mut history = ReadHistory(HistoryQuery {
            limit: query.limit.min(PAGE_MAX),
            ..query.clone()
        });
        self.call("read the history", &mut history).await
    }

    pub(super) async fn prune(
        &self,
        retention: &Retention,
        limit: usize,
    ) -> Result<Answer<usize>, LockError> {
        let now = self.call("prune", &mut Now).await?;
        let mut pruned = 0;
        if let Some(age) = retention.age_max
            && let Ok(kept_from) = now.saturating_sub(age)
        {
            pruned += self.prune_all(Prune::Before(kept_from), limit).await?;
        }
        if let Some(kept) = retention.per_task_max {
            let rest = limit.saturating_sub(pruned);
            pruned += self.prune_all(Prune::Beyond(kept), rest).await?;
        }
        Ok(Answer { now, value: pruned })
    }

    /// Prunes a little at a time, so that no row is locked for long.
    async fn prune_all(&self, prune: Prune, limit: usize) -> Result<usize, LockError> {
        let mut pruned = 0;
        while pruned < limit {
            let asked = (limit - pruned).min(self.port.limits().pruned_max);
            let mut deletion = Deletion {
                prune,
                limit: asked,
            };
            let gone = self.call("prune", &mut deletion).await?;
            pruned += gone;
            if gone < asked {
                break;
            }
        }
        Ok(pruned)
    }
}

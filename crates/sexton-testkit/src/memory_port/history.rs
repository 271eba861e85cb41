//! Pages of what is kept, and pruning.

use std::collections::BTreeMap;

use sexton_core::lock::engine::{History, Prune};
use sexton_core::lock::{Execution, ExecutionRecord, HistoryQuery, history_order};
use sexton_core::name::TaskName;

use super::rows::Rows;
use super::{Call, Connection, MemoryError, MemoryPort};

impl History for MemoryPort {
    async fn history(
        &self,
        connection: &mut Connection,
        query: &HistoryQuery,
    ) -> Result<Vec<ExecutionRecord>, MemoryError> {
        assert!(query.limit <= 1_000, "a page's limit is in range");
        self.step(connection, Call::History, |rows, _| {
            let found = rows.records.values().filter(|record| query.matches(record));
            let mut page: Vec<ExecutionRecord> = found.cloned().collect();
            page.sort_by(|a, b| history_order(&a.execution).cmp(&history_order(&b.execution)));
            page.truncate(query.limit);
            Ok(page)
        })
        .await
    }

    async fn prune(
        &self,
        connection: &mut Connection,
        prune: Prune,
        limit: usize,
    ) -> Result<usize, MemoryError> {
        assert!(limit <= self.limits.pruned_max, "{limit} asked for at once");
        self.step(connection, Call::Prune, |rows, _| {
            let gone: Vec<Execution> = rows.surplus(prune).into_iter().take(limit).collect();
            for execution in &gone {
                rows.records.remove(execution);
            }
            Ok(gone.len())
        })
        .await
    }
}

impl Rows {
    /// The records that go, oldest first.
    fn surplus(&self, prune: Prune) -> Vec<Execution> {
        let over = self
            .records
            .values()
            .filter(|record| record.state.is_over());
        let over = over.map(|record| &record.execution);
        let mut gone: Vec<Execution> = match prune {
            Prune::Before(kept_from) => over
                .filter(|execution| execution.tick.timestamp() < kept_from)
                .cloned()
                .collect(),
            Prune::Beyond(kept) => {
                let mut of_tasks: BTreeMap<&TaskName, Vec<&Execution>> = BTreeMap::new();
                for execution in over {
                    of_tasks.entry(&execution.task).or_default().push(execution);
                }
                let kept = usize::try_from(kept).unwrap_or(usize::MAX);
                let beyond = |mut all: Vec<&Execution>| -> Vec<Execution> {
                    all.sort_by(|a, b| history_order(a).cmp(&history_order(b)));
                    all.into_iter().skip(kept).cloned().collect()
                };
                of_tasks.into_values().flat_map(beyond).collect()
            }
        };
        gone.sort_by(|a, b| history_order(b).cmp(&history_order(a)));
        gone
    }
}

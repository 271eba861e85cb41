//! Pages of the history, found by key: each begins where the one before ended, however far back
//! that is.

use futures::TryStreamExt;
use sexton_core::lock::{Answer, ExecutionRecord, HistoryQuery, PAGE_MAX};
use sexton_core::tick::Tick;
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::begin::begin_read;
use super::call::Errand;
use super::error::Trouble;
use super::load::{json, read_record, record_columns};

/// $1 the namespace, $2 since, $3 until, $4 \[state] or null, $5 to $7 the last of the page before
/// (null: none), $8 the page's size, $9 the task.
macro_rules! history_sql {
    ($index:literal, $and:literal) => {
        concat!(
            "SELECT ",
            record_columns!(),
            " FROM sexton_executions AS e ",
            $index,
            " WHERE e.namespace = $1 AND e.tick_ms >= $2 AND e.tick_ms < $3 \
             AND ($4 IS NULL OR e.state IN (SELECT value FROM json_each($4))) \
             AND ($5 IS NULL OR e.tick_ms < $5 OR e.task > $6 \
                  OR (e.task = $6 AND e.concurrency_index > $7)) ",
            $and,
            " ORDER BY e.tick_ms DESC, e.task, e.concurrency_index LIMIT $8"
        )
    };
}

const OF_ALL: &str = history_sql!("", "");
const OF_A_TASK: &str = history_sql!("INDEXED BY sexton_executions_by_task", "AND e.task = $9");
/// What runs or waits is little, wherever it lies.
const OF_WHAT_IS_OPEN: &str = history_sql!(
    "INDEXED BY sexton_executions_open",
    "AND e.state IN ('waiting', 'running') AND ($9 IS NULL OR e.task = $9)"
);

pub(super) struct History<'q>(pub(super) &'q HistoryQuery);

impl Errand for History<'_> {
    type Found = Answer<Vec<ExecutionRecord>>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let HistoryQuery {
            task,
            states,
            since,
            until,
            after,
            limit,
        } = self.0;
        let only_open = !states.is_empty() && !states.iter().any(|state| state.is_over());
        let sql = match task {
            _ if only_open => OF_WHAT_IS_OPEN,
            Some(_) => OF_A_TASK,
            None => OF_ALL,
        };
        let words: Vec<_> = states.iter().map(|state| state.as_str()).collect();
        let since = since.map_or(i64::MIN, Tick::as_millis);
        // Nothing behind the last page's tick can be newer than it: said as a bound, the index ends
        // there.
        let until = until.map_or(i64::MAX, Tick::as_millis);
        let until = after
            .as_ref()
            .map_or(until, |after| until.min(after.tick.as_millis() + 1));
        let limit = i64::try_from((*limit).min(PAGE_MAX)).unwrap_or(0);
        let query = sqlx::query(sql)
            .bind(manager.inner.namespace.as_str().to_owned())
            .bind(since)
            .bind(until)
            .bind((!states.is_empty()).then(|| json(&words)))
            .bind(after.as_ref().map(|after| after.tick.as_millis()))
            .bind(after.as_ref().map(|after| after.task.to_string()))
            .bind(after.as_ref().map(|after| i64::from(after.index.get())))
            .bind(limit)
            .bind(task.as_ref().map(|task| task.to_string()));
        let mut records = Vec::new();
        let mut snapshot = begin_read(connection).await?;
        let mut rows = query.fetch(&mut *snapshot);
        while let Some(row) = rows.try_next().await? {
            records.push(read_record(&row, 0)?);
        }
        drop(rows);
        snapshot.commit().await?;
        let now = manager.clock_now();
        Ok(Answer {
            now,
            value: records,
        })
    }
}

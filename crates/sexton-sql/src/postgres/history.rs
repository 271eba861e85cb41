//! Pages of the history, found by key: each begins where the one before ended, however far back that
//! is. And its end: pruning.

use futures::TryStreamExt;
use sexton_core::lock::engine::{History, Prune};
use sexton_core::lock::{ExecutionRecord, HistoryQuery};
use sexton_core::name::TaskName;
use sexton_core::tick::Tick;
use sqlx::postgres::PgConnection;

use super::Port;
use super::load::read_record;
use crate::record_row::millis;
use crate::server::error::StoreError;

impl History for Port {
    async fn history(
        &self,
        connection: &mut PgConnection,
        query: &HistoryQuery,
    ) -> Result<Vec<ExecutionRecord>, StoreError> {
        let HistoryQuery {
            task,
            states,
            since,
            until,
            after,
            limit,
        } = query;
        let sql = self.sql();
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
        let query = statement
            .query()
            .bind(self.namespace_word())
            .bind(since)
            .bind(until)
            .bind((!states.is_empty()).then_some(words))
            .bind(after.as_ref().map(|after| after.tick.as_millis()))
            .bind(after.as_ref().map(|after| after.task.as_str()))
            .bind(after.as_ref().map(|after| i32::from(after.index.get())))
            .bind(i64::try_from(*limit).unwrap_or(i64::MAX))
            .bind(task.as_ref().map(TaskName::as_str));
        let mut records = Vec::new();
        let mut rows = query.fetch(connection);
        while let Some(row) = rows.try_next().await? {
            records.push(read_record(&row, 0)?);
        }
        Ok(records)
    }

    async fn prune(
        &self,
        connection: &mut PgConnection,
        prune: Prune,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let sql = self.sql();
        let (statement, bound) = match prune {
            Prune::Before(kept_from) => (&sql.prune_old, millis(kept_from)),
            Prune::Beyond(kept) => (&sql.prune_too_many, i64::from(kept)),
        };
        let deleted = statement
            .query()
            .bind(self.namespace_word())
            .bind(bound)
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .execute(connection)
            .await?;
        Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
    }
}

//! Pages of the history, found by key: each begins where the one before ended, however far back
//! that is. And its end: pruning.

use futures::TryStreamExt;
use sexton_core::lock::engine::{History, Prune};
use sexton_core::lock::{ExecutionRecord, HistoryQuery};
use sexton_core::name::TaskName;
use sexton_core::tick::Tick;
use sqlx::mysql::MySqlConnection;

use super::Port;
use super::connect::{begin, commit};
use super::load::read_record;
use super::sql::Bound;
use crate::record_row::millis;
use crate::server::error::StoreError;

impl History for Port {
    async fn history(
        &self,
        connection: &mut MySqlConnection,
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
        let words = (!states.is_empty()).then(|| words.join(","));
        let since = since.map_or(i64::MIN, Tick::as_millis);
        // Nothing behind the last page's tick can be newer than it: as a bound, that ends the index.
        let until = until.map_or(i64::MAX, Tick::as_millis);
        let until = after
            .as_ref()
            .map_or(until, |after| until.min(after.tick.as_millis() + 1));
        let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let query = statement.query(&[
            Bound::Text(self.namespace_word()),
            Bound::Number(since),
            Bound::Number(until),
            Bound::MaybeText(words.as_deref()),
            Bound::MaybeNumber(after.as_ref().map(|after| after.tick.as_millis())),
            Bound::MaybeText(after.as_ref().map(|after| after.task.as_str())),
            Bound::MaybeNumber(after.as_ref().map(|after| after.index.get().into())),
            Bound::Number(limit),
            Bound::MaybeText(task.as_ref().map(TaskName::as_str)),
            Bound::Number(limit - 1),
        ]);
        let mut records = Vec::new();
        let mut rows = query.fetch(connection);
        while let Some(row) = rows.try_next().await? {
            records.push(read_record(&row, 0)?);
        }
        Ok(records)
    }

    async fn prune(
        &self,
        connection: &mut MySqlConnection,
        prune: Prune,
        limit: usize,
    ) -> Result<usize, StoreError> {
        let sql = self.sql();
        let (statement, bound) = match prune {
            Prune::Before(kept_from) => (&sql.prune_old, millis(kept_from)),
            Prune::Beyond(kept) => (&sql.prune_too_many, i64::from(kept)),
        };
        let delete = statement.query(&[
            Bound::Text(self.namespace_word()),
            Bound::Number(bound),
            Bound::Number(i64::try_from(limit).unwrap_or(i64::MAX)),
        ]);
        begin(connection).await?;
        let deleted = delete.execute(&mut *connection).await?;
        commit(connection).await?;
        Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
    }
}

//! Pages of the history, found by key: each begins where the one before ended, however far back
//! that is. And its end: pruning.

use futures::TryStreamExt;
use sexton_core::lock::{ExecutionRecord, HistoryQuery};
use sexton_core::name::TaskName;
use sexton_core::tick::Tick;
use sqlx::mysql::MySqlConnection;

use super::MySqlLockManager as Manager;
use super::dialect::{begin, commit};
use super::load::read_record;
use super::sql::Bound;
use crate::record_row::millis;
use crate::server::dialect::Prune;
use crate::server::error::Trouble;

pub(super) async fn page(
    manager: &Manager,
    connection: &mut MySqlConnection,
    query: &HistoryQuery,
) -> Result<Vec<ExecutionRecord>, Trouble> {
    let HistoryQuery {
        task,
        states,
        since,
        until,
        after,
        limit,
    } = query;
    let sql = manager.sql();
    let only_open = !states.is_empty() && !states.iter().any(|state| state.is_over());
    let statement = match task {
        _ if only_open => &sql.history_of_what_is_open,
        Some(_) => &sql.history_of_a_task,
        None => &sql.history_of_all,
    };
    let words: Vec<_> = states.iter().map(|state| state.as_str()).collect();
    let words = (!states.is_empty()).then(|| words.join(","));
    let since = since.map_or(i64::MIN, Tick::as_millis);
    // Nothing behind the last page's tick can be newer than it: said as a bound, the index ends
    // there.
    let until = until.map_or(i64::MAX, Tick::as_millis);
    let until = after
        .as_ref()
        .map_or(until, |after| until.min(after.tick.as_millis() + 1));
    let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
    if limit == 0 {
        return Ok(Vec::new());
    }
    let query = statement.query(&[
        Bound::Text(manager.namespace_word()),
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

pub(super) async fn prune(
    manager: &Manager,
    connection: &mut MySqlConnection,
    prune: Prune,
    limit: i64,
) -> Result<usize, Trouble> {
    let sql = manager.sql();
    let (statement, bound) = match prune {
        Prune::Old { kept_from } => (&sql.prune_old, millis(kept_from)),
        Prune::TooMany { kept } => (&sql.prune_too_many, i64::from(kept)),
    };
    let delete = statement.query(&[
        Bound::Text(manager.namespace_word()),
        Bound::Number(bound),
        Bound::Number(limit),
    ]);
    begin(connection).await?;
    let deleted = delete.execute(&mut *connection).await?;
    commit(connection).await?;
    Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
}

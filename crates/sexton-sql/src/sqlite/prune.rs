//! Dropping old history, a little at a time.
//!
//! What goes is looked up without the write lock: a record that is over stays over, and new ones
//! only make old ones older. The lock is held for one short deletion after the other.

use jiff::Timestamp;
use sexton_core::lock::{Answer, LockError, Retention};
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::SqliteLockManager;
use super::begin::{begin_read, begin_write};
use super::call::{Access, Errand};
use super::error::Trouble;
use super::load::json;
use crate::record_row::millis;

/// How many records one look-up may bring.
const FOUND_MAX: usize = 10_000;
/// How many records one transaction deletes.
const DELETED_MAX: usize = 1_000;

type Key = (i64, String, i64);

/// $1 the namespace, $2 the tick from which on records are kept, $3 how many
pub(super) const OLD: &str = "\
    SELECT tick_ms, task, concurrency_index FROM sexton_executions \
    WHERE namespace = $1 AND tick_ms < $2 AND state NOT IN ('waiting', 'running') \
    ORDER BY tick_ms, task, concurrency_index LIMIT $3";

/// $1 the namespace, $2 how many each task keeps, $3 how many
pub(super) const TOO_MANY: &str = "\
    SELECT tick_ms, task, concurrency_index FROM (\
        SELECT tick_ms, task, concurrency_index, \
            row_number() OVER (PARTITION BY task ORDER BY tick_ms DESC, concurrency_index) AS place \
        FROM sexton_executions INDEXED BY sexton_executions_by_task \
        WHERE namespace = $1 AND state NOT IN ('waiting', 'running') AND task IN (\
            SELECT task FROM sexton_executions INDEXED BY sexton_executions_by_task \
            WHERE namespace = $1 GROUP BY task HAVING count(*) > $2)) \
    WHERE place > $2 LIMIT $3";

/// $1 the namespace, $2 \[\[tick, task, index]]
pub(super) const DELETE: &str = "\
    DELETE FROM sexton_executions WHERE namespace = $1 \
    AND (tick_ms, task, concurrency_index) IN (\
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each($2)) \
    AND state NOT IN ('waiting', 'running')";

enum Find {
    Old(Timestamp),
    TooMany(u32),
}

struct Finding {
    find: Find,
    limit: usize,
}

impl Errand for Finding {
    type Found = Vec<Key>;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<Self::Found, Trouble> {
        let (sql, bound) = match self.find {
            Find::Old(kept_from) => (OLD, millis(kept_from)),
            Find::TooMany(kept) => (TOO_MANY, i64::from(kept)),
        };
        let mut snapshot = begin_read(connection).await?;
        let rows = sqlx::query(sql)
            .bind(manager.inner.namespace.as_str().to_owned())
            .bind(bound)
            .bind(i64::try_from(self.limit).unwrap_or(i64::MAX))
            .fetch_all(&mut *snapshot)
            .await?;
        snapshot.commit().await?;
        let key =
            |row: &sqlx::sqlite::SqliteRow| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        rows.iter().map(key).collect()
    }
}

struct Deletion<'k>(&'k [Key]);

impl Errand for Deletion<'_> {
    type Found = usize;

    async fn run(
        &self,
        manager: &SqliteLockManager,
        connection: &mut SqliteConnection,
    ) -> Result<usize, Trouble> {
        let mut transaction = begin_write(connection).await?;
        let deleted = sqlx::query(DELETE)
            .bind(manager.inner.namespace.as_str().to_owned())
            .bind(json(&self.0))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(usize::try_from(deleted.rows_affected()).unwrap_or(usize::MAX))
    }
}

impl SqliteLockManager {
    pub(super) async fn prune_history(
        &self,
        retention: &Retention,
        limit: usize,
    ) -> Result<Answer<usize>, LockError> {
        let now = self.clock_now();
        let mut pruned = 0;
        if let Some(age) = retention.age_max
            && let Ok(kept_from) = now.saturating_sub(age)
        {
            pruned += self.prune_all(|| Find::Old(kept_from), limit).await?;
        }
        if let Some(kept) = retention.per_task_max {
            let rest = limit.saturating_sub(pruned);
            pruned += self.prune_all(|| Find::TooMany(kept), rest).await?;
        }
        Ok(Answer { now, value: pruned })
    }

    async fn prune_all(&self, find: impl Fn() -> Find, limit: usize) -> Result<usize, LockError> {
        let mut pruned = 0;
        while pruned < limit {
            let wanted = (limit - pruned).min(FOUND_MAX);
            let finding = Finding {
                find: find(),
                limit: wanted,
            };
            let found = self.call("prune", Access::Read, &finding).await?;
            for keys in found.chunks(DELETED_MAX) {
                pruned += self.call("prune", Access::Write, &Deletion(keys)).await?;
            }
            if found.len() < wanted {
                break;
            }
        }
        Ok(pruned)
    }
}

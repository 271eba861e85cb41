//! What the rules changed, back into the tables, within a transaction.

use std::collections::{BTreeSet, HashMap};

use sexton_core::lock::ExecutionRecord;
use sexton_core::lock::rules::Changes;
use sexton_core::name::ClaimId;
use sqlx::Row;
use sqlx::mysql::{MySqlConnection, MySqlRow};

use super::MySqlLockManager as Manager;
use super::lists;
use super::sql::Bound;
use crate::record_row::{concurrency_index, is_plain, task_name};
use crate::server::dialect::Kept;
use crate::server::error::Trouble;
use crate::server::loaded::{Loaded, Pair};

/// How long a statement's list of records may become: far below `max_allowed_packet`, which is 16
/// MiB unless somebody made it smaller.
const LIST_BYTES_MAX: usize = 512 * 1024;

pub(super) async fn store_back(
    manager: &Manager,
    connection: &mut MySqlConnection,
    loaded: &Loaded,
    pairs: &BTreeSet<Pair>,
    changes: &Changes,
) -> Result<Kept, Trouble> {
    // No other write has this mark.
    let writer = ClaimId::random().as_u128().to_be_bytes();
    let (sql, namespace) = (manager.sql(), manager.namespace_word());
    let unchanged = lock_unchanged(manager, connection, loaded, pairs).await?;
    if unchanged.is_empty() {
        return Ok(Kept::new());
    }
    let registers = lists::of_registers(loaded, unchanged.iter().copied());
    let bound = [
        Bound::Text(namespace),
        Bound::Bytes(&writer),
        Bound::Text(&registers),
    ];
    let store = sql.store_registers.query(&bound);
    store.execute(&mut *connection).await?;
    let has_new = unchanged.iter().any(|pair| loaded.version(pair) == 0);
    let kept: Kept = if has_new {
        // Somebody else may have been faster to make one.
        let rows = sql.kept.query(&bound).fetch_all(&mut *connection).await?;
        rows.iter().map(read_pair).collect::<Result<_, _>>()?
    } else {
        unchanged.into_iter().cloned().collect()
    };
    let records = changes.records.iter().filter(|execution| {
        let pair = (execution.task.clone(), execution.index);
        kept.contains(&pair)
    });
    let records: Vec<&ExecutionRecord> = records
        .filter_map(|execution| loaded.state.record(execution))
        .collect();
    let statement = if records.iter().all(|record| is_plain(record)) {
        &sql.store_records_plain
    } else {
        &sql.store_records
    };
    for list in in_lists(&records) {
        let bound = [Bound::Text(namespace), Bound::Text(&list)];
        let store = statement.query(&bound);
        store.execute(&mut *connection).await?;
    }
    Ok(kept)
}

/// Holds the registers that are as they were read, and answers which those are; those that were not
/// there are among them. One that somebody else holds may change any moment.
async fn lock_unchanged<'p>(
    manager: &Manager,
    connection: &mut MySqlConnection,
    loaded: &Loaded,
    pairs: &'p BTreeSet<Pair>,
) -> Result<Vec<&'p Pair>, Trouble> {
    let list = lists::of_pairs(pairs);
    let bound = [Bound::Text(manager.namespace_word()), Bound::Text(&list)];
    let lock = manager.sql().lock_registers.query(&bound);
    let rows = lock.fetch_all(connection).await?;
    let mut versions = HashMap::with_capacity(rows.len());
    for row in &rows {
        versions.insert(read_pair(row)?, row.try_get_unchecked::<i64, _>(2)?);
    }
    let is_unchanged = |pair: &&Pair| match versions.get(*pair) {
        Some(version) => *version == loaded.version(pair),
        None => loaded.version(pair) == 0,
    };
    Ok(pairs.iter().filter(is_unchanged).collect())
}

fn read_pair(row: &MySqlRow) -> Result<Pair, Trouble> {
    let task = task_name(row.try_get_unchecked(0)?)?;
    Ok((task, concurrency_index(row.try_get_unchecked(1)?)?))
}

/// As few lists as their length allows.
fn in_lists(records: &[&ExecutionRecord]) -> Vec<String> {
    let mut lists: Vec<String> = Vec::new();
    for record in records {
        let item = lists::record_item(record);
        match lists.last_mut() {
            Some(list) if list.len() + item.len() < LIST_BYTES_MAX => list.push(','),
            _ => lists.push("[".to_owned()),
        }
        if let Some(list) = lists.last_mut() {
            list.push_str(&item);
        }
    }
    for list in &mut lists {
        list.push(']');
    }
    lists
}

//! What the rules changed, swapped into the tables by one short transaction.

use std::collections::{BTreeSet, HashMap};

use sexton_core::lock::engine::{CompareAndSwap, Snapshot, Swap, Versions};
use sexton_core::lock::rules::WriteSet;
use sexton_core::lock::{ExecutionRecord, LockKey};
use sexton_core::name::ClaimId;
use sqlx::mysql::{MySqlConnection, MySqlRow};
use sqlx::{Connection, MySql, Row};

use super::connect::{begin, commit};
use super::sql::Bound;
use super::{Port, lists};
use crate::record_row::{concurrency_index, is_plain, task_name};
use crate::server::driver::ServerDriver;
use crate::server::error::StoreError;

/// How long a statement's list of records may become: far below `max_allowed_packet`, which is 16
/// MiB unless somebody made it smaller.
const LIST_BYTES_MAX: usize = 512 * 1024;

impl CompareAndSwap for Port {
    /// A write skips the rows that another client has locked, and the engine tries those again: no
    /// client that holds rows waits for others. Where indices depend on each other, whole tasks are
    /// written or nothing.
    async fn swap(
        &self,
        connection: &mut MySqlConnection,
        snapshot: &mut Snapshot<Versions>,
        swap: &Swap<'_>,
    ) -> Result<BTreeSet<LockKey>, StoreError> {
        if connection.is_in_transaction() {
            return write(self, connection, snapshot, &swap.keys, swap.writes).await;
        }
        let keys = swap.with_first_keys();
        begin(connection).await?;
        let written = write(self, connection, snapshot, &keys, swap.writes).await?;
        if written.len() < keys.len() && !swap.reservations.is_empty() {
            MySql::roll_back(connection).await?;
            return Ok(BTreeSet::new());
        }
        commit(connection).await?;
        Ok(written)
    }
}

async fn write(
    port: &Port,
    connection: &mut MySqlConnection,
    snapshot: &Snapshot<Versions>,
    keys: &BTreeSet<LockKey>,
    writes: &WriteSet,
) -> Result<BTreeSet<LockKey>, StoreError> {
    // No other write has this mark.
    let writer = ClaimId::random().as_u128().to_be_bytes();
    let (sql, namespace) = (port.sql(), port.namespace_word());
    let unchanged = lock_unchanged(port, connection, snapshot, keys).await?;
    if unchanged.is_empty() {
        return Ok(BTreeSet::new());
    }
    let registers = lists::of_registers(snapshot, unchanged.iter().copied());
    let bound = [
        Bound::Text(namespace),
        Bound::Bytes(&writer),
        Bound::Text(&registers),
    ];
    let store = sql.store_registers.query(&bound);
    store.execute(&mut *connection).await?;
    let has_new = unchanged.iter().any(|key| snapshot.rows.of(key) == 0);
    let written: BTreeSet<LockKey> = if has_new {
        // Somebody else may have been faster to make one.
        let rows = sql
            .written
            .query(&bound)
            .fetch_all(&mut *connection)
            .await?;
        rows.iter().map(read_key).collect::<Result<_, _>>()?
    } else {
        unchanged.into_iter().cloned().collect()
    };
    let records = writes.records.iter();
    let records = records.filter(|execution| written.contains(&execution.key()));
    let records: Vec<&ExecutionRecord> = records
        .filter_map(|execution| snapshot.state.record(execution))
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
    Ok(written)
}

/// Locks the registers that are as they were read, and answers which those are; those that were not
/// there are among them. One that another client has locked may change any moment.
async fn lock_unchanged<'k>(
    port: &Port,
    connection: &mut MySqlConnection,
    snapshot: &Snapshot<Versions>,
    keys: &'k BTreeSet<LockKey>,
) -> Result<Vec<&'k LockKey>, StoreError> {
    let list = lists::of_keys(keys);
    let bound = [Bound::Text(port.namespace_word()), Bound::Text(&list)];
    let lock = port.sql().lock_registers.query(&bound);
    let rows = lock.fetch_all(connection).await?;
    let mut versions = HashMap::with_capacity(rows.len());
    for row in &rows {
        versions.insert(read_key(row)?, row.try_get_unchecked::<i64, _>(2)?);
    }
    let is_unchanged = |key: &&LockKey| match versions.get(*key) {
        Some(version) => *version == snapshot.rows.of(key),
        None => snapshot.rows.of(key) == 0,
    };
    Ok(keys.iter().filter(is_unchanged).collect())
}

fn read_key(row: &MySqlRow) -> Result<LockKey, StoreError> {
    let task = task_name(row.try_get_unchecked(0)?)?;
    Ok(LockKey::new(
        task,
        concurrency_index(row.try_get_unchecked(1)?)?,
    ))
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

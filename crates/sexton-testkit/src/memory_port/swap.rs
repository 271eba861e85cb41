//! Swapping: each key where its version still stands.

use std::collections::BTreeSet;

use sexton_core::lock::engine::{CompareAndSwap, IndexReservation, Snapshot, Swap, Versions};
use sexton_core::lock::{ExecutionRecord, LockKey};

use super::rows::Rows;
use super::write::Write;
use super::{Call, Connection, MemoryError, MemoryPort, Omission, lock};

impl CompareAndSwap for MemoryPort {
    async fn swap(
        &self,
        connection: &mut Connection,
        snapshot: &mut Snapshot<Versions>,
        swap: &Swap<'_>,
    ) -> Result<BTreeSet<LockKey>, MemoryError> {
        self.check_writable()?;
        lock(&self.swapped).push(swap.keys.clone());
        let touched = lock(&self.faults).touched(&swap.keys);
        let by = Connection::open(connection.id, 0);
        let transaction = connection.transaction.clone();
        let is_in_transaction = transaction.is_some();
        let swapped = self.step(connection, Call::Swap, |rows, _| {
            rows.check_free(swap.keys.iter().chain(&touched), &by)?;
            touched.into_iter().for_each(|key| rows.touch(key));
            let seen = rows.seen_by(transaction.as_deref());
            let writes = seen.standing(snapshot, swap, self.omission);
            drop(seen);
            for write in &writes {
                let is_empty = write.register.is_none() && write.records.is_empty();
                match is_in_transaction {
                    true => rows.hold(write.key.clone(), by.id),
                    false if is_empty && self.omission == Some(Omission::EmptyRows) => {}
                    false => rows.write(write.clone()),
                }
            }
            Ok(writes)
        });
        let writes = swapped.await?;
        let keys = writes.iter().map(|write| write.key.clone()).collect();
        if let Some(transaction) = &mut connection.transaction {
            transaction.extend(writes);
        }
        Ok(keys)
    }
}

impl Rows {
    /// What is written of a swap.
    fn standing(
        &self,
        snapshot: &Snapshot<Versions>,
        swap: &Swap<'_>,
        omission: Option<Omission>,
    ) -> Vec<Write> {
        let is_as_read = |key: &LockKey| {
            omission == Some(Omission::Versions) || self.version(key) == snapshot.rows.of(key)
        };
        let whole_tasks = match omission {
            Some(Omission::WholeTasks) => BTreeSet::new(),
            _ => IndexReservation::tasks(swap.reservations),
        };
        let stands = |key: &&LockKey| {
            let is_whole = !whole_tasks.contains(&key.task) || {
                let of_task = self.keys_of(&key.task);
                of_task.iter().all(is_as_read)
            };
            is_as_read(key) && is_whole
        };
        let write = |key: &LockKey| {
            let is_changed = swap.writes.registers.contains(key);
            let records = swap.writes.records.iter();
            let of_key = records.filter(|execution| execution.key() == *key);
            let records: Vec<ExecutionRecord> = of_key
                .filter_map(|execution| snapshot.state.record(execution).cloned())
                .collect();
            Write {
                key: key.clone(),
                register: snapshot.state.register(key).filter(|_| is_changed),
                records,
            }
        };
        swap.keys.iter().filter(stands).map(write).collect()
    }
}

//! Loading: exactly what a read set names.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sexton_core::lock::engine::{
    Candidates, CandidatesPage, Found, Load, LookBack, ReadSet, Snapshot, Versions,
};
use sexton_core::lock::{Execution, ExecutionRecord, ExecutionState, LockKey};
use sexton_core::policy::Overlap;
use sexton_core::tick::Tick;

use super::rows::Rows;
use super::{Call, Connection, Layout, MemoryError, MemoryPort, lock};

impl Load for MemoryPort {
    type Rows = Versions;

    async fn now(&self, connection: &mut Connection) -> Result<Timestamp, MemoryError> {
        let writable = self.check_writable();
        self.step(connection, Call::Now, |_, now| writable.map(|()| now))
            .await
    }

    async fn load(
        &self,
        connection: &mut Connection,
        read_set: &ReadSet,
    ) -> Result<Snapshot<Versions>, MemoryError> {
        lock(&self.loaded).push(read_set.keys.clone());
        let transaction = connection.transaction.clone();
        let writable = self.check_writable();
        self.step(connection, Call::Load, |rows, now| {
            writable?;
            let rows = rows.seen_by(transaction.as_deref());
            Ok(rows.snapshot(read_set, self.layout, now))
        })
        .await
    }

    async fn candidates(
        &self,
        connection: &mut Connection,
        page: &CandidatesPage<'_>,
    ) -> Result<Found<Versions>, MemoryError> {
        let writable = self.check_writable();
        let size = self.limits.candidates_page;
        self.step(connection, Call::Candidates, |rows, now| {
            writable?;
            Ok(rows.candidates(page, size, self.layout, now))
        })
        .await
    }
}

impl Rows {
    fn snapshot(&self, read_set: &ReadSet, layout: Layout, now: Timestamp) -> Snapshot<Versions> {
        let mut snapshot = Snapshot::empty();
        let whole_tasks = read_set.whole_tasks();
        let of_whole_tasks = whole_tasks.iter().flat_map(|task| self.keys_of(task));
        let keys: BTreeSet<LockKey> = read_set
            .keys
            .iter()
            .cloned()
            .chain(of_whole_tasks)
            .collect();
        self.load_registers(&mut snapshot, &keys);
        let records = read_set.records.iter();
        for record in records.filter_map(|execution| self.records.get(execution)) {
            if layout == Layout::Table || self.is_found(record, read_set.look_back) {
                snapshot.state.load_record(record.clone());
            }
        }
        let waiting = read_set.keys.iter().filter(|_| read_set.waiting);
        let waiting = waiting.filter(|key| self.is_waiting(key));
        for key in read_set.open.iter().chain(waiting) {
            for record in self.open(key) {
                snapshot.state.load_record(record.clone());
            }
        }
        let whole_ticks = read_set.whole_ticks();
        for record in self.records.values() {
            let Execution { task, tick, .. } = &record.execution;
            if whole_ticks.contains(&(task, *tick)) {
                snapshot.state.load_record(record.clone());
            }
        }
        for task in &read_set.pauses {
            let pause = self.pauses.get(task).cloned();
            snapshot.state.load_pause(task.clone(), pause);
        }
        snapshot.now = now;
        snapshot
    }

    /// Whether a record is found where what is over stands apart.
    fn is_found(&self, record: &ExecutionRecord, look_back: LookBack) -> bool {
        let register = self.registers.get(&record.execution.key());
        let watermark = register.and_then(|row| row.register.watermark);
        !record.state.is_over()
            || match look_back {
                LookBack::Never => false,
                LookBack::Ahead => Some(record.execution.tick) > watermark,
                LookBack::Always => true,
            }
    }

    fn load_registers<'k>(
        &self,
        snapshot: &mut Snapshot<Versions>,
        keys: impl IntoIterator<Item = &'k LockKey>,
    ) {
        for key in keys {
            if let Some(row) = self.registers.get(key) {
                snapshot.load_register(key.clone(), row.version, row.register);
            }
        }
    }

    fn candidates(
        &self,
        page: &CandidatesPage<'_>,
        size: usize,
        layout: Layout,
        now: Timestamp,
    ) -> Found<Versions> {
        let wanted = wanted(page.candidates, layout);
        let behind = |one: &&ExecutionRecord| page.after.is_none_or(|after| one.execution > *after);
        let is_candidate =
            |one: &&ExecutionRecord| wanted.iter().any(|kind| is_one(one, *kind, page, now));
        let all = self.records.values().filter(behind).filter(is_candidate);
        let candidates: Vec<&ExecutionRecord> = match layout {
            Layout::Table => all.take(size).collect(),
            Layout::Documents => of_first_keys(all, size),
        };
        let keys: BTreeSet<LockKey> = candidates.iter().map(|one| one.execution.key()).collect();
        let mut snapshot = Snapshot::empty();
        self.load_registers(&mut snapshot, &keys);
        let is_not_alone =
            |one: &&&ExecutionRecord| one.overlap != Overlap::Allow || one.lease_until.is_some();
        let not_alone = candidates.iter().filter(is_not_alone);
        let open = not_alone.flat_map(|one| self.open(&one.execution.key()));
        for record in candidates.iter().copied().chain(open) {
            snapshot.state.load_record(record.clone());
        }
        for task in keys.iter().map(|key| &key.task) {
            let pause = self.pauses.get(task).cloned();
            snapshot.state.load_pause(task.clone(), pause);
        }
        snapshot.now = now;
        let found = match layout {
            Layout::Table => candidates.len(),
            Layout::Documents => keys.len(),
        };
        let last = candidates.last().map(|one| match layout {
            Layout::Table => one.execution.clone(),
            Layout::Documents => Execution {
                tick: Tick::MAX,
                ..one.execution.clone()
            },
        });
        let present = self.instances.values();
        let present = present.filter(|record| record.is_present_at(now));
        Found {
            snapshot,
            present: present
                .map(|record| (record.report.instance.clone(), record.since))
                .collect(),
            last: last.or_else(|| page.after.cloned()),
            is_last: found < size,
        }
    }
}

/// Which kinds of candidates a page holds. Documents bring what runs along with what waits.
fn wanted(candidates: Candidates, layout: Layout) -> &'static [Candidates] {
    match (candidates, layout) {
        (Candidates::Waiting, Layout::Documents) => &[Candidates::Waiting, Candidates::LeaseOver],
        (Candidates::LeaseOver, Layout::Documents) => &[],
        (Candidates::Open, _) => &[Candidates::Open],
        (Candidates::Waiting, Layout::Table) => &[Candidates::Waiting],
        (Candidates::LeaseOver, Layout::Table) => &[Candidates::LeaseOver],
    }
}

fn is_one(
    record: &ExecutionRecord,
    kind: Candidates,
    page: &CandidatesPage<'_>,
    now: Timestamp,
) -> bool {
    let waits = record.state == ExecutionState::Waiting;
    let runs = record.state == ExecutionState::Running;
    let lease_is_over = runs && record.lease_until.is_some_and(|until| until <= now);
    let is_abandoned = runs
        && record.lease_until.is_none()
        && record
            .granted_at
            .saturating_add(page.abandoned_after)
            .is_ok_and(|until| until <= now);
    match kind {
        Candidates::Open => waits || lease_is_over || is_abandoned,
        Candidates::Waiting => waits,
        Candidates::LeaseOver => lease_is_over,
    }
}

/// All candidates of the first keys that have any.
fn of_first_keys<'r>(
    all: impl Iterator<Item = &'r ExecutionRecord>,
    size: usize,
) -> Vec<&'r ExecutionRecord> {
    let mut keys = BTreeSet::new();
    all.take_while(|one| {
        keys.insert(one.execution.key());
        keys.len() <= size
    })
    .collect()
}

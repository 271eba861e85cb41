//! What a batch touches, and so must be loaded before the rules decide it.
//!
//! The contract is that of [`LockState`](crate::lock::rules::LockState): too little loaded would be
//! decided wrongly, too much only costs time.

use std::collections::BTreeSet;

use crate::lock::{Claim, Consumption, Enqueue, Execution, LockKey, Release, Renewal, Settlement};
use crate::name::{InstanceId, TaskName};
use crate::policy::{Overlap, Placement};
use crate::tick::{ConcurrencyIndex, Tick};

/// Keys of what a batch touches, each once and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// The keys of the batch's executions: their registers and versions decide.
    pub keys: BTreeSet<LockKey>,
    /// Executions whose own record decides.
    pub records: BTreeSet<Execution>,
    /// Keys whose waiting and leased records decide.
    pub open: BTreeSet<LockKey>,
    /// Whether what waits of `keys` decides too. Where something waits, so does what is leased,
    /// since what is queued has time until a while after the end of that. Nearly always nothing
    /// waits, and one look finds that out for all keys.
    pub waiting: bool,
    /// Which of `records` are looked up in the history, by a port that keeps what is over apart.
    pub look_back: LookBack,
    /// Tasks whose pause decides.
    pub pauses: BTreeSet<TaskName>,
    /// What an instance may take only one index of: the records of all indices of the tick decide.
    pub reservations: BTreeSet<IndexReservation>,
}

/// Which records are looked up among what is over, if they are not among what runs or waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LookBack {
    /// None: what is over decides as what never was.
    #[default]
    Never,
    /// Those above the watermark: what was triggered there may be over.
    Ahead,
    /// All.
    Always,
}

/// A promise that an instance makes to itself under distinct placement: of this tick it takes one
/// index and no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IndexReservation {
    /// The task.
    pub task: TaskName,
    /// The tick.
    pub tick: Tick,
    /// Who takes an index of it.
    pub instance: InstanceId,
}

impl ReadSet {
    fn of<'e>(executions: impl Iterator<Item = &'e Execution>, look_back: LookBack) -> ReadSet {
        let records: BTreeSet<Execution> = executions.cloned().collect();
        ReadSet {
            keys: records.iter().map(Execution::key).collect(),
            records,
            look_back,
            ..ReadSet::default()
        }
    }

    /// What claims touch.
    #[must_use]
    pub fn of_claims(batch: &[Claim]) -> ReadSet {
        let executions = batch.iter().map(|claim| &claim.execution);
        let of_others = batch.iter().filter(|claim| claim.overlap != Overlap::Allow);
        let distinct = batch
            .iter()
            .filter(|claim| claim.placement == Placement::Distinct);
        ReadSet {
            open: of_others.map(|claim| claim.execution.key()).collect(),
            waiting: true,
            pauses: batch
                .iter()
                .map(|claim| claim.execution.task.clone())
                .collect(),
            reservations: distinct.map(IndexReservation::of).collect(),
            ..ReadSet::of(executions, LookBack::Ahead)
        }
    }

    /// What renewals touch.
    #[must_use]
    pub fn of_renewals(batch: &[Renewal]) -> ReadSet {
        let executions = batch.iter().map(|renewal| &renewal.lock.execution);
        ReadSet::of(executions, LookBack::Never)
    }

    /// What settlements touch: also what waits for the settled execution to end, since the answer
    /// names it, and its deadline counts from that end.
    #[must_use]
    pub fn of_settlements(batch: &[Settlement]) -> ReadSet {
        let executions = batch.iter().map(|settlement| &settlement.lock.execution);
        ReadSet::of(executions, LookBack::Always).with_open()
    }

    /// What releases touch.
    #[must_use]
    pub fn of_releases(batch: &[Release]) -> ReadSet {
        let executions = batch.iter().map(|release| &release.lock.execution);
        ReadSet::of(executions, LookBack::Never)
    }

    /// What consumptions touch. A covered tick stands below the watermark, and may have a record
    /// there.
    #[must_use]
    pub fn of_consumptions(batch: &[Consumption]) -> ReadSet {
        let executions = batch.iter().map(|consumption| &consumption.execution);
        let look_back = match batch.iter().any(|consumption| consumption.is_covered) {
            true => LookBack::Always,
            false => LookBack::Ahead,
        };
        ReadSet::of(executions, look_back)
    }

    /// What triggers touch.
    #[must_use]
    pub fn of_enqueues(batch: &[Enqueue]) -> ReadSet {
        let executions = batch.iter().map(|enqueue| &enqueue.execution);
        ReadSet::of(executions, LookBack::Always).with_open()
    }

    /// What the cancelling of executions touches.
    #[must_use]
    pub fn of_cancels(batch: &[Execution]) -> ReadSet {
        ReadSet::of(batch.iter(), LookBack::Never)
    }

    fn with_open(self) -> ReadSet {
        ReadSet {
            open: self.keys.clone(),
            ..self
        }
    }

    /// Tasks whose indices depend on each other.
    #[must_use]
    pub fn whole_tasks(&self) -> BTreeSet<&TaskName> {
        IndexReservation::tasks(&self.reservations)
    }

    /// The (task, tick) pairs of which every index's record decides.
    #[must_use]
    pub fn whole_ticks(&self) -> BTreeSet<(&TaskName, Tick)> {
        let reservations = self.reservations.iter();
        reservations.map(|one| (&one.task, one.tick)).collect()
    }

    /// Every key whose version must be known where the first index of a task stands for the task as
    /// a whole.
    #[must_use]
    pub fn versioned_keys(&self) -> BTreeSet<LockKey> {
        let firsts = IndexReservation::first_keys(&self.reservations);
        self.keys.iter().cloned().chain(firsts).collect()
    }
}

impl IndexReservation {
    fn of(claim: &Claim) -> IndexReservation {
        IndexReservation {
            task: claim.execution.task.clone(),
            tick: claim.execution.tick,
            instance: claim.instance.clone(),
        }
    }

    /// The tasks of reservations.
    pub fn tasks(reservations: &BTreeSet<IndexReservation>) -> BTreeSet<&TaskName> {
        reservations.iter().map(|one| &one.task).collect()
    }

    /// The first key of each task, for a port where its version stands for all its indices.
    pub fn first_keys(reservations: &BTreeSet<IndexReservation>) -> impl Iterator<Item = LockKey> {
        let tasks = IndexReservation::tasks(reservations).into_iter();
        tasks.map(|task| LockKey::new(task.clone(), ConcurrencyIndex::ONE))
    }
}

//! What a batch touches, and so must be read before the rules decide it.
//!
//! The contract is that of [`LockState`](sexton_core::lock::rules::LockState): too little read
//! would be decided wrongly, too much only costs time. A register's document brings all its open
//! records along.

use std::collections::BTreeSet;

use sexton_core::lock::{Claim, Consumption, Enqueue, Execution, Release, Renewal, Settlement};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::policy::Placement;
use sexton_core::tick::{ConcurrencyIndex, Tick};

/// What has a register, and so a document.
pub(crate) type Pair = (TaskName, ConcurrencyIndex);

/// Which of the executions asked for are looked up in the history, if their register does not hold
/// them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LookBack {
    /// None: what is over decides as what never was.
    #[default]
    Never,
    /// Those above the watermark that may have ended all the same: what was triggered there, and
    /// ran or was withdrawn.
    Ahead,
    /// All.
    Always,
}

/// A promise that an instance makes to itself: of this tick it takes this index and no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    pub(crate) task: TaskName,
    pub(crate) tick: Tick,
    pub(crate) instance: InstanceId,
}

/// Keys of what a batch touches, each once and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Registers that decide, or hold what decides.
    pub(crate) pairs: BTreeSet<Pair>,
    /// Executions whose own record decides.
    pub(crate) records: BTreeSet<Execution>,
    /// Which of those are looked up in the history.
    pub(crate) look_back: LookBack,
    /// Tasks whose pause decides.
    pub(crate) pauses: BTreeSet<TaskName>,
    /// What an instance may take only one index of: the records of all its indices decide.
    pub(crate) places: BTreeSet<Place>,
}

impl Wanted {
    fn by_executions<'e>(
        executions: impl Iterator<Item = &'e Execution>,
        look_back: LookBack,
    ) -> Wanted {
        let records: BTreeSet<Execution> = executions.cloned().collect();
        let pair = |one: &Execution| (one.task.clone(), one.index);
        Wanted {
            pairs: records.iter().map(pair).collect(),
            records,
            look_back,
            ..Wanted::default()
        }
    }

    pub(crate) fn by_claims(batch: &[Claim]) -> Wanted {
        let executions = batch.iter().map(|claim| &claim.execution);
        let distinct = |claim: &&Claim| claim.placement == Placement::Distinct;
        Wanted {
            pauses: batch.iter().map(|one| one.execution.task.clone()).collect(),
            places: batch.iter().filter(distinct).map(place).collect(),
            ..Wanted::by_executions(executions, LookBack::Ahead)
        }
    }

    pub(crate) fn by_renewals(batch: &[Renewal]) -> Wanted {
        let executions = batch.iter().map(|renewal| &renewal.lock.execution);
        Wanted::by_executions(executions, LookBack::Never)
    }

    pub(crate) fn by_settlements(batch: &[Settlement]) -> Wanted {
        let executions = batch.iter().map(|settlement| &settlement.lock.execution);
        Wanted::by_executions(executions, LookBack::Always)
    }

    pub(crate) fn by_releases(batch: &[Release]) -> Wanted {
        let executions = batch.iter().map(|release| &release.lock.execution);
        Wanted::by_executions(executions, LookBack::Never)
    }

    pub(crate) fn by_consumptions(batch: &[Consumption]) -> Wanted {
        let executions = batch.iter().map(|consumption| &consumption.execution);
        // What is covered stands below the watermark, and may have a record there.
        let look_back = match batch.iter().any(|consumption| consumption.is_covered) {
            true => LookBack::Always,
            false => LookBack::Ahead,
        };
        Wanted::by_executions(executions, look_back)
    }

    pub(crate) fn by_enqueues(batch: &[Enqueue]) -> Wanted {
        let executions = batch.iter().map(|enqueue| &enqueue.execution);
        Wanted::by_executions(executions, LookBack::Always)
    }

    pub(crate) fn by_cancels(batch: &[Execution]) -> Wanted {
        Wanted::by_executions(batch.iter(), LookBack::Never)
    }

    /// Tasks whose indices depend on each other.
    pub(crate) fn tasks_as_a_whole(&self) -> BTreeSet<&TaskName> {
        self.places.iter().map(|place| &place.task).collect()
    }
}

/// The place that a claim asks for.
pub(crate) fn place(claim: &Claim) -> Place {
    Place {
        task: claim.execution.task.clone(),
        tick: claim.execution.tick,
        instance: claim.instance.clone(),
    }
}

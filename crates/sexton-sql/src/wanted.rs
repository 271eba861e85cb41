//! What a batch touches, and so must be loaded before the rules decide it.
//!
//! The contract is that of [`LockState`](sexton_core::lock::rules::LockState): too little loaded
//! would be decided wrongly, too much only costs time.

use std::collections::BTreeSet;

use sexton_core::lock::{Claim, Consumption, Enqueue, Execution, Release, Renewal, Settlement};
use sexton_core::name::TaskName;
use sexton_core::policy::{Overlap, Placement};
use sexton_core::tick::{ConcurrencyIndex, Tick};

/// Keys of what a batch touches, each once and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(
    unreachable_pub,
    reason = "in a sealed trait of the servers, which not every build has"
)]
pub struct Wanted {
    /// (task, index) pairs whose register decides.
    pub registers: BTreeSet<(TaskName, ConcurrencyIndex)>,
    /// Executions whose own record decides.
    pub records: BTreeSet<Execution>,
    /// (task, index) pairs whose waiting and leased records decide.
    pub open: BTreeSet<(TaskName, ConcurrencyIndex)>,
    /// Whether what waits of the pairs in `registers` decides too. Where something waits, so does
    /// what is leased, since what is queued has time until a while after the end of that. Nearly
    /// always nothing waits, and one look finds that out for all pairs.
    pub waiting: bool,
    /// (task, tick) pairs of which every index's record decides.
    pub ticks: BTreeSet<(TaskName, Tick)>,
    /// Tasks whose pause decides.
    pub pauses: BTreeSet<TaskName>,
}

impl Wanted {
    pub(crate) fn by_claims(batch: &[Claim]) -> Wanted {
        let mut wanted = Wanted {
            waiting: true,
            ..Wanted::default()
        };
        for claim in batch {
            let execution = &claim.execution;
            wanted.register(execution);
            wanted.records.insert(execution.clone());
            wanted.pauses.insert(execution.task.clone());
            if claim.overlap != Overlap::Allow {
                wanted.open(execution);
            }
            if claim.placement == Placement::Distinct {
                let tick = (execution.task.clone(), execution.tick);
                wanted.ticks.insert(tick);
            }
        }
        wanted
    }

    pub(crate) fn by_renewals(batch: &[Renewal]) -> Wanted {
        let mut wanted = Wanted::default();
        for renewal in batch {
            wanted.register(&renewal.lock.execution);
            wanted.records.insert(renewal.lock.execution.clone());
        }
        wanted
    }

    /// Also what waits for the settled execution to end: the answer names it, and its deadline
    /// counts from that end.
    pub(crate) fn by_settlements(batch: &[Settlement]) -> Wanted {
        let mut wanted = Wanted::default();
        for settlement in batch {
            wanted.open(&settlement.lock.execution);
            wanted.records.insert(settlement.lock.execution.clone());
        }
        wanted
    }

    pub(crate) fn by_releases(batch: &[Release]) -> Wanted {
        let records = batch.iter().map(|release| release.lock.execution.clone());
        Wanted {
            records: records.collect(),
            ..Wanted::default()
        }
    }

    pub(crate) fn by_consumptions(batch: &[Consumption]) -> Wanted {
        let mut wanted = Wanted::default();
        for consumption in batch {
            wanted.register(&consumption.execution);
            wanted.records.insert(consumption.execution.clone());
        }
        wanted
    }

    pub(crate) fn by_enqueues(batch: &[Enqueue]) -> Wanted {
        let mut wanted = Wanted::default();
        for enqueue in batch {
            wanted.open(&enqueue.execution);
            wanted.records.insert(enqueue.execution.clone());
        }
        wanted
    }

    pub(crate) fn by_execution(execution: &Execution) -> Wanted {
        Wanted {
            records: BTreeSet::from([execution.clone()]),
            ..Wanted::default()
        }
    }

    fn register(&mut self, execution: &Execution) {
        self.registers
            .insert((execution.task.clone(), execution.index));
    }

    fn open(&mut self, execution: &Execution) {
        self.open.insert((execution.task.clone(), execution.index));
    }
}

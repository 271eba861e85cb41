//! What all parts of a scheduler share.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::ClaimLead;
use sexton_core::name::{Incarnation, InstanceId};
use tokio_util::sync::CancellationToken;

use crate::event::EventBus;
use crate::limits::Limits;
use crate::run::States;
use crate::task::CheckedTask;
use crate::watched::Watch;

/// What all parts of a scheduler share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) instance: InstanceId,
    pub(crate) incarnation: Incarnation,
    /// By our own clock.
    pub(crate) started_at: Timestamp,
    pub(crate) labels: Vec<String>,
    pub(crate) events: EventBus,
    pub(crate) watch: Arc<Watch>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) states: Arc<States>,
    pub(crate) lead: ClaimLead,
    pub(crate) heartbeat: Duration,
    pub(crate) cancel_grace: Duration,
    pub(crate) stopping: CancellationToken,
    /// By our monotonic time, until when runs may still end once `stopping`; unset: at once.
    pub(crate) drained_by: OnceLock<Duration>,
    pub(crate) running: AtomicIsize,
    /// Held by a change of tasks, so that no other is made meanwhile.
    pub(crate) changing: tokio::sync::Mutex<()>,
}

impl Context {
    /// Counts a run that begins, or one that has ended.
    pub(crate) fn count_running(&self, change: isize) {
        let running = self.running.fetch_add(change, Ordering::Relaxed) + change;
        self.events.running(usize::try_from(running).unwrap_or(0));
    }

    /// Whether the instance has every label that the task wants.
    pub(crate) fn has_labels_of(&self, task: &CheckedTask) -> bool {
        task.policies
            .labels
            .iter()
            .all(|label| self.labels.iter().any(|own| **own == **label))
    }
}

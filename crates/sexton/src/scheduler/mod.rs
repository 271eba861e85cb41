//! The scheduler: what a service starts, talks to while it runs, and shuts down.

mod accounted;
mod arrival;
mod builder;
mod handle;
mod shutdown;

use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::ClaimLead;
use sexton_core::name::{Incarnation, InstanceId, ManagerName};
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use builder::SchedulerBuilder;
pub use handle::SchedulerHandle;
pub use shutdown::ShutdownReport;

use crate::driver::Command;
use crate::event::{Event, EventBus};
use crate::limits::Limits;
use crate::link::Link;
use crate::run::States;
use crate::runs::Runs;
use crate::watched::Watch;

/// What all parts of a scheduler share.
#[derive(Debug)]
pub(crate) struct Shared {
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
    changing: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(crate) fn count_running(&self, change: isize) {
        let running = self.running.fetch_add(change, Ordering::Relaxed) + change;
        self.events.running(usize::try_from(running).unwrap_or(0));
    }
}

/// One lock manager, with all that drives its tasks.
#[derive(Debug)]
struct Home {
    name: ManagerName,
    link: Arc<Link>,
    runs: Arc<Runs>,
    commands: mpsc::Sender<Command>,
    driver: JoinHandle<()>,
    settler: JoinHandle<()>,
    /// Renews, beats, announces: needed until the last run has ended.
    services: Vec<JoinHandle<()>>,
}

/// A running scheduler.
///
/// Dropping it stops everything at once, as a crash would: what runs is aborted and not settled.
/// Prefer [`Scheduler::shutdown`].
#[derive(Debug)]
pub struct Scheduler {
    shared: Arc<Shared>,
    homes: Vec<Home>,
    clock_watch: JoinHandle<()>,
}

impl Scheduler {
    /// Begins a scheduler.
    #[must_use]
    pub fn builder() -> SchedulerBuilder {
        SchedulerBuilder::new()
    }

    /// The instance's id, which no other instance has while this one lives.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.shared.instance
    }

    /// What happens from now on. The first subscriber is told as well of tasks that were [never
    /// due](Event::NeverDue) from the start, or whose schedules [failed](Event::ScheduleFailed). A
    /// subscriber that lags more than [`EVENTS_MAX`](crate::event::EVENTS_MAX) events behind loses
    /// the oldest and is told how many, as [`broadcast::error::RecvError::Lagged`].
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.shared.events.subscribe()
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.stopping.cancel();
        self.clock_watch.abort();
        for home in &self.homes {
            home.driver.abort();
            home.settler.abort();
            home.services.iter().for_each(JoinHandle::abort);
            home.runs.abort_all();
        }
    }
}

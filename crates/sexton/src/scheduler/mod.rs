//! The scheduler: what a service starts, talks to while it runs, and shuts down.

mod accounted;
mod arrival;
mod backend;
mod builder;
mod handle;
mod shutdown;

use std::sync::Arc;

use sexton_core::name::InstanceId;
use tokio::sync::broadcast;
use tokio::task::JoinHandle;

pub use builder::SchedulerBuilder;
pub use handle::SchedulerHandle;
pub use shutdown::ShutdownReport;

use self::backend::Backend;
use crate::context::Context;
use crate::event::Event;

/// A running scheduler.
///
/// Dropping it stops everything at once, as a crash would: what runs is aborted and not settled.
/// Prefer [`Scheduler::shutdown`].
#[derive(Debug)]
pub struct Scheduler {
    context: Arc<Context>,
    backends: Vec<Backend>,
    clock_watch: JoinHandle<()>,
}

impl Scheduler {
    /// The instance's id, which no other instance has while this one lives.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.context.instance
    }

    /// What happens from now on. The first subscriber is told as well of tasks that were [never
    /// due](Event::NeverDue) from the start, or whose schedules [failed](Event::ScheduleFailed). A
    /// subscriber that lags more than [`EVENTS_MAX`](crate::event::EVENTS_MAX) events behind loses
    /// the oldest and is told how many, as [`broadcast::error::RecvError::Lagged`].
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.context.events.subscribe()
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.context.stopping.cancel();
        self.clock_watch.abort();
        for backend in &self.backends {
            backend.driver.abort();
            backend.settler.abort();
            backend.services.iter().for_each(JoinHandle::abort);
            backend.runs.abort_all();
        }
    }
}

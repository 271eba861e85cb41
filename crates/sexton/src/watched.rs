//! The scheduler's own tasks, each watched.
//!
//! Everything that a scheduler runs beside its caller is spawned here. A part that panics does its
//! work no more while the rest would look alive, so the whole scheduler stops: the panic is an
//! event, nothing more is claimed, the shutdown signal fires, and calls on the handle say why.
//! Runs that have begun continue until the scheduler is shut down.

use std::sync::{Arc, OnceLock};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::contained::contained_in;
use crate::event::{Event, EventBus};

/// A part of a scheduler, as people are told of it.
pub(crate) type Part = &'static str;

pub(crate) const DRIVER: Part = "driver";
pub(crate) const SETTLER: Part = "settler";
pub(crate) const RENEWER: Part = "renewer of leases";
pub(crate) const HEARTBEAT: Part = "heartbeat";
pub(crate) const ANNOUNCER: Part = "announcer of definitions";
pub(crate) const CLOCK_WATCH: Part = "watch of the clock";
pub(crate) const LEAVER: Part = "leaver of the fleet";
pub(crate) const RUN: Part = "frame of a run";
pub(crate) const CALL: Part = "call of a store";
pub(crate) const SHUTDOWN: Part = "shutdown";

/// Why a scheduler stopped by itself.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) part: Part,
    pub(crate) error: String,
}

/// Watches the parts of one scheduler.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) events: EventBus,
    /// Cancelled when the scheduler shuts down or has failed.
    pub(crate) stopping: CancellationToken,
    failed: CancellationToken,
    failure: OnceLock<Failure>,
}

impl Watch {
    pub(crate) fn new(events: EventBus) -> Watch {
        Watch {
            events,
            stopping: CancellationToken::new(),
            failed: CancellationToken::new(),
            failure: OnceLock::new(),
        }
    }

    /// Spawns a part of the scheduler, whose panic stops the scheduler.
    pub(crate) fn spawn(
        self: &Arc<Watch>,
        part: Part,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> JoinHandle<()> {
        let watch = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = contained_in(work).await {
                watch.fail(part, error);
            }
        })
    }

    /// Stops the scheduler, since one of its parts panicked.
    pub(crate) fn fail(&self, part: Part, error: String) {
        let failure = Failure {
            part,
            error: error.clone(),
        };
        // The first panic is the one to report: others may follow from it.
        let _ = self.failure.set(failure);
        self.events.emit(Event::Stopped { part, error });
        self.failed.cancel();
        self.stopping.cancel();
    }

    /// Why the scheduler stopped by itself, if it did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    /// Completes when the scheduler has failed.
    pub(crate) async fn failed(&self) {
        self.failed.cancelled().await;
    }
}

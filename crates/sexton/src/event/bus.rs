//! Tells events to those that subscribe, to the log and to the metrics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::SignedDuration;
use sexton_core::name::ManagerName;
use tokio::sync::broadcast;

use super::queued::Queued;
use super::{EVENTS_MAX, Event, logged, measured};
use crate::contained::contained;

/// Tells events to subscribers, the log and the metrics.
#[derive(Debug, Clone)]
pub(crate) struct EventBus {
    sender: broadcast::Sender<Arc<Event>>,
    /// What is for the first subscriber, since nobody can subscribe before the start.
    kept: Arc<Mutex<Vec<Arc<Event>>>>,
    queued: Arc<Mutex<Queued>>,
}

impl EventBus {
    pub(crate) fn new() -> EventBus {
        EventBus {
            sender: broadcast::channel(EVENTS_MAX).0,
            kept: Arc::default(),
            queued: Arc::default(),
        }
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        let mut kept = self.kept();
        let receiver = self.sender.subscribe();
        for event in kept.drain(..) {
            // It is received: the receiver is here.
            let _ = self.sender.send(event);
        }
        receiver
    }

    pub(crate) fn emit(&self, event: Event) {
        note(&event);
        self.send(event);
    }

    /// Tells something that may happen at the start, and keeps it for the first subscriber.
    pub(crate) fn emit_kept(&self, event: Event) {
        note(&event);
        let mut kept = self.kept();
        if self.sender.receiver_count() > 0 {
            self.send(event);
        } else if kept.len() < EVENTS_MAX {
            kept.push(Arc::new(event));
        }
    }

    fn send(&self, event: Event) {
        if self.sender.receiver_count() > 0 {
            let mut queued = self.queued.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody listening any more is no trouble.
            let _ = self.sender.send(queued.admitted(event));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Arc<Event>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn running(&self, runs: usize) {
        #[allow(clippy::cast_precision_loss, reason = "a gauge")]
        let _ = contained(|| metrics::gauge!("sexton_running").set(runs as f64));
    }

    pub(crate) fn clock_offset(&self, manager: &ManagerName, offset: SignedDuration) {
        let _ = contained(|| {
            metrics::gauge!("sexton_clock_offset_seconds", "manager" => manager.to_string())
                .set(offset.as_secs_f64());
        });
    }

    pub(crate) fn store_error(&self, manager: &ManagerName) {
        let _ = contained(|| {
            metrics::counter!("sexton_store_errors_total", "manager" => manager.to_string())
                .increment(1);
        });
    }
}

/// Counts and logs an event. Whatever does so is the user's: its panic says so itself, and ends no
/// more than its own line.
fn note(event: &Event) {
    let _ = contained(|| measured::count(event));
    let _ = contained(|| logged::log(event));
}

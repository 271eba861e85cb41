//! Ending well: release what is not started, wait, cancel, and tell what was cut off.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::Execution;

use super::Scheduler;
use crate::clock::FOR_EVER;
use crate::contained::{contained, contained_in};
use crate::watched::SHUTDOWN;

/// What a shutdown did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Runs that did not end within the grace period, and were cancelled.
    pub cut_off: Vec<Execution>,
    /// Whether every outcome could be told to the store. Not if a handler still blocks its thread,
    /// whose outcome nobody knows, nor if a part of the scheduler
    /// [panicked](crate::Event::Stopped).
    pub all_settled: bool,
}

impl Scheduler {
    /// Completes when the process is asked to end (SIGTERM or SIGINT), or the scheduler to shut
    /// down, or when the scheduler has [stopped](crate::Event::Stopped) since a part of it
    /// panicked: what a server's graceful shutdown wants to wait for.
    pub fn shutdown_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        let stopping = self.context.stopping.clone();
        async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = termination() => {}
            }
        }
    }

    /// Completes when the scheduler has [stopped](crate::Event::Stopped) by itself, since a part of
    /// it panicked; never, if that does not happen.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let watch = Arc::clone(&self.context.watch);
        async move { watch.failed().await }
    }

    /// Claims nothing more, gives back what was claimed and not started, waits up to `grace` for
    /// what runs, then cancels it and drops it after the [cancel
    /// grace](super::SchedulerBuilder::cancel_grace), and tells the store how everything ended.
    ///
    /// A tick that was claimed ahead and comes due within the grace period is still started here if
    /// the task's next tick would come due within it as well: other instances would be late for it.
    /// What is due less often goes to them.
    ///
    /// With a grace of [`Duration::MAX`] it waits until everything has ended by itself. Dropping
    /// the future stops everything at once.
    pub async fn shutdown(mut self, grace: Duration) -> ShutdownReport {
        let grace = grace.min(FOR_EVER);
        if let Some(backend) = self.backends.first()
            && let Ok(now) = contained(|| backend.client.clock.monotonic())
        {
            // Shutting down consumes the scheduler: it is set once.
            let _ = self.context.drained_by.set(now.saturating_add(grace));
        }
        self.context.stopping.cancel();
        self.clock_watch.abort();
        let backends = std::mem::take(&mut self.backends);
        let mut report = ShutdownReport {
            all_settled: true,
            ..ShutdownReport::default()
        };
        let mut endings = Vec::new();
        for backend in backends {
            endings.push(contained_in(backend.end(grace, self.context.cancel_grace)));
        }
        for ended in futures::future::join_all(endings).await {
            match ended {
                Ok((cut_off, all_settled)) => {
                    report.cut_off.extend(cut_off);
                    report.all_settled &= all_settled;
                }
                Err(panic) => self.context.watch.fail(SHUTDOWN, panic),
            }
        }
        report.all_settled &= self.context.watch.failure().is_none();
        report.cut_off.sort();
        report
    }
}

/// Completes when the process is asked to end. Where signals cannot be had, never.
async fn termination() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let (Ok(mut term), Ok(mut interrupt)) = (
            signal(SignalKind::terminate()),
            signal(SignalKind::interrupt()),
        ) {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

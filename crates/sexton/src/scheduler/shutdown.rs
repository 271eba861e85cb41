//! Ending well: release what is not started, wait, cancel, and tell what was cut off.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{Capability, Execution};

use super::Scheduler;
use crate::clock::FOR_EVER;
use crate::contained::{contained, contained_in};
use crate::link::within;
use crate::runs::StopCause;
use crate::watched::{SHUTDOWN, leave};

/// How long the store may take for the last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long, beyond the cancel grace, a run takes until it is dropped.
const UNTIL_DROPPED: Duration = Duration::from_secs(1);

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
        let stopping = self.shared.stopping.clone();
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
        let watch = Arc::clone(&self.shared.watch);
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
        if let Some(home) = self.homes.first()
            && let Ok(now) = contained(|| home.link.clock.monotonic())
        {
            // Shutting down consumes the scheduler: it is set once.
            let _ = self.shared.drained_by.set(now.saturating_add(grace));
        }
        self.shared.stopping.cancel();
        self.clock_watch.abort();
        let homes = std::mem::take(&mut self.homes);
        let mut report = ShutdownReport {
            all_settled: true,
            ..ShutdownReport::default()
        };
        let mut endings = Vec::new();
        for home in homes {
            endings.push(contained_in(home.end(grace, self.shared.cancel_grace)));
        }
        for ended in futures::future::join_all(endings).await {
            match ended {
                Ok((cut_off, all_settled)) => {
                    report.cut_off.extend(cut_off);
                    report.all_settled &= all_settled;
                }
                Err(panic) => self.shared.watch.fail(SHUTDOWN, panic),
            }
        }
        report.all_settled &= self.shared.watch.failure().is_none();
        report.cut_off.sort();
        report
    }
}

impl super::Home {
    async fn end(mut self, grace: Duration, cancel_grace: Duration) -> (Vec<Execution>, bool) {
        // It may be the scheduler's own clock that failed.
        let clock: Arc<dyn Clock> = match self.runs.shared.watch.failure() {
            None => Arc::clone(&self.link.clock),
            Some(_) => Arc::new(SystemClock),
        };
        let drained_by = clock.monotonic().saturating_add(grace);
        let left = || drained_by.saturating_sub(clock.monotonic());
        // Until it has given back what it was granted, nothing is known to be idle.
        let driver = within(
            &*clock,
            left().saturating_add(LAST_WORDS * 2),
            &mut self.driver,
        )
        .await;
        if driver.is_none() {
            self.driver.abort();
        }
        let mut cut_off = Vec::new();
        let mut is_idle = true;
        if within(&*clock, left(), self.runs.idle()).await.is_none() {
            cut_off = self.runs.executions();
            self.runs.stop_all(StopCause::ShuttingDown);
            let limit = cancel_grace.saturating_add(UNTIL_DROPPED);
            if within(&*clock, limit, self.runs.idle()).await.is_none() {
                // These are not settled: one that blocks its thread does not even end.
                self.runs.abort_all();
                is_idle = false;
            }
        }
        self.services
            .iter()
            .for_each(tokio::task::JoinHandle::abort);
        self.runs.close_settlements();
        let settled = within(&*clock, LAST_WORDS, &mut self.settler).await;
        if settled.is_none() {
            self.settler.abort();
        }
        if self.link.manager.supports(Capability::Operations) {
            leave(&self.runs).await;
        }
        let all_settled = is_idle && settled.is_some() && !self.runs.is_unsettled();
        (cut_off, all_settled)
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

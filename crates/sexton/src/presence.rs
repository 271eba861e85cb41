//! Shows the store that this instance is there, and brings back what others want of it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use sexton_core::lock::{Capability, InstanceReport, Reason, Sweep, SweepQuery};
use tokio::sync::mpsc;

use crate::clock::sleep_until;
use crate::driver::{Command, Found};
use crate::event::Event;
use crate::link::{Link, backoff};
use crate::runs::{Runs, StopCause};
use crate::scheduler::Shared;

/// The heartbeats between sweeps for what nobody will finish, made even if nothing can be claimed.
const SWEEP_EVERY: u32 = 6;

/// At least this long after a heartbeat comes the one for what others have changed since: many
/// changes are heard of at once.
const BETWEEN_CHANGES: Duration = Duration::from_millis(100);

/// How often the machine's date is looked at, to see whether somebody set it or the machine was
/// suspended.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// A date that moved by this much against the monotonic time was set.
const LEAP_MIN_US: i64 = 100_000;

/// Runs until it is dropped.
pub(crate) async fn beat_for_ever(runs: Arc<Runs>, driver: mpsc::Sender<Command>) {
    let link = Arc::clone(&runs.link);
    let shared = Arc::clone(&runs.shared);
    let started_at = link.clock.now();
    let mut failures = 0;
    let mut until_sweep = 0;
    let mut changes = link.manager.changes();
    loop {
        let beat_at = link.clock.monotonic();
        let report = InstanceReport {
            instance: shared.instance.clone(),
            started_at,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            clock_offset: Some(link.offset()),
            running: u32::try_from(runs.count()).unwrap_or(u32::MAX),
            presence: shared.heartbeat * 3 + Duration::from_secs(5),
        };
        let pause = match link.call(link.manager.heartbeat(&report)).await {
            Ok(signals) => {
                failures = 0;
                link.tell_offset(false);
                for execution in &signals.cancel {
                    runs.stop_execution(execution, StopCause::Requested);
                }
                if signals.sweep || until_sweep == 0 {
                    until_sweep = SWEEP_EVERY;
                    sweep(&link, &shared, &driver).await;
                }
                until_sweep -= 1;
                // Up to a fifth less, so that replicas do not come together.
                shared.heartbeat.mul_f64(1.0 - fastrand::f64() / 5.0)
            }
            Err(_) => {
                failures += 1;
                backoff(failures).min(shared.heartbeat)
            }
        };
        tokio::select! {
            biased;
            () = sleep_until(&*link.clock, link.clock.monotonic() + pause) => {}
            () = next_change(&mut changes) => {
                link.clock.sleep_until(beat_at + BETWEEN_CHANGES).await;
            }
        }
    }
}

/// Completes when others have changed something; never, if the store cannot tell.
async fn next_change(changes: &mut Option<BoxStream<'static, ()>>) {
    if let Some(stream) = changes {
        match stream.next().await {
            Some(()) => return,
            None => *changes = None,
        }
    }
    std::future::pending::<()>().await;
}

async fn sweep(link: &Link, shared: &Shared, driver: &mpsc::Sender<Command>) {
    if !link.manager.supports(Capability::History) {
        return;
    }
    let mut query = SweepQuery::default();
    loop {
        // Trouble was told by the call, and the next heartbeat tries again.
        let Ok(found) = link.call(link.manager.sweep(&query)).await else {
            return;
        };
        let is_full = found.len() >= query.limit;
        let Sweep {
            claimable,
            lost,
            missed,
        } = found;
        query.after = claimable
            .iter()
            .map(|claimable| &claimable.execution)
            .chain(&lost)
            .chain(&missed)
            .max()
            .cloned();
        for execution in lost {
            shared.events.emit(Event::Lost { execution });
        }
        for execution in missed {
            let reason = Reason::TooLate;
            shared.events.emit(Event::Unrun { execution, reason });
        }
        let found = claimable
            .into_iter()
            .map(|claimable| Found {
                execution: claimable.execution,
                concurrency: Some(claimable.concurrency),
                attempt: claimable.attempt,
            })
            .collect();
        if driver.send(Command::Claim(found)).await.is_err() || !is_full {
            return;
        }
    }
}

/// Looks whether the date was set, and asks the store for its clock if so. Runs until it is
/// dropped.
pub(crate) async fn watch_clock_for_ever(links: Vec<Arc<Link>>) {
    let Some(clock) = links.first().map(|link| Arc::clone(&link.clock)) else {
        return;
    };
    let date_minus_monotonic_us =
        || clock.now().as_microsecond() - crate::offset::micros(clock.monotonic());
    let mut before_us = date_minus_monotonic_us();
    loop {
        clock.sleep_until(clock.monotonic() + CLOCK_LOOK).await;
        let now_us = date_minus_monotonic_us();
        if (now_us - before_us).abs() >= LEAP_MIN_US {
            for link in &links {
                link.look_at_clock().await;
            }
        }
        before_us = now_us;
    }
}

//! Shows the store that this instance is there, and brings back what others want of it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use jiff::SignedDuration;
use sexton_core::clock::SystemClock;
use sexton_core::lock::{Capability, InstanceRecord, Reason, Sweep, SweepQuery};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::backoff::backoff;
use crate::clock::{sleep_until, within};
use crate::command::{Command, Found};
use crate::contained::contained_in;
use crate::context::Context;
use crate::event::Event;
use crate::identity::report;
use crate::runs::Runs;
use crate::stop_cause::StopCause;
use crate::store_client::StoreClient;

/// The heartbeats between sweeps for what nobody will finish, made even if nothing can be claimed.
const SWEEP_EVERY: u32 = 6;

/// At least this long after a heartbeat comes the one for what others have changed since: many
/// changes are heard of at once.
const BETWEEN_CHANGES: Duration = Duration::from_millis(100);

/// The time between two heartbeats that changes bring forward: a store may notify as often as its
/// users like.
const BETWEEN_EARLY: Duration = Duration::from_secs(1);

/// How often the machine's date is looked at, to see whether somebody set it or the machine was
/// suspended.
const CLOCK_LOOK: Duration = Duration::from_secs(1);

/// A date that moved by this much against the monotonic time was set.
const LEAP_MIN: Duration = Duration::from_millis(100);

/// Runs until it is dropped.
pub(crate) async fn beat_for_ever(runs: Arc<Runs>, driver: mpsc::Sender<Command>) {
    let client = Arc::clone(&runs.client);
    let context = Arc::clone(&runs.context);
    let mut failures = 0;
    let mut until_sweep = 0;
    let mut changes = client.manager.notifications();
    let mut early_at = None;
    loop {
        let beat_at = client.clock.monotonic();
        let report = report(&context, &client, runs.count());
        let pause = match client.call(client.manager.heartbeat(&report)).await {
            Ok(signals) => {
                failures = 0;
                client.tell_offset(false);
                if let Some(holder) = signals.held_by {
                    return lose_id(&client, &context, &holder).await;
                }
                for execution in &signals.cancel {
                    runs.stop_execution(execution, StopCause::Requested);
                }
                if signals.sweep || until_sweep == 0 {
                    until_sweep = SWEEP_EVERY;
                    sweep(&client, &context, &driver).await;
                }
                until_sweep -= 1;
                // Up to a fifth less, so that replicas do not come together.
                context.heartbeat.mul_f64(1.0 - fastrand::f64() / 5.0)
            }
            Err(_) => {
                failures += 1;
                backoff(failures).min(context.heartbeat)
            }
        };
        let due_at = client.clock.monotonic().saturating_add(pause);
        tokio::select! {
            biased;
            () = sleep_until(&*client.clock, due_at) => {}
            () = next_change(&mut changes) => {
                let after_early = early_at.map_or(Duration::ZERO, |at| at + BETWEEN_EARLY);
                let until = (beat_at + BETWEEN_CHANGES).max(after_early).min(due_at);
                drain(&mut changes, client.clock.sleep_until(until)).await;
                early_at = Some(client.clock.monotonic());
            }
        }
    }
}

/// Another instance has taken the id, since this one stood still for too long: it starts nothing
/// more, and reports no more, for its next report might take the id back. Runs that
/// have begun continue.
async fn lose_id(client: &StoreClient, context: &Context, holder: &InstanceRecord) {
    let (manager, since) = (client.name.clone(), holder.since);
    context.events.emit(Event::IdTaken { manager, since });
    context.stopping.cancel();
    std::future::pending::<()>().await;
}

/// Takes all changes that are told until the next heartbeat, which looks at all of them. They are
/// not left where they are: the store keeps what a listener has not taken.
async fn drain(
    changes: &mut Option<BoxStream<'static, ()>>,
    until: impl Future<Output = ()> + Send,
) {
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            biased;
            () = &mut until => return,
            () = next_change(changes) => {}
        }
        // A flood must not keep the thread from everything else.
        tokio::task::consume_budget().await;
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

async fn sweep(client: &StoreClient, context: &Context, driver: &mpsc::Sender<Command>) {
    if !client.manager.supports(Capability::History) {
        return;
    }
    let mut query = SweepQuery::default();
    loop {
        // Trouble was told by the call, and the next heartbeat tries again.
        let Ok(found) = client.call(client.manager.sweep(&query)).await else {
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
            context.events.emit(Event::Lost { execution });
        }
        for execution in missed {
            let reason = Reason::TooLate;
            context.events.emit(Event::Unrun { execution, reason });
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

/// Takes the instance out of the fleet when the scheduler has failed, once nothing runs here: until
/// then others would record what runs as lost.
pub(crate) async fn leave_when_failed(runs: Arc<Runs>, heartbeat: AbortHandle) {
    runs.context.watch.failed().await;
    runs.idle().await;
    heartbeat.abort();
    leave(&runs).await;
}

/// Takes the instance out of the fleet. If the store does not hear of it, it notices by the missing
/// heartbeats.
pub(crate) async fn leave(runs: &Runs) {
    let (instance, incarnation) = (&runs.context.instance, runs.context.incarnation);
    let (client, watch) = (&runs.client, &runs.context.watch);
    let told = client
        .call(client.manager.leave(instance, incarnation))
        .await;
    if told.is_err() && watch.failure().is_some() {
        // It may be the clock that failed, by which the client limits its calls.
        let leave = contained_in(client.manager.leave(instance, incarnation));
        let _ = within(&SystemClock, client.call_limit, leave).await;
    }
}

/// Looks whether the date was set, and asks the store for its clock if so. Runs until it is
/// dropped.
pub(crate) async fn watch_clock_for_ever(clients: Vec<Arc<StoreClient>>) {
    let Some(clock) = clients.first().map(|client| Arc::clone(&client.clock)) else {
        return;
    };
    let date_minus_monotonic = || {
        let monotonic = SignedDuration::try_from(clock.monotonic()).unwrap_or(SignedDuration::MAX);
        clock.now().as_duration().saturating_sub(monotonic)
    };
    let mut before = date_minus_monotonic();
    loop {
        clock.sleep_until(clock.monotonic() + CLOCK_LOOK).await;
        let now = date_minus_monotonic();
        if (now - before).unsigned_abs() >= LEAP_MIN {
            for client in &clients {
                client.look_at_clock().await;
            }
        }
        before = now;
    }
}

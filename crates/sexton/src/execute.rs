//! One execution, from start to outcome: tries, timeout, cancellation, and whatever the handler
//! does wrong.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use sexton_core::lock::{HeldLock, Outcome, Release, Settlement, TransactionSlot};
use sexton_core::store_time::StoreTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::attempt_outcome::{AttemptOutcome, Report, panicked};
use crate::backoff::backoff;
use crate::clock::sleep_until;
use crate::contained::{contained_in, drop_contained};
use crate::error_chain::chain;
use crate::event::Event;
use crate::granted::GrantedRun;
use crate::handler::Completion;
use crate::run::{Run, RunInner};
use crate::runs::{EndGuard, Runs};
use crate::stop_cause::StopCause;
use crate::transaction::{end_transaction, transaction_slot};
use crate::watched::RUN;

/// What became of a granted run.
enum Completed {
    /// It ended, and this is what the store may have to be told.
    Ended(Settlement, Report),
    /// It could not do its work here: its lock goes back to the store, for others to claim until
    /// its deadline. If that has passed, the store records it as missed.
    GivenBack(Release),
    /// Its lease was over before it could start: others may have it by now.
    LeaseOver(HeldLock),
}

/// Starts a run, beside all others.
pub(crate) fn start(runs: &Arc<Runs>, run: GrantedRun) {
    let (stop, stopped) = watch::channel(None);
    let guard = runs.begin(&run, stop);
    let lock = run.lock.clone();
    let ended = end(Arc::clone(runs), run, stopped, guard);
    let task = runs.context.watch.spawn(RUN, ended);
    runs.can_abort(&lock, task.abort_handle());
}

/// Executes a run, and sees to what the store is to hear of it. The run has ended when the guard is
/// dropped.
async fn end(
    runs: Arc<Runs>,
    run: GrantedRun,
    stopped: watch::Receiver<Option<StopCause>>,
    _guard: EndGuard,
) {
    match execute(&runs, run, stopped).await {
        Completed::Ended(settlement, report) if report.is_told() => runs.settle(settlement),
        Completed::Ended(..) => {}
        Completed::GivenBack(release) => runs.give_back(&release).await,
        Completed::LeaseOver(lock) => {
            // Who renews leases may have found it over first.
            if runs.drop_lease(&lock) {
                let execution = lock.execution;
                runs.context.events.emit(Event::LeaseLost { execution });
            }
        }
    }
}

async fn execute(
    runs: &Arc<Runs>,
    mut granted: GrantedRun,
    mut stopped: watch::Receiver<Option<StopCause>>,
) -> Completed {
    granted.gate.wait().await;
    let client = &runs.client;
    let execution = granted.lock.execution.clone();
    let started_at = client.now();
    if runs.is_lease_over(&granted.lock, started_at) {
        return Completed::LeaseOver(granted.lock);
    }
    if granted.is_too_late(started_at) {
        return Completed::GivenBack(granted.to_release());
    }
    runs.context.events.emit(Event::Started {
        execution: execution.clone(),
        attempt: granted.attempt,
        lateness: started_at.saturating_since(granted.due_at),
    });
    let end = contained_in(run_to_end(runs, &mut granted, started_at, &mut stopped)).await;
    let End {
        outcome,
        error,
        output,
        report,
    } = end.unwrap_or_else(|panic| End::panicked(&panic));
    let finished_at = client.now();
    let duration = finished_at.saturating_since(started_at);
    let mut settlement = Settlement::new(
        granted.lock.clone(),
        outcome,
        started_at.timestamp(),
        finished_at.timestamp(),
    );
    if let Some(error) = error {
        settlement = settlement.with_error(&error);
    }
    if let Some(output) = output {
        settlement = settlement.with_output(&output);
    }
    // As the history keeps it: what waits for subscribers is bounded.
    runs.context.events.emit(Event::Finished {
        execution,
        outcome,
        duration,
        error: settlement.error().map(str::to_owned),
        output: settlement.output().map(str::to_owned),
    });
    drop(granted.permit);
    if report == Report::NotBegun {
        let lease = granted.task.policies.lease;
        runs.leave_to_others(granted.lock.execution.clone(), lease);
        let here = (finished_at + lease.duration()).timestamp();
        return Completed::GivenBack(Release {
            lock: granted.lock,
            deadline: granted.deadline.map(|deadline| deadline.max(here)),
        });
    }
    Completed::Ended(settlement, report)
}

/// How a run ended, as it is told.
struct End {
    outcome: Outcome,
    error: Option<String>,
    output: Option<String>,
    report: Report,
}

impl End {
    /// Something other than the body of its handler panicked, such as a retry policy, what the
    /// handler left to be dropped, or an error that was to be written out.
    fn panicked(panic: &str) -> End {
        End {
            outcome: Outcome::Panicked,
            error: Some(panicked(panic)),
            output: None,
            report: Report::Due,
        }
    }
}

async fn run_to_end(
    runs: &Arc<Runs>,
    granted: &mut GrantedRun,
    started_at: StoreTime,
    stopped: &mut watch::Receiver<Option<StopCause>>,
) -> End {
    let execution = &granted.lock.execution;
    let span = tracing::info_span!(
        "run",
        task = %execution.task,
        index = execution.index.get(),
        tick = %execution.tick,
        fence = granted.lock.fence.get(),
        attempt = granted.attempt.get(),
    );
    let tried = run_and_retry(runs, granted, started_at, stopped)
        .instrument(span)
        .await;
    let tried = last_word(tried, granted);
    let report = tried.report();
    let (outcome, error, output) = tried.into_outcome(granted.task.policies.timeout);
    End {
        outcome,
        error,
        output,
        report,
    }
}

async fn run_and_retry(
    runs: &Arc<Runs>,
    granted: &mut GrantedRun,
    started_at: StoreTime,
    stopped: &mut watch::Receiver<Option<StopCause>>,
) -> AttemptOutcome {
    let clock = &runs.client.clock;
    let task = Arc::clone(&granted.task);
    let policies = &task.policies;
    let times_out_at = policies.timeout.map(|timeout| clock.monotonic() + timeout);
    let mut retries = 0;
    // What it lacks is waited for here as long as this; then another instance may have more luck.
    let give_back_at = clock.monotonic() + policies.lease.duration();
    let mut begin_failures = 0;
    loop {
        let slot = transaction_slot(runs, granted);
        let tried = run_once(runs, granted, retries, slot.clone(), times_out_at, stopped).await;
        let tried = match slot {
            Some(slot) => end_transaction(runs, granted, started_at, &slot, tried).await,
            None if retries > 0 => tried.failed_if_not_begun(),
            None => tried,
        };
        let (error, message) = match &tried {
            AttemptOutcome::Ended(Completion {
                outcome: Outcome::Failed,
                error,
                ..
            }) => (
                error.as_ref(),
                error
                    .as_ref()
                    .map_or_else(String::new, |error| chain(&**error)),
            ),
            AttemptOutcome::Undone(error) => (Some(error), chain(&**error)),
            AttemptOutcome::NotBegun(error) => {
                let message = chain(&**error);
                let left = give_back_at.saturating_sub(clock.monotonic());
                if left.is_zero() {
                    return tried;
                }
                let after = backoff(begin_failures).min(left);
                if begin_failures == 0 {
                    tracing::warn!(error = message, "could not begin, tried again");
                }
                begin_failures += 1;
                match pause(runs, after, stopped, times_out_at).await {
                    Paused::Over => continue,
                    Paused::ShuttingDown => return tried,
                    Paused::Stopped(cause) => return AttemptOutcome::Stopped(cause, None),
                }
            }
            AttemptOutcome::Panicked(message) => (None, message.clone()),
            _ => return tried,
        };
        let Some(retry) = policies
            .retry
            .as_ref()
            .filter(|retry| retry.again(retries, error))
        else {
            return tried;
        };
        if runs.context.stopping.is_cancelled() {
            return tried;
        }
        let after = retry.delay(retries);
        retries += 1;
        runs.context.events.emit(Event::Retried {
            execution: granted.lock.execution.clone(),
            retry: retries,
            error: message,
            after,
        });
        match pause(runs, after, stopped, times_out_at).await {
            Paused::Over => {}
            Paused::ShuttingDown => return tried,
            Paused::Stopped(cause) => return AttemptOutcome::Stopped(cause, None),
        }
    }
}

/// How the pause before the next try ended.
enum Paused {
    /// The next try may begin.
    Over,
    /// An instance that shuts down begins no further try.
    ShuttingDown,
    /// The run was stopped during the pause.
    Stopped(StopCause),
}

/// Waits before the next try of a run.
async fn pause(
    runs: &Runs,
    length: Duration,
    stopped: &mut watch::Receiver<Option<StopCause>>,
    times_out_at: Option<Duration>,
) -> Paused {
    let clock = &runs.client.clock;
    tokio::select! {
        biased;
        () = runs.context.stopping.cancelled() => Paused::ShuttingDown,
        cause = stop_cause(runs, stopped, times_out_at) => Paused::Stopped(cause),
        () = sleep_until(&**clock, clock.monotonic() + length) => Paused::Over,
    }
}

/// What the database undid in the last attempt has failed: there is no other that may do better.
fn last_word(tried: AttemptOutcome, granted: &GrantedRun) -> AttemptOutcome {
    let attempts_max = granted.task.policies.delivery.attempts_max();
    match tried {
        AttemptOutcome::Undone(error) if granted.attempt.get() >= attempts_max => {
            let why = format!(
                "undone by the database in attempt {} of {attempts_max}: {}",
                granted.attempt,
                chain(&*error)
            );
            AttemptOutcome::Ended(Completion::failed(why))
        }
        other => other,
    }
}

async fn run_once(
    runs: &Arc<Runs>,
    granted: &mut GrantedRun,
    retry: u32,
    transaction: Option<TransactionSlot>,
    times_out_at: Option<Duration>,
    stopped: &mut watch::Receiver<Option<StopCause>>,
) -> AttemptOutcome {
    let cancellation = CancellationToken::new();
    let run = Run::new(RunInner {
        lock: granted.lock.clone(),
        concurrency: granted.concurrency,
        attempt: granted.attempt,
        retry,
        instance: runs.context.instance.clone(),
        cancellation: cancellation.clone(),
        states: Arc::clone(&runs.context.states),
        transaction,
    });
    let handler = Arc::clone(&granted.task.handler);
    let handled = contained_in(async move { handler.call(&run).await });
    let mut handled = Box::pin(handled);
    let begun = futures::poll!(handled.as_mut());
    granted.gate.open();
    if let Poll::Ready(ended) = begun {
        return AttemptOutcome::of(ended);
    }
    let cause = tokio::select! {
        biased;
        ended = &mut handled => return AttemptOutcome::of(ended),
        cause = stop_cause(runs, stopped, times_out_at) => cause,
    };
    cancellation.cancel();
    let clock = &runs.client.clock;
    let grace = clock.monotonic() + runs.context.cancel_grace;
    tokio::select! {
        biased;
        // However it calls its ending, it was made to end.
        ended = &mut handled => return AttemptOutcome::Stopped(cause, ended.ok()),
        () = sleep_until(&**clock, grace) => {}
    }
    match drop_contained(handled) {
        // What is lost stays lost, whatever else goes wrong.
        Err(panic) if cause != StopCause::LockLost => AttemptOutcome::Panicked(panicked(&format!(
            "{panic} (when it was dropped, {})",
            cause.reason(granted.task.policies.timeout)
        ))),
        _ => AttemptOutcome::Stopped(cause, None),
    }
}

/// Completes when the run is to stop.
async fn stop_cause(
    runs: &Runs,
    stopped: &mut watch::Receiver<Option<StopCause>>,
    times_out_at: Option<Duration>,
) -> StopCause {
    let timed_out = async {
        match times_out_at {
            Some(at) => sleep_until(&*runs.client.clock, at).await,
            None => std::future::pending().await,
        }
    };
    let told = async {
        let cause = stopped
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|cause| *cause);
        match cause {
            Some(cause) => cause,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        cause = told => cause,
        () = timed_out => StopCause::TimedOut,
    }
}

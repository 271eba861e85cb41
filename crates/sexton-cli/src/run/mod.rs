//! `sexton run`, inside: a file's tasks on a scheduler, until the program is asked to stop.

mod live;
mod reload;
mod tasks;

use std::io;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::name::ManagerName;
use sexton::sqlite::Missing;
use sexton::{Scheduler, SchedulerBuilder, ShutdownReport};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::RunArguments;
use crate::diagnostic::Rejected;
use crate::execute::{Requests, STOP_GRACE};
use crate::store;
use crate::tasks::TaskFile;

/// Why the program could not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Requests(#[from] crate::execute::RequestsError),
    #[error(transparent)]
    Store(#[from] store::StoreError),
    #[error("{0}")]
    Build(#[from] sexton::BuildError),
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    #[error("cannot write events to standard output")]
    Output(#[source] io::Error),
}

/// Runs a file's tasks until SIGTERM or SIGINT, and lets them end. `again` reads the file once
/// more.
pub(crate) async fn run(
    file: TaskFile,
    arguments: &RunArguments,
    again: impl Fn() -> Result<TaskFile, Rejected>,
) -> Result<ShutdownReport, RunError> {
    let mut stops = Stops::listen().map_err(RunError::Signals)?;
    let mut reloads = signal(SignalKind::hangup()).map_err(RunError::Signals)?;
    let requests = Requests::new();
    requests.prepare(&file.tasks)?;
    let url = store::url(arguments.store.as_deref(), Some(&file))?;
    let manager = store::open(&url, file.store.namespace.clone(), Missing::Create).await?;
    let location = store::location(&url, &*manager);
    let scheduler = builder(arguments).shared_manager(ManagerName::default().as_str(), manager);
    let scheduler = scheduler.tasks(file.tasks.iter().map(|spec| tasks::ready(spec, &requests)));
    let opening = scheduler.start();
    let scheduler = tokio::select! {
        scheduler = opening => scheduler?,
        () = stops.next() => return Ok(ShutdownReport::default()),
    };
    let mut log = live::Live::new(arguments.log_format, &scheduler);
    log.began(&scheduler, &location, &file)
        .map_err(RunError::Output)?;
    let mut current = file.tasks;
    loop {
        tokio::select! {
            biased;
            () = stops.next() => break,
            () = scheduler.stopped() => break,
            _ = reloads.recv() => {
                let handle = scheduler.handle();
                let told = match again() {
                    Ok(file) => reload::apply(&handle, &mut current, file.tasks, &requests).await,
                    Err(rejected) => reload::Reloaded::rejected(&rejected),
                };
                log.reloaded(&told).map_err(RunError::Output)?;
            }
            event = log.next() => log.event(event).map_err(RunError::Output)?,
        }
    }
    log.stopping().map_err(RunError::Output)?;
    shut_down(scheduler, arguments, &mut stops, &mut log).await
}

fn builder(arguments: &RunArguments) -> SchedulerBuilder {
    let builder = Scheduler::builder().cancel_grace(STOP_GRACE + STOP_GRACE / 4);
    let builder = match arguments.running_max {
        Some(runs) => builder.running_max(usize::try_from(runs).unwrap_or(usize::MAX)),
        None => builder,
    };
    arguments
        .labels
        .iter()
        .fold(builder, |builder, label| builder.label(label))
}

/// Lets what runs end, unless a second signal says otherwise: then it is dropped as in a crash.
async fn shut_down(
    scheduler: Scheduler,
    arguments: &RunArguments,
    stops: &mut Stops,
    log: &mut live::Live,
) -> Result<ShutdownReport, RunError> {
    let mut ending = Box::pin(scheduler.shutdown(arguments.grace));
    let report = loop {
        tokio::select! {
            biased;
            report = &mut ending => break Some(report),
            () = stops.next() => break None,
            event = log.next() => log.event(event).map_err(RunError::Output)?,
        }
    };
    drop(ending);
    log.drain().map_err(RunError::Output)?;
    log.ended(report.as_ref()).map_err(RunError::Output)?;
    Ok(report.unwrap_or_default())
}

/// A second signal this soon after the first is taken for the same: `timeout` and some supervisors
/// signal the process, and then its group.
const SAME_SIGNAL: Duration = Duration::from_millis(300);

/// SIGTERM and SIGINT.
struct Stops {
    terminate: Signal,
    interrupt: Signal,
    last: Option<Duration>,
}

impl Stops {
    fn listen() -> io::Result<Stops> {
        Ok(Stops {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            last: None,
        })
    }

    /// Completes with the next of them; cancel safe.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
            }
            let now = SystemClock.monotonic();
            if self.last.is_none_or(|last| now - last >= SAME_SIGNAL) {
                self.last = Some(now);
                return;
            }
        }
    }
}

//! `sexton run`, inside: a file's tasks on a scheduler, until the program is asked to stop.

mod lines;
mod live;
mod reload;
mod stopped;
mod supervisor;
mod tasks;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::name::ManagerName;
use sexton::{Scheduler, SchedulerBuilder};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::RunArguments;
use crate::diagnostic::{Rejected, chain};
use crate::environment::Environment;
use crate::execute::{Requests, STOP_GRACE_MAX};
use crate::exit::Exit;
use crate::output::Output;
use crate::store::{self, Purpose, Store};
use crate::store_privacy;
use crate::store_url::StoreUrl;
use crate::tasks::{Groups, TaskFile};
use stopped::Stopped;
use supervisor::Supervisor;
use tasks::Common;

pub(crate) use live::{FINISH_MAX, allows_colours};

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
}

impl RunError {
    /// Whether the same may go through later: the store is away.
    fn is_transient(&self) -> bool {
        match self {
            RunError::Store(error) => error.is_transient(),
            RunError::Build(sexton::BuildError::Store { source, .. }) => source.is_transient(),
            _ => false,
        }
    }

    /// How the program ends by it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            RunError::Store(error) => error.exit(),
            RunError::Build(sexton::BuildError::Store { source, .. }) => {
                Exit::of_store(source.is_transient())
            }
            RunError::Build(_) | RunError::Requests(_) => Exit::BadInput,
            RunError::Signals(_) => Exit::Trouble,
        }
    }
}

/// Runs a file's tasks until SIGTERM or SIGINT, and lets them end. `again` reads the file once
/// more.
pub(crate) async fn run(
    mut file: TaskFile,
    arguments: &RunArguments,
    environment: &Environment,
    out: Output,
    again: impl Fn() -> Result<TaskFile, Rejected>,
) -> Result<Exit, RunError> {
    let mut stops = Stops::listen().map_err(RunError::Signals)?;
    let mut reloads = signal(SignalKind::hangup()).map_err(RunError::Signals)?;
    let requests = Requests::new();
    requests.prepare(&file.tasks)?;
    let common = Common::new(requests, stop_grace(arguments.grace));
    common.mask(&file.masks);
    let mut log = live::Live::new(arguments.log_format, environment, out);
    let url = store::url(&arguments.store, Some(&file), environment)?;
    file.warnings.extend(store_privacy::warning(&url));
    let start = Start {
        url: &url,
        file: &file,
        arguments,
        common: &common,
    };
    let (store, scheduler) = tokio::select! {
        started = start.started(&mut log) => started?,
        () = stops.next() => return Ok(Exit::Done),
    };
    log.began(&scheduler, &store.location, &file, environment.zones());
    let supervisor = Supervisor::told_ready(&scheduler.handle());
    let of_start = reload::OfStart {
        store: file.store,
        groups: file.groups,
    };
    let mut comparison = lines::Comparison::new();
    comparison.begin(&store.manager, scheduler.instance(), &file.crontabs);
    let mut current = file.tasks;
    loop {
        tokio::select! {
            biased;
            () = stops.next() => break,
            () = scheduler.stopped() => break,
            _ = reloads.recv() => {
                supervisor.told_reloading();
                let handle = scheduler.handle();
                let told = match again() {
                    Ok(mut file) => {
                        let wanted = std::mem::take(&mut file.tasks);
                        comparison.begin(&store.manager, scheduler.instance(), &file.crontabs);
                        common.mask(&file.masks);
                        let told = reload::apply(&handle, &mut current, wanted, &common).await;
                        told.with_warnings_of(&file, &of_start)
                    }
                    Err(rejected) => reload::Reloaded::rejected(&rejected),
                };
                log.reloaded(&told);
                supervisor.told_reloaded();
            }
            differ = comparison.next() => log.lines_differ(&differ),
            event = log.next() => log.event(event),
        }
    }
    drop(comparison);
    log.stopping();
    supervisor.told_stopping();
    let stopped = shut_down(scheduler, arguments, &mut stops, &mut log).await;
    if let Stopped::InOrder(_) = &stopped {
        store.close().await;
    }
    log.ended(&stopped);
    Ok(match stopped {
        Stopped::InOrder(report) if report.cut_off.is_empty() && report.all_settled => Exit::Done,
        _ => Exit::Trouble,
    })
}

/// What a scheduler is started with.
struct Start<'s> {
    url: &'s StoreUrl,
    file: &'s TaskFile,
    arguments: &'s RunArguments,
    common: &'s Common,
}

/// The pause after the first attempt to reach a store; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often it is told that a store is still away.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(60);

impl Start<'_> {
    /// Opens the store and starts; waits for a store that is away, and says so.
    async fn started(&self, log: &mut live::Live) -> Result<(Store, Scheduler), RunError> {
        let began = SystemClock.monotonic();
        let mut pause = PAUSE_FIRST;
        let mut told: Option<Duration> = None;
        loop {
            let error = match self.attempt(log).await {
                Err(error) if error.is_transient() => error,
                done => return done,
            };
            let now = SystemClock.monotonic();
            let left = self.arguments.store_wait.saturating_sub(now - began);
            if left.is_zero() {
                return Err(error);
            }
            if told.is_none_or(|told| now - told >= TOLD_AGAIN_AFTER) {
                log.store_awaited(&chain(&error), left);
                told = Some(now);
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn attempt(&self, log: &mut live::Live) -> Result<(Store, Scheduler), RunError> {
        let namespace = self.file.store.namespace.clone();
        let store = store::open(self.url, namespace, Purpose::Run).await?;
        let manager = Arc::clone(&store.manager);
        let tasks = self.file.tasks.iter();
        let scheduler = builder(self.arguments, &self.file.groups)
            .shared_manager(ManagerName::default().as_str(), manager)
            .tasks(tasks.map(|spec| tasks::ready(spec, self.common)));
        log.follow(scheduler.events());
        Ok((store, scheduler.start().await?))
    }
}

fn builder(arguments: &RunArguments, groups: &Groups) -> SchedulerBuilder {
    let count = |runs: u32| usize::try_from(runs).unwrap_or(usize::MAX);
    let stop_grace = stop_grace(arguments.grace);
    let builder = Scheduler::builder().cancel_grace(stop_grace + stop_grace / 4);
    let builder = match arguments.running_max {
        Some(runs) => builder.running_max(count(runs)),
        None => builder,
    };
    let builder = groups.iter().fold(builder, |builder, (group, runs)| {
        builder.group_running_max(group, count(*runs))
    });
    arguments
        .labels
        .iter()
        .fold(builder, |builder, label| builder.label(label))
}

/// What the store is given in any case to hear of the end.
const TELLING_MIN: Duration = Duration::from_secs(2);
/// The most of the grace that is kept for runs that are cancelled, and for telling the store.
const STOPPING_MAX: Duration = Duration::from_secs(6);

/// How long runs may take to end by themselves so that all of it fits into the grace.
fn drain(grace: Duration) -> Duration {
    grace - stopping(grace)
}

/// What of the grace is kept for runs that are cancelled, and for telling the store.
fn stopping(grace: Duration) -> Duration {
    STOPPING_MAX.min(grace / 2)
}

/// How long a command has between SIGTERM and SIGKILL: two thirds of what is kept, so that the
/// store can be told before the grace is over.
fn stop_grace(grace: Duration) -> Duration {
    STOP_GRACE_MAX.min(stopping(grace) * 2 / 3)
}

/// Lets what runs end within the grace, unless a second signal says otherwise: then, and when the
/// grace is over, what still runs is dropped as in a crash.
async fn shut_down(
    scheduler: Scheduler,
    arguments: &RunArguments,
    stops: &mut Stops,
    log: &mut live::Live,
) -> Stopped {
    let grace = arguments.grace;
    let mut ending = std::pin::pin!(scheduler.shutdown(drain(grace)));
    let mut over = std::pin::pin!(tokio::time::sleep(grace.max(TELLING_MIN)));
    loop {
        tokio::select! {
            biased;
            report = &mut ending => return Stopped::InOrder(report),
            () = stops.next() => return Stopped::AtOnce,
            () = &mut over => return Stopped::GraceOver,
            event = log.next() => log.event(event),
        }
    }
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

//! Runs a command, and takes the whole of it down when its run is cancelled.
//!
//! A command is the head of a process group, started and watched by `sexton __exec`. Cancelling
//! sends the group SIGTERM and, after the stop grace ([`STOP_GRACE_MAX`] or less), ends everything that the command has started
//! by SIGKILL; so does dropping the future, at once. What a command leaves running in the
//! background when it ends by itself is its own affair, but its output is waited for no longer than
//! [`LINGER_MAX`].

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use sexton::Completion;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::process::{Heard, Process};
use super::stray::{AGAIN, SIGN_MAX};
use super::tail::Tail;
use crate::descriptors::is_shortage;
use crate::exec::wire::{Order, Reply, Step, WireError};
use crate::tasks::{CommandSpec, Limits, Program};

/// The longest that a cancelled command has between SIGTERM and SIGKILL. The scheduler's own grace
/// must be longer, or what the command said last is lost.
pub const STOP_GRACE_MAX: Duration = Duration::from_secs(4);

/// How long the output of processes in the background is waited for once the command has ended.
const LINGER_MAX: Duration = Duration::from_millis(500);

/// Why a command did not succeed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It could not be started.
    #[error("cannot start {program:?}")]
    Start {
        /// The program, as the file writes it.
        program: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The folder that it was to begin in is not there.
    #[error("cannot start {program:?}: its folder {} is not there", .folder.display())]
    NoFolder {
        /// The program, as the file writes it.
        program: String,
        /// The folder.
        folder: PathBuf,
    },
    /// What it needs before it starts could not be set.
    #[error("cannot start {program:?}: cannot {action}")]
    Prepare {
        /// The program, as the file writes it.
        program: String,
        /// What could not be done, such as "become the user news".
        action: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// The order to start it is too long.
    #[error("cannot start {program:?}")]
    TooLong {
        /// The program, as the file writes it.
        program: String,
        /// How long it may be.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The process that watched it was killed.
    #[error("lost sight of the command")]
    Wait(#[source] io::Error),
    /// It ended with another status than 0.
    #[error("exit status {0}")]
    Status(i32),
    /// A signal ended it.
    #[error("ended by {}", signal_name(*.0))]
    Signal(i32),
}

fn signal_name(number: i32) -> String {
    match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}

/// Runs a command to its end, or until it is cancelled: then it has `stop_grace` between SIGTERM and
/// SIGKILL.
///
/// Dropping the future kills the command and everything that it has started.
pub(super) async fn run(
    spec: &CommandSpec,
    context: &Context,
    cancellation: &CancellationToken,
    stop_grace: Duration,
) -> Completion {
    let order = order(spec, context);
    let encoded = match order.encode() {
        Ok(encoded) => encoded,
        Err(error) => return Completion::failed(too_long(spec, error)),
    };
    let mut process = match Process::start(&encoded).await {
        Ok(process) => process,
        Err(source) => {
            let is_shortage = is_shortage(&source);
            let program = written(spec);
            let error = CommandError::Start { program, source };
            return not_started(error, is_shortage);
        }
    };
    let mut tail = Tail::default();
    let mut stop = Stop::NotAsked;
    let ended = loop {
        tokio::select! {
            heard = process.next() => match heard {
                Ok(Heard::Output(output)) => tail.push(&output),
                Ok(Heard::Reply(Reply::NotStarted { step, errno })) => {
                    let source = io::Error::from_raw_os_error(errno);
                    // A command that its task limits lacks what the limits deny it.
                    let is_shortage = spec.limits == Limits::default() && is_shortage(&source);
                    return not_started(failed_at(spec, step, source), is_shortage);
                }
                Ok(Heard::Reply(ended @ (Reply::Exited { .. } | Reply::Signalled { .. }))) => {
                    break Ok(ended);
                }
                Ok(Heard::Reply(_)) => {}
                Err(error) => break Err(error),
            },
            () = stop.due(cancellation) => stop = stop.next(&mut process, stop_grace),
        }
    };
    // The command is gone; whatever holds its output open was left in the background. When the
    // process is dropped, it learns by the end of its socket to leave that alone, or to end it if
    // the command was cancelled.
    let until = match stop {
        Stop::NotAsked | Stop::Killed { .. } => Instant::now() + LINGER_MAX,
        Stop::Asked { until } => until,
    };
    if ended.is_ok() && timeout_at(until, rest(&mut process, &mut tail)).await == Ok(Left::Nothing)
    {
        process.keep();
    }
    let completion = match ended {
        // Its process was kept from ending it, and was ended with it.
        Err(_) if stop != Stop::NotAsked => Completion::cancelled(),
        Err(error) => Completion::failed(CommandError::Wait(error)),
        Ok(Reply::Exited { code: 0 }) => Completion::succeeded(),
        Ok(_) if stop != Stop::NotAsked => Completion::cancelled(),
        Ok(Reply::Exited { code }) => Completion::failed(CommandError::Status(code)),
        Ok(Reply::Signalled { signal }) => Completion::failed(CommandError::Signal(signal)),
        Ok(_) => Completion::cancelled(),
    };
    match tail.into_text() {
        Some(text) => completion.with_output(text),
        None => completion,
    }
}

/// The program, as the file writes it.
fn written(spec: &CommandSpec) -> String {
    match &spec.program {
        Program::Argv { program, .. } => program.written().to_owned(),
        Program::Shell { shell, .. } => shell.to_string_lossy().into_owned(),
    }
}

fn too_long(spec: &CommandSpec, error: WireError) -> CommandError {
    CommandError::TooLong {
        program: written(spec),
        source: error.into(),
    }
}

/// Of a command that could not be started. What the machine lacks, it or another may have soon.
fn not_started(error: CommandError, is_shortage: bool) -> Completion {
    if is_shortage {
        Completion::not_begun(error)
    } else {
        Completion::failed(error)
    }
}

fn failed_at(spec: &CommandSpec, step: Step, source: io::Error) -> CommandError {
    let program = written(spec);
    let folder = || spec.cwd.clone().unwrap_or_default();
    let action = match step {
        Step::Program => return CommandError::Start { program, source },
        Step::Folder
            if matches!(
                source.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return CommandError::NoFolder {
                program,
                folder: folder(),
            };
        }
        Step::Folder => format!("begin in the folder {}", folder().display()),
        Step::Pipes => "make pipes for it".to_owned(),
        Step::Nice => "set `nice`".to_owned(),
        Step::Limits => "set `limits`".to_owned(),
        Step::User => match &spec.run_as {
            Some(user) => format!("become the user {}", user.name),
            None => "become its user".to_owned(),
        },
    };
    CommandError::Prepare {
        program,
        action,
        source,
    }
}

fn order(spec: &CommandSpec, context: &Context) -> Order {
    let (program, arguments) = match &spec.program {
        Program::Argv { program, arguments } => {
            let arguments = arguments.iter().map(|argument| argument.expose().into());
            (program.expose().into(), arguments.collect())
        }
        Program::Shell { shell, script } => (shell.into(), vec!["-c".into(), script.into()]),
    };
    Order {
        program,
        arguments,
        variables: variables(spec, context),
        // The process that starts the command may be in another folder than this one.
        cwd: spec
            .cwd
            .as_ref()
            .map(|cwd| std::path::absolute(cwd).unwrap_or_else(|_| cwd.clone())),
        missing_cwd: spec.missing_cwd,
        stdin: spec.stdin.as_ref().map(|text| text.expose_bytes().to_vec()),
        user: spec.run_as.clone(),
        umask: spec.umask,
        nice: spec.nice,
        limits: spec.limits,
    }
}

/// The whole environment of a command. Of two values for a name the later one counts.
fn variables(spec: &CommandSpec, context: &Context) -> Vec<(OsString, OsString)> {
    let inherited = std::env::vars_os().filter(|(name, _)| spec.inherit.includes(name));
    let own = spec
        .variables
        .iter()
        .map(|(name, value)| (name.into(), OsStr::from_bytes(value.expose_bytes()).into()));
    let of_run = context
        .variables()
        .map(|(name, value)| (name.into(), value.into()));
    inherited.chain(own).chain(of_run).collect()
}

/// How far stopping a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    NotAsked,
    Asked { until: Instant },
    Killed { force_at: Instant },
}

impl Stop {
    /// Completes when the next step is due.
    async fn due(self, cancellation: &CancellationToken) {
        match self {
            Stop::NotAsked => cancellation.cancelled().await,
            Stop::Asked { until } => tokio::time::sleep_until(until).await,
            Stop::Killed { force_at } => tokio::time::sleep_until(force_at).await,
        }
    }

    fn next(self, process: &mut Process, grace: Duration) -> Stop {
        match self {
            Stop::NotAsked => {
                process.terminate();
                let until = Instant::now() + grace;
                Stop::Asked { until }
            }
            Stop::Asked { .. } => {
                process.kill();
                let force_at = Instant::now() + SIGN_MAX;
                Stop::Killed { force_at }
            }
            Stop::Killed { .. } => {
                process.end_by_force();
                let force_at = Instant::now() + AGAIN;
                Stop::Killed { force_at }
            }
        }
    }
}

/// What a command that has ended has left.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// Nothing, and its process is ready for the next one.
    Nothing,
    /// What it has left was ended, or lives on without a word.
    Something,
}

/// Takes what else is said, until the process is ready for the next command or has ended.
async fn rest(process: &mut Process, tail: &mut Tail) -> Left {
    loop {
        match process.next().await {
            Ok(Heard::Output(output)) => tail.push(&output),
            Ok(Heard::Reply(Reply::Ready)) => return Left::Nothing,
            Ok(Heard::Reply(_)) => {}
            Err(_) => return Left::Something,
        }
    }
}

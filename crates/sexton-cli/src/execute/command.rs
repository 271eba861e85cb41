//! Runs a command, and takes the whole of it down when its run is cancelled.
//!
//! A command is the head of a process group of its own. Cancelling sends the group SIGTERM and, after [`STOP_GRACE`],
//! SIGKILL; so does dropping the future, at once. What a command leaves running in the background when it ends by itself
//! is its own affair, but its output is waited for no longer than [`LINGER_MAX`].

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use sexton::Ending;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::context::Context;
use super::tail::Tail;
use crate::tasks::{CommandSpec, Inherit, MissingCwd, Program};

/// How long a cancelled command has between SIGTERM and SIGKILL. The scheduler's own grace must be longer, or what the
/// command said last is lost.
pub const STOP_GRACE: Duration = Duration::from_secs(4);

/// How long the output of processes in the background is waited for once the command has ended.
const LINGER_MAX: Duration = Duration::from_millis(500);

/// How often a group is looked at whose head has ended: nobody tells when the rest has.
const GROUP_LOOK: Duration = Duration::from_millis(20);

/// Variables that a supervisor means for the program alone, and the one with its store's password.
const OF_THE_PROGRAM: [&str; 5] = [
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "SEXTON_STORE",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

const READ_BYTES: usize = 8 * 1024;

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
        source: std::io::Error,
    },
    /// The folder that it was to begin in is not there.
    #[error("cannot start {program:?}: its folder {} is not there", .folder.display())]
    NoFolder {
        /// The program, as the file writes it.
        program: String,
        /// The folder.
        folder: PathBuf,
    },
    /// It could not be waited for.
    #[error("lost sight of the command")]
    Wait(#[source] std::io::Error),
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

/// Runs a command to its end, or until it is cancelled.
///
/// Dropping the future kills the command's process group.
pub(super) async fn run(
    spec: &CommandSpec,
    context: &Context,
    cancellation: &CancellationToken,
) -> Ending {
    let mut child = match command(spec, context).spawn() {
        Ok(child) => child,
        Err(source) => return Ending::failed(not_started(spec, source)),
    };
    let mut group = Group::of(&child);
    let tail = Arc::new(Mutex::new(Tail::default()));
    let stdout = child
        .stdout
        .take()
        .map(|pipe| keep_tail(pipe, Arc::clone(&tail)));
    let stderr = child
        .stderr
        .take()
        .map(|pipe| keep_tail(pipe, Arc::clone(&tail)));
    let said = async {
        tokio::join!(settled(stdout), settled(stderr));
    };
    let stdin = feed(&mut child, spec.stdin.clone());
    let mut said = std::pin::pin!(async { tokio::join!(said, stdin) });
    let mut is_silent = false;
    let mut stop = Stop::NotAsked;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            _ = &mut said, if !is_silent => is_silent = true,
            () = stop.due(cancellation) => stop = stop.next(&group),
        }
    };
    let said = async {
        if !is_silent {
            said.await;
        }
    };
    let linger = Instant::now() + LINGER_MAX;
    // The command is gone; whatever holds its output open was left in the background.
    let _ = match stop {
        Stop::NotAsked | Stop::Killed => {
            if status.is_ok() {
                group.let_go();
            }
            timeout_at(linger, said).await
        }
        Stop::Asked { until } => {
            let gone = async { tokio::join!(group.gone(), said).1 };
            timeout_at(until, gone).await
        }
    };
    let tail = std::mem::take(&mut *tail.lock().unwrap_or_else(PoisonError::into_inner));
    let ending = match status {
        Err(error) => Ending::failed(CommandError::Wait(error)),
        Ok(status) if stop != Stop::NotAsked && !status.success() => Ending::cancelled(),
        Ok(status) => of_status(status),
    };
    match tail.into_text() {
        Some(text) => ending.with_output(text),
        None => ending,
    }
}

/// The operating system has one word for a program and a folder that are not there.
fn not_started(spec: &CommandSpec, source: std::io::Error) -> CommandError {
    let program = match &spec.program {
        Program::Argv { program, .. } => program.written().to_owned(),
        Program::Shell { shell, .. } => shell.clone(),
    };
    match spec.cwd.as_ref().filter(|folder| !folder.is_dir()) {
        Some(folder) => CommandError::NoFolder {
            program,
            folder: folder.clone(),
        },
        None => CommandError::Start { program, source },
    }
}

fn of_status(status: ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(0), _) => Ending::succeeded(),
        (Some(code), _) => Ending::failed(CommandError::Status(code)),
        (None, signal) => Ending::failed(CommandError::Signal(signal.unwrap_or(0))),
    }
}

fn command(spec: &CommandSpec, context: &Context) -> Command {
    let mut command = match &spec.program {
        Program::Argv { program, arguments } => {
            let mut command = Command::new(program.expose());
            command.args(arguments.iter().map(|argument| argument.expose()));
            command
        }
        Program::Shell { shell, script } => {
            let mut command = Command::new(shell);
            command.arg("-c").arg(script);
            command
        }
    };
    if spec.inherit == Inherit::Nothing {
        command.env_clear();
    }
    OF_THE_PROGRAM.iter().for_each(|name| {
        command.env_remove(name);
    });
    command.envs(
        spec.variables
            .iter()
            .map(|(name, value)| (name, value.expose())),
    );
    command.envs(context.variables());
    match (&spec.cwd, spec.missing_cwd) {
        (Some(cwd), MissingCwd::BeginInRoot) if !cwd.is_dir() => {
            command.current_dir("/");
        }
        (Some(cwd), _) => {
            command.current_dir(cwd);
        }
        (None, _) => {}
    }
    if let Some(user) = &spec.run_as {
        // Setting the user as root drops the supplementary groups too.
        command.uid(user.uid).gid(user.gid);
    }
    let stdin = if spec.stdin.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// How far stopping a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    NotAsked,
    Asked { until: Instant },
    Killed,
}

impl Stop {
    /// Completes when the next step is due.
    async fn due(self, cancellation: &CancellationToken) {
        match self {
            Stop::NotAsked => cancellation.cancelled().await,
            Stop::Asked { until } => tokio::time::sleep_until(until).await,
            Stop::Killed => std::future::pending().await,
        }
    }

    fn next(self, group: &Group) -> Stop {
        match self {
            Stop::NotAsked => {
                group.signal(Signal::TERM);
                let until = Instant::now() + STOP_GRACE;
                Stop::Asked { until }
            }
            Stop::Asked { .. } | Stop::Killed => {
                group.signal(Signal::KILL);
                Stop::Killed
            }
        }
    }
}

/// The process group of a command that runs. Killed when dropped, unless it was let go.
struct Group {
    head: Option<Pid>,
}

impl Group {
    fn of(child: &Child) -> Group {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Group {
            head: id.and_then(Pid::from_raw),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(head) = self.head {
            // A group that has no process any more is what was wanted.
            let _ = kill_process_group(head, signal);
        }
    }

    /// Its head was waited for, and what it left in the background goes on, or was killed already.
    fn let_go(&mut self) {
        self.head = None;
    }

    /// Completes when the group has no process any more. Its number is nobody else's as long as it has one.
    async fn gone(&mut self) {
        while let Some(head) = self.head {
            if test_kill_process_group(head).is_err() {
                self.head = None;
            } else {
                tokio::time::sleep(GROUP_LOOK).await;
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

async fn keep_tail(mut pipe: impl AsyncRead + Unpin, tail: Arc<Mutex<Tail>>) {
    let mut buffer = vec![0; READ_BYTES];
    // An error of a pipe is its end.
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        tail.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(&buffer[..count]);
    }
}

async fn settled(reading: Option<impl Future<Output = ()>>) {
    if let Some(reading) = reading {
        reading.await;
    }
}

fn feed(child: &mut Child, text: Option<String>) -> impl Future<Output = ()> + use<> {
    let pipe = child.stdin.take();
    async move {
        if let (Some(mut pipe), Some(text)) = (pipe, text) {
            // A command need not read all of its input.
            let _ = pipe.write_all(text.as_bytes()).await;
        }
    }
}

//! The program's end of a process that watches one command: `sexton __exec`.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::{Notify, Semaphore};

use super::connection::Connection;
use super::stray;
use crate::descriptors::{self, Descriptor};
use crate::exec::wire::{KILL, Reply, TERMINATE};
use crate::exec::{ARGUMENT, NAME};
use crate::program_file::program_file;

/// How many processes wait for their next command at most.
const IDLE_COUNT_MAX: usize = 64;

/// Processes that wait for their next command, the one that waits the longest first. Each ends by
/// itself after a while, and when the program ends.
static IDLE: Mutex<Vec<Connection>> = Mutex::new(Vec::new());

/// Told when there is one more of them.
static KEPT: Notify = Notify::const_new();

/// How many processes may be starting at once. Where many commands are due at once and soon end,
/// the next ones are sooner started by a process that is there than by one more.
static STARTS: Semaphore = Semaphore::const_new(4);

/// A process that watches a command. Dropping it ends the command if that still runs, or was asked
/// to end.
pub(super) struct Process {
    /// `None` once the process has ended, or waits for its next command.
    connection: Option<Connection>,
    /// What was heard and not looked at yet.
    received: Vec<u8>,
    /// The command's process group, while it is known to run.
    running: Option<Pid>,
    /// Whether nothing may be left of the command when this is dropped.
    must_end: bool,
    /// Whether the command was told to end.
    is_stopping: bool,
}

/// Starts a process. The runtime waits for it when it ends, which may be after its socket was
/// dropped.
fn spawn() -> io::Result<Connection> {
    let descriptor = descriptors::take()?;
    let (own, theirs) = StdUnixStream::pair()?;
    own.set_nonblocking(true)?;
    let own = UnixStream::from_std(own)?;
    let child = Command::new(program_file()?)
        .arg0(NAME)
        .arg(ARGUMENT)
        .args(descriptors::limit_of_commands().map(|limit| limit.to_string()))
        .env_clear()
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok());
    Ok(Connection {
        socket: own,
        _descriptor: descriptor,
        pid: pid.and_then(Pid::from_raw),
    })
}

/// What a process says.
pub(super) enum Heard {
    Reply(Reply),
    /// What the command said.
    Output(Vec<u8>),
}

impl Process {
    /// Sends an encoded order to a process that waits for one, or to a new one.
    pub(super) async fn start(order: &[u8]) -> io::Result<Process> {
        loop {
            if let Some(connection) = last_used() {
                // One that had waited for too long has ended, and has started nothing.
                if let Ok(process) = Process::accepted(connection, order).await {
                    return Ok(process);
                }
                continue;
            }
            let starting = tokio::select! {
                biased;
                () = KEPT.notified() => continue,
                starting = STARTS.acquire() => starting.map_err(io::Error::other)?,
            };
            let process = Process::accepted(spawn()?, order).await;
            drop(starting);
            return process;
        }
    }

    async fn accepted(connection: Connection, order: &[u8]) -> io::Result<Process> {
        connection.wake();
        let mut process = Process {
            connection: Some(connection),
            received: Vec::new(),
            running: None,
            must_end: true,
            is_stopping: false,
        };
        if let Some(connection) = &mut process.connection {
            connection.socket.write_all(order).await?;
        }
        match process.next().await? {
            Heard::Reply(Reply::Accepted) => Ok(process),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// What the process says next; cancel safe.
    ///
    /// # Errors
    /// If the process is gone. A command that it watched is ended then, as far as that can be done from here.
    pub(super) async fn next(&mut self) -> io::Result<Heard> {
        loop {
            if let Some(heard) = self.heard()? {
                return Ok(heard);
            }
            let read = match &mut self.connection {
                Some(connection) => connection.socket.read_buf(&mut self.received).await,
                None => Ok(0),
            };
            let read = match read {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            if let Err(error) = read {
                self.connection = None;
                if let Some(group) = self.running.take() {
                    let _ = kill_process_group(group, Signal::KILL);
                }
                return Err(error);
            }
        }
    }

    /// Takes what was received whole.
    fn heard(&mut self) -> io::Result<Option<Heard>> {
        let Some((header, payload)) = self.received.split_first_chunk() else {
            return Ok(None);
        };
        let reply = Reply::decode(*header).ok_or(io::ErrorKind::InvalidData)?;
        let heard = match reply {
            Reply::Output { bytes } => {
                let bytes = usize::try_from(bytes).unwrap_or(0);
                let Some(output) = payload.get(..bytes) else {
                    return Ok(None);
                };
                let output = output.to_vec();
                self.received.drain(..Reply::BYTES + bytes);
                return Ok(Some(Heard::Output(output)));
            }
            reply => Heard::Reply(reply),
        };
        self.received.drain(..Reply::BYTES);
        match reply {
            Reply::Started { pid } => self.running = Pid::from_raw(pid),
            Reply::Exited { .. } | Reply::Signalled { .. } => {
                self.running = None;
                self.must_end = self.is_stopping;
            }
            Reply::NotStarted { .. } => self.must_end = false,
            _ => {}
        }
        Ok(Some(heard))
    }

    /// Lets it wait for the next command, which it has said that it is ready for.
    pub(super) fn keep(mut self) {
        let mut idle = idle();
        if idle.len() < IDLE_COUNT_MAX {
            idle.extend(self.connection.take());
            KEPT.notify_one();
        }
    }

    /// Sends the command's process group SIGTERM. Nothing may be left of it from now on.
    pub(super) fn terminate(&mut self) {
        self.stop(TERMINATE);
    }

    /// Ends the command and everything that it has started.
    pub(super) fn kill(&mut self) {
        self.stop(KILL);
    }

    fn stop(&mut self, word: u8) {
        (self.must_end, self.is_stopping) = (true, true);
        if let Some(connection) = &self.connection {
            connection.say(word);
        }
    }

    /// Does what the process was told to do by [`kill`](Self::kill) and may be kept from.
    pub(super) fn end_by_force(&self) {
        if let Some(connection) = &self.connection {
            stray::end_by_force(connection, self.running);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take().filter(|_| self.must_end) {
            stray::adopt(connection, self.running);
        }
    }
}

/// A descriptor for something else than a process: one that waits for its next command is ended for
/// it where all are in use.
///
/// # Errors
/// EMFILE if there is none.
pub(super) fn descriptor() -> io::Result<Descriptor> {
    descriptors::take().or_else(|error| match last_used() {
        Some(waiting) => {
            drop(waiting);
            descriptors::take()
        }
        None => Err(error),
    })
}

/// The one that has waited for the shortest time, so that those that are not needed end.
fn last_used() -> Option<Connection> {
    idle().pop()
}

fn idle() -> std::sync::MutexGuard<'static, Vec<Connection>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner)
}

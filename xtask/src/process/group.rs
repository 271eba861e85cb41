//! A process and the group that it leads.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::interrupt::interrupted;

/// The groups that are running, for whoever has to stop them all.
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

fn running() -> MutexGuard<'static, Vec<Pid>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends a signal to every running group.
pub(super) fn signal_all(signal: Signal) {
    for leader in &*running() {
        send(*leader, signal);
    }
}

/// A group that has ended already needs no signal, and no other failure can be helped.
fn send(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}

/// A process that leads its group. When this is dropped, nobody of the group is left.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Pid,
    child: Child,
    is_over: bool,
}

impl Group {
    /// Starts the command as the leader of a group; `None` if a signal has asked us to stop.
    pub(crate) fn start(command: &mut Command) -> io::Result<Option<Group>> {
        // Held over the start: a signal comes either before it, or finds the group in the list.
        let mut running = running();
        if interrupted().is_some() {
            return Ok(None);
        }
        let child = command.process_group(0).spawn()?;
        let leader = Pid::from_child(&child);
        running.push(leader);
        Ok(Some(Group {
            leader,
            child,
            is_over: false,
        }))
    }

    /// What the leader writes, if it was piped.
    pub(crate) fn output(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits for the leader, then ends the rest of its group.
    pub(crate) fn wait(mut self) -> io::Result<ExitStatus> {
        // Not yet reaped: until then nobody else can get the group's number.
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(error) = waitid(WaitId::Pid(self.leader), ended) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        self.end()
    }

    fn end(&mut self) -> io::Result<ExitStatus> {
        self.is_over = true;
        let mut running = running();
        send(self.leader, Signal::KILL);
        running.retain(|leader| *leader != self.leader);
        drop(running);
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_over
            && let Err(error) = self.end()
        {
            eprintln!(
                "xtask: cannot wait for process {}: {error}",
                self.leader.as_raw_nonzero()
            );
        }
    }
}

//! Watches a command that runs: one loop over everything that can happen.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process_group, wait};

use super::feed::{Feed, is_temporary};
use super::prepare::{Started, wake_at_end_of_program};
use super::tree;
use super::wire::{KILL, Reply, TERMINATE};

/// How soon all that is left is killed again: a process may have been born while the list was read.
const KILL_AGAIN_MIN: Duration = Duration::from_millis(5);
/// How long between two kills at most: what cannot be killed now may be in the hands of a disk, or
/// of another user.
const KILL_AGAIN_MAX: Duration = Duration::from_secs(1);

/// How much of what a command says is passed on at once. More is read when that is written.
const OUTPUT_BYTES: usize = 64 * 1024;

/// How far the end of a command has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It ends by itself, and so does what it leaves in the background.
    NotAsked,
    /// It was asked to end: nothing may be left of it.
    Asked,
    /// Everything is killed until nothing is left.
    Killing { again: Duration },
}

/// How the watch over a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    /// The command ended by itself, left nothing, and the program is there.
    Clean,
    /// The command was ended, has left something in the background, or nobody wants to know.
    Over,
}

/// A command that runs, or whose output is still open.
pub(super) struct Watch<'s> {
    socket: &'s UnixStream,
    /// Whether the program is there, and has not seen enough.
    is_connected: bool,
    /// What is still to be sent. It is short of a limit: output is read only when nothing is left
    /// to send.
    outgoing: Vec<u8>,
    child_ended: &'s UnixStream,
    /// The command and its process group have this number.
    group: Pid,
    is_running: bool,
    /// Whether nothing is left that descends from this process.
    is_childless: bool,
    stop: Stop,
    /// `None` once it is at its end.
    output: Option<PipeReader>,
    feed: Option<Feed>,
}

/// What there is to look at after a wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ready {
    Socket,
    ChildEnded,
    Output,
    Feed,
}

impl<'s> Watch<'s> {
    /// Watches to the end, and leaves no command unwatched if that fails.
    pub(super) fn run(
        socket: &'s UnixStream,
        child_ended: &'s UnixStream,
        started: Started,
    ) -> io::Result<Watched> {
        let group = started.pid;
        let watched = Watch::new(socket, child_ended, started).and_then(Watch::watch);
        if watched.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
            tree::kill_all();
        }
        watched
    }

    fn new(
        socket: &'s UnixStream,
        child_ended: &'s UnixStream,
        started: Started,
    ) -> io::Result<Watch<'s>> {
        socket.set_nonblocking(true)?;
        child_ended.set_nonblocking(true)?;
        ioctl_fionbio(&started.output, true)?;
        let pid = started.pid.as_raw_nonzero().get();
        Ok(Watch {
            socket,
            is_connected: true,
            outgoing: Reply::Started { pid }.encode().to_vec(),
            child_ended,
            group: started.pid,
            is_running: true,
            is_childless: false,
            stop: Stop::NotAsked,
            output: Some(started.output),
            feed: started.stdin,
        })
    }

    /// Returns when the command has ended, its output is at its end and sent, and nothing is left
    /// of it if it was asked to end.
    fn watch(mut self) -> io::Result<Watched> {
        self.flush();
        while !self.is_over() {
            for ready in self.wait()? {
                match ready {
                    Ready::Socket => {
                        self.hear();
                        self.flush();
                    }
                    Ready::ChildEnded => self.reap()?,
                    Ready::Output => self.pass_on(),
                    Ready::Feed => self.feed = self.feed.take().and_then(Feed::advance),
                }
            }
            self.kill_again();
        }
        let is_clean = self.is_connected && self.is_childless && self.stop == Stop::NotAsked;
        Ok(if is_clean {
            Watched::Clean
        } else {
            Watched::Over
        })
    }

    fn is_over(&self) -> bool {
        let is_silent = self.output.is_none() && self.outgoing.is_empty() && self.feed.is_none();
        let is_cleared = self.stop == Stop::NotAsked || self.is_childless;
        !self.is_running && is_silent && is_cleared
    }

    fn wait(&self) -> io::Result<Vec<Ready>> {
        let mut waiting = vec![(Ready::ChildEnded, self.child_ended.as_fd(), PollFlags::IN)];
        if self.is_connected {
            let flags = match self.outgoing.is_empty() {
                true => PollFlags::IN,
                false => PollFlags::IN | PollFlags::OUT,
            };
            waiting.push((Ready::Socket, self.socket.as_fd(), flags));
        }
        if let Some(output) = self.output.as_ref().filter(|_| self.outgoing.is_empty()) {
            waiting.push((Ready::Output, output.as_fd(), PollFlags::IN));
        }
        if let Some(feed) = &self.feed {
            let (fd, flags) = feed.interest();
            waiting.push((Ready::Feed, fd, flags));
        }
        let mut polled: Vec<PollFd<'_>> = waiting
            .iter()
            .map(|(_, fd, flags)| PollFd::from_borrowed_fd(*fd, *flags))
            .collect();
        let timeout = match self.stop {
            Stop::Killing { again } if !self.is_childless => Timespec::try_from(again).ok(),
            _ => None,
        };
        match poll(&mut polled, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let pairs = waiting.iter().zip(&polled);
        Ok(pairs
            .filter(|(_, polled)| !polled.revents().is_empty())
            .map(|((ready, ..), _)| *ready)
            .collect())
    }

    /// Passes on what the command says, or reads it to nowhere when the program is gone: a command
    /// in the background never meets a broken pipe.
    fn pass_on(&mut self) {
        let Some(output) = &mut self.output else {
            return;
        };
        let mut said = vec![0; OUTPUT_BYTES];
        match output.read(&mut said) {
            Ok(count @ 1..) => {
                if self.is_connected {
                    let bytes = i32::try_from(count).unwrap_or(i32::MAX);
                    self.outgoing.extend(Reply::Output { bytes }.encode());
                    self.outgoing.extend(&said[..count]);
                    self.flush();
                }
            }
            Err(error) if is_temporary(&error) => {}
            // An error of a pipe is its end.
            Ok(0) | Err(_) => self.output = None,
        }
    }

    fn flush(&mut self) {
        while self.is_connected && !self.outgoing.is_empty() {
            match (&*self.socket).write(&self.outgoing) {
                Ok(count) => drop(self.outgoing.drain(..count)),
                Err(error) if is_temporary(&error) => return,
                Err(_) => self.disconnect(),
            }
        }
    }

    /// Does what the program says.
    fn hear(&mut self) {
        let mut words = [0; 16];
        match (&*self.socket).read(&mut words) {
            Ok(count @ 1..) => {
                for word in &words[..count] {
                    match *word {
                        TERMINATE => self.terminate(),
                        KILL => self.kill(),
                        _ => {}
                    }
                }
            }
            Err(error) if is_temporary(&error) => {}
            Ok(0) | Err(_) => self.disconnect(),
        }
    }

    /// The end of the program ends the command; what a command has left in the background after it
    /// ended by itself is left alone.
    fn disconnect(&mut self) {
        self.is_connected = false;
        self.outgoing.clear();
        if self.is_running || self.stop != Stop::NotAsked {
            self.kill();
        }
    }

    fn terminate(&mut self) {
        if self.stop == Stop::NotAsked {
            self.stop = Stop::Asked;
        }
        be_root_again();
        self.signal_group(Signal::TERM);
    }

    fn kill(&mut self) {
        be_root_again();
        self.stop = Stop::Killing {
            again: KILL_AGAIN_MIN,
        };
        self.signal_group(Signal::KILL);
        tree::kill_all();
    }

    fn kill_again(&mut self) {
        if let Stop::Killing { again } = self.stop
            && !self.is_childless
        {
            tree::kill_all();
            self.stop = Stop::Killing {
                again: (again * 2).min(KILL_AGAIN_MAX),
            };
        }
    }

    /// The group's number is the command's own until the command was waited for, and may be
    /// another's after that.
    fn signal_group(&self, signal: Signal) {
        if self.is_running || cfg!(not(target_os = "linux")) {
            // A group that has no process any more is what was wanted.
            let _ = kill_process_group(self.group, signal);
        } else {
            tree::signal_group(self.group, signal);
        }
    }

    /// Waits for every child that has ended: the command, and what lost its parent.
    fn reap(&mut self) -> io::Result<()> {
        let mut drained = [0; 64];
        let mut child_ended = self.child_ended;
        while matches!(child_ended.read(&mut drained), Ok(1..)) {}
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid == self.group && self.is_running => {
                    self.is_running = false;
                    self.reply(ended(status));
                }
                Ok(Some(_)) | Err(Errno::INTR) => {}
                Ok(None) => return Ok(()),
                Err(Errno::CHILD) => {
                    self.is_childless = true;
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn reply(&mut self, reply: Reply) {
        if self.is_connected {
            self.outgoing.extend(reply.encode());
            self.flush();
        }
    }
}

fn ended(status: WaitStatus) -> Reply {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Reply::Exited { code },
        (None, signal) => Reply::Signalled {
            signal: signal.unwrap_or(0),
        },
    }
}

/// Takes back the right to signal any process, if this one was root before it became the command's
/// user.
fn be_root_again() {
    let root = nix::unistd::Uid::from_raw(0);
    if nix::unistd::geteuid() != root {
        // It may never have been root.
        let _ = nix::unistd::seteuid(root);
        wake_at_end_of_program();
    }
}

//! Watches a command that runs: one loop over everything that can happen.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, kill_process_group, test_kill_process_group, wait,
};

use super::prepare::Started;
use super::relay::{Feed, Relay};
use super::tree;
use super::wire::{KILL, Reply, TERMINATE};

/// How soon all that is left is killed again: a process may have been born while the list was read.
const KILL_AGAIN_MIN: Duration = Duration::from_millis(5);
/// How long between two kills at most: what cannot be killed now may be in the hands of a disk, or of another user.
const KILL_AGAIN_MAX: Duration = Duration::from_secs(1);

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

/// A command that runs, or whose output is still open.
pub(super) struct Watch {
    /// The program; `None` when it is gone, or has seen enough.
    socket: Option<UnixStream>,
    child_ended: UnixStream,
    /// The command and its process group have this number.
    group: Pid,
    is_running: bool,
    /// Whether nothing is left that descends from this process.
    is_childless: bool,
    stop: Stop,
    output: Relay,
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

impl Watch {
    fn new(
        socket: UnixStream,
        child_ended: UnixStream,
        started: Started,
        output: OwnedFd,
    ) -> io::Result<Watch> {
        socket.set_nonblocking(true)?;
        child_ended.set_nonblocking(true)?;
        Ok(Watch {
            socket: Some(socket),
            child_ended,
            group: started.pid,
            is_running: true,
            is_childless: false,
            stop: Stop::NotAsked,
            output: Relay::new(started.output, output)?,
            feed: started.stdin,
        })
    }

    /// Watches to the end, and leaves no command unwatched if that fails.
    pub(super) fn run(
        socket: UnixStream,
        child_ended: UnixStream,
        started: Started,
        output: OwnedFd,
    ) -> io::Result<()> {
        let group = started.pid;
        let watched = Watch::new(socket, child_ended, started, output).and_then(Watch::watch);
        if watched.is_err() {
            let _ = kill_process_group(group, Signal::KILL);
            tree::kill_all();
        }
        watched
    }

    /// Returns when the command has ended, its output is at its end, and nothing is left of it if it was asked to end.
    fn watch(mut self) -> io::Result<()> {
        while !self.is_over() {
            for ready in self.wait()? {
                match ready {
                    Ready::Socket => self.hear(),
                    Ready::ChildEnded => self.reap()?,
                    Ready::Output => self.output.advance(),
                    Ready::Feed => self.feed = self.feed.take().and_then(Feed::advance),
                }
            }
            self.kill_again();
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        let is_silent = self.output.is_over() && self.feed.is_none();
        let is_cleared = self.stop == Stop::NotAsked || self.is_childless;
        !self.is_running && is_silent && is_cleared
    }

    fn wait(&self) -> io::Result<Vec<Ready>> {
        let mut waiting = vec![(Ready::ChildEnded, self.child_ended.as_fd(), PollFlags::IN)];
        if let Some(socket) = &self.socket {
            waiting.push((Ready::Socket, socket.as_fd(), PollFlags::IN));
        }
        if let Some((fd, flags)) = self.output.interest() {
            waiting.push((Ready::Output, fd, flags));
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

    /// Does what the program says. Its end ends the command; what a command has left in the background after it ended by
    /// itself is left alone.
    fn hear(&mut self) {
        let Some(mut socket) = self.socket.take() else {
            return;
        };
        let mut words = [0; 16];
        match socket.read(&mut words) {
            Ok(count @ 1..) => {
                self.socket = Some(socket);
                for word in &words[..count] {
                    match *word {
                        TERMINATE => self.terminate(),
                        KILL => self.kill(),
                        _ => {}
                    }
                }
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) =>
            {
                self.socket = Some(socket);
            }
            Ok(0) | Err(_) => {
                if self.is_running || self.stop != Stop::NotAsked {
                    self.kill();
                }
            }
        }
    }

    fn terminate(&mut self) {
        if self.stop == Stop::NotAsked {
            self.stop = Stop::Asked;
        }
        be_root_again();
        self.signal_group(Signal::TERM);
        self.tell_if_gone();
    }

    fn kill(&mut self) {
        be_root_again();
        self.stop = Stop::Killing {
            again: KILL_AGAIN_MIN,
        };
        self.signal_group(Signal::KILL);
        tree::kill_all();
        self.tell_if_gone();
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

    /// The group's number is the command's own until the command was waited for, and may be another's after that.
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
        while matches!((&self.child_ended).read(&mut drained), Ok(1..)) {}
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
                    self.tell_if_gone();
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn tell_if_gone(&mut self) {
        // Without a subreaper, what is left in the background is nobody's child here.
        let is_left = cfg!(not(target_os = "linux")) && test_kill_process_group(self.group).is_ok();
        if self.is_childless && !is_left && self.stop != Stop::NotAsked {
            self.reply(Reply::Gone);
        }
    }

    fn reply(&mut self, reply: Reply) {
        if let Some(socket) = &mut self.socket {
            // The program may be gone: its end is heard next. A socket holds far more replies than there are.
            let _ = socket.write_all(&reply.encode());
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

/// Takes back the right to signal any process, if this one was root before it became the command's user.
fn be_root_again() {
    let root = nix::unistd::Uid::from_raw(0);
    if nix::unistd::geteuid() != root {
        // It may never have been root.
        let _ = nix::unistd::seteuid(root);
    }
}

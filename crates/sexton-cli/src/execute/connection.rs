//! The program's socket to a process that watches a command.

use std::os::fd::AsFd;
use std::pin::Pin;
use std::task::{Context, Waker};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::AsyncWrite;
use tokio::net::UnixStream;

use crate::descriptors::Descriptor;

/// The way to a process.
pub(super) struct Connection {
    pub(super) socket: UnixStream,
    pub(super) _descriptor: Descriptor,
    /// The process's number, which is its own for as long as its end of the socket is open.
    pub(super) pid: Option<Pid>,
}

impl Connection {
    /// Continues the process, which a command or somebody else may have stopped.
    pub(super) fn wake(&self) {
        if let Some(watcher) = self.watcher() {
            // One that has ended meanwhile hears nothing in any case.
            let _ = kill_process(watcher, Signal::CONT);
        }
    }

    /// The process, if it has not ended.
    pub(super) fn watcher(&self) -> Option<Pid> {
        self.pid.filter(|_| !self.is_at_its_end())
    }

    /// Whether the process has ended. Asks the system, since the runtime may be gone.
    pub(super) fn is_at_its_end(&self) -> bool {
        let mut polled = [PollFd::from_borrowed_fd(
            self.socket.as_fd(),
            PollFlags::empty(),
        )];
        let polls = poll(&mut polled, Some(&Timespec::default()));
        polls.is_ok() && polled[0].revents().contains(PollFlags::HUP)
    }

    /// Lets the process see the end of its socket, which tells it to end its command, and wakes it.
    pub(super) fn hang_up(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        // Done at once, or refused by a socket whose other end is closed.
        let _ = Pin::new(&mut self.socket).poll_shutdown(&mut context);
        self.wake();
    }

    /// Says a word to the process.
    pub(super) fn say(&self, word: u8) {
        self.wake();
        // Of a process that is gone, the end of the socket tells; and a socket takes the two bytes
        // that there ever are.
        let _ = self.socket.try_write(&[word]);
    }
}

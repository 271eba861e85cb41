//! What a command reads, written whenever it reads.

use std::io::{self, ErrorKind, PipeWriter, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::PollFlags;
use rustix::io::ioctl_fionbio;

/// Writes what a command reads, as fast as it reads.
pub(super) struct Feed {
    to: PipeWriter,
    bytes: Vec<u8>,
    written: usize,
}

impl Feed {
    pub(super) fn new(to: PipeWriter, bytes: Vec<u8>) -> io::Result<Feed> {
        ioctl_fionbio(&to, true)?;
        Ok(Feed {
            to,
            bytes,
            written: 0,
        })
    }

    pub(super) fn interest(&self) -> (BorrowedFd<'_>, PollFlags) {
        (self.to.as_fd(), PollFlags::OUT)
    }

    /// Writes what can be written without waiting. `None` when all is written, or nobody reads it
    /// any more.
    pub(super) fn advance(mut self) -> Option<Feed> {
        while self.written < self.bytes.len() {
            match self.to.write(&self.bytes[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if is_temporary(&error) => return Some(self),
                Err(_) => return None,
            }
        }
        None
    }
}

/// Whether a pipe or a socket has nothing now, and will have again.
pub(super) fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

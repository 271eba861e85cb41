//! What goes in and out of a command, moved along whenever it can be.

use std::io::{self, ErrorKind, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::PollFlags;
use rustix::io::ioctl_fionbio;

const BUFFER_BYTES: usize = 64 * 1024;

/// Copies the output of a command to the program, and to nowhere when the program does not read any more: a command in the
/// background never meets a broken pipe.
pub(super) struct Relay {
    from: Option<PipeReader>,
    to: Option<OwnedFd>,
    buffer: Vec<u8>,
    /// What of the buffer is still to be written.
    pending: std::ops::Range<usize>,
}

impl Relay {
    pub(super) fn new(from: PipeReader, to: OwnedFd) -> io::Result<Relay> {
        ioctl_fionbio(&from, true)?;
        ioctl_fionbio(&to, true)?;
        Ok(Relay {
            from: Some(from),
            to: Some(to),
            buffer: vec![0; BUFFER_BYTES],
            pending: 0..0,
        })
    }

    /// Whether the output is at its end, and was passed on.
    pub(super) fn is_over(&self) -> bool {
        self.from.is_none()
    }

    /// What the relay waits for.
    pub(super) fn interest(&self) -> Option<(BorrowedFd<'_>, PollFlags)> {
        match &self.to {
            Some(to) if !self.pending.is_empty() => Some((to.as_fd(), PollFlags::OUT)),
            _ => Some((self.from.as_ref()?.as_fd(), PollFlags::IN)),
        }
    }

    /// Moves what can be moved without waiting.
    pub(super) fn advance(&mut self) {
        if self.pending.is_empty() {
            self.fill();
        }
        self.flush();
    }

    fn fill(&mut self) {
        let Some(from) = &mut self.from else { return };
        match from.read(&mut self.buffer) {
            Ok(count @ 1..) => self.pending = 0..count,
            Err(error) if is_temporary(&error) => {}
            // An error of a pipe is its end. The program sees it when this end is closed.
            Ok(0) | Err(_) => {
                self.from = None;
                self.to = None;
            }
        }
    }

    fn flush(&mut self) {
        while !self.pending.is_empty() {
            let Some(to) = &self.to else {
                self.pending = 0..0;
                return;
            };
            match rustix::io::write(to, &self.buffer[self.pending.clone()]) {
                Ok(count) => self.pending.start += count,
                Err(error) if is_temporary(&error.into()) => return,
                Err(_) => self.to = None,
            }
        }
    }
}

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

    /// Writes what can be written without waiting. `None` when all is written, or nobody reads it any more.
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

fn is_temporary(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

//! The program's outputs, each written by a thread with a bounded queue.
//!
//! A caller hands over a line and continues: a pipe that nobody reads, a full disk or a terminal
//! that was closed delays nothing and ends nothing. What is not written is counted, and told as
//! soon as something can be written again.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

/// How much may wait to be written, in bytes.
const WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;

/// An output that is written by a thread. Clones are the same output.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// Something was queued, or written.
    changed: Condvar,
    name: &'static str,
    /// Hears of trouble with this one.
    other: Option<Output>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Piece>,
    /// Of what waits and of what is being written.
    bytes: usize,
    /// Lines that were not written, and not told of.
    lost: u64,
    is_in_trouble: bool,
}

#[derive(Debug)]
struct Piece {
    bytes: Vec<u8>,
    /// How many lines are lost if this one is.
    lines: u64,
}

impl Output {
    /// Standard error.
    ///
    /// # Errors
    /// If the process has none, or can have no thread more.
    pub(crate) fn stderr() -> io::Result<Output> {
        let file = io::stderr().as_fd().try_clone_to_owned()?;
        Output::start("standard error", file, None)
    }

    /// Standard output, whose trouble is told on `other`.
    ///
    /// # Errors
    /// If the process has none, or can have no thread more.
    pub(crate) fn stdout(other: Output) -> io::Result<Output> {
        let file = io::stdout().as_fd().try_clone_to_owned()?;
        Output::start("standard output", file, Some(other))
    }

    fn start(name: &'static str, file: OwnedFd, other: Option<Output>) -> io::Result<Output> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            changed: Condvar::new(),
            name,
            other,
        });
        let writer = Writer {
            file: file.into(),
            is_within_a_line: false,
        };
        let of_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name(format!("write {name}"))
            .spawn(move || of_thread.write_for_ever(writer))?;
        Ok(Output { shared })
    }

    /// Hands over a line, with its end. It is lost, and counted, if too much waits already; `lost`
    /// makes the line that tells how many are missing.
    pub(crate) fn line(&self, bytes: Vec<u8>, lost: impl FnOnce(u64) -> Vec<u8>) {
        let mut queue = self.shared.locked();
        if queue.bytes.saturating_add(bytes.len()) > WAITING_BYTES_MAX {
            queue.lost += 1;
            let is_news = !std::mem::replace(&mut queue.is_in_trouble, true);
            drop(queue);
            if is_news {
                self.shared.tell("is not read");
            }
            return;
        }
        if queue.lost > 0 && !queue.is_in_trouble {
            let lines = std::mem::take(&mut queue.lost);
            queue.push(Piece {
                bytes: lost(lines),
                lines,
            });
        }
        queue.push(Piece { bytes, lines: 1 });
        drop(queue);
        self.shared.changed.notify_all();
    }

    /// Waits until all that was handed over is written, or was not, for at most so long.
    pub(crate) fn finish(&self, at_most: Duration) {
        let queue = self.shared.locked();
        // An output that is still not read then has no claim on the program's time.
        let _ = self
            .shared
            .changed
            .wait_timeout_while(queue, at_most, |queue| queue.bytes > 0);
    }
}

impl Queue {
    fn push(&mut self, piece: Piece) {
        self.bytes += piece.bytes.len();
        self.waiting.push_back(piece);
    }
}

impl Shared {
    fn locked(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_for_ever(&self, mut writer: Writer) {
        loop {
            let queue = self.locked();
            let queue = self
                .changed
                .wait_while(queue, |queue| queue.waiting.is_empty());
            let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
            let Some(piece) = queue.waiting.pop_front() else {
                continue;
            };
            drop(queue);
            let written = writer.write(&piece.bytes);
            let mut queue = self.locked();
            queue.bytes -= piece.bytes.len();
            if written.is_err() {
                queue.lost += piece.lines;
            }
            let is_in_trouble = written.is_err();
            let was_in_trouble = std::mem::replace(&mut queue.is_in_trouble, is_in_trouble);
            let lost = queue.lost;
            drop(queue);
            self.changed.notify_all();
            match written {
                Err(error) if !was_in_trouble => self.tell(&format!("cannot be written: {error}")),
                Ok(()) if was_in_trouble => {
                    self.tell(&format!("can be written again; {lost} lines are missing"));
                }
                _ => {}
            }
        }
    }

    /// Tells the other output what has become of this one.
    fn tell(&self, what: &str) {
        if let Some(other) = &self.other {
            let text = format!("sexton: {} {what}\n", self.name);
            other.line(text.into_bytes(), lost_in_words);
        }
    }
}

/// Says how many lines are missing here, as a line of an output that is for people.
pub(crate) fn lost_in_words(lines: u64) -> Vec<u8> {
    format!("sexton: {}\n", lines_missing(lines)).into_bytes()
}

/// Says how many lines are missing here.
pub(crate) fn lines_missing(lines: u64) -> String {
    let plural = if lines == 1 { " is" } else { "s are" };
    format!("{lines} line{plural} missing here: they could not be written")
}

/// An [`Output`] as what logs write to: each call has whole lines.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line(bytes.to_owned(), lost_in_words);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Writer {
    file: File,
    /// The last write broke off within a line, as on a disk that is full.
    is_within_a_line: bool,
}

impl Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_within_a_line {
            self.write_whole(b"\n")?;
            self.is_within_a_line = false;
        }
        self.write_whole(line)
    }

    fn write_whole(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = &bytes[count..];
                    self.is_within_a_line = !bytes.is_empty();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Another process that shares a pipe or a terminal may have made it non-blocking.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn told(lines: u64) -> Vec<u8> {
        format!("[{lines}]\n").into_bytes()
    }

    #[test]
    fn what_nobody_reads_is_counted_and_told_when_somebody_does() {
        let (mut reader, writer) = io::pipe().unwrap();
        let output = Output::start("x", writer.into(), None).unwrap();
        let line = [vec![b'x'; 1023], vec![b'\n']].concat();
        let fit = WAITING_BYTES_MAX / line.len();
        for _ in 0..fit + 100 {
            output.line(line.clone(), told);
        }
        // The pipe took some: as many more fitted.
        let lost = output.shared.locked().lost;
        assert!((1..=100).contains(&lost), "{lost}");
        let mut read = vec![0; (fit + 100 - usize::try_from(lost).unwrap()) * line.len()];
        reader.read_exact(&mut read).unwrap();
        output.finish(Duration::from_secs(60));
        output.line(b"last\n".to_vec(), told);
        let mut rest = vec![0; format!("[{lost}]\nlast\n").len()];
        reader.read_exact(&mut rest).unwrap();
        assert_eq!(
            String::from_utf8(rest).unwrap(),
            format!("[{lost}]\nlast\n")
        );
    }

    #[test]
    fn trouble_is_told_on_the_other_output_once() {
        let (mut reader, writer) = io::pipe().unwrap();
        let other = Output::start("other", writer.into(), None).unwrap();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = Output::start("x", full.into(), Some(other)).unwrap();
        for _ in 0..10 {
            output.line(b"line\n".to_vec(), told);
        }
        output.finish(Duration::from_secs(60));
        assert_eq!(output.shared.locked().lost, 10);
        drop(output);
        let expected = "sexton: x cannot be written: No space left on device (os error 28)\n";
        let mut read = vec![0; expected.len()];
        reader.read_exact(&mut read).unwrap();
        assert_eq!(String::from_utf8(read).unwrap(), expected);
    }
}

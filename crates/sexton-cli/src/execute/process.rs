//! The program's end of a process that watches one command: `sexton __exec`.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::pipe::Receiver;
use tokio::process::Command;

use crate::exec::wire::{KILL, Reply, TERMINATE};
use crate::exec::{ARGUMENT, NAME};
use crate::program_file::program_file;

/// A process that watches a command. Dropping it ends the command if that still runs.
pub(super) struct Process {
    socket: UnixStream,
    /// What of the next reply has been read.
    partial: [u8; Reply::BYTES],
    partial_bytes: usize,
    /// The command's process group, while it is known to run.
    running: Option<Pid>,
}

impl Process {
    /// Starts the process and sends it an encoded order. What the command says comes from the pipe.
    pub(super) async fn start(order: &[u8]) -> io::Result<(Process, Receiver)> {
        let (own, theirs) = StdUnixStream::pair()?;
        own.set_nonblocking(true)?;
        let own = UnixStream::from_std(own)?;
        let (output, said) = io::pipe()?;
        let output = Receiver::from_owned_fd(output.into())?;
        // The runtime waits for it when it ends, which may be after this was dropped.
        Command::new(program_file()?)
            .arg0(NAME)
            .arg(ARGUMENT)
            .env_clear()
            .stdin(OwnedFd::from(theirs))
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()?;
        let mut process = Process {
            socket: own,
            partial: [0; Reply::BYTES],
            partial_bytes: 0,
            running: None,
        };
        process.socket.write_all(order).await?;
        Ok((process, output))
    }

    /// The next reply; cancel safe.
    ///
    /// # Errors
    /// If the process is gone. A command that it watched is ended then, as far as that can be done from here.
    pub(super) async fn reply(&mut self) -> io::Result<Reply> {
        while self.partial_bytes < Reply::BYTES {
            let rest = &mut self.partial[self.partial_bytes..];
            let count = match self.socket.read(rest).await {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            };
            match count {
                Ok(count) => self.partial_bytes += count,
                Err(error) => {
                    if let Some(group) = self.running.take() {
                        let _ = kill_process_group(group, Signal::KILL);
                    }
                    return Err(error);
                }
            }
        }
        self.partial_bytes = 0;
        let reply = Reply::decode(self.partial).ok_or(io::ErrorKind::InvalidData)?;
        match reply {
            Reply::Started { pid } => self.running = Pid::from_raw(pid),
            Reply::Exited { .. } | Reply::Signalled { .. } => self.running = None,
            Reply::NotStarted { .. } | Reply::Gone => {}
        }
        Ok(reply)
    }

    /// Completes when nothing is left of a command that was told to end.
    pub(super) async fn gone(&mut self) {
        // The end of the process is the end of all that it watched.
        while !matches!(self.reply().await, Ok(Reply::Gone) | Err(_)) {}
    }

    /// Sends the command's process group SIGTERM.
    pub(super) fn terminate(&self) {
        self.say(TERMINATE);
    }

    /// Ends the command and everything that it has started.
    pub(super) fn kill(&self) {
        self.say(KILL);
    }

    fn say(&self, word: u8) {
        // Of a process that is gone, the end of the socket tells; and a socket takes the two bytes that there ever are.
        let _ = self.socket.try_write(&[word]);
    }
}

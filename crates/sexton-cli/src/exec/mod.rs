//! `sexton __exec`: the process between the program and one command.
//!
//! It is single-threaded, starts the command and outlives the program long enough to end it: when
//! the program is gone, so is the command and everything that it has started. After a command that
//! has left nothing it waits a while for the next one, since a start of this program costs more
//! than one of most commands. What it is to run comes over a socket on its standard input, so that
//! nothing of it stands in its arguments or its environment.

mod arguments;
mod failure;
mod feed;
mod limits;
mod prepare;
pub(crate) mod tree;
mod watch;
pub(crate) mod wire;

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::stdio;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use arguments::{ExecError, LIMITED, refused};
use failure::Failure;
use watch::{Watch, Watched};
use wire::{Order, Reply};

pub(crate) use arguments::{ARGUMENT, NAME};

/// How long this process waits for the next command.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// The lowest descriptor that is no standard stream.
const FIRST_FREE: i32 = 3;

/// What a supervisor sends to a whole control group, and people to all processes of a name. Here
/// the program decides.
const NOT_OURS: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// What this process is there for, if it is one of those that start a command.
#[must_use]
pub fn run_if_asked() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let word = arguments.next()?;
    if word == LIMITED {
        return Some(limits::become_command(arguments));
    }
    if word != ARGUMENT {
        return None;
    }
    let files = arguments
        .next()
        .and_then(|limit| limit.to_str()?.parse().ok());
    Some(match serve(files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refused(&error),
    })
}

/// Does what the program at the other end of standard input says. `files` limits the descriptors of
/// a command whose task sets no limit.
fn serve(files: Option<u64>) -> Result<(), ExecError> {
    close_inherited();
    limits::set_files(files);
    // A handler, and not a blocked or an ignored signal: a command would inherit those.
    let ignored = Arc::new(AtomicBool::new(false));
    for signal in NOT_OURS {
        signal_hook::flag::register(signal, Arc::clone(&ignored))?;
    }
    let (child_ended, to_child_ended) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGCHLD, to_child_ended)?;
    let mut socket = UnixStream::from(kept(stdio::stdin())?);
    socket.local_addr().map_err(ExecError::NotOurs)?;
    give_up_standard_streams()?;
    prepare::session()?;
    loop {
        let Some(order) = next_order(&socket)? else {
            return Ok(());
        };
        // A program that was gone before `wake_at_end_of_program` wakes nobody.
        if socket.write_all(&Reply::Accepted.encode()).is_err() {
            return Ok(());
        }
        let is_plain = order.is_plain();
        let started = match prepare::prepare(&order).and_then(|()| prepare::start(&order)) {
            Ok(started) => started,
            Err(failure) => {
                let Failure { step, errno } = failure;
                let _ = socket.write_all(&Reply::NotStarted { step, errno }.encode());
                return Ok(());
            }
        };
        // It may be long, and the command may run for days.
        drop(order);
        // The command's folder may be on a file system that somebody wants to unmount.
        let _ = std::env::set_current_dir("/");
        let watched = Watch::run(&socket, &child_ended, started)?;
        if watched == Watched::Over || !is_plain {
            return Ok(());
        }
        socket.set_nonblocking(false)?;
        socket.write_all(&Reply::Ready.encode())?;
    }
}

/// The next order; `None` when the program is gone, or has had none for a while.
fn next_order(socket: &UnixStream) -> Result<Option<Order>, ExecError> {
    socket.set_read_timeout(Some(IDLE_MAX))?;
    match Order::read(socket) {
        Ok(order) => Ok(Some(order)),
        Err(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::TimedOut => Ok(None),
            _ => Err(ExecError::NotOurs(error)),
        },
    }
}

/// What this process says is nobody's from now on, and no command inherits the socket.
fn give_up_standard_streams() -> io::Result<()> {
    let nothing = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    stdio::dup2_stdin(&nothing)?;
    stdio::dup2_stdout(&nothing)?;
    stdio::dup2_stderr(&nothing)?;
    Ok(())
}

/// A standard stream under another number, which no command inherits.
fn kept(stream: std::os::fd::BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(fcntl_dupfd_cloexec(stream, FIRST_FREE)?)
}

/// Closes what the program itself was started with, such as a lock file of its starter, so that no
/// command has it.
fn close_inherited() {
    let Ok(listing) = std::fs::read_dir("/dev/fd") else {
        return;
    };
    let numbers: Vec<i32> = listing
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for number in numbers {
        if number >= FIRST_FREE {
            // That of the listing is closed already.
            let _ = nix::unistd::close(number);
        }
    }
}

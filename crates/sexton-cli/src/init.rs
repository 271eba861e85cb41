//! `sexton run` as process 1, as in a container: a small init over the program itself.
//!
//! Process 1 becomes the parent of every process that loses its own, and has to wait for each, or
//! they stay as zombies. A program that runs commands cannot do that beside them. So process 1 runs
//! itself as a child, passes signals on to it, waits for whatever ends, and ends as the child has
//! ended.

use std::io::{self, Write};
use std::process::{Command, ExitCode};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::program_file::program_file;

/// What is passed on to the child.
const PASSED_ON: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// What a shell adds to the number of the signal that ended a process.
const SIGNALLED: i32 = 128;

/// Whether this is process 1.
#[must_use]
pub fn is_needed() -> bool {
    std::process::id() == 1
}

/// Runs this program with the same arguments as a child, to its end.
#[must_use]
pub fn run() -> ExitCode {
    match watched() {
        Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        Err(error) => {
            // There is no one to tell if that fails.
            let _ = writeln!(
                io::stderr(),
                "error: cannot run as process 1: {error}; start it under an init, as `docker run --init` does"
            );
            ExitCode::FAILURE
        }
    }
}

fn watched() -> io::Result<i32> {
    // Before the child is there, so that no signal comes between.
    let mut signals = Signals::new(PASSED_ON.iter().chain([&SIGCHLD]))?;
    let child = Command::new(program_file()?)
        .args(std::env::args_os().skip(1))
        .spawn()?;
    let child = Pid::from_child(&child);
    loop {
        for signal in signals.wait() {
            match Signal::from_named_raw(signal) {
                Some(Signal::CHILD) | None => {}
                // One that has ended already is waited for below.
                Some(signal) => drop(kill_process(child, signal)),
            }
        }
        if let Some(status) = reap(child)? {
            return Ok(code(status));
        }
    }
}

/// Waits for all that has ended. How the child ended, if it has.
fn reap(child: Pid) -> io::Result<Option<WaitStatus>> {
    let mut ended = None;
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if pid == child => ended = Some(status),
            Ok(Some(_)) | Err(Errno::INTR) => {}
            Ok(None) | Err(Errno::CHILD) => return Ok(ended),
            Err(error) => return Err(error.into()),
        }
    }
}

fn code(status: WaitStatus) -> i32 {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => code,
        (None, signal) => SIGNALLED + signal.unwrap_or(0),
    }
}

//! Whether the machine gives this process the threads and descriptors that a start takes.
//!
//! A runtime that gets fewer panics, or waits for ever. So all of them are taken once beforehand,
//! where a refusal is an error that can be told.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use thiserror::Error;

/// Threads beside those of the runtime: two for outputs, the store's, names that are looked up, and
/// a few commands.
const THREADS: usize = 8;
/// Descriptors of a start: outputs, the runtime, signals, the store with its log, the file.
const DESCRIPTORS: usize = 32;
/// What opening a store takes of them.
const DESCRIPTORS_OF_STORE: usize = 8;
const STACK_BYTES: usize = 64 * 1024;
/// How long threads that have ended may be counted by the system.
const COUNTED_MAX: Duration = Duration::from_secs(1);

/// What the machine lacks.
#[derive(Debug, Error)]
pub(crate) enum NoHeadroom {
    #[error(
        "cannot start: this process gets {had} of the {needed} threads that it needs: \
         allow its user more processes (`ulimit -u`; `TasksMax=` of a unit of systemd; \
         the limit of pids of a container), or end others"
    )]
    Threads {
        had: usize,
        needed: usize,
        source: io::Error,
    },
    #[error(
        "cannot start: this process gets {had} of the {needed} descriptors that it needs: \
         allow it more open files (`ulimit -n`; `LimitNOFILE=` of a unit of systemd)"
    )]
    Descriptors {
        had: usize,
        needed: usize,
        source: io::Error,
    },
}

/// How many threads a runtime for many runs has.
pub(crate) fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Takes all that `sexton run` needs to start, and gives it back.
pub(crate) fn for_run() -> Result<(), NoHeadroom> {
    descriptors(DESCRIPTORS)?;
    threads(workers() + THREADS)
}

/// The same for a command that looks into a store or changes it.
pub(crate) fn for_operator() -> Result<(), NoHeadroom> {
    descriptors(DESCRIPTORS)?;
    threads(THREADS / 2)
}

/// Whether there are too few descriptors now to open a store.
pub(crate) fn lacks_descriptors() -> bool {
    descriptors(DESCRIPTORS_OF_STORE).is_err()
}

fn descriptors(needed: usize) -> Result<(), NoHeadroom> {
    let mut held = Vec::with_capacity(needed);
    while held.len() < needed {
        match File::open("/dev/null") {
            Ok(file) => held.push(file),
            // A machine without it lacks no descriptors.
            Err(error) if !crate::descriptors::is_shortage(&error) => return Ok(()),
            Err(source) => {
                let had = held.len();
                return Err(NoHeadroom::Descriptors {
                    had,
                    needed,
                    source,
                });
            }
        }
    }
    Ok(())
}

fn threads(needed: usize) -> Result<(), NoHeadroom> {
    let before = counted();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    let mut held: Vec<JoinHandle<()>> = Vec::with_capacity(needed);
    let mut refused = None;
    while held.len() < needed && refused.is_none() {
        let gate = Arc::clone(&gate);
        let builder = thread::Builder::new().stack_size(STACK_BYTES);
        match builder.spawn(move || drop(gate.lock())) {
            Ok(thread) => held.push(thread),
            Err(error) => refused = Some(error),
        }
    }
    drop(closed);
    let had = held.len();
    for thread in held {
        // It does nothing that could panic.
        let _ = thread.join();
    }
    // The system counts a thread for a moment after it was joined.
    let until = SystemClock.monotonic() + COUNTED_MAX;
    while counted() > before && SystemClock.monotonic() < until {
        thread::sleep(Duration::from_millis(1));
    }
    match refused {
        Some(source) => Err(NoHeadroom::Threads {
            had,
            needed,
            source,
        }),
        None => Ok(()),
    }
}

/// The threads of this process; 0 where there is no telling.
fn counted() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

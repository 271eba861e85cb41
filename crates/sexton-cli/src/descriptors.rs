//! How many descriptors the program may have open, and how many of them are for runs.
//!
//! Each run takes one, of a process or of a connection. Some are kept from them: where runs use up
//! all that there are, the store is reached and the log is written all the same.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Kept for the store, the log, files that are read again, and what is open while a process starts.
const RESERVE: u64 = 64;

/// The limit that the program was started with.
static OF_START: OnceLock<Option<u64>> = OnceLock::new();

static OF_RUNS: OnceLock<Semaphore> = OnceLock::new();

/// A run's descriptor; free for another run when dropped.
pub(crate) struct Descriptor {
    _permit: SemaphorePermit<'static>,
}

/// Raises the program's limit to the most that it may have.
pub(crate) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    OF_START.get_or_init(|| current);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    // If the system refuses, the program keeps the limit that it has.
    let _ = setrlimit(Resource::Nofile, raised);
}

/// The limit that a command has by default: as the program's own was at its start. Some programs
/// close each descriptor up to it, or use `select`, which knows no more than 1,024.
pub(crate) fn limit_of_commands() -> Option<u64> {
    *OF_START.get_or_init(|| getrlimit(Resource::Nofile).current)
}

/// Takes a descriptor for a run.
///
/// # Errors
/// EMFILE if all that are for runs are in use.
pub(crate) fn take() -> io::Result<Descriptor> {
    let of_runs = OF_RUNS.get_or_init(|| Semaphore::new(of_runs(current())));
    match of_runs.try_acquire() {
        Ok(permit) => Ok(Descriptor { _permit: permit }),
        Err(_) => Err(rustix::io::Errno::MFILE.into()),
    }
}

fn current() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

fn of_runs(limit: Option<u64>) -> usize {
    let limit = limit.unwrap_or(u64::MAX);
    let count = limit.saturating_sub(RESERVE).max(limit / 4);
    usize::try_from(count)
        .unwrap_or(usize::MAX)
        .clamp(1, Semaphore::MAX_PERMITS)
}

/// Whether an error tells of something that the machine lacks now and may have soon.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::AGAIN, Errno::NOMEM];
    let number = error.raw_os_error();
    number.is_some_and(|number| shortages.map(Errno::raw_os_error).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_kept_from_runs() {
        assert_eq!(of_runs(Some(1_024)), 960);
        assert_eq!(of_runs(Some(80)), 20);
        assert_eq!(of_runs(Some(1)), 1);
        assert_eq!(of_runs(None), Semaphore::MAX_PERMITS);
    }

    #[test]
    fn what_passes_by_itself_is_a_shortage() {
        let of = |errno: rustix::io::Errno| is_shortage(&errno.into());
        assert!(of(rustix::io::Errno::MFILE) && of(rustix::io::Errno::AGAIN));
        assert!(!of(rustix::io::Errno::NOENT) && !of(rustix::io::Errno::ACCESS));
        assert!(!is_shortage(&io::ErrorKind::OutOfMemory.into()));
    }
}

//! Processes that do not outlive the chore: neither its failure, nor a panic, nor Ctrl-C.
//!
//! Each step leads a process group of its own, which ends with the [`Group`]. A process that leaves the group (a test under
//! nextest, a server that makes itself a daemon) is handed to us by the kernel when its parent ends, and stopped then.

mod group;
mod interrupt;
#[cfg(target_os = "linux")]
mod orphans;

use std::io;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

pub(crate) use group::Group;
pub(crate) use interrupt::interrupted;

/// How long a step has to end by itself after the first signal. Longer than nextest gives to its tests (10 s).
const GRACE: Duration = Duration::from_secs(15);

/// From now on a signal stops what was started, and the chore ends as a failure, cleaning up behind itself.
pub(crate) fn watch() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    orphans::adopt()?;
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    // It lives as long as the process does: there is nothing to wait for.
    thread::spawn(move || {
        for signal in signals.forever() {
            stop(signal);
        }
    });
    Ok(())
}

/// The first signal asks the running steps to end; the second, or the end of the grace, makes them.
fn stop(signal: i32) {
    let is_first = interrupt::note(signal);
    if !is_first {
        return group::signal_all(Signal::KILL);
    }
    group::signal_all(Signal::TERM);
    thread::spawn(|| {
        thread::sleep(GRACE);
        group::signal_all(Signal::KILL);
    });
}

/// Stops what a step left running and says what it was. Nothing unless [`watch`] was called.
pub(crate) fn stop_orphans() -> Vec<String> {
    #[cfg(target_os = "linux")]
    return orphans::stop();
    #[cfg(not(target_os = "linux"))]
    Vec::new()
}

#[cfg(test)]
mod tests;

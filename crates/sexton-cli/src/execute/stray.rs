//! Processes that watch a command and were told to end it, until they are gone.
//!
//! One that stands still, stopped by its command or from outside, hears nothing of that. So each is
//! continued, and after a while its command is ended from here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use sexton::clock::{Clock, SystemClock};

use super::connection::Connection;
use crate::exec::tree::{self, Below};

/// How long a watching process has, once it was told to kill, before the program does so too.
pub(super) const SIGN_MAX: Duration = Duration::from_millis(500);
/// Between two looks at those that are left.
pub(super) const AGAIN: Duration = Duration::from_millis(20);

static STRAYS: Mutex<Vec<Stray>> = Mutex::new(Vec::new());
/// Whether a task looks after them.
static IS_TENDED: AtomicBool = AtomicBool::new(false);

struct Stray {
    connection: Connection,
    group: Option<Pid>,
    /// On the clock's monotonic scale.
    told: Duration,
}

/// Takes over a process whose command must end, and that has heard so by the end of its socket.
pub(super) fn adopt(mut connection: Connection, group: Option<Pid>) {
    connection.hang_up();
    strays().push(Stray {
        connection,
        group,
        told: SystemClock.monotonic(),
    });
    // Where the runtime is gone, the program looks after them at its end.
    if let Ok(runtime) = tokio::runtime::Handle::try_current()
        && !IS_TENDED.swap(true, Ordering::Relaxed)
    {
        runtime.spawn(async {
            let _tended = Tended;
            while tend() {
                tokio::time::sleep(AGAIN).await;
            }
        });
    }
}

/// The runtime may end before the task does.
struct Tended;

impl Drop for Tended {
    fn drop(&mut self) {
        IS_TENDED.store(false, Ordering::Relaxed);
    }
}

/// Waits until no process is left whose command must end, for at most this long. For the end of the
/// program, when nothing else runs.
pub(crate) fn end_all(at_most: Duration) {
    let until = SystemClock.monotonic() + at_most;
    while tend() && SystemClock.monotonic() < until {
        std::thread::sleep(AGAIN);
    }
}

/// Looks after all of them once; whether any is left.
fn tend() -> bool {
    let now = SystemClock.monotonic();
    let mut strays = strays();
    strays.retain(|stray| {
        if stray.connection.is_at_its_end() {
            return false;
        }
        if now.saturating_sub(stray.told) >= SIGN_MAX {
            end_by_force(&stray.connection, stray.group);
        } else {
            stray.connection.wake();
        }
        true
    });
    !strays.is_empty()
}

/// Kills what a process watches, and the process itself if that stands still when nothing else is
/// left. To be repeated until it is at its end: what is killed takes a moment, and may have started
/// more.
pub(super) fn end_by_force(connection: &Connection, group: Option<Pid>) {
    let Some(watcher) = connection.watcher() else {
        return;
    };
    // A signal fails where its process has ended meanwhile, which is what was wanted.
    match tree::kill_below(watcher) {
        Below::Nothing {
            is_watcher_stopped: true,
        } => {
            let _ = kill_process(watcher, Signal::KILL);
        }
        Below::Unknown => {
            if let Some(group) = group {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = kill_process(watcher, Signal::KILL);
        }
        // It waits for what was killed, and ends.
        Below::Nothing { .. } | Below::Left => connection.wake(),
    }
}

fn strays() -> MutexGuard<'static, Vec<Stray>> {
    STRAYS.lock().unwrap_or_else(PoisonError::into_inner)
}

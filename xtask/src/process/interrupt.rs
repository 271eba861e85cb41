//! Whether a signal has asked us to stop.

use std::sync::atomic::{AtomicI32, Ordering};

/// The first signal that asked us to stop; 0: none.
static INTERRUPTED: AtomicI32 = AtomicI32::new(0);

/// The signal that asked us to stop.
pub(crate) fn interrupted() -> Option<i32> {
    Some(INTERRUPTED.load(Ordering::SeqCst)).filter(|signal| *signal != 0)
}

/// Takes note of a signal; whether it is the first.
pub(super) fn note(signal: i32) -> bool {
    INTERRUPTED
        .compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst)
        .is_ok()
}

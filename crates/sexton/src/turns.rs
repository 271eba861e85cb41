//! Wakes what waits for a store: its clock leapt, or it answers again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

/// Counts how often the store's clock leapt or the store was back. Not a `watch`, which wakes its
/// waiters in a random order: a simulation must be the same each time.
#[derive(Debug, Default)]
pub(crate) struct Turned {
    count: AtomicU64,
    told: Notify,
}

impl Turned {
    /// Wakes all that wait for a turn.
    pub(crate) fn tell(&self) {
        self.count.fetch_add(1, Ordering::AcqRel);
        self.told.notify_waiters();
    }

    /// Follows the turns from now on.
    pub(crate) fn turns(self: &Arc<Turned>) -> Turns {
        Turns {
            turned: Arc::clone(self),
            seen: self.count.load(Ordering::Acquire),
        }
    }
}

/// When the store's clock leapt or the store is back.
#[derive(Debug)]
pub(crate) struct Turns {
    turned: Arc<Turned>,
    seen: u64,
}

impl Turns {
    /// Completes when there was such a turn since this was last asked; cancel safe.
    pub(crate) async fn next(&mut self) {
        loop {
            let told = self.turned.told.notified();
            let mut told = std::pin::pin!(told);
            // From here on a turn is not overlooked, even before it is awaited.
            told.as_mut().enable();
            let count = self.turned.count.load(Ordering::Acquire);
            if count != self.seen {
                self.seen = count;
                return;
            }
            told.await;
        }
    }
}

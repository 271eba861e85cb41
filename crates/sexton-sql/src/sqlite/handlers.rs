//! The runs whose handlers have a transaction open.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sexton_core::lock::{HeldLock, Renewal};
use tokio::sync::Notify;

/// The locks of the runs whose transactions are open here.
#[derive(Debug, Default)]
pub(super) struct Handlers(Arc<Open>);

#[derive(Debug, Default)]
struct Open {
    locks: Mutex<Vec<HeldLock>>,
    noted: Notify,
}

impl Open {
    fn locks(&self) -> MutexGuard<'_, Vec<HeldLock>> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes one for as long as it lives.
pub(super) struct Noted {
    handlers: Arc<Open>,
    lock: HeldLock,
}

impl Handlers {
    /// Notes a lock until what is returned is dropped.
    pub(super) fn note(&self, lock: &HeldLock) -> Noted {
        let handlers = Arc::clone(&self.0);
        handlers.locks().push(lock.clone());
        handlers.noted.notify_waiters();
        let lock = lock.clone();
        Noted { handlers, lock }
    }

    /// Whether the transaction of this lock's run is open here.
    pub(super) fn have(&self, lock: &HeldLock) -> bool {
        self.0.locks().contains(lock)
    }

    /// Completes when one of these is among them.
    pub(super) async fn have_any(&self, batch: &[Renewal]) {
        loop {
            let noted = self.0.noted.notified();
            let mut noted = std::pin::pin!(noted);
            // From here on one is not overlooked, even before it is awaited.
            noted.as_mut().enable();
            if batch.iter().any(|one| self.have(&one.lock)) {
                return;
            }
            noted.await;
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        let mut locks = self.handlers.locks();
        if let Some(place) = locks.iter().position(|lock| *lock == self.lock) {
            locks.swap_remove(place);
        }
    }
}

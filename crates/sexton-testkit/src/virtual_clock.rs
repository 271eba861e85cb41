//! A clock on which waiting takes no time, and the executor that moves it.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use sexton_core::clock::{Clock, ManualClock};

/// The longest that a future may run, by this clock.
const RUN_MAX: Duration = Duration::from_secs(60 * 60);

/// A clock that stands still while anything can run, and jumps to the earliest deadline when all
/// that [`VirtualClock::run`] runs is asleep. Clones share the time.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    time: ManualClock,
    sleepers: Arc<Mutex<Sleepers>>,
}

#[derive(Debug, Default)]
struct Sleepers {
    deadlines: BTreeSet<(Duration, u64)>,
    id_next: u64,
    slept: Vec<Duration>,
}

impl Default for VirtualClock {
    /// A clock that stands at the Unix epoch.
    fn default() -> VirtualClock {
        VirtualClock {
            time: ManualClock::at(Timestamp::UNIX_EPOCH),
            sleepers: Arc::default(),
        }
    }
}

impl VirtualClock {
    /// The lengths of all sleeps so far that came to their end, in the order of their ends.
    pub fn slept(&self) -> Vec<Duration> {
        self.lock().slept.clone()
    }

    /// Runs a future to its end. A future that nothing will ever wake fails the test, and so does one
    /// that is not at its end within an hour of this clock.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let woken = Arc::new(Woken(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut future = pin!(future);
        loop {
            let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = polled {
                return output;
            }
            if woken.0.swap(false, Ordering::SeqCst) {
                continue;
            }
            let earliest = self.lock().deadlines.first().copied();
            let (deadline, _) = earliest.expect("a sleeper: nothing else wakes the test");
            let wait = deadline.saturating_sub(self.time.monotonic());
            assert!(deadline <= RUN_MAX, "not at its end after {RUN_MAX:?}");
            self.time.advance(wait);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.time.now()
    }

    fn monotonic(&self) -> Duration {
        self.time.monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        let mut sleepers = self.lock();
        sleepers.id_next += 1;
        let id = sleepers.id_next;
        sleepers.deadlines.insert((deadline, id));
        let sleeper = Sleeper {
            clock: self.clone(),
            entry: (deadline, id),
        };
        let from = self.monotonic();
        Box::pin(async move {
            sleeper.clock.time.sleep_until(deadline).await;
            sleeper
                .clock
                .lock()
                .slept
                .push(deadline.saturating_sub(from));
        })
    }
}

/// A sleep that is neither over nor dropped.
struct Sleeper {
    clock: VirtualClock,
    entry: (Duration, u64),
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.clock.lock().deadlines.remove(&self.entry);
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

//! The machine's clock, and a thread that wakes sleepers on time.
//!
//! An async runtime's timer is good to a millisecond or two; a tick deserves better. One thread
//! sleeps to the earliest deadline, by the operating system's own timer, and wakes whoever waits
//! for it: late by well under 0.1 ms in the middle. It starts with the first sleeper and uses
//! nothing while nobody is due.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use jiff::Timestamp;

use super::Clock;

/// The machine's clock. All of a process share one waking thread.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[derive(Debug)]
struct Shared {
    origin: Instant,
    sleepers: Mutex<Sleepers>,
    earlier: Condvar,
}

#[derive(Debug, Default)]
struct Sleepers {
    wakers: BTreeMap<(Duration, u64), Waker>,
    id_next: u64,
    thread_runs: bool,
}

fn shared() -> &'static Arc<Shared> {
    static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();
    SHARED.get_or_init(|| {
        Arc::new(Shared {
            origin: instant_now(),
            sleepers: Mutex::default(),
            earlier: Condvar::new(),
        })
    })
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the place that reads the time"
)]
fn instant_now() -> Instant {
    Instant::now()
}

impl Shared {
    fn monotonic(&self) -> Duration {
        instant_now().saturating_duration_since(self.origin)
    }

    fn lock(&self) -> MutexGuard<'_, Sleepers> {
        self.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_sleepers_for_ever(&self) {
        let mut sleepers = self.lock();
        loop {
            let now = self.monotonic();
            let later = sleepers
                .wakers
                .split_off(&(now + Duration::from_nanos(1), 0));
            let due = std::mem::replace(&mut sleepers.wakers, later);
            if !due.is_empty() {
                drop(sleepers);
                due.into_values().for_each(Waker::wake);
                sleepers = self.lock();
                continue;
            }
            sleepers = match sleepers.wakers.keys().next() {
                None => self
                    .earlier
                    .wait(sleepers)
                    .unwrap_or_else(PoisonError::into_inner),
                Some((deadline, _)) => {
                    let wait = deadline.saturating_sub(now);
                    self.earlier
                        .wait_timeout(sleepers, wait)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
        }
    }
}

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the place that reads the time"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        shared().monotonic()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        Box::pin(SystemSleep {
            shared: Arc::clone(shared()),
            deadline,
            id: None,
        })
    }
}

struct SystemSleep {
    shared: Arc<Shared>,
    deadline: Duration,
    id: Option<u64>,
}

impl Future for SystemSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let shared = Arc::clone(&self.shared);
        if shared.monotonic() >= self.deadline {
            return Poll::Ready(());
        }
        let mut sleepers = shared.lock();
        let id = *self.id.get_or_insert_with(|| {
            sleepers.id_next += 1;
            sleepers.id_next
        });
        let earliest = sleepers.wakers.keys().next().copied();
        sleepers
            .wakers
            .insert((self.deadline, id), context.waker().clone());
        if !sleepers.thread_runs {
            let waking = Arc::clone(&shared);
            let thread = std::thread::Builder::new()
                .name("sexton-clock".to_owned())
                .spawn(move || waking.wake_sleepers_for_ever());
            // Without a thread the sleeper asks again at once: busy, but never asleep for good.
            match thread {
                Ok(_) => sleepers.thread_runs = true,
                Err(_) => context.waker().wake_by_ref(),
            }
        } else if earliest.is_none_or(|(deadline, _)| self.deadline < deadline) {
            shared.earlier.notify_one();
        }
        Poll::Pending
    }
}

impl Drop for SystemSleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.lock().wakers.remove(&(self.deadline, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines_and_never_early() {
        let start = SystemClock.monotonic();
        let woken = |after_ms: u64| async move {
            SystemClock
                .sleep_until(start + Duration::from_millis(after_ms))
                .await;
            SystemClock.monotonic() - start
        };
        let (late, early, past) = futures::executor::block_on(async {
            futures::join!(woken(40), woken(20), SystemClock.sleep_until(start))
        });
        assert!(early >= Duration::from_millis(20) && late >= Duration::from_millis(40));
        assert!(early < late);
        assert_eq!(past, ());
    }
}

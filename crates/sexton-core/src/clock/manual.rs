//! A clock that stands still until it is moved.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};

use super::Clock;

/// A clock that stands still until a test moves it. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use sexton_core::clock::{Clock, ManualClock};
///
/// let clock = ManualClock::at("2024-01-30T10:20:30Z".parse()?);
/// clock.advance(Duration::from_millis(1_500));
/// assert_eq!(clock.now().to_string(), "2024-01-30T10:20:31.5Z");
/// assert_eq!(clock.monotonic(), Duration::from_millis(1_500));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    monotonic: Duration,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    sleeper_next: u64,
}

impl ManualClock {
    /// A clock that stands at `now`, its monotonic time at zero.
    #[must_use]
    pub fn at(now: Timestamp) -> ManualClock {
        let state = State {
            now,
            monotonic: Duration::ZERO,
            sleepers: BTreeMap::new(),
            sleeper_next: 0,
        };
        ManualClock {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Lets `duration` pass: both times move, and sleepers whose deadline is reached wake.
    pub fn advance(&self, duration: Duration) {
        let mut state = self.lock();
        state.monotonic = state.monotonic.saturating_add(duration);
        state.now = state.now.saturating_add(duration).unwrap_or(Timestamp::MAX);
        let first_later = (state.monotonic.saturating_add(Duration::from_nanos(1)), 0);
        let later = state.sleepers.split_off(&first_later);
        let due = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        due.into_values().for_each(Waker::wake);
    }

    /// Sets the date without letting time pass, as an administrator or NTP might.
    pub fn jump(&self, by: SignedDuration) {
        let mut state = self.lock();
        let limit = if by.is_negative() {
            Timestamp::MIN
        } else {
            Timestamp::MAX
        };
        state.now = state.now.saturating_add(by).unwrap_or(limit);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn monotonic(&self) -> Duration {
        self.lock().monotonic
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        Box::pin(ManualSleep {
            clock: self.clone(),
            deadline,
            id: None,
        })
    }
}

struct ManualSleep {
    clock: ManualClock,
    deadline: Duration,
    id: Option<u64>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut state = clock.lock();
        if state.monotonic >= self.deadline {
            return Poll::Ready(());
        }
        let id = *self.id.get_or_insert_with(|| {
            state.sleeper_next += 1;
            state.sleeper_next
        });
        state
            .sleepers
            .insert((self.deadline, id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.clock.lock().sleepers.remove(&(self.deadline, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_sleeper_wakes_at_its_deadline_and_not_before() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let mut sleep = clock.sleep_until(Duration::from_millis(10));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_millis(9));
        assert!((&mut sleep).now_or_never().is_none());
        clock.advance(Duration::from_millis(1));
        assert!((&mut sleep).now_or_never().is_some());
    }

    #[test]
    fn a_jump_moves_the_date_and_nothing_else() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        clock.jump(SignedDuration::from_hours(-1));
        assert_eq!(clock.now().to_string(), "1969-12-31T23:00:00Z");
        assert_eq!(clock.monotonic(), Duration::ZERO);
    }

    #[test]
    fn a_dropped_sleep_leaves_nothing_behind() {
        let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
        let mut sleep = clock.sleep_until(Duration::from_secs(1));
        assert!((&mut sleep).now_or_never().is_none());
        drop(sleep);
        assert!(clock.lock().sleepers.is_empty());
    }
}

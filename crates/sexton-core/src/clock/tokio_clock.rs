//! A clock that follows tokio's time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Clock, SystemClock};

/// A clock that follows tokio's time, which a test may pause: with `#[tokio::test(start_paused =
/// true)]` whole days of ticks run in milliseconds, in the same order every time. Clones share the
/// date.
///
/// Each replica of a test may have its clock, [skewed](TokioClock::skewed_by) against the
/// others.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// use std::time::Duration;
/// use sexton_core::clock::{Clock, TokioClock};
///
/// let clock = TokioClock::at("2024-01-30T10:20:30Z".parse()?);
/// tokio::time::sleep(Duration::from_secs(3600)).await;
/// assert_eq!(clock.now().to_string(), "2024-01-30T11:20:30Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TokioClock {
    origin: Instant,
    date_at_origin: Timestamp,
    set_by_ns: Arc<AtomicI64>,
}

impl TokioClock {
    /// A clock that shows the machine's date now, and follows tokio's time from here on.
    #[must_use]
    pub fn new() -> TokioClock {
        TokioClock::at(SystemClock.now())
    }

    /// A clock that shows `now` at this moment of tokio's time.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "this is a clock")]
    pub fn at(now: Timestamp) -> TokioClock {
        TokioClock {
            origin: Instant::now(),
            date_at_origin: now,
            set_by_ns: Arc::default(),
        }
    }

    /// Another machine's clock, which is ahead of this one by `skew` (behind, if negative).
    #[must_use]
    pub fn skewed_by(&self, skew: SignedDuration) -> TokioClock {
        let set_by_ns = self.set_by_ns.load(Ordering::Relaxed);
        let other = TokioClock {
            set_by_ns: Arc::new(AtomicI64::new(set_by_ns)),
            ..self.clone()
        };
        other.jump(skew);
        other
    }

    /// Sets the date without letting time pass, as an administrator or NTP might.
    pub fn jump(&self, by: SignedDuration) {
        let by_ns = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
        self.set_by_ns.fetch_add(by_ns, Ordering::Relaxed);
    }
}

impl Default for TokioClock {
    fn default() -> TokioClock {
        TokioClock::new()
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let set_by = SignedDuration::from_nanos(self.set_by_ns.load(Ordering::Relaxed));
        let now = self.date_at_origin.saturating_add(self.monotonic());
        now.and_then(|now| now.saturating_add(set_by))
            .unwrap_or(self.date_at_origin)
    }

    #[allow(clippy::disallowed_methods, reason = "this is a clock")]
    fn monotonic(&self) -> Duration {
        Instant::now().saturating_duration_since(self.origin)
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        match self.origin.checked_add(deadline) {
            Some(deadline) => Box::pin(tokio::time::sleep_until(deadline)),
            None => Box::pin(std::future::pending()),
        }
    }
}

//! Clocks for a scheduler; see [`sexton_core::clock`].

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

pub use sexton_core::clock::{Clock, ManualClock, SystemClock};

/// Durations from here on are never over: a thousand years.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(1_000 * 365 * 24 * 60 * 60);

/// Completes when the clock's monotonic time is `deadline`; never, if that is [`FOR_EVER`] away.
/// So no clock has to add up a duration that a user means as "never".
pub(crate) async fn sleep_until(clock: &dyn Clock, deadline: Duration) {
    if deadline < FOR_EVER {
        clock.sleep_until(deadline).await;
    } else {
        std::future::pending::<()>().await;
    }
}

/// The future's output, or `None` if it takes longer than `limit`.
pub(crate) async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    future: impl Future<Output = T>,
) -> Option<T> {
    let deadline = clock.monotonic().saturating_add(limit);
    let future = std::pin::pin!(future);
    tokio::select! {
        biased;
        output = future => Some(output),
        () = sleep_until(clock, deadline) => None,
    }
}

/// A clock that follows tokio's time, which a test may pause: with `#[tokio::test(start_paused =
/// true)]` whole days of ticks run in milliseconds, in the same order every time. Clones share the
/// date.
///
/// Each replica of a test may have a clock [skewed](TokioClock::skewed_by) against those of the
/// others.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(async {
/// use std::time::Duration;
/// use sexton::clock::{Clock, TokioClock};
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

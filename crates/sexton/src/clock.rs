//! Clocks for a scheduler; see [`sexton_core::clock`].

use std::time::Duration;

pub use sexton_core::clock::{Clock, ManualClock, SystemClock, TokioClock};

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

//! What a task asks for beyond its schedule.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::clock::FOR_EVER;
use crate::handler::BoxError;

pub use sexton_core::policy::{Delivery, Lease, LeaseError, Overlap, Placement};

/// What happens to ticks that nobody came to in time: the fleet was down, the machine suspended,
/// the store away.
///
/// Other schedulers call it a misfire policy, or catch-up. A tick counts as missed once its
/// successor is due, at the earliest 1 s and at the latest 60 s after it was due itself. A window
/// is a deadline: after it the tick does not run, wherever it waits by then. Ticks of a (task,
/// index) begin in order, and the backlog of one task delays no fresh tick of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Missed {
    /// They are not run, and recorded as missed.
    #[default]
    Skip,
    /// The latest of them is run, if it was due within the window; the others are recorded as
    /// skipped.
    Latest {
        /// How far back.
        window: Duration,
    },
    /// All that were due within the window are run, oldest first, ten of a task at once on an
    /// instance; older ones are recorded as skipped. A fresh tick joins the end of the line.
    All {
        /// How far back.
        window: Duration,
    },
}

impl Missed {
    /// How far back a tick may be due and still be run.
    pub(crate) fn window(self) -> Duration {
        match self {
            Missed::Skip => Duration::ZERO,
            Missed::Latest { window } | Missed::All { window } => window,
        }
    }
}

/// Tries a failed run again, within the run: same execution, same lock.
///
/// ```
/// use std::time::Duration;
/// use sexton::policy::Retry;
///
/// let retry = Retry::times(3)?.backoff(Duration::from_secs(1), Duration::from_secs(60));
/// assert_eq!(retry.delay(0), Duration::from_secs(1));
/// assert_eq!(retry.delay(2), Duration::from_secs(4));
/// assert_eq!(retry.delay(20), Duration::from_secs(60));
/// # Ok::<(), sexton::policy::RetryError>(())
/// ```
#[derive(Clone)]
pub struct Retry {
    times: u32,
    first: Duration,
    longest: Duration,
    when: Option<Predicate>,
}

type Predicate = Arc<dyn Fn(&BoxError) -> bool + Send + Sync>;

/// A retry policy that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("retries must be 1..=1000, found {found}")]
pub struct RetryError {
    found: u32,
}

impl Retry {
    /// Up to so many more tries after the first, 1 s to 60 s apart, on every error and panic.
    ///
    /// # Errors
    /// [`RetryError`] unless `times` is 1..=1000.
    pub fn times(times: u32) -> Result<Retry, RetryError> {
        if (1..=1000).contains(&times) {
            let (first, longest) = (Duration::from_secs(1), Duration::from_secs(60));
            Ok(Retry {
                times,
                first,
                longest,
                when: None,
            })
        } else {
            Err(RetryError { found: times })
        }
    }

    /// The delay before the first retry, which doubles up to the longest.
    #[must_use]
    pub fn backoff(mut self, first: Duration, longest: Duration) -> Retry {
        self.first = first.min(FOR_EVER);
        self.longest = longest.clamp(self.first, FOR_EVER);
        self
    }

    /// Only on errors for which this is true. Panics are then not retried.
    #[must_use]
    pub fn when(mut self, test: impl Fn(&BoxError) -> bool + Send + Sync + 'static) -> Retry {
        self.when = Some(Arc::new(test));
        self
    }

    /// The delay before retry `retry`, counted from 0.
    #[must_use]
    pub fn delay(&self, retry: u32) -> Duration {
        self.first
            .saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX))
            .min(self.longest)
    }

    /// Whether there is another try after `retries` and this error (`None`: a panic).
    pub(crate) fn again(&self, retries: u32, error: Option<&BoxError>) -> bool {
        retries < self.times
            && match (&self.when, error) {
                (None, _) => true,
                (Some(test), Some(error)) => test(error),
                (Some(_), None) => false,
            }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Retry {
            times,
            first,
            longest,
            when,
        } = self;
        let on = if when.is_some() {
            "some errors"
        } else {
            "every error"
        };
        write!(f, "{times} times, {first:?} to {longest:?} apart, on {on}")
    }
}

//! What a task asks for beyond its schedule.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::clock::FOR_EVER;
use crate::handler::BoxError;

pub use sexton_core::policy::{Delivery, Lease, LeaseError, Overlap, Placement, UnknownPolicy};

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
    /// The word of each choice.
    pub const WORDS: [&str; 3] = ["skip", "latest", "all"];

    /// The choice that this word names, with this window where it has one; `None` for a word that names none.
    #[must_use]
    pub fn named(word: &str, window: Duration) -> Option<Missed> {
        let all = [
            Missed::Skip,
            Missed::Latest { window },
            Missed::All { window },
        ];
        all.into_iter().find(|missed| missed.as_str() == word)
    }

    /// The word that names it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use sexton::policy::Missed;
    ///
    /// let window = Duration::from_secs(3600);
    /// let missed = Missed::named("latest", window);
    /// assert_eq!(missed, Some(Missed::Latest { window }));
    /// assert_eq!(missed.unwrap().as_str(), "latest");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let [skip, latest, all] = Missed::WORDS;
        match self {
            Missed::Skip => skip,
            Missed::Latest { .. } => latest,
            Missed::All { .. } => all,
        }
    }

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
#[error("retries must be 1..={}, found {found}", Retry::TRIES_MAX - 1)]
pub struct RetryError {
    found: u32,
}

impl Retry {
    /// The most tries of one run, the first included.
    pub const TRIES_MAX: u32 = 1_000;
    /// The delay before the first retry, unless [`Retry::backoff`] gives another.
    pub const FIRST_DEFAULT: Duration = Duration::from_secs(1);
    /// The longest delay, unless [`Retry::backoff`] gives another.
    pub const LONGEST_DEFAULT: Duration = Duration::from_secs(60);

    /// Up to so many more tries after the first, 1 s to 60 s apart, on every error and panic.
    ///
    /// # Errors
    /// [`RetryError`] unless `times` is at least 1 and below [`Retry::TRIES_MAX`].
    pub fn times(times: u32) -> Result<Retry, RetryError> {
        if (1..Retry::TRIES_MAX).contains(&times) {
            Ok(Retry {
                times,
                first: Retry::FIRST_DEFAULT,
                longest: Retry::LONGEST_DEFAULT,
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

impl Eq for Retry {}

impl PartialEq for Retry {
    /// Whether the two retry alike. Tests of errors are alike only if they are the very same.
    fn eq(&self, other: &Retry) -> bool {
        let tests_are_same = match (&self.when, &other.when) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        tests_are_same
            && (self.times, self.first, self.longest) == (other.times, other.first, other.longest)
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

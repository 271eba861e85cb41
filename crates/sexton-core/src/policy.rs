//! What a task asks for, as far as the store has a part in it.
//!
//! These words travel in every [claim](crate::lock::Claim), so that the store decides by the same
//! rules on every replica.

use std::num::NonZeroU32;
use std::time::Duration;

use thiserror::Error;

/// How often an execution may be granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Delivery {
    /// One grant ever. A holder that crashes takes its execution with it.
    #[default]
    AtMostOnce,
    /// Granted again, with the next attempt and a higher fence, when the holder stopped renewing
    /// its lease; `attempts_max` grants in all.
    AtLeastOnce {
        /// The most grants an execution has, 1 or more.
        attempts_max: NonZeroU32,
    },
    /// The handler's writes and the settling commit in one transaction of the store, so that their
    /// effect is there exactly once. Granted again like [`Delivery::AtLeastOnce`].
    Transactional {
        /// The most grants an execution has, 1 or more.
        attempts_max: NonZeroU32,
    },
}

impl Delivery {
    /// The most grants an execution has.
    #[must_use]
    pub fn attempts_max(self) -> u32 {
        match self {
            Delivery::AtMostOnce => 1,
            Delivery::AtLeastOnce { attempts_max } | Delivery::Transactional { attempts_max } => {
                attempts_max.get()
            }
        }
    }

    /// Whether a lost holder's execution is granted again.
    #[must_use]
    pub fn recovers(self) -> bool {
        !matches!(self, Delivery::AtMostOnce)
    }
}

/// What happens when a tick comes due while an earlier execution of the same (task, index) runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// Both run.
    #[default]
    Allow,
    /// The new tick is skipped, and recorded so.
    Skip,
    /// The new tick waits until the earlier execution ends. One waits at most: a newer one takes
    /// its place, and the older is recorded as skipped.
    QueueOne,
    /// The earlier execution is asked to stop; the new tick waits until it has.
    CancelEarlier,
}

/// Which instances may take which of a tick's executions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Placement {
    /// Whoever claims first.
    #[default]
    Race,
    /// An instance takes at most one index of a tick.
    Distinct,
}

/// How long a grant stays valid unless it is renewed: 100 ms to 24 h.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease(Duration);

/// A lease outside [`Lease::MIN`]..=[`Lease::MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("lease must be 100ms..=24h, found {found:?}")]
pub struct LeaseError {
    found: Duration,
}

impl Lease {
    /// The shortest lease. A shorter one would run out while a healthy holder's renewal is on its way.
    pub const MIN: Duration = Duration::from_millis(100);
    /// The longest lease.
    pub const MAX: Duration = Duration::from_secs(24 * 60 * 60);

    /// # Errors
    /// [`LeaseError`] outside [`Lease::MIN`]..=[`Lease::MAX`].
    pub fn new(duration: Duration) -> Result<Lease, LeaseError> {
        if (Lease::MIN..=Lease::MAX).contains(&duration) {
            Ok(Lease(duration))
        } else {
            Err(LeaseError { found: duration })
        }
    }

    /// The duration.
    #[must_use]
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl Default for Lease {
    /// 30 s.
    fn default() -> Lease {
        Lease(Duration::from_secs(30))
    }
}

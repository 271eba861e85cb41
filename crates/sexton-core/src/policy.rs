//! What a task asks for, as far as the store has a part in it.
//!
//! Policies travel in every [claim](crate::lock::Claim), so that the store decides by the same
//! rules on every replica. Each has one word, by which task files, stores and messages name it.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

/// A word that names no policy of its kind.
///
/// ```
/// use sexton_core::policy::Overlap;
///
/// let error = "queue".parse::<Overlap>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#""queue" is no overlap policy: expected "allow", "skip", "queue one" or "cancel the earlier""#
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{found:?} is no {what}: expected {}", choice(.allowed))]
pub struct UnknownPolicy {
    what: &'static str,
    found: String,
    allowed: Vec<&'static str>,
}

impl UnknownPolicy {
    /// A word that is none of those `allowed` for `what`.
    #[must_use]
    pub fn new(
        what: &'static str,
        found: &str,
        allowed: impl IntoIterator<Item = &'static str>,
    ) -> UnknownPolicy {
        UnknownPolicy {
            what,
            found: found.to_owned(),
            allowed: allowed.into_iter().collect(),
        }
    }
}

/// `"a", "b" or "c"`.
fn choice(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// Gives a policy whose choices carry no values `Display` and `FromStr`, by its `ALL` and `as_str`.
macro_rules! named_by_its_word {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownPolicy;

            fn from_str(word: &str) -> Result<$name, UnknownPolicy> {
                let mut all = $name::ALL.into_iter();
                all.find(|policy| policy.as_str() == word)
                    .ok_or_else(|| UnknownPolicy::new($what, word, $name::ALL.map($name::as_str)))
            }
        }
    };
}
pub(crate) use named_by_its_word;

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
    /// The word of each delivery.
    pub const WORDS: [&str; 3] = ["at most once", "at least once", "transactional"];

    /// The delivery that this word names, with `attempts_max` where it has attempts; `None` for a
    /// word that names none.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use sexton_core::policy::Delivery;
    ///
    /// let attempts_max = NonZeroU32::MIN.saturating_add(2);
    /// let delivery = Delivery::named("at least once", attempts_max);
    /// assert_eq!(delivery, Some(Delivery::AtLeastOnce { attempts_max }));
    /// assert_eq!(delivery.unwrap().as_str(), "at least once");
    /// ```
    #[must_use]
    pub fn named(word: &str, attempts_max: NonZeroU32) -> Option<Delivery> {
        let all = [
            Delivery::AtMostOnce,
            Delivery::AtLeastOnce { attempts_max },
            Delivery::Transactional { attempts_max },
        ];
        all.into_iter().find(|delivery| delivery.as_str() == word)
    }

    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        let [at_most_once, at_least_once, transactional] = Delivery::WORDS;
        match self {
            Delivery::AtMostOnce => at_most_once,
            Delivery::AtLeastOnce { .. } => at_least_once,
            Delivery::Transactional { .. } => transactional,
        }
    }

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

impl Overlap {
    /// Every overlap policy.
    pub const ALL: [Overlap; 4] = [
        Overlap::Allow,
        Overlap::Skip,
        Overlap::QueueOne,
        Overlap::CancelEarlier,
    ];

    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Overlap::Allow => "allow",
            Overlap::Skip => "skip",
            Overlap::QueueOne => "queue one",
            Overlap::CancelEarlier => "cancel the earlier",
        }
    }
}
named_by_its_word!(Overlap, "overlap policy");

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

impl Placement {
    /// Every placement.
    pub const ALL: [Placement; 2] = [Placement::Race, Placement::Distinct];

    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Placement::Race => "race",
            Placement::Distinct => "distinct",
        }
    }
}
named_by_its_word!(Placement, "placement");

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_is_named_by_one_word() {
        for overlap in Overlap::ALL {
            assert_eq!(overlap.to_string().parse(), Ok(overlap));
        }
        for placement in Placement::ALL {
            assert_eq!(placement.to_string().parse(), Ok(placement));
        }
        let attempts_max = NonZeroU32::MIN;
        for word in Delivery::WORDS {
            let named = Delivery::named(word, attempts_max).map(Delivery::as_str);
            assert_eq!(named, Some(word));
        }
        assert_eq!(Delivery::named("exactly once", attempts_max), None);
    }

    #[test]
    fn an_unknown_word_is_told_what_is_known() {
        insta::assert_snapshot!("".parse::<Placement>().unwrap_err(), @r#""" is no placement: expected "race" or "distinct""#);
    }
}

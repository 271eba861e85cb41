//! Instants at which tasks are due, and the small numbers that travel with them.
//!
//! Every number here is a type of its own, so that a fence is never handed over as an attempt.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};

use jiff::Timestamp;
use thiserror::Error;

/// The instant at which a schedule says that a task is due, in whole milliseconds UTC.
///
/// A tick is an identity as much as a time: replicas that agree on a task's schedule agree on its
/// ticks to the millisecond. It displays as RFC 3339 with exactly three digits and a `Z`.
///
/// ```
/// use sexton_core::tick::Tick;
///
/// let tick: Tick = "2024-01-30T10:20:30.4Z".parse()?;
/// assert_eq!(tick.to_string(), "2024-01-30T10:20:30.400Z");
/// assert_eq!(tick.as_millis(), 1_706_610_030_400);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tick(i64);

impl Tick {
    /// The earliest tick, in the year -9999.
    pub const MIN: Tick = Tick(-377_705_023_201_000);
    /// The latest tick, 9999-12-30T22:00:00.000Z: the last millisecond that jiff makes a timestamp
    /// of, so that ticks are told apart up to the last.
    pub const MAX: Tick = Tick(253_402_207_200_000);

    /// The tick at this many milliseconds since the Unix epoch; `None` outside
    /// [`Tick::MIN`]..=[`Tick::MAX`].
    #[must_use]
    pub const fn from_millis(millis: i64) -> Option<Tick> {
        if millis < Tick::MIN.0 || millis > Tick::MAX.0 {
            None
        } else {
            Some(Tick(millis))
        }
    }

    /// The earliest tick that is not before `timestamp`, if there is one: the start of a span that
    /// includes its start, the end of one that does not include its end.
    pub(crate) fn first_at_or_after(timestamp: Timestamp) -> Option<Tick> {
        (timestamp <= Tick::MAX.timestamp()).then(|| Tick::at_or_after(timestamp))
    }

    /// The latest tick that is not after `timestamp`.
    #[must_use]
    pub fn at_or_before(timestamp: Timestamp) -> Tick {
        let millis = timestamp.as_nanosecond().div_euclid(1_000_000);
        let clamped = millis.clamp(i128::from(Tick::MIN.0), i128::from(Tick::MAX.0));
        Tick(i64::try_from(clamped).unwrap_or(Tick::MAX.0))
    }

    /// The earliest tick that is not before `timestamp`; [`Tick::MAX`] if there is none.
    #[must_use]
    pub fn at_or_after(timestamp: Timestamp) -> Tick {
        let tick = Tick::at_or_before(timestamp);
        if tick.timestamp() < timestamp {
            tick.saturating_add_millis(1)
        } else {
            tick
        }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The same instant as a timestamp.
    #[must_use]
    pub fn timestamp(self) -> Timestamp {
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::MAX)
    }

    /// The tick one millisecond later, or `None` at [`Tick::MAX`].
    #[must_use]
    pub fn succ(self) -> Option<Tick> {
        Tick::from_millis(self.0 + 1)
    }

    /// The tick `millis` later (earlier if negative), held within [`Tick::MIN`]..=[`Tick::MAX`].
    #[must_use]
    pub fn saturating_add_millis(self, millis: i64) -> Tick {
        Tick(
            self.0
                .saturating_add(millis)
                .clamp(Tick::MIN.0, Tick::MAX.0),
        )
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

impl fmt::Debug for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number that was outside the range its type allows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{what} must be {min}..={max}, found {found}")]
pub struct OutOfRange {
    what: &'static str,
    min: u64,
    max: u64,
    found: u64,
}

/// How many executions a tick of a task has: 1..=1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Concurrency(NonZeroU16);

impl Concurrency {
    /// One execution a tick, the default.
    pub const ONE: Concurrency = Concurrency(NonZeroU16::MIN);
    /// The most executions a tick can have.
    pub const MAX: u16 = 1000;

    /// # Errors
    /// [`OutOfRange`] unless `count` is 1..=1000.
    pub fn new(count: u64) -> Result<Concurrency, OutOfRange> {
        one_to_thousand("concurrency", count).map(Concurrency)
    }

    /// The count.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }

    /// The indices of a tick's executions, 1 first.
    pub fn indices(self) -> impl Iterator<Item = ConcurrencyIndex> {
        (1..=self.0.get())
            .filter_map(NonZeroU16::new)
            .map(ConcurrencyIndex)
    }
}

/// Which of a tick's executions this is, counted from 1: 1..=1000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConcurrencyIndex(NonZeroU16);

impl ConcurrencyIndex {
    /// The first index, the only one of a task whose concurrency is 1.
    pub const ONE: ConcurrencyIndex = ConcurrencyIndex(NonZeroU16::MIN);

    /// # Errors
    /// [`OutOfRange`] unless `index` is 1..=1000.
    pub fn new(index: u64) -> Result<ConcurrencyIndex, OutOfRange> {
        one_to_thousand("concurrency index", index).map(ConcurrencyIndex)
    }

    /// The index.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

fn one_to_thousand(what: &'static str, found: u64) -> Result<NonZeroU16, OutOfRange> {
    let max = u64::from(Concurrency::MAX);
    u16::try_from(found)
        .ok()
        .filter(|count| *count <= Concurrency::MAX)
        .and_then(NonZeroU16::new)
        .ok_or(OutOfRange {
            what,
            min: 1,
            max,
            found,
        })
}

impl fmt::Display for Concurrency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ConcurrencyIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number that grows with every grant of one (task, index), for the handler to hand to whatever
/// it writes to: a receiver that refuses a lower fence than it has seen cannot be written to by a
/// holder that lost its lock. The first grant has fence 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(u64);

impl Fence {
    /// Before the first grant.
    pub const NONE: Fence = Fence(0);

    /// The fence with this number.
    #[must_use]
    pub const fn new(fence: u64) -> Fence {
        Fence(fence)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The fence of the grant after this one.
    #[must_use]
    pub const fn next(self) -> Fence {
        Fence(self.0 + 1)
    }
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The how-manieth time an execution was granted because its holder was lost, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The first attempt.
    pub const FIRST: Attempt = Attempt(NonZeroU32::MIN);

    /// The attempt with this number; `None` for 0.
    #[must_use]
    pub fn new(attempt: u32) -> Option<Attempt> {
        NonZeroU32::new(attempt).map(Attempt)
    }

    /// The number, from 1.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// The attempt after this one.
    #[must_use]
    pub const fn next(self) -> Attempt {
        Attempt(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_the_whole_millisecond_not_after_the_instant() {
        let before_epoch: Timestamp = "1969-12-31T23:59:59.9999Z".parse().unwrap();
        assert_eq!(Tick::at_or_before(before_epoch).as_millis(), -1);
        assert_eq!(Tick::at_or_after(before_epoch).as_millis(), 0);
        let whole: Timestamp = "1969-12-31T23:59:59.999Z".parse().unwrap();
        assert_eq!(Tick::at_or_after(whole).as_millis(), -1);
        assert_eq!(Tick::at_or_before(Timestamp::MIN), Tick::MIN);
        assert_eq!(Tick::at_or_before(Timestamp::MAX), Tick::MAX);
    }

    #[test]
    fn concurrency_outside_its_range_is_refused_by_name() {
        let error = Concurrency::new(0).unwrap_err().to_string();
        assert_eq!(error, "concurrency must be 1..=1000, found 0");
        assert!(ConcurrencyIndex::new(1001).is_err());
        assert_eq!(Concurrency::new(3).unwrap().indices().count(), 3);
    }
}

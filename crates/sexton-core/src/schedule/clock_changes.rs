//! What the user chose to happen where clocks change.

use std::fmt;
use std::str::FromStr;

use crate::policy::{UnknownPolicy, named_by_its_word};

/// What a schedule does where its zone's clocks change, where the
/// [rule](super#when-clocks-change) is not what is wanted.
///
/// [`Cron::on_clock_changes`](super::Cron::on_clock_changes) and
/// [`Kron::on_clock_changes`](super::Kron::on_clock_changes) take it. The default is the rule's for
/// times of day: each is due once a day. Intervals are due as by [`Gap::Skip`] and [`Fold::Both`].
///
/// ```
/// use sexton_core::schedule::{ClockChanges, Cron, Fold, Gap, Schedule, zone};
///
/// // In Paris 02:30 does not come on 29 March 2026, and comes twice on 25 October.
/// let daily = Cron::parse("30 2 * * *")?.in_tz(zone::parse("Europe/Paris")?)?;
/// let chosen = daily.on_clock_changes(ClockChanges { gap: Gap::Skip, fold: Fold::Last })?;
/// let next = |after: &str| chosen.next_after(after.parse().unwrap()).unwrap().to_string();
/// assert_eq!(next("2026-03-28T12:00:00Z"), "2026-03-30T00:30:00.000Z"); // not on the 29th
/// assert_eq!(next("2026-10-24T12:00:00Z"), "2026-10-25T01:30:00.000Z"); // in winter time
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockChanges {
    /// What becomes of local times that clocks skip.
    pub gap: Gap,
    /// What becomes of local times that clocks show twice.
    pub fold: Fold,
}

/// What becomes of local times that clocks skip as they are set forward.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gap {
    /// All of a gap are due together, once, at the first instant after it.
    #[default]
    Run,
    /// They are not due.
    Skip,
}

/// What becomes of local times that clocks show twice as they are set back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fold {
    /// They are due the first time only.
    #[default]
    First,
    /// They are due the second time only.
    Last,
    /// They are due both times.
    Both,
}

impl Gap {
    /// Every choice for a gap.
    pub const ALL: [Gap; 2] = [Gap::Run, Gap::Skip];

    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Gap::Run => "run",
            Gap::Skip => "skip",
        }
    }
}
named_by_its_word!(Gap, "choice for a gap");

impl Fold {
    /// Every choice for a fold.
    pub const ALL: [Fold; 3] = [Fold::First, Fold::Last, Fold::Both];

    /// The word that names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Fold::First => "first",
            Fold::Last => "last",
            Fold::Both => "both",
        }
    }
}
named_by_its_word!(Fold, "choice for a fold");

impl ClockChanges {
    /// How intervals take changes of the clocks.
    pub(super) const OF_INTERVALS: ClockChanges = ClockChanges {
        gap: Gap::Skip,
        fold: Fold::Both,
    };

    /// `gap=run fold=last`, for programs.
    pub(super) fn canonical(self) -> &'static str {
        match (self.gap, self.fold) {
            (Gap::Run, Fold::First) => "times-of-day",
            (Gap::Run, Fold::Last) => "gap=run fold=last",
            (Gap::Run, Fold::Both) => "gap=run fold=both",
            (Gap::Skip, Fold::First) => "gap=skip fold=first",
            (Gap::Skip, Fold::Last) => "gap=skip fold=last",
            (Gap::Skip, Fold::Both) => "elapsed",
        }
    }

    /// What follows the times of a schedule in words.
    pub(super) fn in_words(self) -> &'static str {
        match (self.gap, self.fold) {
            (Gap::Run, Fold::First) => {
                ", where clocks change skipped times are due right after the gap and repeated times once"
            }
            (Gap::Run, Fold::Last) => {
                ", where clocks change skipped times are due right after the gap and repeated times the second time only"
            }
            (Gap::Run, Fold::Both) => {
                ", where clocks change skipped times are due right after the gap and repeated times both times"
            }
            (Gap::Skip, Fold::First) => {
                ", where clocks change skipped times are left out and repeated times are due the first time only"
            }
            (Gap::Skip, Fold::Last) => {
                ", where clocks change skipped times are left out and repeated times are due the second time only"
            }
            (Gap::Skip, Fold::Both) => {
                ", where clocks change skipped times are left out and repeated times are due both times"
            }
        }
    }
}

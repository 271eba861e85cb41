//! From the clock on the wall to instants: what happens when a zone's clocks are set forward or
//! back.
//!
//! The rule is told in the documentation of [`schedule`](super); this module is the rule's only
//! home.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::calendar::{Calendar, DAY, DayRule, Local};
use super::clock_changes::{ClockChanges, Fold, Gap};
use super::gregorian::date_of;
use super::zone::{change_after, zone_canonical, zone_in_words};
use crate::tick::Tick;

/// How a schedule takes a change of its zone's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockChange {
    /// Times of day: each is due once a day, whatever the clocks do.
    TimesOfDay,
    /// Intervals: due whenever the clock on the wall matches.
    Elapsed,
    /// As the user chose, where that is neither.
    Chosen(ClockChanges),
}

impl ClockChange {
    /// What this means for gaps and folds.
    pub(super) fn effect(self) -> ClockChanges {
        match self {
            ClockChange::TimesOfDay => ClockChanges::default(),
            ClockChange::Elapsed => ClockChanges::OF_INTERVALS,
            ClockChange::Chosen(changes) => changes,
        }
    }

    /// The same, or what the user chose if that is something else.
    pub(super) fn chosen(self, changes: ClockChanges) -> ClockChange {
        match changes {
            _ if changes == self.effect() => self,
            _ if changes == ClockChanges::default() => ClockChange::TimesOfDay,
            _ => ClockChange::Chosen(changes),
        }
    }
}

/// The clock of a time zone, which leads from its wall time to instants.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ZoneClock {
    zone: TimeZone,
    /// The zone's offset from UTC in milliseconds, if it never changes.
    fixed_ms: Option<i32>,
}

/// No offset of any zone is as large.
const OFFSET_MAX_MS: i64 = 26 * 60 * 60 * 1_000;

impl ZoneClock {
    pub(super) fn utc() -> ZoneClock {
        ZoneClock::new(TimeZone::UTC)
    }

    pub(super) fn new(zone: TimeZone) -> ZoneClock {
        let fixed = zone.to_fixed_offset().ok().or_else(|| {
            // Etc/GMT+5 and the like are zones by name only.
            let never_changes = change_after(&zone, Timestamp::MIN).is_none();
            never_changes.then(|| zone.to_offset(Timestamp::MIN))
        });
        let fixed_ms = fixed.map(|offset| offset.seconds() * 1_000);
        ZoneClock { zone, fixed_ms }
    }

    /// Further east than every zone, where a local time stands for an instant that is as early as
    /// it can be: what is never due here is due nowhere.
    pub(super) fn easternmost() -> ZoneClock {
        ZoneClock::new(TimeZone::fixed(Offset::MAX))
    }

    pub(super) fn is_utc(&self) -> bool {
        self.fixed_ms == Some(0)
    }

    pub(super) fn clocks_change(&self) -> bool {
        self.fixed_ms.is_none()
    }

    pub(super) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// `Europe/Paris`, or its offset if that never changes: `UTC`, `UTC+05:30`.
    pub(super) fn canonical(&self) -> String {
        match self.fixed_ms {
            None => zone_canonical(&self.zone),
            Some(0) => "UTC".to_owned(),
            Some(ms) => {
                let offset = Offset::from_seconds(ms / 1_000).unwrap_or(Offset::UTC);
                zone_in_words(&TimeZone::fixed(offset))
            }
        }
    }

    /// The zone, if its rules can be others on another machine.
    pub(super) fn zones(&self) -> Vec<TimeZone> {
        let is_certain = self.is_utc() || self.zone.to_fixed_offset().is_ok();
        if is_certain {
            Vec::new()
        } else {
            vec![self.zone.clone()]
        }
    }

    /// `Europe/Paris time`, `UTC+05:30`.
    pub(super) fn in_words(&self) -> String {
        zone_in_words(&self.zone)
    }

    /// The least tick strictly after `after`.
    #[inline]
    pub(super) fn next_after<D: DayRule>(
        &self,
        calendar: &Calendar<D>,
        change: ClockChange,
        after: Tick,
    ) -> Option<Tick> {
        let from = after.as_millis() + 1;
        if let Some(offset) = self.fixed_ms {
            let offset = i64::from(offset);
            return Tick::from_millis(calendar.at_or_after(from + offset)? - offset);
        }
        match change {
            ClockChange::TimesOfDay => self.next_time_of_day(calendar, from),
            ClockChange::Elapsed => self.next_elapsed(calendar, from),
            ClockChange::Chosen(changes) => self.next_chosen(calendar, changes, from),
        }
    }

    /// The least instant, not before `from`, that a choice leaves of both sets: of the instants at
    /// which the clock on the wall shows a time of the calendar, and, where skipped times are made
    /// up for, of those that times of day stand for. Whatever lies in a pass through a fold that the
    /// choice leaves out is no tick, by either set.
    fn next_chosen<D: DayRule>(
        &self,
        calendar: &Calendar<D>,
        changes: ClockChanges,
        from: i64,
    ) -> Option<Tick> {
        let mut from = from;
        loop {
            let shown = self.next_elapsed(calendar, from);
            let made_up = match changes.gap {
                Gap::Run => self.next_time_of_day(calendar, from),
                Gap::Skip => None,
            };
            let tick = shown.into_iter().chain(made_up).min()?;
            match self.end_of_pass(tick.as_millis(), changes.fold) {
                None => return Some(tick),
                Some(end) => from = end,
            }
        }
    }

    /// If the instant lies in a pass through a fold that is left out, where that pass ends.
    fn end_of_pass(&self, at: i64, fold: Fold) -> Option<i64> {
        let offset = self.offset_at(at)?;
        let local = date_time(at + offset)?;
        let AmbiguousOffset::Fold { before, after } =
            self.zone.to_ambiguous_timestamp(local).offset()
        else {
            return None;
        };
        let (before, after) = (millis(before), millis(after));
        let is_first = offset == before;
        let change = self.change_after(at + offset - before)?;
        match fold {
            Fold::First if !is_first => Some(change + before - after),
            Fold::Last if is_first => Some(change),
            Fold::First | Fold::Last | Fold::Both => None,
        }
    }

    /// The least instant, not before `from`, of all that local times of the calendar stand for,
    /// where a local time that is skipped stands for the instant after the gap, and one that comes
    /// twice for its first instant. Later local times never stand for earlier instants, so the
    /// first that is not too early is the least.
    fn next_time_of_day<D: DayRule>(&self, calendar: &Calendar<D>, from: i64) -> Option<Tick> {
        // The instant before `from` stands for its own local time or, in the second pass through a
        // fold, for an earlier one; either way that time is dealt with.
        let mut local = from + self.offset_at(from - 1)?;
        loop {
            local = calendar.at_or_after(local)?;
            let instant = self.instant_of(local)?;
            if instant.at >= from {
                return Tick::from_millis(instant.at);
            }
            local = instant.next_later.max(local + 1);
        }
    }

    /// The least instant, not before `from`, at which the clock on the wall shows a time of the
    /// calendar.
    fn next_elapsed<D: DayRule>(&self, calendar: &Calendar<D>, from: i64) -> Option<Tick> {
        let mut from = from;
        loop {
            let offset = self.offset_at(from)?;
            let local = calendar.at_or_after(from + offset);
            let change = self.change_after(from);
            // Far from any change the clock shows every local time in turn, so that nothing before
            // `local` matches, whatever the offset is by then. A fold nearby may come back to more.
            let near = |change: &i64| change - from <= 2 * DAY;
            from = match (local, change) {
                (Some(local), None) => return Tick::from_millis(local - offset),
                (Some(local), Some(change)) if local - offset < change => {
                    return Tick::from_millis(local - offset);
                }
                (Some(local), Some(change)) if !near(&change) => change.max(local - OFFSET_MAX_MS),
                (None, change) => change.filter(near)?,
                (Some(_), Some(change)) => change,
            };
        }
    }

    /// The date that calendars on the wall show.
    pub(super) fn date_of(&self, tick: Tick) -> Date {
        self.zone.to_datetime(tick.timestamp()).date()
    }

    /// The last tick of those from `tick` on that surely have its date: the last before the next
    /// midnight, or before the clocks change, which in a fold over midnight brings back the date
    /// before.
    pub(super) fn end_of_date(&self, tick: Tick) -> Tick {
        let at = tick.as_millis();
        let Some(offset) = self.offset_at(at) else {
            return tick;
        };
        let midnight = ((at + offset).div_euclid(DAY) + 1) * DAY - offset;
        let change = match self.fixed_ms {
            Some(_) => None,
            None => self.change_after(at),
        };
        let end = change.map_or(midnight, |change| change.min(midnight));
        Tick::from_millis(end - 1).unwrap_or(Tick::MAX).max(tick)
    }

    /// Milliseconds to add to the instant to get the local time.
    fn offset_at(&self, at: i64) -> Option<i64> {
        let at = Timestamp::from_millisecond(at.max(Tick::MIN.as_millis())).ok()?;
        Some(millis(self.zone.to_offset(at)))
    }

    /// The first change of the clocks strictly after an instant.
    fn change_after(&self, at: i64) -> Option<i64> {
        let at = Timestamp::from_millisecond(at).ok()?;
        let change = change_after(&self.zone, at)?;
        Some(change.timestamp().as_millisecond())
    }

    fn instant_of(&self, local: Local) -> Option<Instant> {
        let offset = self.zone.to_ambiguous_timestamp(date_time(local)?).offset();
        match offset {
            AmbiguousOffset::Unambiguous { offset } => {
                let at = local - millis(offset);
                Some(Instant {
                    at,
                    next_later: local + 1,
                })
            }
            AmbiguousOffset::Fold { before, .. } => {
                let at = local - millis(before);
                let change = self.change_after(at)?;
                Some(Instant {
                    at,
                    next_later: change + millis(before),
                })
            }
            AmbiguousOffset::Gap { after, .. } => {
                // Read with the later offset a skipped time lies just before the change.
                let at = self.change_after(local - millis(after))?;
                Some(Instant {
                    at,
                    next_later: at + millis(after),
                })
            }
        }
    }
}

/// What a local time stands for.
struct Instant {
    /// Milliseconds since the Unix epoch.
    at: i64,
    /// No local time before this one stands for an instant that is later than the second pass
    /// through the fold in which `at` lies, if it lies in one.
    next_later: Local,
}

fn millis(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * 1_000
}

fn date_time(local: Local) -> Option<jiff::civil::DateTime> {
    let (year, month, day) = date_of(local.div_euclid(DAY));
    let (year, month, day) = (
        i16::try_from(year).ok()?,
        i8::try_from(month).ok()?,
        i8::try_from(day).ok()?,
    );
    let date = jiff::civil::Date::new(year, month, day).ok()?;
    let millis = u32::try_from(local.rem_euclid(DAY)).ok()?;
    let (second_of_day, milli) = (millis / 1000, millis % 1000);
    let small = |number: u32| i8::try_from(number).ok();
    let time = jiff::civil::Time::new(
        small(second_of_day / 3600)?,
        small(second_of_day / 60 % 60)?,
        small(second_of_day % 60)?,
        i32::try_from(milli).ok()? * 1_000_000,
    );
    Some(date.to_datetime(time.ok()?))
}

impl fmt::Debug for ZoneClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_words())
    }
}

//! When the clocks of a zone change.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneTransition};

/// The first change of a zone's clocks, or of what they are called, strictly after an instant.
///
/// `jiff` 0.2.46 answers the last change for ever where a file has no rule for what comes behind it.
pub(in crate::schedule) fn change_after(
    zone: &TimeZone,
    at: Timestamp,
) -> Option<TimeZoneTransition<'_>> {
    let change = zone.following(at).next()?;
    (change.timestamp() > at).then_some(change)
}

/// Whether a zone's rules end with a last change, and say nothing of what comes behind it: such are
/// old files and, since 2026, those below `right/`, which leave a zone in summer time for ever.
pub(super) fn end(zone: &TimeZone) -> bool {
    let last = zone.following(Timestamp::MAX).next();
    last.is_some_and(|change| change.timestamp() > Timestamp::MIN)
}

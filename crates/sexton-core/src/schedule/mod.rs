//! When a task is due.

use std::fmt;

use crate::tick::Tick;

/// Says when a task is due.
///
/// # For implementers
/// A schedule is a pure function: every replica, of every build, must compute the same ticks from the
/// same definition, whatever its clock says.
/// - `next_after(t)` is the least tick strictly after `t`, or `None` if there is none ever after;
/// - it depends on nothing but `self` and `t`, and returns in bounded time.
pub trait Schedule: fmt::Debug + Send + Sync + 'static {
    /// The least tick strictly after `after`; `None` when the schedule has ended.
    fn next_after(&self, after: Tick) -> Option<Tick>;

    /// The schedule in plain English, for people: `every 15 minutes`, `at 09:00 on Mondays, Europe/Paris`.
    fn describe(&self) -> String;
}

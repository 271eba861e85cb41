//! At one instant.

use jiff::Timestamp;

use super::Schedule;
use super::error::ScheduleError;
use super::part::Part;
use crate::instant::{self, InstantError};
use crate::tick::Tick;

/// Due once, at an instant.
///
/// ```
/// use sexton_core::schedule::{Once, Schedule};
///
/// let once = Once::parse("2026-11-01T09:00:00+01:00")?;
/// assert_eq!(once.describe(), "once at 2026-11-01T08:00:00.000Z");
/// assert_eq!(once.next_after("2026-11-01T08:00:00Z".parse()?), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Once(Tick);

impl Once {
    /// Due at this instant; what is finer than a millisecond is cut off.
    #[must_use]
    pub fn at(at: Timestamp) -> Once {
        Once(Tick::at_or_before(at))
    }

    /// Reads an [instant](crate::instant) with `Z` or an offset: `2026-11-01T09:00:00+01:00`.
    ///
    /// # Errors
    /// [`ScheduleError::Part`] if it is none, [`ScheduleError::TooLong`].
    pub fn parse(text: &str) -> Result<Once, ScheduleError> {
        let whole = Part::whole("once", text)?.trimmed().named("instant");
        instant::parse(whole.text)
            .map(Once)
            .map_err(|why| match why {
                InstantError::Unreadable => whole.error(instant::FORM),
                why => whole.error(format!("{} ({why})", instant::FORM)),
            })
    }
}

impl Schedule for Once {
    #[inline]
    fn next_after(&self, after: Tick) -> Option<Tick> {
        (after < self.0).then_some(self.0)
    }

    fn describe(&self) -> String {
        format!("once at {}", self.0)
    }

    fn canonical(&self) -> String {
        format!("once {}", self.0)
    }

    fn advice_when_over(&self) -> Option<String> {
        Some("its time has passed".to_owned())
    }
}

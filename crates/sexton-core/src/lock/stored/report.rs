//! What a report finds of those before it.

use std::time::Duration;

use jiff::Timestamp;

use crate::lock::{InstanceRecord, InstanceReport};

/// How much earlier than a report that found the clock set back an incarnation was there at the
/// most.
const EARLIER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What becomes of an instance's report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reported {
    /// Replaces what was there.
    Recorded(InstanceRecord),
    /// Another incarnation has the id. Nothing changes.
    Held(InstanceRecord),
}

/// Decides about a report of an instance, given what the store has of its id. `now` is the store's
/// clock.
#[must_use]
pub fn report(before: Option<InstanceRecord>, report: &InstanceReport, now: Timestamp) -> Reported {
    let since = match before {
        Some(before) if before.report.incarnation == report.incarnation => {
            if now < before.seen_at {
                // The clock was set back: what was granted after that and before this report is
                // ours.
                let earlier = now.saturating_sub(report.presence.min(EARLIER_MAX));
                before.since.min(earlier.unwrap_or(Timestamp::MIN))
            } else {
                before.since
            }
        }
        Some(before) if before.keeps_its_id_at(now) => return Reported::Held(before),
        _ => now,
    };
    Reported::Recorded(InstanceRecord {
        report: report.clone(),
        seen_at: now,
        since,
    })
}

//! What an instance reports as the columns of a row, in both directions.

use std::time::Duration;

use jiff::SignedDuration;
use sexton_core::lock::{InstanceRecord, InstanceReport};

use crate::record_row::{Unreadable, instance_id, tick};

/// How long an instance that stopped reporting is still listed, in ms.
pub(crate) const GONE_KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// A presence so long that it never ends, and still adds up with any time.
const PRESENCE_MAX_MS: i64 = i64::MAX / 4;

/// A presence in whole milliseconds.
pub(crate) fn presence_column(presence: Duration) -> i64 {
    let millis = i64::try_from(presence.as_millis()).unwrap_or(PRESENCE_MAX_MS);
    millis.min(PRESENCE_MAX_MS)
}

/// A clock's offset in nanoseconds.
pub(crate) fn offset_column(offset: SignedDuration) -> i64 {
    let limit = if offset.is_negative() {
        i64::MIN
    } else {
        i64::MAX
    };
    i64::try_from(offset.as_nanos()).unwrap_or(limit)
}

/// The columns of an instance as the database has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InstanceRow<'r> {
    pub instance: &'r str,
    pub started_at_ms: i64,
    pub version: &'r str,
    pub clock_offset_ns: Option<i64>,
    pub running: i64,
    pub presence_ms: i64,
    pub seen_at_ms: i64,
    pub incarnation: &'r str,
    pub since_ms: i64,
}

impl InstanceRow<'_> {
    pub(crate) fn to_record(&self) -> Result<InstanceRecord, Unreadable> {
        let bad = |column: &str, found: i64| {
            Unreadable(format!("{found} as the {column} of an instance"))
        };
        Ok(InstanceRecord {
            report: InstanceReport {
                instance: instance_id(self.instance)?,
                incarnation: self.incarnation.parse().map_err(|_| {
                    Unreadable(format!(
                        "{:?} as the incarnation of an instance",
                        self.incarnation
                    ))
                })?,
                started_at: tick(self.started_at_ms)?.timestamp(),
                version: self.version.to_owned(),
                clock_offset: self.clock_offset_ns.map(SignedDuration::from_nanos),
                running: u32::try_from(self.running).map_err(|_| bad("running", self.running))?,
                presence: u64::try_from(self.presence_ms)
                    .map(Duration::from_millis)
                    .map_err(|_| bad("presence_ms", self.presence_ms))?,
            },
            seen_at: tick(self.seen_at_ms)?.timestamp(),
            since: tick(self.since_ms)?.timestamp(),
        })
    }
}

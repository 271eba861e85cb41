//! An execution's record as the columns of a row, in both directions.
//!
//! Times become whole milliseconds, rounded down; enums become words, so that a person with a
//! database shell can read them; numbers a signed column cannot hold are cut to its largest.

#[cfg(any(feature = "mysql", feature = "postgres"))]
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::lock::{Execution, ExecutionRecord, Origin, Register};
use sexton_core::name::{ClaimId, InstanceId, TaskName};
use sexton_core::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

use sexton_core::lock::stored::{delivery_of, overlap_of};

/// A row that is not what any version wrote: where, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(
    unreachable_pub,
    reason = "in a sealed trait of the servers, which not every build has"
)]
pub struct Unreadable(pub(crate) String);

/// The columns of an execution as the database has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRow<'r> {
    pub tick_ms: i64,
    pub task: &'r str,
    pub concurrency_index: i64,
    pub concurrency: i64,
    pub state: &'r str,
    pub reason: Option<&'r str>,
    pub claim_id: Option<&'r [u8]>,
    pub instance: Option<&'r str>,
    pub attempt: Option<i64>,
    pub fence: i64,
    pub delivery: &'r str,
    pub attempts_max: i64,
    pub overlap: &'r str,
    pub lease_until_ms: Option<i64>,
    pub cancel_requested: bool,
    pub granted_at_ms: i64,
    pub started_at_ms: Option<i64>,
    pub finished_at_ms: Option<i64>,
    pub error: Option<&'r str>,
    pub output: Option<&'r str>,
    pub origin: &'r str,
    pub deadline_ms: Option<i64>,
    pub former_holders: Option<&'r str>,
}

impl RecordRow<'_> {
    pub(crate) fn to_record(&self) -> Result<ExecutionRecord, Unreadable> {
        let bad = |column: &str, found: &dyn std::fmt::Debug| {
            let RecordRow {
                task,
                concurrency_index,
                tick_ms,
                ..
            } = self;
            Unreadable(format!(
                "{found:?} as the {column} of {task:?}[{concurrency_index}]@{tick_ms}"
            ))
        };
        let time = |column: &str, millis: i64| {
            Timestamp::from_millisecond(millis).map_err(|_| bad(column, &millis))
        };
        let maybe_time = |column: &str, millis: Option<i64>| {
            millis.map(|millis| time(column, millis)).transpose()
        };
        let claim_id = |bytes: &[u8]| {
            let bits = <[u8; 16]>::try_from(bytes).map_err(|_| bad("claim_id", &bytes))?;
            Ok(ClaimId::from_u128(u128::from_be_bytes(bits)))
        };
        let attempt = |attempt: i64| {
            let number = u32::try_from(attempt).ok().and_then(Attempt::new);
            number.ok_or_else(|| bad("attempt", &attempt))
        };
        let execution = Execution {
            task: task_name(self.task)?,
            index: concurrency_index(self.concurrency_index)?,
            tick: tick(self.tick_ms)?,
        };
        Ok(ExecutionRecord {
            execution,
            concurrency: concurrency(self.concurrency)?,
            origin: self
                .origin
                .parse()
                .map_err(|_| bad("origin", &self.origin))?,
            state: self.state.parse().map_err(|_| bad("state", &self.state))?,
            reason: self
                .reason
                .map(|word| word.parse().map_err(|_| bad("reason", &word)))
                .transpose()?,
            claim_id: self.claim_id.map(claim_id).transpose()?,
            instance: self.instance.map(instance_id).transpose()?,
            attempt: self.attempt.map(attempt).transpose()?,
            fence: fence(self.fence)?,
            delivery: delivery_of(self.delivery, self.attempts_max)
                .ok_or_else(|| bad("delivery", &(self.delivery, self.attempts_max)))?,
            overlap: overlap_of(self.overlap).ok_or_else(|| bad("overlap", &self.overlap))?,
            lease_until: maybe_time("lease_until_ms", self.lease_until_ms)?,
            deadline: maybe_time("deadline_ms", self.deadline_ms)?,
            former_holders: former_holders(self.former_holders)?,
            cancel_requested: self.cancel_requested,
            granted_at: time("granted_at_ms", self.granted_at_ms)?,
            started_at: maybe_time("started_at_ms", self.started_at_ms)?,
            finished_at: maybe_time("finished_at_ms", self.finished_at_ms)?,
            error: self.error.map(str::to_owned),
            output: self.output.map(str::to_owned),
        })
    }
}

pub(crate) fn task_name(text: &str) -> Result<TaskName, Unreadable> {
    TaskName::new(text).map_err(|_| Unreadable(format!("{text:?} as the name of a task")))
}

pub(crate) fn instance_id(text: &str) -> Result<InstanceId, Unreadable> {
    InstanceId::new(text).map_err(|_| Unreadable(format!("{text:?} as the id of an instance")))
}

/// Whether a record has nothing but what nearly all have: a tick of its schedule that never waited,
/// with nothing to tell of its run. A batch of such records is written by a statement that is not
/// given the other columns.
pub(crate) fn is_plain(record: &ExecutionRecord) -> bool {
    record.error.is_none()
        && record.output.is_none()
        && record.origin == Origin::Scheduled
        && record.deadline.is_none()
        && record.former_holders.is_empty()
}

/// What stands between the ids of a list of instances: no id has it.
const BETWEEN_IDS: char = '\n';

/// Those who held an execution and lost it, as the column has them: NULL for none, which is usual.
pub(crate) fn former_holders_column(record: &ExecutionRecord) -> Option<String> {
    ids_column(&record.former_holders)
}

fn ids_column(ids: &[InstanceId]) -> Option<String> {
    let ids: Vec<&str> = ids.iter().map(InstanceId::as_str).collect();
    (!ids.is_empty()).then(|| ids.join(&BETWEEN_IDS.to_string()))
}

fn former_holders(column: Option<&str>) -> Result<Vec<InstanceId>, Unreadable> {
    let ids = column.iter().flat_map(|ids| ids.split(BETWEEN_IDS));
    ids.map(instance_id).collect()
}

pub(crate) fn register(
    watermark_ms: Option<i64>,
    fence_number: i64,
) -> Result<Register, Unreadable> {
    Ok(Register {
        watermark: watermark_ms.map(tick).transpose()?,
        fence: fence(fence_number)?,
    })
}

pub(crate) fn tick(millis: i64) -> Result<Tick, Unreadable> {
    Tick::from_millis(millis).ok_or_else(|| Unreadable(format!("{millis} ms as a tick")))
}

/// A time of the store's, if there is one.
pub(crate) fn instant(millis: Option<i64>) -> Result<Option<Timestamp>, Unreadable> {
    Ok(millis.map(tick).transpose()?.map(Tick::timestamp))
}

pub(crate) fn concurrency(count: i64) -> Result<Concurrency, Unreadable> {
    let bad = || Unreadable(format!("{count} as a concurrency"));
    let positive = u64::try_from(count).map_err(|_| bad())?;
    Concurrency::new(positive).map_err(|_| bad())
}

pub(crate) fn concurrency_index(index: i64) -> Result<ConcurrencyIndex, Unreadable> {
    let bad = || Unreadable(format!("{index} as a concurrency index"));
    let positive = u64::try_from(index).map_err(|_| bad())?;
    ConcurrencyIndex::new(positive).map_err(|_| bad())
}

pub(crate) fn fence(number: i64) -> Result<Fence, Unreadable> {
    let positive = u64::try_from(number).map_err(|_| Unreadable(format!("{number} as a fence")))?;
    Ok(Fence::new(positive))
}

pub(crate) fn fence_column(fence: Fence) -> i64 {
    i64::try_from(fence.get()).unwrap_or(i64::MAX)
}

/// A length of time in milliseconds, short enough to be added to any instant.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(crate) fn interval_ms(length: Duration) -> i64 {
    const MAX: i64 = i64::MAX / 4;
    i64::try_from(length.as_millis()).unwrap_or(MAX).min(MAX)
}

/// The whole milliseconds of a time, rounded down.
pub(crate) fn millis(time: Timestamp) -> i64 {
    Tick::at_or_before(time).as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn former_holders_read_back_from_their_column() {
        let ids = |count: usize| -> Vec<InstanceId> {
            let id = |number| InstanceId::new(format!("an id, \"{number}\"")).unwrap();
            (0..count).map(id).collect()
        };
        for count in [0, 1, ExecutionRecord::FORMER_HOLDERS_MAX] {
            let column = ids_column(&ids(count));
            assert_eq!(column.is_some(), count > 0);
            assert_eq!(former_holders(column.as_deref()), Ok(ids(count)));
        }
        assert!(former_holders(Some("")).is_err());
    }
}

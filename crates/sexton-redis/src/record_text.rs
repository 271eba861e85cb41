//! Records, members and policies as the text that the scripts write, in both directions.

use jiff::Timestamp;
use sexton_core::lock::{Execution, ExecutionRecord, Register};
use sexton_core::name::{ClaimId, InstanceId, TaskName};
use sexton_core::policy::{Delivery, Overlap};
use sexton_core::tick::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

/// The distance of ticks before 1970 is counted from here, so that text stays in the order of time.
const BEFORE_1970_MS: i64 = 1_000_000_000_000_000;
/// A record has so many parts, with tabs between; the last one may hold tabs.
const PARTS: usize = 18;
/// What no instance's id holds.
const BETWEEN_HOLDERS: char = '\n';

/// Text that no version wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable(pub(crate) String);

fn unreadable(what: &str, found: &str) -> Unreadable {
    Unreadable(format!("{found:?} as {what}"))
}

/// A tick as 15 digits, or a minus sign and 15 digits.
pub(crate) fn tick_text(tick: Tick) -> String {
    match tick.as_millis() {
        ms @ 0.. => format!("{ms:015}"),
        ms => format!("-{:015}", ms + BEFORE_1970_MS),
    }
}

fn tick_of(text: &str) -> Result<Tick, Unreadable> {
    let bad = || unreadable("a tick", text);
    let ms = match text.strip_prefix('-') {
        None => text.parse::<i64>().map_err(|_| bad())?,
        Some(distance) => distance.parse::<i64>().map_err(|_| bad())? - BEFORE_1970_MS,
    };
    Tick::from_millis(ms).ok_or_else(bad)
}

/// A tick that a script wrote as a plain number of milliseconds.
pub(crate) fn tick_of_millis(text: &str) -> Result<Tick, Unreadable> {
    let bad = || unreadable("a tick", text);
    let ms = text.parse::<i64>().map_err(|_| bad())?;
    Tick::from_millis(ms).ok_or_else(bad)
}

pub(crate) fn field_of(text: &str) -> Result<(TaskName, ConcurrencyIndex), Unreadable> {
    let bad = || unreadable("a task and its index", text);
    let (task, index) = text.rsplit_once('\t').ok_or_else(bad)?;
    let task = TaskName::new(task).map_err(|_| bad())?;
    let index = index
        .parse()
        .ok()
        .and_then(|index| ConcurrencyIndex::new(index).ok());
    Ok((task, index.ok_or_else(bad)?))
}

pub(crate) fn execution(member: &str) -> Result<Execution, Unreadable> {
    let bad = || unreadable("an execution", member);
    let (field, tick) = member.rsplit_once('\t').ok_or_else(bad)?;
    let (task, index) = field_of(field)?;
    let tick = tick_of(tick)?;
    Ok(Execution { task, index, tick })
}

/// A register: `WATERMARK FENCE`, the first empty where there is none.
pub(crate) fn register(text: &str) -> Result<Register, Unreadable> {
    let bad = || unreadable("a register", text);
    let (watermark, fence) = text.split_once(' ').ok_or_else(bad)?;
    let fence = fence.parse().map_err(|_| bad())?;
    Ok(Register {
        watermark: match watermark {
            "" => None,
            tick => Some(tick_of(tick)?),
        },
        fence: Fence::new(fence),
    })
}

/// A delivery: its word, and behind a colon how many attempts it has, where it has any.
pub(crate) fn delivery_text(delivery: Delivery) -> String {
    let word = delivery.as_str();
    match delivery {
        Delivery::AtMostOnce => word.to_owned(),
        _ => format!("{word}:{}", delivery.attempts_max()),
    }
}

fn delivery_of(text: &str) -> Result<Delivery, Unreadable> {
    let bad = || unreadable("a delivery", text);
    let (word, max) = text.split_once(':').unwrap_or((text, "1"));
    let delivery = Delivery::named(word, max.parse().map_err(|_| bad())?).ok_or_else(bad)?;
    // One delivery has one text.
    (delivery_text(delivery) == text)
        .then_some(delivery)
        .ok_or_else(bad)
}

fn overlap_of(text: &str) -> Result<Overlap, Unreadable> {
    text.parse()
        .map_err(|_| unreadable("an overlap policy", text))
}

/// Error and output, each with its length first; `-` where there is none.
pub(crate) fn tail_text(error: Option<&str>, output: Option<&str>) -> String {
    let length =
        |text: Option<&str>| text.map_or_else(|| "-".to_owned(), |text| text.len().to_string());
    let (error_length, output_length) = (length(error), length(output));
    let (error, output) = (error.unwrap_or(""), output.unwrap_or(""));
    format!("{error_length}\t{output_length}\t{error}{output}")
}

fn tail_of(text: &str) -> Result<(Option<String>, Option<String>), Unreadable> {
    let bad = || unreadable("an error and an output", text);
    let mut parts = text.splitn(3, '\t');
    let mut length = || match parts.next() {
        Some("-") => Ok(None),
        Some(digits) => digits.parse::<usize>().map(Some).map_err(|_| bad()),
        None => Err(bad()),
    };
    let (error, output) = (length()?, length()?);
    let rest = parts.next().ok_or_else(bad)?;
    let end = error.unwrap_or(0);
    let cut = |from: usize, length: usize| {
        rest.get(from..from + length)
            .map(str::to_owned)
            .ok_or_else(bad)
    };
    Ok((
        error.map(|length| cut(0, length)).transpose()?,
        output.map(|length| cut(end, length)).transpose()?,
    ))
}

/// A time in whole nanoseconds, which handlers' clocks may have.
pub(crate) fn nanos_text(time: Timestamp) -> String {
    time.as_nanosecond().to_string()
}

fn maybe<'t, T>(
    text: &'t str,
    read: impl FnOnce(&'t str) -> Option<T>,
    what: &str,
) -> Result<Option<T>, Unreadable> {
    match text {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(|| unreadable(what, text)),
    }
}

fn micros(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .and_then(|us| Timestamp::from_microsecond(us).ok())
}

fn nanos(text: &str) -> Option<Timestamp> {
    text.parse()
        .ok()
        .and_then(|ns| Timestamp::from_nanosecond(ns).ok())
}

/// The record of an execution.
pub(crate) fn record(member: &str, text: &str) -> Result<ExecutionRecord, Unreadable> {
    let bad = |what: &str| Unreadable(format!("{text:?} as the {what} of {member:?}"));
    let parts: Vec<&str> = text.splitn(PARTS, '\t').collect();
    let &[
        state,
        reason,
        claim,
        fence,
        attempt,
        lease,
        cancel,
        granted,
        delivery,
        overlap,
        concurrency,
        started,
        finished,
        instance,
        origin,
        deadline,
        former_holders,
        tail,
    ] = parts.as_slice()
    else {
        return Err(bad("record"));
    };
    let (error, output) = tail_of(tail)?;
    let claim_id = |text: &str| u128::from_str_radix(text, 16).ok().map(ClaimId::from_u128);
    let concurrency = concurrency
        .parse()
        .ok()
        .and_then(|count| Concurrency::new(count).ok());
    let former_holders = former_holders
        .split(BETWEEN_HOLDERS)
        .filter(|holder| !holder.is_empty())
        .map(|holder| InstanceId::new(holder).map_err(|_| bad("former holders")))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(ExecutionRecord {
        execution: execution(member)?,
        concurrency: concurrency.ok_or_else(|| bad("concurrency"))?,
        origin: origin.parse().map_err(|_| bad("origin"))?,
        state: state.parse().map_err(|_| bad("state"))?,
        reason: maybe(reason, |text| text.parse().ok(), "a reason")?,
        claim_id: maybe(claim, claim_id, "a claim's id")?,
        instance: maybe(instance, |text| InstanceId::new(text).ok(), "an instance")?,
        attempt: maybe(
            attempt,
            |text| Attempt::new(text.parse().ok()?),
            "an attempt",
        )?,
        fence: Fence::new(fence.parse().map_err(|_| bad("fence"))?),
        delivery: delivery_of(delivery)?,
        overlap: overlap_of(overlap)?,
        lease_until: maybe(lease, micros, "the end of a lease")?,
        deadline: maybe(deadline, micros, "a deadline")?,
        former_holders,
        cancel_requested: cancel == "1",
        granted_at: micros(granted).ok_or_else(|| bad("time of the grant"))?,
        started_at: maybe(started, nanos, "a time")?,
        finished_at: maybe(finished, nanos, "a time")?,
        error,
        output,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The member of an execution, as the scripts make it of its field and its tick.
    fn member(execution: &Execution) -> String {
        let Execution { task, index, tick } = execution;
        format!("{task}\t{:04}\t{}", index.get(), tick_text(*tick))
    }

    fn ticks() -> Vec<Tick> {
        let all = [
            -BEFORE_1970_MS / 20,
            -1_000,
            -1,
            0,
            1,
            1_706_616_000_000,
            253_402_300_799_999,
        ];
        all.into_iter()
            .filter_map(Tick::from_millis)
            .chain([Tick::MIN, Tick::MAX])
            .collect()
    }

    #[test]
    fn ticks_read_back_and_stay_in_the_order_of_time() {
        let mut all = ticks();
        all.sort();
        let texts: Vec<String> = all.iter().map(|tick| tick_text(*tick)).collect();
        let read: Vec<Tick> = texts.iter().map(|text| tick_of(text).unwrap()).collect();
        assert_eq!(read, all);
        let mut sorted = texts.clone();
        sorted.sort();
        assert_eq!(sorted, texts);
    }

    #[test]
    fn executions_read_back_whatever_their_names_hold() {
        for name in ["a", "a:b|c", "{x}", "é 2", "0001", "*?[a-z]"] {
            for tick in ticks() {
                let one = Execution {
                    task: TaskName::new(name).unwrap(),
                    index: ConcurrencyIndex::new(17).unwrap(),
                    tick,
                };
                assert_eq!(execution(&member(&one)), Ok(one));
            }
        }
        assert!(execution("a\t1").is_err());
        assert!(execution("a\t0001\tsoon").is_err());
    }

    #[test]
    fn what_a_run_said_reads_back() {
        for (error, output) in [
            (None, None),
            (Some(""), None),
            (None, Some("a\tb\n\0é")),
            (Some("tab\t"), Some("3\t4\t")),
        ] {
            let read = tail_of(&tail_text(error, output)).unwrap();
            assert_eq!((read.0.as_deref(), read.1.as_deref()), (error, output));
        }
        for bad in ["", "1\t", "1\t-\t", "x\t-\t", "2\t-\té?", "1\t-\té"] {
            let is_cut = bad == "2\t-\té?";
            assert_eq!(tail_of(bad).is_err(), !is_cut, "{bad:?}");
        }
    }

    #[test]
    fn a_record_that_nobody_wrote_is_told() {
        let text = "running\t\t\t1\t\t\t0\t5\tat most once\tallow\t1\t\t\t\tscheduled\t7\tone\ntwo\t-\t-\t";
        let read = record("a\t0001\t000000000000005", text).unwrap();
        let holders: Vec<&str> = read.former_holders.iter().map(InstanceId::as_str).collect();
        assert_eq!(holders, ["one", "two"]);
        for (part, by) in [
            ("running", "walking"),
            ("at most once", "at will"),
            ("allow", "maybe"),
            ("\t1\t\t\t0", "\tx\t\t\t0"),
            ("scheduled", "dreamt"),
            ("\t7\t", "\tsoon\t"),
            ("one\n", "one \n"),
        ] {
            assert!(
                record("a\t0001\t000000000000005", &text.replacen(part, by, 1)).is_err(),
                "{by}"
            );
        }
        assert!(record("a\t0001\t000000000000005", "running").is_err());
    }
}

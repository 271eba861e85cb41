//! `sexton history`.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sexton::Operator;
use sexton::clock::{Clock, SystemClock};
use sexton::lock::{ExecutionRecord, ExecutionState, HistoryQuery};
use sexton::{Fence, Tick};

use super::store::Opened;
use super::table::{Table, wall, zone};
use super::{Refused, known_task};
use crate::args::HistoryArguments;
use crate::config::instant;
use crate::duration;
use crate::visible::brief;

const PAGE_MAX: usize = 1_000;
/// How much of an error or an output a row of the table shows.
const SAID_CHARS_MAX: usize = 60;
const INSTANCE_CHARS: usize = 8;

pub(super) async fn show(arguments: &HistoryArguments, opened: &Opened) -> Result<(), Refused> {
    let zone = zone(arguments.tz.as_deref())?;
    let since = moment("--since", arguments.since.as_deref(), &zone)?;
    let until = moment("--until", arguments.until.as_deref(), &zone)?;
    let task = match &arguments.task {
        Some(name) => Some(known_task(&opened.operator, name).await?),
        None => None,
    };
    let query = HistoryQuery {
        task,
        states: arguments.states.clone(),
        since,
        until,
        ..HistoryQuery::default()
    };
    let records = pages(&opened.operator, query, arguments.limit as usize).await?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.store.json {
        let values: Vec<Value> = records.iter().map(value).collect();
        writeln!(out, "{}", Value::from(values))?;
    } else {
        table(&records, &zone).write(&mut out)?;
        if arguments.output {
            records
                .iter()
                .try_for_each(|record| said_in_full(&mut out, record, &zone))?;
        }
    }
    out.flush()?;
    Ok(())
}

/// An instant, or how long ago it was.
fn moment(flag: &str, text: Option<&str>, zone: &TimeZone) -> Result<Option<Tick>, Refused> {
    let Some(text) = text else {
        return Ok(None);
    };
    if let Ok(ago) = duration::parse(text) {
        let moment = SystemClock
            .now()
            .saturating_sub(ago)
            .unwrap_or(Timestamp::MIN);
        return Ok(Some(Tick::at_or_before(moment)));
    }
    match instant::parse(text, zone) {
        Ok(tick) => Ok(Some(tick)),
        Err(why) => Err(Refused::Argument(format!(
            "{flag} {text:?}: {why}; allowed is an instant like 2026-12-24T18:00:00Z, a local time like \
             2026-12-24T18:00 or 2026-12-24, or how long ago, like 90m or 1d"
        ))),
    }
}

async fn pages(
    operator: &Operator,
    mut query: HistoryQuery,
    limit: usize,
) -> Result<Vec<ExecutionRecord>, Refused> {
    let mut records: Vec<ExecutionRecord> = Vec::new();
    loop {
        query.limit = (limit - records.len()).min(PAGE_MAX);
        let page = operator.history(&query).await?;
        let is_last = page.len() < query.limit;
        query.after = page.last().map(|record| record.execution.clone());
        records.extend(page);
        if is_last || records.len() >= limit {
            return Ok(records);
        }
    }
}

fn table(records: &[ExecutionRecord], zone: &TimeZone) -> Table {
    let mut table = Table::new(&[
        "TICK", "TASK", "#", "STATE", "TRY", "LATE", "TOOK", "INSTANCE", "SAID",
    ]);
    for record in records {
        let execution = &record.execution;
        let state = match record.reason {
            Some(reason) => format!("{} ({reason})", record.state),
            None => record.state.to_string(),
        };
        let state = match record.deadline {
            Some(deadline) if record.state == ExecutionState::Waiting => {
                format!("{state} until {}", wall(deadline, zone))
            }
            _ => state,
        };
        let attempt = record
            .attempt
            .map_or_else(String::new, |attempt| attempt.to_string());
        let instance = record.instance.as_ref().map_or("", |instance| {
            let text = instance.as_str();
            // The ids' ends differ; their beginnings are the time of their making.
            let end = text.char_indices().nth_back(INSTANCE_CHARS - 1);
            end.map_or(text, |(at, _)| text.get(at..).unwrap_or(text))
        });
        table.row([
            wall(execution.tick.timestamp(), zone),
            execution.task.to_string(),
            execution.index.to_string(),
            state,
            attempt,
            lateness_ms(record).map_or_else(String::new, span),
            duration_ms(record).map_or_else(String::new, span),
            instance.to_owned(),
            brief(last_line(record), SAID_CHARS_MAX).into_owned(),
        ]);
    }
    table
}

fn last_line(record: &ExecutionRecord) -> &str {
    let said = record.error.as_deref().or(record.output.as_deref());
    said.and_then(|said| said.trim_end().lines().next_back())
        .unwrap_or("")
}

/// Milliseconds as people read them.
fn span(ms: i64) -> String {
    match ms {
        ..=9_999 => format!("{ms} ms"),
        10_000..=599_999 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        600_000.. => format!("{} min", ms / 60_000),
    }
}

fn lateness_ms(record: &ExecutionRecord) -> Option<i64> {
    let started = record.started_at?.as_millisecond();
    Some(started - record.execution.tick.as_millis())
}

fn duration_ms(record: &ExecutionRecord) -> Option<i64> {
    Some(record.finished_at?.as_millisecond() - record.started_at?.as_millisecond())
}

fn said_in_full(out: &mut impl Write, record: &ExecutionRecord, zone: &TimeZone) -> io::Result<()> {
    let execution = &record.execution;
    for (what, said) in [("error", &record.error), ("output", &record.output)] {
        let Some(said) = said.as_deref().filter(|said| !said.is_empty()) else {
            continue;
        };
        let tick = wall(execution.tick.timestamp(), zone);
        writeln!(
            out,
            "\n{tick} {} #{} {what}:",
            execution.task, execution.index
        )?;
        for line in said.lines() {
            writeln!(out, "  {}", crate::visible::visible(line))?;
        }
    }
    Ok(())
}

/// A record as an object. Its field names are part of the program's interface.
fn value(record: &ExecutionRecord) -> Value {
    let at = |instant: Option<Timestamp>| instant.map(|instant| format!("{instant:.3}"));
    let execution = &record.execution;
    json!({
        "task": execution.task.as_str(),
        "tick": execution.tick.to_string(),
        "index": execution.index.get(),
        "concurrency": record.concurrency.get(),
        "state": record.state.as_str(),
        "reason": record.reason.map(sexton::lock::Reason::as_str),
        "origin": record.origin.as_str(),
        "deadline": at(record.deadline),
        "attempt": record.attempt.map(sexton::Attempt::get),
        "fence": Some(record.fence).filter(|fence| *fence != Fence::NONE).map(Fence::get),
        "instance": record.instance.as_ref().map(sexton::name::InstanceId::as_str),
        "granted_at": at(record.attempt.map(|_| record.granted_at)),
        "started_at": at(record.started_at),
        "finished_at": at(record.finished_at),
        "lateness_ms": lateness_ms(record),
        "duration_ms": duration_ms(record),
        "cancel_requested": record.cancel_requested,
        "error": record.error,
        "output": record.output,
    })
}

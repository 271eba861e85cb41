//! `sexton history`.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use sexton::Operator;
use sexton::clock::{Clock, SystemClock};
use sexton::lock::{ExecutionRecord, ExecutionState, HistoryQuery, PAGE_MAX};
use sexton::{Fence, Tick};

use super::refused::Refused;
use super::store::Opened;
use super::table::{Table, wall, zone};
use super::tasks::known_task;
use crate::args::HistoryArguments;
use crate::duration;
use crate::environment::Environment;
use crate::visible::{brief, visible, visible_json};
use sexton_core::instant;

/// How much of an error or an output a row of the table shows.
const SAID_CHARS_MAX: usize = 60;
const INSTANCE_CHARS: usize = 8;

pub(super) async fn show(
    arguments: &HistoryArguments,
    opened: &Opened,
    environment: &Environment,
) -> Result<(), Refused> {
    let zone = zone(arguments.tz.as_deref(), environment)?;
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
    let has_own = arguments.all || query.task.is_some();
    let mut pages = Pages {
        operator: &opened.operator,
        query,
        left: arguments.limit as usize,
        has_own,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.store.json {
        write_json(&mut pages, &mut out).await?;
    } else {
        write_table(&mut pages, &mut out, &zone, arguments.output).await?;
    }
    out.flush()?;
    Ok(())
}

/// As an array, a page in memory at a time.
async fn write_json(pages: &mut Pages<'_>, out: &mut impl Write) -> Result<(), Refused> {
    let mut before = "[";
    while let Some(page) = pages.next().await? {
        for record in &page {
            write!(out, "{before}{}", visible_json(&value(record)))?;
            before = ",";
        }
    }
    let start = if before == "[" { "[" } else { "" };
    writeln!(out, "{start}]")?;
    Ok(())
}

/// Whole, since a column is as wide as its widest cell; of errors and outputs only what a row shows
/// is kept, unless they are shown in full.
async fn write_table(
    pages: &mut Pages<'_>,
    out: &mut impl Write,
    zone: &TimeZone,
    in_full: bool,
) -> Result<(), Refused> {
    let mut table = Table::new(&[
        "TICK", "TASK", "#", "STATE", "TRY", "LATE", "TOOK", "INSTANCE", "SAID",
    ]);
    let mut said = Vec::new();
    while let Some(page) = pages.next().await? {
        for record in page {
            table.row(row(&record, zone));
            if in_full {
                said.push(record);
            }
        }
    }
    table.write(out)?;
    said.iter()
        .try_for_each(|record| said_in_full(out, record, zone))?;
    Ok(())
}

/// The records that are shown, newest first.
struct Pages<'p> {
    operator: &'p Operator,
    query: HistoryQuery,
    /// How many more.
    left: usize,
    /// Whether those of Sexton's own tasks are among them.
    has_own: bool,
}

impl Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<ExecutionRecord>>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.query.limit = self.left.min(PAGE_MAX);
        let mut page = self.operator.history(&self.query).await?;
        let is_last = page.len() < self.query.limit;
        self.query.after = page.last().map(|record| record.execution.clone());
        page.retain(|record| self.has_own || !record.execution.task.is_own());
        self.left = if is_last { 0 } else { self.left - page.len() };
        Ok(Some(page))
    }
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
    match instant::parse_in(text, zone) {
        Ok(tick) => Ok(Some(tick)),
        Err(why) => Err(Refused::Argument(format!(
            "{flag} {text:?}: {why}; allowed is an instant like 2026-12-24T18:00:00Z, a local time like \
             2026-12-24T18:00 or 2026-12-24, or how long ago, like 90m or 1d"
        ))),
    }
}

fn row(record: &ExecutionRecord, zone: &TimeZone) -> [String; 9] {
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
    [
        wall(execution.tick.timestamp(), zone),
        execution.task.to_string(),
        execution.index.to_string(),
        state,
        attempt,
        lateness_ms(record).map_or_else(String::new, span),
        duration_ms(record).map_or_else(String::new, span),
        instance.to_owned(),
        brief(last_line(record), SAID_CHARS_MAX).into_owned(),
    ]
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
            visible(execution.task.as_str()),
            execution.index
        )?;
        for line in said.lines() {
            writeln!(out, "  {}", visible(line))?;
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

//! Events as lines for people.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sexton::lock::{Denial, Execution, Outcome};
use sexton::{ConcurrencyIndex, Event};

use tokio::time::Instant;

use super::super::lines::LinesDiffer;
use super::super::reload::Reloaded;
use super::super::stopped::Stopped;
use super::form::{Form, Tone};
use super::line::Line;
use super::unrun::Unrun;
use crate::environment::Environment;
use crate::output::lines_missing;
use crate::visible::{brief, visible};
use crate::zones;

/// How much of a line that a run said is shown, in characters.
const SAID_CHARS_MAX: usize = 100;
/// How many of the last lines of a run that failed are shown.
const TRACE_LINES_MAX: usize = 5;
const NAME_CHARS: usize = 24;

/// How lines are written.
pub(super) struct Text {
    form: Form,
    zone: TimeZone,
    /// Starts that are worth telling if they take long: those that were told.
    attempts: HashMap<Execution, u32>,
    unrun: Unrun,
}

impl Text {
    pub(super) fn for_stdout(environment: &Environment) -> Text {
        Text {
            form: Form::of_stdout(environment),
            zone: zones::machine_zone(environment),
            attempts: HashMap::new(),
            unrun: Unrun::default(),
        }
    }

    /// The line with its end; `None` if it is not worth one, or not yet.
    pub(super) fn line(&mut self, now: Timestamp, line: &Line<'_>) -> Option<String> {
        if let Line::Event(event) = line
            && self.unrun.holds(event)
        {
            return None;
        }
        let (tone, text) = self.toned(line)?;
        Some(
            self.form
                .lines(&now.to_zoned(self.zone.clone()), tone, &text),
        )
    }

    /// Until when something is held back to be told in one line.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.unrun.until()
    }

    /// What was held back, as lines.
    pub(super) fn released(&mut self, now: Timestamp) -> Option<String> {
        let now = now.to_zoned(self.zone.clone());
        let held = self.unrun.take();
        let lines: String = held
            .into_iter()
            .map(|(task, index, what)| {
                let text = in_columns(task.as_str(), index, &what);
                self.form.lines(&now, Tone::Odd, &text)
            })
            .collect();
        (!lines.is_empty()).then_some(lines)
    }

    fn toned(&mut self, line: &Line<'_>) -> Option<(Tone, String)> {
        match line {
            Line::Began {
                instance,
                store,
                tasks,
                zones,
                rules,
                warnings,
            } => {
                let plural = if *tasks == 1 { "" } else { "s" };
                let mut text = format!("{tasks} task{plural}, store {store}, instance {instance}");
                if let Some(line) = zones::line(zones, rules) {
                    let _ = write!(text, "\n{line}");
                }
                for warning in *warnings {
                    let _ = write!(text, "\n{}", warning.trim_end());
                }
                Some((Tone::Strong, text))
            }
            Line::StoreAwaited { error, at_most } => Some((
                Tone::Bad,
                format!(
                    "the store cannot be reached, trying again for up to {}: {}",
                    span(*at_most),
                    visible(error)
                ),
            )),
            Line::NotWritten(lines) => Some((Tone::Bad, lines_missing(*lines))),
            Line::Dropped(count) => Some((
                Tone::Odd,
                format!("{count} events came too fast to be written"),
            )),
            Line::Reloaded(told) => Some(reloaded(told)),
            Line::LinesDiffer(differ) => Some(lines_differ(differ)),
            Line::Stopping => Some((Tone::Strong, "stopping: waiting for what runs".into())),
            Line::Ended(stopped) => Some(ended(stopped)),
            Line::Event(event) => self.of_event(event),
        }
    }

    fn of_event(&mut self, event: &Event) -> Option<(Tone, String)> {
        match event {
            Event::Granted {
                execution, attempt, ..
            } if attempt.get() > 1 => {
                self.attempts.insert(execution.clone(), attempt.get());
                None
            }
            // The others of the fleet have their own logs.
            Event::Denied {
                denial: Denial::Taken | Denial::TooEarly | Denial::Placement,
                ..
            }
            | Event::Granted { .. } => None,
            Event::Started {
                execution,
                lateness,
                ..
            } => {
                let attempt = self.attempts.remove(execution);
                let is_late = *lateness >= Duration::from_secs(1);
                let mut text = about(execution, "started");
                if let Some(attempt) = attempt {
                    let _ = write!(text, ", attempt {attempt}");
                }
                if is_late {
                    let _ = write!(text, ", {} late", span(*lateness));
                }
                Some((Tone::Quiet, text))
            }
            Event::Finished { .. } => finished(event),
            Event::Retried {
                execution,
                error,
                after,
                ..
            } => {
                let text = format!("failed: {}, again in {}", visible(error), span(*after));
                Some((Tone::Odd, about(execution, &text)))
            }
            Event::Denied { execution, denial } => {
                let why = match denial {
                    Denial::Paused => "skipped: paused",
                    _ => "not now: an earlier run still goes on",
                };
                Some((Tone::Odd, about(execution, why)))
            }
            Event::Released { execution } => Some((Tone::Quiet, about(execution, "given back"))),
            Event::LeaseLost { execution } => Some((
                Tone::Bad,
                about(execution, "lock lost: the run is cancelled"),
            )),
            Event::Lost { execution } => {
                Some((Tone::Bad, about(execution, "lost: its instance is gone")))
            }
            Event::SettlementDropped { execution, why } => {
                let text = format!("how it ended could not be recorded: {}", visible(why));
                Some((Tone::Bad, about(execution, &text)))
            }
            Event::SettlementRefused { execution, error } => {
                let text = format!(
                    "the store refuses to record how it ended: {}",
                    visible(error)
                );
                Some((Tone::Bad, about(execution, &text)))
            }
            other => of_fleet(other),
        }
    }
}

/// How a run ended, and the last that it said.
fn finished(event: &Event) -> Option<(Tone, String)> {
    let Event::Finished {
        execution,
        outcome,
        duration,
        error,
        output,
    } = event
    else {
        return None;
    };
    let tone = if *outcome == Outcome::Succeeded {
        Tone::Good
    } else {
        Tone::Bad
    };
    let what = match outcome {
        Outcome::Succeeded => "ok".to_owned(),
        outcome => outcome.as_str().replace('_', " "),
    };
    let mut text = about(execution, &format!("{what} in {}", span(*duration)));
    if let Some(error) = error {
        let _ = write!(text, ": {}", visible(error));
    }
    let said = output.as_deref().unwrap_or_default();
    let lines_max = if tone == Tone::Good {
        1
    } else {
        TRACE_LINES_MAX
    };
    match &*last_lines(said, lines_max) {
        [] => {}
        [line] => {
            let _ = write!(text, "  {line}");
        }
        lines => lines.iter().for_each(|line| {
            let _ = write!(text, "\n{line}");
        }),
    }
    Some((tone, text))
}

/// What is not about one execution.
fn of_fleet(event: &Event) -> Option<(Tone, String)> {
    Some(match event {
        Event::StoreLost { error, .. } => (Tone::Bad, format!("store lost: {}", visible(error))),
        Event::StoreRefuses { error, .. } => {
            (Tone::Bad, format!("store refuses: {}", visible(error)))
        }
        Event::StoreBack { after, .. } => {
            (Tone::Good, format!("store back after {}", span(*after)))
        }
        Event::StorePartLost { task, error, .. } => {
            let (task, error) = (visible(task.as_str()), visible(error));
            (
                Tone::Bad,
                format!("part of the store lost, {task} among it: {error}"),
            )
        }
        Event::StorePartBack { after, .. } => {
            let after = span(*after);
            (
                Tone::Good,
                format!("all parts of the store back after {after}"),
            )
        }
        Event::ClockLeapt { by, .. } => (
            Tone::Odd,
            format!("the store's clock was set by {by:#}, or this process stood still so long"),
        ),
        Event::IdAwaited { at_most, .. } => (
            Tone::Odd,
            format!(
                "another instance had this one's id: waiting up to {} to see whether it lives",
                span(*at_most)
            ),
        ),
        Event::IdTaken { since, .. } => (
            Tone::Bad,
            format!("another instance has this one's id since {since}: nothing more is started"),
        ),
        Event::ClockOffset { offset, .. } => (
            Tone::Odd,
            format!("the store's clock is {offset:#} from this machine's"),
        ),
        Event::NeverDue {
            task,
            schedule,
            advice,
            ..
        } => {
            let (task, schedule) = (visible(task.as_str()), visible(schedule));
            let text = match advice {
                Some(advice) => format!(
                    "{task}: never due any more: {schedule}: {}",
                    visible(advice)
                ),
                None => format!("{task}: never due any more: {schedule}"),
            };
            (Tone::Odd, text)
        }
        Event::ScheduleFailed { task, error, .. } => (
            Tone::Bad,
            format!(
                "{}: its schedule failed and has ended: {}",
                visible(task.as_str()),
                visible(error)
            ),
        ),
        Event::Stopped { part, error } => (
            Tone::Bad,
            format!(
                "the scheduler stops, since its {part} panicked: {}",
                visible(error)
            ),
        ),
        Event::DefinitionDiffers {
            task,
            by,
            theirs,
            ours,
        } => {
            let other_rules = zones::other_rules(theirs, ours);
            let [task, theirs, ours] = [task.as_str(), theirs, ours].map(visible);
            let by = visible(by.as_str());
            let text = match other_rules {
                Some(other) => format!(
                    "{task}: instance {by} goes by other time zone rules: {other}\n  \
                     its ticks can differ there: give all replicas the same rules, or start all with --tz-data bundled"
                ),
                None => format!(
                    "{task}: instance {by} defines it otherwise\n  there: {theirs}\n  here:  {ours}"
                ),
            };
            (Tone::Odd, text)
        }
        _ => return None,
    })
}

fn lines_differ(differ: &LinesDiffer) -> (Tone, String) {
    let LinesDiffer {
        crontab,
        by,
        theirs,
        ours,
    } = differ;
    let [crontab, by, theirs, ours] = [crontab, by, theirs, ours].map(|text| visible(text));
    let text = format!(
        "the crontab {crontab}: instance {by} runs other lines of it\n  there: {theirs}\n  here:  {ours}\n  \
         lines that are not alike to the letter are tasks of their own, and each runs: make the files \
         alike, or name the lines by a comment above them: # sexton: name = \"..\""
    );
    (Tone::Odd, text)
}

/// The execution, in a column, and what happened to it.
fn about(execution: &Execution, what: &str) -> String {
    in_columns(execution.task.as_str(), execution.index, what)
}

fn in_columns(task: &str, index: ConcurrencyIndex, what: &str) -> String {
    let name = format!("{} #{index}", visible(task));
    format!("{name:<NAME_CHARS$} {what}")
}

fn reloaded(told: &Reloaded) -> (Tone, String) {
    let mut text = "file read again".to_owned();
    let changes = [
        ("added", &told.added),
        ("replaced", &told.replaced),
        ("removed", &told.removed),
    ];
    for (what, names) in changes {
        if !names.is_empty() {
            let names: Vec<_> = names.iter().map(|name| visible(name)).collect();
            let _ = write!(text, ", {what} {}", names.join(", "));
        }
    }
    if changes.iter().all(|(_, names)| names.is_empty()) && told.errors.is_empty() {
        text.push_str(", nothing changed");
    }
    if !told.errors.is_empty() {
        let rest = if changes.iter().all(|(_, names)| names.is_empty()) {
            ", with errors; the tasks go on as they were:"
        } else {
            ", with errors; the other tasks go on as they were:"
        };
        text.push_str(rest);
    }
    for message in told.errors.iter().chain(&told.warnings) {
        let _ = write!(text, "\n{}", message.trim_end());
    }
    let tone = if told.errors.is_empty() {
        Tone::Strong
    } else {
        Tone::Bad
    };
    (tone, text)
}

fn ended(stopped: &Stopped) -> (Tone, String) {
    const UNKNOWN: &str = "the store may not know how the last runs ended";
    let report = match stopped {
        Stopped::InOrder(report) => report,
        Stopped::AtOnce => {
            let text = format!("stopped at once, as a second signal asked: {UNKNOWN}");
            return (Tone::Bad, text);
        }
        Stopped::GraceOver => {
            let text = format!("stopped as the grace was over: {UNKNOWN}");
            return (Tone::Bad, text);
        }
    };
    let mut text = "stopped".to_owned();
    if !report.cut_off.is_empty() {
        let names: Vec<String> = report
            .cut_off
            .iter()
            .map(|execution| visible(&execution.to_string()).into_owned())
            .collect();
        let _ = write!(text, ", cut off: {}", names.join(", "));
    }
    if !report.all_settled {
        text.push_str(", the store could not be told how everything ended");
    }
    let is_clean = report.cut_off.is_empty() && report.all_settled;
    (if is_clean { Tone::Strong } else { Tone::Bad }, text)
}

/// A duration, to three figures or so.
fn span(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds => crate::duration::display(Duration::from_secs(seconds.round() as u64)),
    }
}

/// The last lines that say anything, made harmless.
fn last_lines(output: &str, lines_max: usize) -> Vec<String> {
    let lines = output.lines().map(str::trim_end).rev();
    let mut lines: Vec<String> = lines
        .filter(|line| !line.is_empty())
        .take(lines_max)
        .map(|line| brief(&visible(line), SAID_CHARS_MAX).into_owned())
        .collect();
    lines.reverse();
    lines
}

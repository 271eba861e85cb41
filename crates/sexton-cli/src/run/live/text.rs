//! Events as lines for people.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sexton::lock::{Denial, Execution, Outcome};
use sexton::{Event, ShutdownReport};

use super::super::reload::Reloaded;
use super::Line;
use crate::visible::visible;

/// How much of what a run said is shown, in characters: its last line.
const SAID_CHARS_MAX: usize = 100;
const NAME_CHARS: usize = 24;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const ODD: Style = AnsiColor::Yellow.on_default();
const QUIET: Style = Style::new().dimmed();

/// How lines are written.
pub(super) struct Text {
    has_colours: bool,
    zone: TimeZone,
    /// Starts that are worth telling if they take long: those that were told.
    attempts: HashMap<Execution, u32>,
}

impl Text {
    /// With colours on a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    pub(super) fn for_stdout() -> Text {
        let is_plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let has_colours = std::io::stdout().is_terminal() && !is_plain;
        Text {
            has_colours,
            zone: TimeZone::system(),
            attempts: HashMap::new(),
        }
    }

    /// The line with its end; `None` if it is not worth one.
    pub(super) fn line(&mut self, now: Timestamp, line: &Line<'_>) -> Option<String> {
        let (style, text) = self.styled(line)?;
        let time = now
            .to_zoned(self.zone.clone())
            .strftime("%H:%M:%S%.3f")
            .to_string();
        let mut lines = String::new();
        for (number, part) in text.lines().enumerate() {
            let time = if number == 0 { &*time } else { "            " };
            let _ = writeln!(
                lines,
                "{} {}",
                self.paint(QUIET, time),
                self.paint(style, part)
            );
        }
        Some(lines)
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.has_colours && style != Style::new() {
            format!("{style}{text}{style:#}")
        } else {
            text.to_owned()
        }
    }

    fn styled(&mut self, line: &Line<'_>) -> Option<(Style, String)> {
        match line {
            Line::Began {
                instance,
                store,
                tasks,
                warnings,
            } => {
                let plural = if *tasks == 1 { "" } else { "s" };
                let mut text = format!("{tasks} task{plural}, store {store}, instance {instance}");
                for warning in *warnings {
                    let _ = write!(text, "\n{}", warning.trim_end());
                }
                Some((Style::new().bold(), text))
            }
            Line::Dropped(count) => {
                Some((ODD, format!("{count} events came too fast to be written")))
            }
            Line::Reloaded(told) => Some(reloaded(told)),
            Line::Stopping => Some((
                Style::new().bold(),
                "stopping: waiting for what runs".into(),
            )),
            Line::Ended(None) => Some((BAD, "stopped at once".into())),
            Line::Ended(Some(report)) => Some(ended(report)),
            Line::Event(event) => self.of_event(event),
        }
    }

    fn of_event(&mut self, event: &Event) -> Option<(Style, String)> {
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
                Some((QUIET, text))
            }
            Event::Finished {
                execution,
                outcome,
                duration,
                error,
                output,
            } => {
                let style = if *outcome == Outcome::Succeeded {
                    GOOD
                } else {
                    BAD
                };
                let what = match outcome {
                    Outcome::Succeeded => "ok".to_owned(),
                    outcome => outcome.as_str().replace('_', " "),
                };
                let mut text = about(execution, &format!("{what} in {}", span(*duration)));
                if let Some(error) = error {
                    let _ = write!(text, ": {}", visible(error));
                }
                if let Some(said) = output.as_deref().and_then(last_line) {
                    let _ = write!(text, "  {said}");
                }
                Some((style, text))
            }
            Event::Retried {
                execution,
                error,
                after,
                ..
            } => {
                let text = format!("failed: {}, again in {}", visible(error), span(*after));
                Some((ODD, about(execution, &text)))
            }
            Event::Denied { execution, denial } => {
                let why = match denial {
                    Denial::Paused => "skipped: paused",
                    _ => "not now: an earlier run still goes on",
                };
                Some((ODD, about(execution, why)))
            }
            Event::Unrun { execution, reason } => {
                let why = format!("not run: {}", reason.as_str().replace('_', " "));
                Some((
                    ODD,
                    format!("{} (due {})", about(execution, &why), execution.tick),
                ))
            }
            Event::Released { execution } => Some((QUIET, about(execution, "given back"))),
            Event::LeaseLost { execution } => {
                Some((BAD, about(execution, "lock lost: the run is cancelled")))
            }
            Event::Lost { execution } => {
                Some((BAD, about(execution, "lost: its instance is gone")))
            }
            Event::SettlementDropped { execution, why } => {
                let text = format!("how it ended could not be recorded: {}", visible(why));
                Some((BAD, about(execution, &text)))
            }
            Event::SettlementRefused { execution, error } => {
                let text = format!(
                    "the store refuses to record how it ended: {}",
                    visible(error)
                );
                Some((BAD, about(execution, &text)))
            }
            other => of_fleet(other),
        }
    }
}

/// What is not about one execution.
fn of_fleet(event: &Event) -> Option<(Style, String)> {
    Some(match event {
        Event::TicksPassed {
            task,
            index,
            after,
            until,
            ticks,
            reason,
        } => (
            ODD,
            format!(
                "{} #{index}: {ticks} more ticks were not run ({reason}), after {after} up to {until}",
                visible(task.as_str())
            ),
        ),
        Event::StoreLost { error, .. } => (BAD, format!("store lost: {}", visible(error))),
        Event::StoreRefuses { error, .. } => (BAD, format!("store refuses: {}", visible(error))),
        Event::StoreBack { after, .. } => (GOOD, format!("store back after {}", span(*after))),
        Event::StorePartLost { task, error, .. } => {
            let (task, error) = (visible(task.as_str()), visible(error));
            (
                BAD,
                format!("part of the store lost, {task} among it: {error}"),
            )
        }
        Event::StorePartBack { after, .. } => {
            let after = span(*after);
            (GOOD, format!("all parts of the store back after {after}"))
        }
        Event::ClockLeapt { by, .. } => (
            ODD,
            format!("the store's clock was set by {by:#}, or this process stood still so long"),
        ),
        Event::IdAwaited { at_most, .. } => (
            ODD,
            format!(
                "another instance had this one's id: waiting up to {} to see whether it lives",
                span(*at_most)
            ),
        ),
        Event::IdTaken { since, .. } => (
            BAD,
            format!("another instance has this one's id since {since}: nothing more is started"),
        ),
        Event::ClockOffset { offset, .. } => (
            ODD,
            format!("the store's clock is {offset:#} from this machine's"),
        ),
        Event::NeverDue { task, schedule, .. } => (
            ODD,
            format!(
                "{}: never due any more: {}",
                visible(task.as_str()),
                visible(schedule)
            ),
        ),
        Event::ScheduleFailed { task, error, .. } => (
            BAD,
            format!(
                "{}: its schedule failed and has ended: {}",
                visible(task.as_str()),
                visible(error)
            ),
        ),
        Event::Stopped { part, error } => (
            BAD,
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
            let task = visible(task.as_str()).into_owned();
            (
                ODD,
                format!(
                    "{task}: instance {by} defines it otherwise\n  there: {theirs}\n  here:  {ours}"
                ),
            )
        }
        _ => return None,
    })
}

/// The execution, in a column, and what happened to it.
fn about(execution: &Execution, what: &str) -> String {
    let Execution { task, index, .. } = execution;
    let name = format!("{} #{index}", visible(task.as_str()));
    format!("{name:<NAME_CHARS$} {what}")
}

fn reloaded(told: &Reloaded) -> (Style, String) {
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
    if told.errors.is_empty() {
        return (Style::new().bold(), text);
    }
    text.push_str(", with errors; the tasks go on as they were:");
    for error in &told.errors {
        let _ = write!(text, "\n{}", error.trim_end());
    }
    (BAD, text)
}

fn ended(report: &ShutdownReport) -> (Style, String) {
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
    (if is_clean { Style::new().bold() } else { BAD }, text)
}

/// A duration, to three figures or so.
fn span(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds => crate::duration::display(Duration::from_secs(seconds.round() as u64)),
    }
}

/// The last line that says anything, made harmless.
fn last_line(output: &str) -> Option<String> {
    let line = output
        .lines()
        .map(str::trim)
        .rfind(|line| !line.is_empty())?;
    let line = visible(line);
    Some(match line.char_indices().nth(SAID_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.into_owned(),
    })
}

//! Events as lines on standard output: for people, or a JSON object each.

mod form;
mod json;
mod line;
mod text;
mod unrun;

use std::sync::Arc;
use std::time::Duration;

use sexton::clock::{Clock, SystemClock};
use sexton::schedule::zone::Database;
use sexton::{Event, Scheduler};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::lines::LinesDiffer;
use super::reload::Reloaded;
use super::stopped::Stopped;
use crate::args::LogFormat;
use crate::environment::Environment;
use crate::output::Output;
use crate::tasks::TaskFile;
use crate::zones;
pub(crate) use form::allows_colours;
use line::Line;
use text::Text;

/// How long the program waits at its end for what is still to be written.
pub(crate) const FINISH_MAX: Duration = Duration::from_secs(1);

/// Follows a scheduler's events.
pub(super) struct Live {
    format: Format,
    events: Option<Receiver<Arc<Event>>>,
    out: Output,
}

enum Format {
    Text(Box<Text>),
    Json,
}

/// What came of waiting for an event.
pub(super) enum Next {
    Event(Arc<Event>),
    Dropped(u64),
    /// What was held back to be told in one line has waited long enough.
    HeldBack,
}

impl Live {
    pub(super) fn new(format: LogFormat, environment: &Environment, out: Output) -> Live {
        let format = match format {
            LogFormat::Text => Format::Text(Box::new(Text::for_stdout(environment))),
            LogFormat::Json => Format::Json,
        };
        Live {
            format,
            events: None,
            out,
        }
    }

    /// Tells these events from now on.
    pub(super) fn follow(&mut self, events: Receiver<Arc<Event>>) {
        self.events = Some(events);
    }

    /// The next event; cancel safe.
    pub(super) async fn next(&mut self) -> Next {
        let held_until = match &self.format {
            Format::Text(text) => text.held_until(),
            Format::Json => None,
        };
        let held = async {
            match held_until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        let received = async {
            match &mut self.events {
                Some(events) => match events.recv().await {
                    Ok(event) => Next::Event(event),
                    Err(RecvError::Lagged(count)) => Next::Dropped(count),
                    Err(RecvError::Closed) => std::future::pending().await,
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = held => Next::HeldBack,
            next = received => next,
        }
    }

    pub(super) fn store_awaited(&mut self, error: &str, at_most: Duration) {
        self.write(&Line::StoreAwaited { error, at_most });
    }

    pub(super) fn began(
        &mut self,
        scheduler: &Scheduler,
        store: &str,
        file: &TaskFile,
        zones: &Database,
    ) {
        let instance = scheduler.instance().to_string();
        self.write(&Line::Began {
            instance: &instance,
            store,
            tasks: file.tasks.len(),
            zones,
            rules: &zones::of_file(file),
            warnings: &file.warnings,
        });
    }

    pub(super) fn event(&mut self, next: Next) {
        match next {
            Next::Event(event) => self.write(&Line::Event(&event)),
            Next::Dropped(count) => self.write(&Line::Dropped(count)),
            Next::HeldBack => self.release(),
        }
    }

    pub(super) fn reloaded(&mut self, reloaded: &Reloaded) {
        self.write(&Line::Reloaded(reloaded));
    }

    pub(super) fn lines_differ(&mut self, differ: &LinesDiffer) {
        self.write(&Line::LinesDiffer(differ));
    }

    pub(super) fn stopping(&mut self) {
        self.write(&Line::Stopping);
    }

    /// Writes the events that have come, and how it ended.
    pub(super) fn ended(&mut self, stopped: &Stopped) {
        self.drain();
        self.release();
        self.write(&Line::Ended(stopped));
        self.out.finish(FINISH_MAX);
    }

    fn drain(&mut self) {
        while let Some(events) = &mut self.events {
            match events.try_recv() {
                Ok(event) => self.write(&Line::Event(&event)),
                Err(TryRecvError::Lagged(count)) => self.write(&Line::Dropped(count)),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    /// Writes what was held back to be told in one line.
    fn release(&mut self) {
        if let Format::Text(text) = &mut self.format {
            let lines = text.released(SystemClock.now());
            self.hand_over(lines);
        }
    }

    fn write(&mut self, line: &Line<'_>) {
        let now = SystemClock.now();
        let text = match &mut self.format {
            Format::Text(text) => text.line(now, line),
            Format::Json => Some(json::line(now, line)),
        };
        self.hand_over(text);
    }

    fn hand_over(&mut self, text: Option<String>) {
        let Some(text) = text else { return };
        let Live { out, format, .. } = self;
        out.line(text.into_bytes(), |lines| {
            let (now, line) = (SystemClock.now(), Line::NotWritten(lines));
            let text = match format {
                Format::Text(text) => text.line(now, &line).unwrap_or_default(),
                Format::Json => json::line(now, &line),
            };
            text.into_bytes()
        });
    }
}

//! Events as lines on standard output: for people, or a JSON object each.

mod json;
mod text;

use std::io::{self, Write};
use std::sync::Arc;

use sexton::clock::{Clock, SystemClock};
use sexton::{Event, Scheduler, ShutdownReport};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::reload::Reloaded;
use crate::args::LogFormat;
use crate::tasks::TaskFile;
use text::Text;

/// Something to write down.
pub(super) enum Line<'l> {
    Began {
        instance: &'l str,
        store: &'l str,
        tasks: usize,
        warnings: &'l [String],
    },
    Event(&'l Event),
    /// So many events came faster than they could be written.
    Dropped(u64),
    Reloaded(&'l Reloaded),
    Stopping,
    Ended(Option<&'l ShutdownReport>),
}

/// Follows a scheduler's events.
pub(super) struct Live {
    format: Format,
    events: Receiver<Arc<Event>>,
}

enum Format {
    Text(Text),
    Json,
}

/// What came of waiting for an event.
pub(super) enum Next {
    Event(Arc<Event>),
    Dropped(u64),
}

impl Live {
    pub(super) fn new(format: LogFormat, scheduler: &Scheduler) -> Live {
        let format = match format {
            LogFormat::Text => Format::Text(Text::for_stdout()),
            LogFormat::Json => Format::Json,
        };
        Live {
            format,
            events: scheduler.events(),
        }
    }

    /// The next event; cancel safe.
    pub(super) async fn next(&mut self) -> Next {
        match self.events.recv().await {
            Ok(event) => Next::Event(event),
            Err(RecvError::Lagged(count)) => Next::Dropped(count),
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }

    pub(super) fn began(
        &mut self,
        scheduler: &Scheduler,
        store: &str,
        file: &TaskFile,
    ) -> io::Result<()> {
        let instance = scheduler.instance().to_string();
        self.write(&Line::Began {
            instance: &instance,
            store,
            tasks: file.tasks.len(),
            warnings: &file.warnings,
        })
    }

    pub(super) fn event(&mut self, next: Next) -> io::Result<()> {
        match next {
            Next::Event(event) => self.write(&Line::Event(&event)),
            Next::Dropped(count) => self.write(&Line::Dropped(count)),
        }
    }

    pub(super) fn reloaded(&mut self, reloaded: &Reloaded) -> io::Result<()> {
        self.write(&Line::Reloaded(reloaded))
    }

    pub(super) fn stopping(&mut self) -> io::Result<()> {
        self.write(&Line::Stopping)
    }

    pub(super) fn ended(&mut self, report: Option<&ShutdownReport>) -> io::Result<()> {
        self.write(&Line::Ended(report))
    }

    /// Writes the events that have come and were not written yet.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.write(&Line::Event(&event))?,
                Err(TryRecvError::Lagged(count)) => self.write(&Line::Dropped(count))?,
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(()),
            }
        }
    }

    fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        let now = SystemClock.now();
        let text = match &mut self.format {
            Format::Text(text) => text.line(now, line),
            Format::Json => Some(json::line(now, line)),
        };
        let Some(text) = text else { return Ok(()) };
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Tasks are to be run whether or not somebody still reads about it.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written,
        }
    }
}

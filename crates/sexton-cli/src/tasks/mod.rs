//! What the program is asked to run, whichever kind of file asked for it.
//!
//! A [`TaskSpec`] is a task of a TOML file or a line of a crontab, checked in every respect: what
//! is left to go wrong is the run itself.

mod digest;
mod http;
mod limits;
mod policies;
mod work;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{Bounded, Schedule, ScheduleError, first_after};
use sexton_core::tick::{Concurrency, Tick};

pub use http::{
    ANSWER_BYTES_DEFAULT, Accept, AnswerTooLong, Connection, HTTP_TIMEOUT_DEFAULT, HttpSpec, Proxy,
    Statuses,
};
pub use limits::Limits;
pub use policies::{BACKOFF_MAX, Labels, POLICY_DURATION_MAX, Policies, TIMEOUT_MIN};
pub use work::{CommandSpec, Inherit, MissingCwd, Program, RunAs, Work};

use crate::masks::Masks;
use crate::secret::Secret;

/// The most tasks of one file.
pub const TASKS_MAX: usize = 100_000;

/// One task, ready to be scheduled.
#[derive(Debug, Clone)]
pub struct TaskSpec {
    /// Its name.
    pub name: TaskName,
    /// When it is due, policies of start, end and jitter left out.
    pub schedule: Arc<dyn Schedule>,
    /// The schedule as the file writes it: `cron = "0 9 * * *"`.
    pub schedule_written: String,
    /// The time zone that its schedule is read in.
    pub timezone: Zone,
    /// How many executions a tick has.
    pub concurrency: Concurrency,
    /// What it does.
    pub work: Work,
    /// The user's choices for what is not plain.
    pub policies: Policies,
    /// The line of the file that it begins in.
    pub line: usize,
}

impl TaskSpec {
    /// The task's first tick after `now`, between its start and its end.
    ///
    /// # Errors
    /// [`ScheduleError::Ended`] if it has none: its time has passed, or its years or its end are over.
    pub fn first_tick_after(&self, now: Tick) -> Result<Tick, ScheduleError> {
        let Policies { start, end, .. } = self.policies;
        if start.is_none() && end.is_none() {
            return first_after(&*self.schedule, now);
        }
        let instant = |tick: Option<Tick>| tick.map(|tick| tick.timestamp());
        let schedule = Arc::clone(&self.schedule);
        let bounded = Bounded::new(schedule, instant(start), instant(end))?;
        first_after(&bounded, now)
    }

    /// Whether the two are defined alike. Where in a file they stand does not matter.
    #[must_use]
    pub fn is_same(&self, other: &TaskSpec) -> bool {
        self.name == other.name
            && self.schedule_written == other.schedule_written
            && self.schedule.describe() == other.schedule.describe()
            && self.timezone == other.timezone
            && self.schedule.zones() == other.schedule.zones()
            && self.concurrency == other.concurrency
            && self.work == other.work
            && self.policies == other.policies
    }
}

/// A time zone, and who chose it.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// The zone.
    pub zone: TimeZone,
    /// Who chose it.
    pub chosen: ZoneChosen,
}

impl Zone {
    /// UTC, because nobody said otherwise.
    #[must_use]
    pub fn utc() -> Zone {
        Zone {
            zone: TimeZone::UTC,
            chosen: ZoneChosen::ByDefault,
        }
    }
}

/// Who chose a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneChosen {
    /// The file says so.
    ByFile,
    /// Nobody: it is UTC.
    ByDefault,
    /// Nobody, and the file is a crontab: it is the machine's.
    ByMachine,
}

/// Limits of groups of tasks, by the group's name.
pub type Groups = BTreeMap<String, u32>;

/// The highest limit of runs at once.
pub const RUNNING_MAX: u32 = 1_000_000;

/// Everything that one file asks for.
#[derive(Debug, Clone)]
pub struct TaskFile {
    /// The tasks, in the order of the file.
    pub tasks: Vec<TaskSpec>,
    /// Where the replicas agree.
    pub store: StoreSpec,
    /// How many runs of all tasks of a group an instance may have at once, by group.
    pub groups: Groups,
    /// The folder that the file lies in: relative paths begin here.
    pub folder: PathBuf,
    /// What is masked in what any of its tasks says: one task may inherit what another one names.
    pub masks: Masks,
    /// What the file does not quite mean, ready to be printed.
    pub warnings: Vec<String>,
    /// Which crontabs the tasks are lines of; none of a task file.
    pub crontabs: Vec<CrontabLines>,
}

/// The tasks of the crontabs of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrontabLines {
    /// The name, as it stands in the names of tasks: `crontab` for `/etc/crontab`.
    pub file: String,
    /// The tasks, in the order of the lines.
    pub tasks: Vec<TaskName>,
}

/// Where the replicas agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSpec {
    /// The store's URL, if the file names one. It may hold a password.
    pub url: Option<Secret>,
    /// Keeps one service's tasks apart from another's in the same store.
    pub namespace: Option<Namespace>,
}

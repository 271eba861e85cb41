//! A task: its name, its schedule, its handler, and what it asks for.

mod given_name;
mod problem;
mod ready;
mod schedule;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sexton_core::schedule::{ClockChanges, Cron, Every, Kron, Once, Schedule, ScheduleError, zone};

use self::given_name::GivenName;
pub use self::problem::{TaskError, TaskProblem};
pub(crate) use self::ready::CheckedTask;
pub use self::ready::ReadyTask;
use self::settings::Settings;

use crate::clock::FOR_EVER;
use crate::handler::{Erased, Handler};
use crate::policy::{Delivery, Missed, Overlap, Placement, Retry};

/// A task on its way to a scheduler.
///
/// Begin with [`Task::new`], give it a schedule, and end with [`Task::run`]:
///
/// ```
/// use std::time::Duration;
/// use sexton::{Run, Task};
///
/// async fn send_digest(run: Run) {
///     println!("digest of {}", run.tick());
/// }
///
/// let task = Task::new("digest")
///     .cron("0 */15 * * * *")?
///     .in_tz("Europe/Paris")?
///     .concurrency(2)
///     .timeout(Duration::from_secs(60))
///     .run(send_digest);
/// # let _ = task;
/// # Ok::<(), sexton::TaskError>(())
/// ```
#[derive(Debug)]
pub struct Task<S = ()> {
    name: GivenName,
    schedule: S,
    settings: Settings,
}

impl Task {
    /// A task of this name, which must be unique in its namespace: 1..=200 bytes, no control
    /// characters. It is checked when the scheduler is built.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Task {
        Task {
            name: GivenName::new(name.into()),
            schedule: (),
            settings: Settings::default(),
        }
    }

    /// Due by a cron expression of five, six (seconds first) or seven (with year) fields; see
    /// [`Cron`]. One with `H` is read by [`Cron::parse_spread`], for [`Task::schedule`].
    ///
    /// # Errors
    /// [`TaskError`] if it cannot be read or is never due.
    pub fn cron(self, expression: &str) -> Result<Task<Cron>, TaskError> {
        let cron = Cron::parse(expression);
        self.scheduled_if(cron)
    }

    /// Due by a krontab string; see [`Kron`].
    ///
    /// # Errors
    /// [`TaskError`] if it cannot be read or is never due.
    pub fn kron(self, expression: &str) -> Result<Task<Kron>, TaskError> {
        let kron = Kron::parse(expression);
        self.scheduled_if(kron)
    }

    /// Due every `period`, counted from the Unix epoch, so that all replicas agree without talking.
    ///
    /// # Errors
    /// [`TaskError`] if the period is not a whole number of milliseconds, or out of [`Every`]'s range.
    pub fn every(self, period: Duration) -> Result<Task<Every>, TaskError> {
        let every = Every::new(period);
        self.scheduled_if(every)
    }

    /// Due once.
    #[must_use]
    pub fn once(self, at: Timestamp) -> Task<Once> {
        self.schedule(Once::at(at))
    }

    /// Due by any schedule, of yours or of [`sexton_core::schedule`].
    #[must_use]
    pub fn schedule<S: Schedule>(self, schedule: S) -> Task<S> {
        Task {
            name: self.name,
            schedule,
            settings: self.settings,
        }
    }

    fn scheduled_if<S: Schedule>(
        self,
        schedule: Result<S, ScheduleError>,
    ) -> Result<Task<S>, TaskError> {
        match schedule {
            Ok(schedule) => Ok(self.schedule(schedule)),
            Err(error) => Err(TaskError {
                task: self.name.into_text(),
                problem: error.into(),
            }),
        }
    }
}

impl Task<Cron> {
    /// What becomes of times that the zone's clocks skip, or show twice; see [`ClockChanges`].
    ///
    /// ```
    /// use sexton::Task;
    /// use sexton::schedule::{ClockChanges, Fold, Gap};
    ///
    /// let not_by_day = ClockChanges { gap: Gap::Skip, fold: Fold::First };
    /// let task = Task::new("reindex").cron("30 2 * * *")?.in_tz("Europe/Paris")?.on_clock_changes(not_by_day)?;
    /// # let _ = task;
    /// # Ok::<(), sexton::TaskError>(())
    /// ```
    ///
    /// # Errors
    /// [`TaskError`] if nothing is left of the schedule.
    pub fn on_clock_changes(self, changes: ClockChanges) -> Result<Task<Cron>, TaskError> {
        let Task {
            name,
            schedule,
            settings,
        } = self;
        Task {
            name,
            schedule: (),
            settings,
        }
        .scheduled_if(schedule.on_clock_changes(changes))
    }

    /// The IANA time zone the expression is read in, by the [newest](zone::Database::newest) rules;
    /// UTC by default.
    ///
    /// # Errors
    /// [`TaskError`] if there is no such zone, or the expression is never due in it.
    pub fn in_tz(self, name: &str) -> Result<Task<Cron>, TaskError> {
        let Task {
            name: task,
            schedule,
            settings,
        } = self;
        let cron = zone::parse(name).and_then(|zone| schedule.in_tz(zone));
        Task {
            name: task,
            schedule: (),
            settings,
        }
        .scheduled_if(cron)
    }
}

impl Task<Kron> {
    /// What becomes of times that the zone's clocks skip, or show twice; see [`ClockChanges`].
    ///
    /// # Errors
    /// [`TaskError`] if nothing is left of the schedule.
    pub fn on_clock_changes(self, changes: ClockChanges) -> Result<Task<Kron>, TaskError> {
        let Task {
            name,
            schedule,
            settings,
        } = self;
        Task {
            name,
            schedule: (),
            settings,
        }
        .scheduled_if(schedule.on_clock_changes(changes))
    }

    /// The IANA time zone the string is read in, by the [newest](zone::Database::newest) rules, if
    /// it names no offset itself; UTC by default.
    ///
    /// # Errors
    /// [`TaskError`] if there is no such zone, or the string has an offset.
    pub fn in_tz(self, name: &str) -> Result<Task<Kron>, TaskError> {
        let Task {
            name: task,
            schedule,
            settings,
        } = self;
        let kron = zone::parse(name).and_then(|zone| schedule.in_tz(zone));
        Task {
            name: task,
            schedule: (),
            settings,
        }
        .scheduled_if(kron)
    }
}

impl<S> Task<S> {
    /// How many executions each tick has: 1..=1000, 1 unless said.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u64) -> Task<S> {
        self.settings.concurrency = Some(concurrency);
        self
    }

    /// The name of the lock manager it uses; the scheduler's default unless said.
    #[must_use]
    pub fn manager(mut self, name: impl Into<String>) -> Task<S> {
        self.settings.manager = Some(name.into());
        self
    }

    /// How often an execution may be granted; at most once unless said.
    #[must_use]
    pub fn delivery(mut self, delivery: Delivery) -> Task<S> {
        self.settings.policies.delivery = delivery;
        self
    }

    /// Granted again when its holder is lost or the database was in its way, at most `attempts_max`
    /// times in all (0 counts as 1).
    #[must_use]
    pub fn at_least_once(self, attempts_max: u32) -> Task<S> {
        let attempts_max = std::num::NonZeroU32::MIN.saturating_add(attempts_max.saturating_sub(1));
        self.delivery(Delivery::AtLeastOnce { attempts_max })
    }

    /// Granted again when its holder is lost, at most `attempts_max` times in all (0 counts as 1),
    /// until the handler's transaction commits: what it wrote there and the outcome are there
    /// together, once. The handler takes a `Tx`, and the lock manager keeps its locks in the same
    /// database: PostgreSQL, MySQL, MariaDB, or SQLite with an application's own pool.
    #[must_use]
    pub fn transactional(self, attempts_max: u32) -> Task<S> {
        let attempts_max = std::num::NonZeroU32::MIN.saturating_add(attempts_max.saturating_sub(1));
        self.delivery(Delivery::Transactional { attempts_max })
    }

    /// How long a grant stays valid unless renewed, 100 ms to 24 h; 30 s unless said. It is renewed
    /// every third of it.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Task<S> {
        self.settings.lease = Some(lease);
        self
    }

    /// What happens when a tick comes due while an earlier execution runs; both run unless said.
    #[must_use]
    pub fn overlap(mut self, overlap: Overlap) -> Task<S> {
        self.settings.policies.overlap = overlap;
        self
    }

    /// What happens to missed ticks; they are skipped unless said.
    #[must_use]
    pub fn missed(mut self, missed: Missed) -> Task<S> {
        self.settings.policies.missed = missed;
        self
    }

    /// Which instances may take which of a tick's executions; whoever is first unless said.
    #[must_use]
    pub fn placement(mut self, placement: Placement) -> Task<S> {
        self.settings.policies.placement = placement;
        self
    }

    /// Only run by instances that have this label. May be said more than once: all must match.
    #[must_use]
    pub fn only_on(mut self, label: impl Into<String>) -> Task<S> {
        self.settings.policies.labels.push(label.into().into());
        self
    }

    /// At most so many runs of this task at once on one instance.
    #[must_use]
    pub fn running_max(mut self, runs: usize) -> Task<S> {
        self.settings.policies.running_max = Some(runs);
        self
    }

    /// The group whose limit of runs at once it shares; see
    /// [`SchedulerBuilder::group_running_max`](crate::SchedulerBuilder::group_running_max).
    #[must_use]
    pub fn group(mut self, name: impl Into<String>) -> Task<S> {
        self.settings.policies.group = Some(name.into().into());
        self
    }

    /// A text that identifies this task's work, such as a digest of its command: 1..=100 bytes.
    ///
    /// A replica whose task of the same name has another text emits
    /// [`Event::DefinitionDiffers`](crate::Event::DefinitionDiffers), and runs its task all the
    /// same. The store keeps the text, for people to read.
    #[must_use]
    pub fn work(mut self, text: impl Into<String>) -> Task<S> {
        self.settings.policies.work = Some(text.into().into());
        self
    }

    /// Tries a failed run again; never unless said.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Task<S> {
        self.settings.policies.retry = Some(Box::new(retry));
        self
    }

    /// After so long a run is cancelled and counted as timed out; never unless said, nor with
    /// [`Duration::MAX`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Task<S> {
        self.settings.policies.timeout = Some(timeout.min(FOR_EVER));
        self
    }

    /// Delays each tick's start by up to so much, by a hash of namespace, task and tick that is the
    /// same on every replica.
    #[must_use]
    pub fn jitter(mut self, longest: Duration) -> Task<S> {
        self.settings.jitter = Some(longest);
        self
    }

    /// Of tasks due together when not all can run at once, those with the higher priority run
    /// first; 0 unless said.
    #[must_use]
    pub fn priority(mut self, priority: i8) -> Task<S> {
        self.settings.policies.priority = priority;
        self
    }

    /// No tick before this instant.
    #[must_use]
    pub fn starting(mut self, start: Timestamp) -> Task<S> {
        self.settings.start = Some(start);
        self
    }

    /// No tick at or after this instant.
    #[must_use]
    pub fn ending(mut self, end: Timestamp) -> Task<S> {
        self.settings.end = Some(end);
        self
    }
}

impl<S: Schedule> Task<S> {
    /// What it does. See [`Handler`] for what can be given here.
    #[must_use]
    pub fn run<Arguments: 'static>(self, handler: impl Handler<Arguments>) -> ReadyTask {
        let schedule = Arc::new(self.schedule);
        ReadyTask::new(
            self.name,
            schedule,
            self.settings,
            Arc::new(Erased::new(handler)),
        )
    }
}

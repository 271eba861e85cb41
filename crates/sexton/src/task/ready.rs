//! A task that has all it needs, and one that was checked.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::TaskDefinition;
use sexton_core::name::{ManagerName, TaskName};
use sexton_core::schedule::zone::ZoneRules;
use sexton_core::schedule::{Bounded, Jitter, Schedule};
use sexton_core::tick::{Concurrency, Tick};

use super::given_name::GivenName;
use super::problem::{TaskError, TaskProblem};
use super::schedule::TaskSchedule;
use super::settings::{Policies, Settings};
use crate::contained::{contained, drop_contained};
use crate::event::{Event, EventBus};
use crate::handler::{AnyHandler, BoxError, Completion, Erased};
use crate::layer::{HandlerService, Layered};
use crate::policy::Lease;
use crate::run::Run;

/// The longest text that tells work apart.
const WORK_BYTES_MAX: usize = 100;

/// A task that has all it needs, for [`SchedulerBuilder::task`](crate::SchedulerBuilder::task).
#[derive(Debug)]
pub struct ReadyTask {
    name: GivenName,
    schedule: Arc<dyn Schedule>,
    settings: Settings,
    handler: Arc<dyn AnyHandler>,
}

/// A task that was checked.
#[derive(Debug)]
pub(crate) struct CheckedTask {
    pub(crate) name: TaskName,
    pub(crate) schedule: TaskSchedule,
    pub(crate) concurrency: Concurrency,
    pub(crate) manager: ManagerName,
    pub(crate) policies: Policies,
    pub(crate) handler: Arc<dyn AnyHandler>,
}

impl ReadyTask {
    pub(super) fn new(
        name: GivenName,
        schedule: Arc<dyn Schedule>,
        settings: Settings,
        handler: Arc<dyn AnyHandler>,
    ) -> ReadyTask {
        ReadyTask {
            name,
            schedule,
            settings,
            handler,
        }
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        self.name.as_str()
    }

    /// Wraps the handler in a [tower layer](tower_layer::Layer); the last one added is the
    /// outermost. A layer sees each try of a run, and what the handler answered; an error of the
    /// layer itself counts as the run's failure.
    ///
    /// ```
    /// use sexton::{Completion, Run, Task};
    /// use tower::util::MapResponseLayer;
    ///
    /// let task = Task::new("report").cron("@daily")?.run(async |_run: Run| {}).layer(
    ///     MapResponseLayer::new(|completion: Completion| completion.with_output("signed off")),
    /// );
    /// # let _ = task;
    /// # Ok::<(), sexton::TaskError>(())
    /// ```
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> ReadyTask
    where
        L: tower_layer::Layer<HandlerService>,
        L::Service:
            tower_service::Service<Run, Response = Completion> + Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<Run>>::Error: Into<BoxError>,
        <L::Service as tower_service::Service<Run>>::Future: Send,
    {
        let service = layer.layer(HandlerService::new(Arc::clone(&self.handler)));
        let inner = self.handler;
        self.handler = Arc::new(Layered { inner, service });
        self
    }

    pub(crate) fn check(self) -> Result<CheckedTask, TaskError> {
        let name = self.name.as_str().to_owned();
        self.checked().map_err(|problem| TaskError {
            task: name,
            problem,
        })
    }

    fn checked(self) -> Result<CheckedTask, TaskProblem> {
        let ReadyTask {
            name,
            mut schedule,
            settings,
            handler,
        } = self;
        let Settings {
            concurrency,
            manager,
            mut policies,
            start,
            end,
            jitter,
            lease,
        } = settings;
        let name = name.into_name()?;
        if start.is_some() || end.is_some() {
            let bounded = contained(|| Bounded::new(schedule, start, end));
            let panicked = |message| TaskProblem::SchedulePanicked { message };
            schedule = Arc::new(bounded.map_err(panicked)??);
        }
        policies.jitter = jitter.map(Jitter::up_to).transpose()?;
        if let Some(lease) = lease {
            policies.lease = Lease::new(lease)?;
        }
        if policies.running_max == Some(0) {
            let advice = "must be 1 or more, found 0".to_owned();
            return Err(TaskProblem::Policy {
                policy: "running_max",
                advice,
            });
        }
        if policies.timeout == Some(Duration::ZERO) {
            let advice = "must be longer than 0".to_owned();
            return Err(TaskProblem::Policy {
                policy: "timeout",
                advice,
            });
        }
        let fits = |work: &str| (1..=WORK_BYTES_MAX).contains(&work.len());
        if policies.work.as_deref().is_some_and(|work| !fits(work)) {
            let advice = format!("must be a text of 1 to {WORK_BYTES_MAX} bytes");
            return Err(TaskProblem::Policy {
                policy: "work",
                advice,
            });
        }
        let concurrency = concurrency.map_or(Ok(Concurrency::ONE), Concurrency::new)?;
        let manager = manager.map_or(Ok(ManagerName::default()), ManagerName::new)?;
        Ok(CheckedTask {
            name,
            schedule: TaskSchedule::new(schedule)?,
            concurrency,
            manager,
            policies,
            handler,
        })
    }
}

impl CheckedTask {
    /// The schedule's least tick after `after`, and none once the schedule has failed, which is
    /// told.
    pub(crate) fn next_after(&self, after: Tick, events: &EventBus) -> Option<Tick> {
        self.schedule.next_after(after).unwrap_or_else(|error| {
            let task = self.name.clone();
            events.emit_kept(Event::ScheduleFailed { task, after, error });
            None
        })
    }

    pub(crate) fn to_definition(&self) -> TaskDefinition {
        TaskDefinition {
            task: self.name.clone(),
            schedule: self.schedule.describe(),
            canonical: self.schedule.canonical(),
            concurrency: self.concurrency,
            definition: self.definition(),
        }
    }

    /// Everything that must be the same on every replica, as text.
    fn definition(&self) -> String {
        let Policies {
            delivery,
            lease,
            overlap,
            missed,
            placement,
            jitter,
            work,
            ..
        } = &self.policies;
        let work = match work {
            Some(work) => format!("; work {work}"),
            None => String::new(),
        };
        let definition = format!(
            "{}; concurrency {}; delivery {delivery:?}; lease {:?}; overlap {overlap:?}; \
             missed {missed:?}; placement {placement:?}; jitter {jitter:?}{work}",
            self.schedule.describe(),
            self.concurrency,
            lease.duration(),
        );
        // Last, so that what reads it finds it; see `ZoneRules::split_off`.
        ZoneRules::add_to(&definition, &self.schedule.zone_rules())
    }
}

impl Drop for CheckedTask {
    /// A handler and a retry policy may hold what panics when it is dropped: that harms nobody.
    fn drop(&mut self) {
        let handler: Arc<dyn AnyHandler> = Arc::new(Erased::new(|| std::future::ready(())));
        let _ = drop_contained(std::mem::replace(&mut self.handler, handler));
        let _ = drop_contained(self.policies.retry.take());
    }
}

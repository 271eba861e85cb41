//! Building a scheduler: everything is checked before anything starts.

use std::collections::HashMap;
use std::sync::atomic::AtomicIsize;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{CALL_LIMIT_DEFAULT, Capability, ClaimLead, LockManager, Retention};
use sexton_core::name::{Incarnation, InstanceId, ManagerName, NameError, TaskName};
use tokio::sync::broadcast;

use super::Scheduler;
use super::arrival::settle_in;
use super::backend::Backend;
use crate::clock::FOR_EVER;
use crate::context::Context;
use crate::error::BuildError;
use crate::event::{Event, EventBus};
use crate::extract::BuildContext;
use crate::housekeeping::prune_task;
use crate::limits::{Limits, transactions_max};
use crate::policy::{Delivery, Missed, Overlap};
use crate::presence::watch_clock_for_ever;
use crate::run::States;
use crate::store_client::StoreClient;
use crate::task::{CheckedTask, ReadyTask, TaskError, TaskProblem};
use crate::watched::{CLOCK_WATCH, Watch};

/// A scheduler on its way.
#[derive(Debug)]
pub struct SchedulerBuilder {
    managers: Vec<(String, Arc<dyn LockManager>)>,
    tasks: Vec<ReadyTask>,
    states: States,
    labels: Vec<String>,
    instance: Option<InstanceId>,
    clock: Arc<dyn Clock>,
    lead: ClaimLead,
    call_limit: Duration,
    heartbeat: Duration,
    cancel_grace: Duration,
    running_max: Option<usize>,
    group_max: HashMap<String, usize>,
    retention: Option<Retention>,
    events: EventBus,
}

impl Scheduler {
    /// Begins a scheduler.
    #[must_use]
    pub fn builder() -> SchedulerBuilder {
        SchedulerBuilder::new()
    }
}

impl SchedulerBuilder {
    /// How often an instance shows itself to the store, unless [`SchedulerBuilder::heartbeat`] says it.
    pub const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(5);

    pub(super) fn new() -> SchedulerBuilder {
        SchedulerBuilder {
            managers: Vec::new(),
            tasks: Vec::new(),
            states: States::default(),
            labels: Vec::new(),
            instance: None,
            clock: Arc::new(SystemClock),
            lead: ClaimLead::default(),
            call_limit: CALL_LIMIT_DEFAULT,
            heartbeat: SchedulerBuilder::HEARTBEAT_DEFAULT,
            cancel_grace: Duration::from_secs(5),
            running_max: None,
            group_max: HashMap::new(),
            retention: Some(Retention::default()),
            events: EventBus::new(),
        }
    }

    /// Adds the lock manager that tasks use unless they name another.
    #[must_use]
    pub fn manager(self, manager: impl LockManager) -> SchedulerBuilder {
        self.shared_manager(ManagerName::default().as_str(), Arc::new(manager))
    }

    /// Adds a lock manager for tasks that name it.
    #[must_use]
    pub fn named_manager(
        self,
        name: impl Into<String>,
        manager: impl LockManager,
    ) -> SchedulerBuilder {
        self.shared_manager(name, Arc::new(manager))
    }

    /// Adds a lock manager that is shared with others, under a name; `default` is the one that
    /// tasks use unless they name another.
    #[must_use]
    pub fn shared_manager(
        mut self,
        name: impl Into<String>,
        manager: Arc<dyn LockManager>,
    ) -> SchedulerBuilder {
        self.managers.push((name.into(), manager));
        self
    }

    /// Adds a task.
    #[must_use]
    pub fn task(mut self, task: ReadyTask) -> SchedulerBuilder {
        self.tasks.push(task);
        self
    }

    /// Adds tasks.
    #[must_use]
    pub fn tasks(mut self, tasks: impl IntoIterator<Item = ReadyTask>) -> SchedulerBuilder {
        self.tasks.extend(tasks);
        self
    }

    /// Gives a value to handlers that take [`State<T>`](crate::State).
    #[must_use]
    pub fn state<T: Clone + Send + Sync + 'static>(mut self, state: T) -> SchedulerBuilder {
        self.states.insert(state);
        self
    }

    /// Gives this instance a label, for tasks that are [only run on](crate::Task::only_on) such.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> SchedulerBuilder {
        self.labels.push(label.into());
        self
    }

    /// The instance's id; by default a random one. No other instance may have it while this one
    /// lives: one that does is refused at its start. After a crash an instance may start again
    /// under its id; it waits until its own last heartbeat is as old as one and a half of them and
    /// 2.5 s (10 s by default), unless that was so already. After a shutdown it need not wait.
    #[must_use]
    pub fn instance(mut self, instance: InstanceId) -> SchedulerBuilder {
        self.instance = Some(instance);
        self
    }

    /// The clock; by default the machine's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> SchedulerBuilder {
        self.clock = Arc::new(clock);
        self
    }

    /// How far ahead of a tick it may be claimed, so that the store's latency is not the task's
    /// lateness: 0 to 60 s, 500 ms by default. Should be well over the store's slowest ordinary
    /// answer.
    #[must_use]
    pub fn claim_lead(mut self, lead: ClaimLead) -> SchedulerBuilder {
        self.lead = lead;
        self
    }

    /// How long a store may take to answer before it counts as unreachable; 5 s by default, at
    /// least 10 ms. [`Duration::MAX`]: it is waited for without a limit.
    #[must_use]
    pub fn call_limit(mut self, limit: Duration) -> SchedulerBuilder {
        self.call_limit = limit.clamp(Duration::from_millis(10), FOR_EVER);
        self
    }

    /// How often the instance shows itself to the store and asks what others want of it: recovery,
    /// and triggers and cancelling where the store cannot tell by itself (PostgreSQL can), take up
    /// to this long to be noticed; 5 s by default, at least 50 ms. [`Duration::MAX`]: once, at the
    /// start, so that others never notice if it goes.
    #[must_use]
    pub fn heartbeat(mut self, every: Duration) -> SchedulerBuilder {
        self.heartbeat = every.clamp(Duration::from_millis(50), FOR_EVER);
        self
    }

    /// How long a cancelled run may take to end before it is dropped; 5 s by default.
    /// [`Duration::MAX`]: it never is.
    #[must_use]
    pub fn cancel_grace(mut self, grace: Duration) -> SchedulerBuilder {
        self.cancel_grace = grace.min(FOR_EVER);
        self
    }

    /// The most runs at once on this instance (0 counts as 1); without a limit by default. What it
    /// has no room for is left to others for as long as it is not too late. What is caught up with
    /// takes half of it at the most, so that it delays nothing that is fresh.
    #[must_use]
    pub fn running_max(mut self, runs: usize) -> SchedulerBuilder {
        self.running_max = Some(runs.max(1));
        self
    }

    /// The most runs at once (0 counts as 1), on this instance, of the tasks of a group; half of it
    /// for what is caught up with.
    #[must_use]
    pub fn group_running_max(mut self, group: impl Into<String>, runs: usize) -> SchedulerBuilder {
        self.group_max.insert(group.into(), runs.max(1));
        self
    }

    /// What of the history is kept, by default seven days; `None`: everything. A task of Sexton's
    /// own, `sexton:prune`, sees to it, once over the fleet.
    #[must_use]
    pub fn retention(mut self, retention: Option<Retention>) -> SchedulerBuilder {
        self.retention = retention;
        self
    }

    /// What happens from the start on, that which may end it included. Otherwise as
    /// [`Scheduler::events`].
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Checks everything, asks each store for its clock, and starts.
    ///
    /// # Errors
    /// [`BuildError`] if a task cannot work, a store cannot be used, or another instance has this
    /// one's id; then nothing was started.
    pub async fn start(self) -> Result<Scheduler, BuildError> {
        let managers = self.check_managers()?;
        let events = self.events;
        let watch = Arc::new(Watch::new(events.clone()));
        let context = Arc::new(Context {
            instance: self.instance.unwrap_or_else(InstanceId::random),
            incarnation: Incarnation::random(),
            started_at: self.clock.now(),
            labels: self.labels,
            events,
            limits: Arc::new(Limits::new(
                self.running_max,
                self.group_max,
                transactions_max(&managers),
            )),
            states: Arc::new(self.states),
            lead: self.lead,
            heartbeat: self.heartbeat,
            cancel_grace: self.cancel_grace,
            stopping: watch.stopping.clone(),
            watch: Arc::clone(&watch),
            drained_by: OnceLock::new(),
            running: AtomicIsize::new(0),
            changing: tokio::sync::Mutex::default(),
        });
        let mut tasks = check_tasks(self.tasks, &context, &managers)?;
        let mut clients = Vec::new();
        let mut tasks_of = Vec::new();
        for (name, manager) in managers {
            let (clock, watch) = (Arc::clone(&self.clock), Arc::clone(&watch));
            let client =
                StoreClient::establish(name.clone(), manager, clock, watch, self.call_limit).await;
            let client = client.map_err(|source| BuildError::Store { name, source })?;
            let mut own = tasks.remove(&client.name).unwrap_or_default();
            own.extend(prune_task(&client.manager, self.retention, &client.name));
            tasks_of.push(own);
            clients.push(Arc::new(client));
        }
        let accounted = settle_in(&context, &clients, &tasks_of).await?;
        let backends = clients
            .iter()
            .zip(tasks_of)
            .zip(accounted)
            .map(|((client, tasks), accounted)| {
                Backend::open(&context, Arc::clone(client), tasks, &accounted)
            })
            .collect();
        let clock_watch = watch.spawn(CLOCK_WATCH, watch_clock_for_ever(clients));
        Ok(Scheduler {
            context,
            backends,
            clock_watch,
        })
    }

    fn check_managers(&self) -> Result<Managers, BuildError> {
        if self.managers.is_empty() {
            return Err(BuildError::NoManager);
        }
        let mut checked = Managers::new();
        for (name, manager) in &self.managers {
            let name = ManagerName::new(name)?;
            if checked.iter().any(|(other, _)| *other == name) {
                return Err(BuildError::ManagerNameUsedTwice { name });
            }
            checked.push((name, Arc::clone(manager)));
        }
        Ok(checked)
    }
}

type Managers = Vec<(ManagerName, Arc<dyn LockManager>)>;
type TasksByManager = HashMap<ManagerName, Vec<CheckedTask>>;

/// Checks all tasks and tells of all that is wrong, not only of the first.
fn check_tasks(
    tasks: Vec<ReadyTask>,
    context: &Context,
    managers: &[(ManagerName, Arc<dyn LockManager>)],
) -> Result<TasksByManager, BuildError> {
    let mut errors = Vec::new();
    let mut names = std::collections::HashSet::new();
    let mut by_manager = TasksByManager::new();
    for task in tasks {
        let name = task.name().to_owned();
        let checked = check_task(task, context, managers).and_then(|task| {
            if names.insert(task.name.clone()) {
                Ok(task)
            } else {
                Err(TaskError {
                    task: name,
                    problem: TaskProblem::NameUsedTwice,
                })
            }
        });
        match checked {
            Ok(task) if context.has_labels_of(&task) => {
                by_manager
                    .entry(task.manager.clone())
                    .or_default()
                    .push(task);
            }
            Ok(_) => {}
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(by_manager)
    } else {
        Err(BuildError::Tasks(errors))
    }
}

/// Checks one task against what the scheduler has.
pub(super) fn check_task(
    task: ReadyTask,
    context: &Context,
    managers: &[(ManagerName, Arc<dyn LockManager>)],
) -> Result<CheckedTask, TaskError> {
    let name = task.name().to_owned();
    let task = task.check()?;
    fits(&task, context, managers).map_err(|problem| TaskError {
        task: name,
        problem,
    })?;
    Ok(task)
}

fn fits(
    task: &CheckedTask,
    context: &Context,
    managers: &[(ManagerName, Arc<dyn LockManager>)],
) -> Result<(), TaskProblem> {
    if task.name.is_own() {
        return Err(TaskProblem::Name(NameError::Reserved {
            what: "task name",
            prefix: TaskName::OWN_PREFIX,
            name: task.name.to_string(),
        }));
    }
    let manager = managers.iter().find(|(name, _)| *name == task.manager);
    let Some((_, manager)) = manager else {
        let known: Vec<&str> = managers.iter().map(|(name, _)| name.as_str()).collect();
        return Err(TaskProblem::Unknown {
            what: "lock manager",
            name: task.manager.to_string(),
            known: known.join(", "),
        });
    };
    manager.check_name(&task.name)?;
    if let Some(group) = &task.policies.group
        && !context.limits.has_group(group)
    {
        let known: Vec<&str> = context.limits.groups().collect();
        return Err(TaskProblem::Unknown {
            what: "group",
            name: group.to_string(),
            known: known.join(", "),
        });
    }
    let delivery = task.policies.delivery;
    let asks = [
        (
            delivery.recovers(),
            "delivery at least once",
            Capability::Leases,
        ),
        (
            matches!(delivery, Delivery::Transactional { .. }),
            "transactional delivery",
            Capability::Transactions,
        ),
        (
            task.policies.overlap != Overlap::Allow,
            "an overlap policy",
            Capability::Leases,
        ),
        (
            task.policies.missed != Missed::Skip,
            "catching up",
            Capability::Operations,
        ),
        (
            task.policies.placement != crate::policy::Placement::Race,
            "distinct placement",
            Capability::History,
        ),
    ];
    for (asked, policy, capability) in asks {
        if asked && !manager.supports(capability) {
            let store = manager.location();
            return Err(TaskProblem::Unsupported {
                policy,
                store,
                capability,
            });
        }
    }
    let is_transactional = matches!(delivery, Delivery::Transactional { .. });
    let transactions = if is_transactional {
        manager.transactions()
    } else {
        None
    };
    let build_context = BuildContext::new(&context.states, transactions);
    task.handler.check(&build_context)?;
    if is_transactional && !build_context.takes_transaction.get() {
        return Err(TaskProblem::NoTransaction);
    }
    Ok(())
}

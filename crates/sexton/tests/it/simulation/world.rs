//! A simulated fleet: replicas that live and die by plan on one store, then two that nothing
//! happens to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{BoxFuture, join, join_all};
use jiff::{SignedDuration, Timestamp};
use sexton::clock::{Clock, TokioClock};
use sexton::lock::{ClaimLead, Enqueue, Execution, ExecutionRecord, PauseChange};
use sexton::name::InstanceId;
use sexton::schedule::Every;
use sexton::{Concurrency, ReadyTask, Run, Scheduler, SchedulerBuilder, Task, Tick};

use super::broken::Break;
use super::history::{Began, End, History, Line, What};
use super::link::{SimClock, SimLink, Weather};
use super::plan::{
    Blow, Deed, Edit, Ending, Life, Plan, ReplicaPlan, TROUBLE, TaskPlan, Version, up_to,
};
use super::store::SimStore;
use crate::fleet::name;

/// Of each instance.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(500);

const BEGIN: &str = "2024-01-30T10:20:00Z";

/// How long it may take until everything is over once all is well: what was granted without a lease
/// counts as abandoned after a minute, and the last tick, which no other follows, as missed.
const RECOVERY_MAX: Duration = Duration::from_secs(90);

/// How long a triggered run may wait.
pub(crate) const TRIGGER_WITHIN: SignedDuration = SignedDuration::from_secs(15);

/// Longer than anything can be under way to the store.
pub(crate) const LATEST_ARRIVAL: Duration = Duration::from_secs(4);

/// All that is known of a simulation when it has ended.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) plan: Plan,
    pub(crate) lines: Vec<Line>,
    pub(crate) records: Vec<ExecutionRecord>,
    /// Instances that nothing happened to.
    pub(crate) healthy: BTreeSet<InstanceId>,
}

/// When it begins.
pub(crate) fn begin() -> Timestamp {
    BEGIN.parse().unwrap()
}

/// From when on there are no ticks.
pub(crate) fn end() -> Timestamp {
    begin() + SignedDuration::try_from(TROUBLE).unwrap()
}

/// Runs the simulation of a seed, on a store that breaks a rule if asked to.
pub(crate) fn simulate(seed: u64, broken: Option<Break>) -> Simulated {
    fastrand::seed(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { World::new(broken).run().await })
}

#[derive(Debug, Clone)]
struct World {
    plan: Arc<Plan>,
    clock: TokioClock,
    store: SimStore,
    history: History,
}

impl World {
    fn new(broken: Option<Break>) -> World {
        let clock = TokioClock::at(BEGIN.parse().unwrap());
        let stores_clock: Arc<dyn Clock> = Arc::new(clock.clone());
        let history = History::new(Arc::clone(&stores_clock));
        World {
            plan: Arc::new(Plan::draw()),
            clock,
            store: SimStore::new(stores_clock, history.clone(), broken),
            history,
        }
    }

    async fn run(self) -> Simulated {
        let replicas = self.plan.replicas.iter().enumerate();
        let lives = join_all(replicas.map(|(number, replica)| self.live(number, replica)));
        let forgetting = tokio::spawn(self.clone().forget());
        join(lives, self.do_deeds()).await;
        let healthy = self.recover().await;
        forgetting.abort();
        Simulated {
            plan: (*self.plan).clone(),
            lines: self.history.lines(),
            records: self.store.records(),
            healthy,
        }
    }

    /// Which of a task's schedules a process has that starts at a time.
    fn version(&self, task: &TaskPlan, at: Duration) -> Version {
        let edited = |edit: Edit| edit.at <= at && self.plan.tasks[edit.task].name == task.name;
        match self.plan.edit.is_some_and(edited) {
            true => Version::Edited,
            false => Version::First,
        }
    }

    async fn at(&self, after: Duration) {
        self.clock.sleep_until(after).await;
    }

    fn tell(&self, text: String) {
        self.history.write(What::Done(text));
    }

    /// The processes of one machine, one after the other.
    async fn live(&self, number: usize, replica: &ReplicaPlan) {
        for (life, plan) in replica.lives.iter().enumerate() {
            self.at(plan.begins).await;
            let process = self.process(format!("r{number}.{life}"), replica.skew);
            process.live(plan).await;
        }
    }

    fn process(&self, name: String, skew: SignedDuration) -> Process {
        Process {
            world: self.clone(),
            name,
            clock: SimClock::new(self.clock.skewed_by(skew)),
            weather: Arc::new(Mutex::new(Weather::FAIR)),
        }
    }

    async fn do_deeds(&self) {
        for (at, deed) in &self.plan.deeds {
            self.at(*at).await;
            self.tell(format!("{deed:?}"));
            let task = |number: &usize| &self.plan.tasks[*number];
            match deed {
                Deed::ClockJump(by) => self.clock.jump(*by),
                Deed::Pause(number) => {
                    let change = PauseChange::Pause {
                        note: String::new(),
                        by: "the simulation".to_owned(),
                    };
                    let task = name(&task(number).name);
                    self.store.change_pause(&[task], &change);
                }
                Deed::Resume(number) => {
                    let task = name(&task(number).name);
                    self.store.change_pause(&[task], &PauseChange::Resume);
                }
                Deed::Trigger(number) => self.trigger(task(number)),
                Deed::Outage(duration) => self.store.be_away(*duration),
            }
        }
    }

    fn trigger(&self, task: &TaskPlan) {
        let concurrency = Concurrency::new(task.concurrency).unwrap();
        let now = self.clock.now();
        let mut tick = Tick::at_or_before(now);
        if task.is_due(tick, Version::First) || task.is_due(tick, Version::Edited) {
            // What is triggered in the very millisecond of a tick is that tick.
            tick = tick.saturating_add_millis(1);
        }
        let enqueue = |index| Enqueue {
            execution: Execution {
                task: name(&task.name),
                index,
                tick,
            },
            concurrency,
            deadline: Some(now + TRIGGER_WITHIN),
        };
        let batch: Vec<Enqueue> = concurrency.indices().map(enqueue).collect();
        self.store.enqueue(&batch);
    }

    /// Lets the store forget what is over, as pruning does.
    async fn forget(self) {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.store
                .forget_before(self.clock.now() - self.plan.memory);
        }
    }

    /// All is well; two replicas finish what is left.
    async fn recover(&self) -> BTreeSet<InstanceId> {
        self.at(TROUBLE).await;
        self.tell("all is well".to_owned());
        self.store.come_back();
        for task in &self.plan.tasks {
            let task = name(&task.name);
            self.store.change_pause(&[task], &PauseChange::Resume);
        }
        let mut schedulers = Vec::new();
        for (number, skew_s) in [(0, 7), (1, -7)] {
            let skew = SignedDuration::from_secs(skew_s);
            let process = self.process(format!("healthy{number}"), skew);
            schedulers.push(process.builder().start().await.unwrap());
        }
        let healthy = schedulers
            .iter()
            .map(|scheduler| scheduler.instance().clone())
            .collect();
        let began = self.clock.monotonic();
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let passed = self.clock.monotonic() - began;
            if passed > RECOVERY_MAX || (passed > LATEST_ARRIVAL && self.is_over()) {
                break;
            }
        }
        for scheduler in schedulers {
            scheduler.shutdown(Duration::from_secs(10)).await;
        }
        healthy
    }

    /// Whether nothing more is going to happen.
    fn is_over(&self) -> bool {
        let mut tasks = self.plan.tasks.iter();
        let have_passed = tasks.all(|task| {
            let version = self.version(task, self.clock.monotonic());
            let last = task.last_tick(end(), version);
            self.store.has_passed(&name(&task.name), last)
        });
        self.clock.now() > end() && have_passed && self.store.is_idle()
    }
}

/// One process on a machine.
#[derive(Debug, Clone)]
struct Process {
    world: World,
    name: String,
    clock: SimClock,
    weather: Arc<Mutex<Weather>>,
}

impl Process {
    async fn live(&self, plan: &Life) {
        let Process {
            world, name, clock, ..
        } = self;
        let started = async {
            loop {
                match self.builder().start().await {
                    Ok(scheduler) => return scheduler,
                    Err(_) => clock.sleep_until(clock.monotonic() + up_to(500)).await,
                }
            }
        };
        let mut starting = std::pin::pin!(started);
        let mut scheduler = None;
        let mut blows = plan.blows.iter();
        loop {
            let next = blows.next();
            let until = next.map_or(plan.ends, |(at, _)| *at);
            if scheduler.is_none() {
                tokio::select! {
                    biased;
                    started = &mut starting => {
                        world.tell(format!("{name} has started"));
                        scheduler = Some(started);
                    }
                    () = world.at(until) => {}
                }
            }
            world.at(until).await;
            match next {
                Some((_, Blow::Edit)) => self.replace(scheduler.as_ref()),
                Some((_, blow)) => self.take(*blow),
                None => break,
            }
        }
        world.tell(format!("{name} ends: {:?}", plan.ending));
        if let (Some(scheduler), Ending::Shutdown(grace)) = (scheduler, plan.ending) {
            scheduler.shutdown(grace).await;
            world.tell(format!("{name} has shut down"));
        }
    }

    fn take(&self, blow: Blow) {
        self.world.tell(format!("{}: {blow:?}", self.name));
        match blow {
            Blow::Stop(duration) => self.clock.stop(duration),
            Blow::Weather(weather) => *self.weather.lock().unwrap() = weather,
            Blow::Edit => {}
        }
    }

    /// Puts the edited task in the place of the one that it was.
    fn replace(&self, scheduler: Option<&Scheduler>) {
        let world = &self.world;
        if let (Some(scheduler), Some(edit)) = (scheduler, world.plan.edit) {
            world.tell(format!("{}: {edit:?}", self.name));
            let task = self.task(&world.plan.tasks[edit.task], Version::Edited);
            let handle = scheduler.handle();
            // It may take as long as the network lets it; the process has other things to do.
            tokio::spawn(async move { handle.replace(task).await });
        }
    }

    fn builder(&self) -> SchedulerBuilder {
        let Process {
            world,
            name,
            clock,
            weather,
        } = self;
        let link = SimLink::new(world.store.clone(), clock.clone(), Arc::clone(weather));
        Scheduler::builder()
            .instance(InstanceId::new(name).unwrap())
            .clock(clock.clone())
            .manager(link)
            .claim_lead(ClaimLead::new(world.plan.lead).unwrap())
            .call_limit(world.plan.call_limit)
            .heartbeat(HEARTBEAT)
            .cancel_grace(Duration::from_millis(500))
            .retention(None)
            .tasks(
                world
                    .plan
                    .tasks
                    .iter()
                    .map(|task| self.task(task, world.version(task, world.clock.monotonic()))),
            )
    }

    fn task(&self, plan: &TaskPlan, version: Version) -> ReadyTask {
        let phase = Duration::from_millis(version.phase_ms(plan).unsigned_abs());
        let every = Every::new(plan.period).unwrap().phase(phase).unwrap();
        let mut task = Task::new(&plan.name)
            .schedule(every)
            .ending(end())
            .concurrency(plan.concurrency)
            .lease(plan.lease)
            .overlap(plan.overlap)
            .missed(plan.missed)
            .placement(plan.placement);
        if let Some(jitter) = plan.jitter {
            task = task.jitter(jitter);
        }
        if let Some(runs) = plan.running_max {
            task = task.running_max(runs);
        }
        if plan.attempts_max > 1 {
            task = task.at_least_once(plan.attempts_max);
        }
        let (history, clock, work_max) = (
            self.world.history.clone(),
            self.clock.clone(),
            plan.work_max,
        );
        task.run(move |run: Run| work(history.clone(), clock.clone(), work_max, run))
    }
}

/// A handler that writes down its run and takes some time, unless it is cancelled.
fn work(history: History, clock: SimClock, longest: Duration, run: Run) -> BoxFuture<'static, ()> {
    let execution = Execution {
        task: run.task().clone(),
        index: run.index(),
        tick: run.tick(),
    };
    history.write(What::Began(Began {
        execution: execution.clone(),
        instance: run.instance().clone(),
        fence: run.fence(),
        attempt: run.attempt(),
    }));
    Box::pin(async move {
        let done = clock.sleep_until(clock.monotonic() + longest.mul_f64(fastrand::f64()));
        let end = tokio::select! {
            biased;
            () = done => End::Done,
            () = run.cancellation().cancelled() => End::Cancelled,
        };
        history.write(What::Ended(execution, run.fence(), end));
    })
}

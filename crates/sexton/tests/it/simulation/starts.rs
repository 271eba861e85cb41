//! Whether every start of a simulation came at its time, in its order, within its window, and at
//! its pace.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton::lock::{Execution, Reason};
use sexton::name::{InstanceId, Namespace, TaskName};
use sexton::policy::{Missed, Overlap, Placement};
use sexton::schedule::Jitter;
use sexton::{ConcurrencyIndex, Fence, Tick};

use super::history::{Began, Granted, Line, What};
use super::plan::{Blow, Deed, Plan, TaskPlan, Version};
use super::world::{HEARTBEAT, Simulated, begin, end};

/// Runs of one task's backlog that an instance has at once.
pub(crate) const CAUGHT_UP_MAX: usize = 10;

/// A distinct index behind one that waits stays open for a heartbeat and the last try after it.
const LAST_TRY: Duration = Duration::from_secs(1);

/// What an estimate of the store's clock is off at the best of times.
const SLACK: Duration = Duration::from_millis(5);

/// What of a simulation's starts was wrong: empty if nothing was.
pub(crate) fn wrong_starts(simulated: &Simulated, caught_up_max: usize) -> Vec<String> {
    let mut checker = StartsChecker::new(simulated, caught_up_max);
    for line in &simulated.lines {
        checker.take(line);
    }
    checker.wrong
}

type Lane = (TaskName, ConcurrencyIndex);

struct StartsChecker<'a> {
    tasks: BTreeMap<&'a str, &'a TaskPlan>,
    plan: &'a Plan,
    /// The store's clock was set: nobody can know when a tick is due by it.
    is_clock_set: bool,
    caught_up_max: usize,
    /// What waits in the store, with its deadline where it has one.
    waiting: BTreeMap<Lane, BTreeMap<Tick, Option<Timestamp>>>,
    enqueued_until: BTreeMap<Execution, Timestamp>,
    /// Late starts that have not ended, by instance and task.
    caught_up: BTreeMap<(InstanceId, TaskName), BTreeSet<(Execution, Fence)>>,
    /// What each instance began last of a (task, index).
    began_last: BTreeMap<(InstanceId, Lane), (Tick, Fence)>,
    /// Which index of a tick each instance began.
    index_of: BTreeMap<(InstanceId, TaskName, Tick), ConcurrencyIndex>,
    wrong: Vec<String>,
}

fn lane_of(execution: &Execution) -> Lane {
    (execution.task.clone(), execution.index)
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap()
}

impl<'a> StartsChecker<'a> {
    fn new(simulated: &'a Simulated, caught_up_max: usize) -> StartsChecker<'a> {
        let plan = &simulated.plan;
        let is_jump = |(_, deed): &(Duration, Deed)| matches!(deed, Deed::ClockJump(_));
        StartsChecker {
            tasks: plan
                .tasks
                .iter()
                .map(|task| (task.name.as_str(), task))
                .collect(),
            plan,
            is_clock_set: plan.deeds.iter().any(is_jump),
            caught_up_max,
            waiting: BTreeMap::new(),
            enqueued_until: BTreeMap::new(),
            caught_up: BTreeMap::new(),
            began_last: BTreeMap::new(),
            index_of: BTreeMap::new(),
            wrong: Vec::new(),
        }
    }

    fn must(&mut self, holds: bool, line: &Line, rule: &str) {
        if !holds {
            self.wrong.push(format!("{rule}: {line}"));
        }
    }

    fn task(&self, execution: &Execution) -> &'a TaskPlan {
        self.tasks[execution.task.as_str()]
    }

    fn take(&mut self, line: &Line) {
        match &line.what {
            What::Enqueued(execution, until) => {
                self.enqueued_until.insert(execution.clone(), *until);
                self.wait(execution, Some(*until));
            }
            What::Released(lock) => {
                let until = self.deadline(&lock.execution);
                self.wait(&lock.execution, Some(until));
            }
            What::Queued(execution) => {
                self.check_schedule(line, execution);
                self.wait(execution, None);
            }
            What::Overdue(execution) => self.wait_no_more(execution),
            What::Recorded(execution) => self.check_schedule(line, execution),
            What::GivenUp(execution, instance, reason) => {
                self.check_schedule(line, execution);
                self.check_given_up(line, execution, instance, *reason);
            }
            What::Granted(granted) => self.take_grant(line, granted),
            What::Began(began) => self.take_beginning(line, began),
            What::Ended(execution, fence, _) => {
                let run = (execution.clone(), *fence);
                self.caught_up.values_mut().for_each(|runs| {
                    runs.remove(&run);
                });
            }
            _ => {}
        }
    }

    fn wait(&mut self, execution: &Execution, until: Option<Timestamp>) {
        let waiting = self.waiting.entry(lane_of(execution)).or_default();
        waiting.insert(execution.tick, until);
    }

    fn wait_no_more(&mut self, execution: &Execution) {
        if let Some(waiting) = self.waiting.get_mut(&lane_of(execution)) {
            waiting.remove(&execution.tick);
        }
    }

    /// When a run of a tick is due. Another version's jitter is not known to who runs it.
    fn due(&self, execution: &Execution) -> Timestamp {
        let task = self.task(execution);
        let tick = execution.tick;
        let is_edited = self.edited_from(execution).is_some();
        let delay = match task.jitter {
            Some(longest) if task.is_due(tick, Version::First) && !is_edited => {
                let jitter = Jitter::up_to(longest).unwrap();
                let delay = jitter.delay(&Namespace::default(), &execution.task, tick);
                let gap = task.period.as_nanos();
                match self.has_next(task, tick) {
                    true => Duration::from_nanos((delay.as_nanos() % gap) as u64),
                    false => delay,
                }
            }
            _ => Duration::ZERO,
        };
        tick.timestamp() + signed(delay)
    }

    fn has_next(&self, task: &TaskPlan, tick: Tick) -> bool {
        tick.timestamp() + signed(task.period) < end()
    }

    /// Until when a run of a tick may start.
    fn deadline(&self, execution: &Execution) -> Timestamp {
        if let Some(until) = self.enqueued_until.get(execution) {
            return *until;
        }
        let task = self.task(execution);
        let (window, due) = (window(task.missed), self.due(execution));
        due + signed(self.late_after(task, execution.tick).max(window))
    }

    fn late_after(&self, task: &TaskPlan, tick: Tick) -> Duration {
        match self.has_next(task, tick) {
            true => task.period.max(Duration::from_secs(1)),
            false => Duration::from_secs(60),
        }
    }

    /// How far an instance's estimate of the store's clock may be off, by what befalls it.
    fn tolerance(&self, instance: &InstanceId) -> SignedDuration {
        let (mut delay, mut stop) = (Duration::ZERO, Duration::ZERO);
        let numbers = instance.as_str().strip_prefix('r');
        if let Some((replica, life)) = numbers.and_then(|numbers| numbers.split_once('.')) {
            let replica: usize = replica.parse().unwrap();
            let life: usize = life.parse().unwrap();
            for (_, blow) in &self.plan.replicas[replica].lives[life].blows {
                match blow {
                    Blow::Stop(duration) => stop = stop.max(*duration),
                    Blow::Weather(weather) => delay = delay.max(weather.delay_max),
                    Blow::Edit => {}
                }
            }
        }
        signed(delay + stop / 2 + SLACK)
    }

    /// Since when the execution's task may have another schedule, if that is ever changed.
    fn edited_from(&self, execution: &Execution) -> Option<Timestamp> {
        let edit = self.plan.edit?;
        let is_it = self.plan.tasks[edit.task].name == execution.task.as_str();
        is_it.then(|| begin() + signed(edit.at))
    }

    /// A tick is one of a schedule that the task had by then.
    fn check_schedule(&mut self, line: &Line, execution: &Execution) {
        let task = self.task(execution);
        let counts = |from: Timestamp| execution.tick.timestamp() > from;
        let is_due = task.is_due(execution.tick, Version::First)
            || task.is_due(execution.tick, Version::Edited)
                && self.edited_from(execution).is_some_and(counts);
        self.must(
            is_due || self.is_clock_set,
            line,
            "a schedule counts from its definition",
        );
    }

    fn check_given_up(
        &mut self,
        line: &Line,
        execution: &Execution,
        instance: &InstanceId,
        reason: Reason,
    ) {
        let is_superseded = matches!(self.task(execution).missed, Missed::Latest { .. })
            && reason == Reason::CatchUp;
        if self.is_clock_set || is_superseded {
            return;
        }
        let is_over = line.at + self.tolerance(instance) >= self.deadline(execution);
        self.must(is_over, line, "nothing is given up before its window ends");
    }

    fn take_grant(&mut self, line: &Line, granted: &Granted) {
        let execution = &granted.execution;
        if !granted.had_record {
            self.check_schedule(line, execution);
        }
        let overlap = self.task(execution).overlap;
        let keeps_newest = matches!(overlap, Overlap::QueueOne | Overlap::CancelEarlier);
        let is_recovered = granted.had_record && !granted.had_waited;
        if !keeps_newest && !is_recovered {
            let waiting = self.waiting.get(&lane_of(execution));
            let goes_first = |(tick, until): (&Tick, &Option<Timestamp>)| {
                *tick < execution.tick && until.is_none_or(|until| until > line.at)
            };
            let is_first = !waiting.is_some_and(|waiting| waiting.iter().any(goes_first));
            self.must(is_first, line, "an earlier tick that waits goes first");
        }
        self.wait_no_more(execution);
    }

    fn take_beginning(&mut self, line: &Line, began: &Began) {
        let Began {
            execution,
            instance,
            fence,
            attempt,
        } = began;
        let task = self.task(execution);
        let tolerance = self.tolerance(instance);
        let (due, deadline) = (self.due(execution), self.deadline(execution));
        // Another version's jitter may delay it as well.
        let deadline = deadline + signed(task.jitter.unwrap_or_default());
        let deadline = match task.placement {
            Placement::Distinct => deadline + signed(HEARTBEAT + LAST_TRY),
            _ => deadline,
        };
        let is_first = attempt.get() == 1;
        if !self.is_clock_set {
            self.must(
                line.at + tolerance >= due,
                line,
                "nothing begins before it is due",
            );
            // What waits behind another has its time from the end of that one.
            let has_window = is_first && task.overlap == Overlap::Allow;
            self.must(
                !has_window || line.at < deadline + tolerance,
                line,
                "nothing begins after its window",
            );
        }
        let is_triggered = self.enqueued_until.contains_key(execution);
        if is_first && !is_triggered {
            self.check_order(line, began);
        }
        if task.placement == Placement::Distinct {
            self.check_placement(line, began);
        }
        let late = due + signed(self.late_after(task, execution.tick));
        // A claim that was sent in time may be answered late, and by a clock that was set
        // meanwhile.
        let is_caught_up = line.at > late + tolerance * 2 && !self.is_clock_set;
        if is_first && !is_triggered && is_caught_up {
            let runs = (instance.clone(), execution.task.clone());
            let runs = self.caught_up.entry(runs).or_default();
            runs.insert((execution.clone(), *fence));
            let is_paced = runs.len() <= self.caught_up_max;
            self.must(is_paced, line, "what is caught up with is paced");
        }
    }

    /// What an instance was granted in the order of the ticks it begins in that order.
    fn check_order(&mut self, line: &Line, began: &Began) {
        let place = (began.instance.clone(), lane_of(&began.execution));
        let now = (began.execution.tick, began.fence);
        let before = self.began_last.insert(place, now);
        let is_overtaken = before.is_some_and(|(tick, fence)| now.0 < tick && now.1 < fence);
        self.must(!is_overtaken, line, "ticks begin in order");
    }

    /// An instance begins one index of a tick, as long as the store remembers the tick.
    fn check_placement(&mut self, line: &Line, began: &Began) {
        if self.is_clock_set {
            return;
        }
        let Execution { task, index, tick } = began.execution.clone();
        let age = line.at.duration_since(tick.timestamp());
        let place = (began.instance.clone(), task, tick);
        let before = *self.index_of.entry(place).or_insert(index);
        let is_remembered = age < signed(self.plan.memory);
        self.must(
            before == index || !is_remembered,
            line,
            "an instance begins one index of a tick",
        );
    }
}

fn window(missed: Missed) -> Duration {
    match missed {
        Missed::Latest { window } | Missed::All { window } => window,
        _ => Duration::ZERO,
    }
}

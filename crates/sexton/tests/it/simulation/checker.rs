//! Whether a simulation kept the promise.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sexton::lock::{Execution, ExecutionRecord, ExecutionState, HeldLock, Outcome};
use sexton::name::{InstanceId, TaskName};
use sexton::policy::Overlap;
use sexton::{Attempt, Concurrency, ConcurrencyIndex, Fence, Tick};

use super::history::{Began, End, Granted, Line, What};
use super::plan::{TaskPlan, Version};
use super::starts::{CAUGHT_UP_MAX, wrong_starts};
use super::world::{LATEST_ARRIVAL, Simulated, begin, end};

/// What a simulation did that it must not: empty if it kept the promise.
pub(crate) fn violations(simulated: &Simulated) -> Vec<String> {
    let mut checker = Checker::new(simulated);
    for line in &simulated.lines {
        checker.take(line);
    }
    checker.take_records(&simulated.records);
    checker
        .violations
        .extend(wrong_starts(simulated, CAUGHT_UP_MAX));
    checker.violations
}

/// The grant that an execution had last.
#[derive(Debug)]
struct Current {
    granted: Granted,
    /// `None` for a grant without a lease.
    lease_until: Option<Timestamp>,
    state: GrantState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrantState {
    Held,
    Released,
    Over,
}

type LaneName = (TaskName, ConcurrencyIndex);

/// What is known of a (task, index).
#[derive(Debug)]
struct Lane {
    /// The schedule that it has, and after which tick that counts.
    version: Version,
    first_tick: Tick,
    watermark: Tick,
    fence: Fence,
    grants: BTreeMap<Tick, Current>,
}

impl Lane {
    fn after(first_tick: Tick) -> Lane {
        Lane {
            version: Version::First,
            first_tick,
            watermark: Tick::MIN,
            fence: Fence::NONE,
            grants: BTreeMap::new(),
        }
    }
}

struct Checker<'a> {
    simulated: &'a Simulated,
    tasks: BTreeMap<&'a str, &'a TaskPlan>,
    lanes: BTreeMap<LaneName, Lane>,
    /// Runs by execution and fence, and how they ended.
    began: BTreeMap<(Execution, Fence), Option<End>>,
    started: BTreeSet<Execution>,
    /// Ticks that were accounted for by the last of them: the first, the last, by whom.
    covered: Vec<(Tick, Execution, InstanceId)>,
    /// The latest that the store's clock has shown.
    latest: Timestamp,
    /// Whether that clock was set back: leases that were over may then count again, and nobody can
    /// know that they were.
    was_set_back: bool,
    violations: Vec<String>,
}

fn lane_name(execution: &Execution) -> LaneName {
    (execution.task.clone(), execution.index)
}

impl<'a> Checker<'a> {
    fn new(simulated: &'a Simulated) -> Checker<'a> {
        let tasks = &simulated.plan.tasks;
        Checker {
            simulated,
            tasks: tasks
                .iter()
                .map(|task| (task.name.as_str(), task))
                .collect(),
            lanes: BTreeMap::new(),
            began: BTreeMap::new(),
            started: BTreeSet::new(),
            covered: Vec::new(),
            latest: Timestamp::MIN,
            was_set_back: false,
            violations: Vec::new(),
        }
    }

    fn task(&self, execution: &Execution) -> &'a TaskPlan {
        self.tasks[execution.task.as_str()]
    }

    fn lane(&mut self, execution: &Execution) -> &mut Lane {
        // Before the store knows of a task, nobody knows of ticks before his own start.
        let first_tick = Tick::at_or_before(self.latest).max(execution.tick);
        let lane = self.lanes.entry(lane_name(execution));
        lane.or_insert_with(|| Lane::after(first_tick))
    }

    fn current(&mut self, execution: &Execution) -> Option<&mut Current> {
        self.lane(execution).grants.get_mut(&execution.tick)
    }

    /// The grant of a lock, if it is the last of its execution.
    fn held(&mut self, lock: &HeldLock) -> Option<&mut Current> {
        self.current(&lock.execution)
            .filter(|current| current.granted.fence == lock.fence)
    }

    fn must(&mut self, holds: bool, line: &Line, rule: &str) {
        if !holds {
            self.violations.push(format!("{rule}: {line}"));
        }
    }

    fn take(&mut self, line: &Line) {
        self.was_set_back |= line.at < self.latest;
        self.latest = self.latest.max(line.at);
        match &line.what {
            What::Granted(granted) => self.take_grant(line, granted),
            What::Extended(lock, until) => self.take_extension(line, lock, *until),
            What::Settled(lock, _) => {
                let is_held = self.held(lock).is_some();
                self.must(is_held, line, "only the last holder settles");
                self.end_grant(&lock.execution, GrantState::Over);
            }
            What::Released(lock) => {
                let is_held = self
                    .held(lock)
                    .is_some_and(|current| current.state == GrantState::Held);
                self.must(is_held, line, "only a holder releases");
                let is_unstarted = !self
                    .began
                    .contains_key(&(lock.execution.clone(), lock.fence));
                self.must(is_unstarted, line, "only what was not started is released");
                self.end_grant(&lock.execution, GrantState::Released);
            }
            What::Defined(task, version) => self.take_definition(line, task, *version),
            What::Recorded(execution) | What::Queued(execution) | What::GivenUp(execution, ..) => {
                let lane = self.lane(execution);
                lane.watermark = lane.watermark.max(execution.tick);
            }
            What::Lost(execution) => {
                self.end_grant(execution, GrantState::Over);
                let was_granted = self.current(execution).is_some();
                self.must(was_granted, line, "only what was granted is lost");
            }
            What::Began(began) => self.take_beginning(line, began),
            What::Ended(execution, fence, end) => {
                self.began.insert((execution.clone(), *fence), Some(*end));
            }
            What::Covered { first, last, by } => {
                self.covered.push((*first, last.clone(), by.clone()));
            }
            What::Denied(..)
            | What::AccountedFor(..)
            | What::Done(_)
            | What::Enqueued(..)
            | What::Overdue(_) => {}
        }
    }

    /// From now on every tick of the schedule is accounted for, whichever instance dies before it
    /// is claimed.
    fn take_definition(&mut self, line: &Line, task: &TaskName, version: Version) {
        let concurrency = Concurrency::new(self.tasks[task.as_str()].concurrency).unwrap();
        for index in concurrency.indices() {
            let now = Tick::at_or_before(line.at);
            let lane = self.lanes.entry((task.clone(), index));
            let lane = lane.or_insert_with(|| Lane::after(now));
            if lane.version != version {
                lane.version = version;
                lane.first_tick = now;
            }
        }
    }

    fn end_grant(&mut self, execution: &Execution, state: GrantState) {
        if let Some(current) = self.current(execution) {
            current.state = state;
        }
    }

    fn take_grant(&mut self, line: &Line, granted: &Granted) {
        let Granted {
            execution,
            fence,
            lease_until,
            ..
        } = granted;
        let task = self.task(execution);
        let lead = SignedDuration::try_from(self.simulated.plan.lead).unwrap();
        let is_early = execution.tick.timestamp() > line.at + lead;
        self.must(!is_early, line, "nothing is granted before its time");
        let lease = SignedDuration::try_from(task.lease).unwrap();
        let is_exact = lease_until.is_none_or(|until| until == line.at + lease);
        self.must(is_exact, line, "a lease begins by the store's clock");
        let lane = self.lane(execution);
        let (rises, above) = (*fence > lane.fence, execution.tick > lane.watermark);
        lane.fence = *fence;
        if !granted.had_record {
            // What was triggered leaves the watermark where it is.
            lane.watermark = lane.watermark.max(execution.tick);
        }
        self.must(rises, line, "fences rise");
        let is_open = above || granted.had_record;
        self.must(is_open, line, "nothing is granted behind the watermark");
        self.check_repetition(line, granted);
        if task.overlap != Overlap::Allow {
            self.check_overlap(line, execution);
        }
        let current = Current {
            granted: granted.clone(),
            lease_until: *lease_until,
            state: GrantState::Held,
        };
        self.lane(execution).grants.insert(execution.tick, current);
    }

    /// Whether the execution may be granted as it is after what was granted of it before.
    fn check_repetition(&mut self, line: &Line, granted: &Granted) {
        let attempts_max = self.task(&granted.execution).attempts_max;
        let attempt = granted.attempt.get();
        let (holds, rule) = match self.current(&granted.execution) {
            None => (attempt == 1, "the first attempt is the first"),
            Some(before) => {
                let attempt_before = before.granted.attempt.get();
                match before.state {
                    GrantState::Over => (false, "what is over is not granted again"),
                    GrantState::Released => {
                        let is_same = attempt == attempt_before;
                        (is_same, "what was not started is the same attempt again")
                    }
                    GrantState::Held => {
                        let is_over = before.lease_until.is_some_and(|until| until <= line.at);
                        let is_next = attempt == attempt_before + 1 && attempt <= attempts_max;
                        (is_over && is_next, "no two grants are live at once")
                    }
                }
            }
        };
        self.must(holds, line, rule);
    }

    fn check_overlap(&mut self, line: &Line, execution: &Execution) {
        let is_live = |(tick, other): (&Tick, &Current)| {
            *tick != execution.tick
                && other.state == GrantState::Held
                && other.lease_until.is_some_and(|until| until > line.at)
        };
        let overlaps = self.lane(execution).grants.iter().any(is_live);
        self.must(!overlaps, line, "nothing overlaps that must not");
    }

    fn take_extension(&mut self, line: &Line, lock: &HeldLock, until: Timestamp) {
        let is_held = self.held(lock).is_some_and(|current| {
            current.lease_until = Some(until);
            current.state == GrantState::Held
        });
        self.must(is_held, line, "only the last holder's lease is extended");
        if self.task(&lock.execution).overlap != Overlap::Allow && !self.was_set_back {
            self.check_overlap(line, &lock.execution);
        }
    }

    fn take_beginning(&mut self, line: &Line, began: &Began) {
        let Began {
            execution,
            instance,
            fence,
            attempt,
        } = began;
        let is_granted = self.current(execution).is_some_and(|current| {
            let granted = &current.granted;
            // A holder that has not learned yet that it lost its lease may begin with an older
            // fence.
            granted.fence > *fence
                || (granted.fence == *fence
                    && granted.instance == *instance
                    && granted.attempt == *attempt)
        });
        self.must(is_granted, line, "only what was granted begins");
        let is_new = self
            .began
            .insert((execution.clone(), *fence), None)
            .is_none();
        self.must(is_new, line, "a grant begins once");
        let is_first = self.started.insert(execution.clone());
        let may_repeat = self.task(execution).attempts_max > 1;
        self.must(is_first || may_repeat, line, "at most once is once");
    }

    fn take_records(&mut self, records: &[ExecutionRecord]) {
        let by_execution: BTreeMap<&Execution, &ExecutionRecord> = records
            .iter()
            .map(|record| (&record.execution, record))
            .collect();
        // What was not run may be written down again once it is forgotten: the answer was lost.
        let mut ran = BTreeSet::new();
        let is_unrun = |record: &&ExecutionRecord| {
            let state = record.state;
            matches!(state, ExecutionState::Skipped | ExecutionState::Missed)
        };
        for record in records.iter().filter(|record| !is_unrun(record)) {
            if !ran.insert(&record.execution) {
                let text = format!("an execution has two records: {}", record.execution);
                self.violations.push(text);
            }
        }
        for record in records {
            self.check_record(record);
        }
        let lanes: Vec<(LaneName, Version, Tick)> = self
            .lanes
            .iter()
            .map(|(name, lane)| (name.clone(), lane.version, lane.first_tick))
            .collect();
        for ((task, index), version, first_tick) in lanes {
            let plan = self.tasks[task.as_str()];
            let mut tick = next_due(plan, version, first_tick.max(self.settled_since(plan)));
            while tick.timestamp() < end() {
                let execution = Execution {
                    task: task.clone(),
                    index,
                    tick,
                };
                if !by_execution.contains_key(&execution)
                    && !self.is_covered_by_the_dead(&execution)
                {
                    let text = format!("every tick is accounted for: {execution} has no record");
                    self.violations.push(text);
                }
                tick = next_due(plan, version, tick);
            }
        }
    }

    /// Whether a tick has the record of a later one stand for it, as the instance that had more to
    /// write ended before it could.
    fn is_covered_by_the_dead(&self, execution: &Execution) -> bool {
        let Execution { task, index, tick } = execution;
        self.covered.iter().any(|(first, last, by)| {
            let is_between = *first <= *tick && *tick < last.tick;
            let is_lane = (&last.task, last.index) == (task, *index);
            is_lane && is_between && !self.simulated.healthy.contains(by)
        })
    }

    /// Since when every replica has the same schedule of a task: while some have another, a tick of
    /// theirs raises the watermark past those of the others.
    fn settled_since(&self, task: &TaskPlan) -> Tick {
        let plan = &self.simulated.plan;
        let edit = plan
            .edit
            .filter(|edit| plan.tasks[edit.task].name == task.name);
        let Some(edit) = edit else {
            return Tick::MIN;
        };
        let lives = plan.replicas.iter().flat_map(|replica| &replica.lives);
        let before = lives.filter(|life| life.begins < edit.at);
        let last_end = before.map(|life| life.ends).max().unwrap_or_default();
        // What one had under way arrives later.
        let settled = begin() + SignedDuration::try_from(last_end + LATEST_ARRIVAL).unwrap();
        Tick::at_or_before(settled)
    }

    fn check_record(&mut self, record: &ExecutionRecord) {
        let ExecutionRecord {
            execution,
            state,
            fence,
            instance,
            ..
        } = record;
        let run = self.began.get(&(execution.clone(), *fence));
        let (holds, rule) = match state {
            ExecutionState::Ended(Outcome::Succeeded) => {
                (run == Some(&Some(End::Done)), "what succeeded was done")
            }
            ExecutionState::Ended(Outcome::Cancelled | Outcome::CutOff) => (true, ""),
            ExecutionState::Ended(Outcome::Lost) => self.check_lost(record),
            ExecutionState::Skipped | ExecutionState::Missed => {
                let was_started = self.started.contains(execution);
                (!was_started, "what was not run did not begin")
            }
            _ => (false, "everything ends"),
        };
        if !holds {
            let text = format!("{rule}: {execution} is {state}, fence {fence}, by {instance:?}");
            self.violations.push(text);
        }
    }

    fn check_lost(&self, record: &ExecutionRecord) -> (bool, &'static str) {
        let attempt = record.attempt.map_or(0, Attempt::get);
        let may_be_repeated = attempt < self.task(&record.execution).attempts_max;
        if may_be_repeated && !record.cancel_requested {
            return (false, "what may be repeated is repeated");
        }
        let instance = record.instance.as_ref();
        let is_healthy = instance.is_some_and(|instance| self.simulated.healthy.contains(instance));
        (!is_healthy, "a healthy instance loses nothing")
    }
}

/// The first tick of a schedule after one.
fn next_due(task: &TaskPlan, version: Version, after: Tick) -> Tick {
    let (period_ms, phase_ms) = (task.period_ms(), version.phase_ms(task));
    let periods = (after.as_millis() - phase_ms).div_euclid(period_ms) + 1;
    Tick::from_millis(periods * period_ms + phase_ms).unwrap()
}

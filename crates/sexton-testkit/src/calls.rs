//! Random calls of a lock manager, and what it answers. The equivalence tests send the same calls
//! to a store and to the in-memory manager.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use sexton_core::lock::{
    Claim, ClaimLead, Consumption, Covered, Enqueue, Execution, ExecutionRecord, ExecutionState,
    HeldLock, HistoryQuery, InstanceReport, LockError, LockManager, Outcome, PauseChange, Reason,
    Release, Renewal, Retention, Settlement, SweepQuery, TaskDefinition, TaskQuery,
};
use sexton_core::name::{ClaimId, Incarnation};
use sexton_core::policy::{Delivery, Lease, Overlap, Placement};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};

use crate::fixtures::{NOON_MS, instance, task};

const TASKS: [&str; 3] = ["a", "b \"'%[é", "c"];
const INSTANCES: [&str; 2] = ["one", "two"];

/// A call, or time that passes.
#[derive(Debug, Clone)]
pub enum Step {
    /// [`LockManager::claim`]
    Claim(Vec<Claim>),
    /// [`LockManager::renew`]
    Renew(Vec<Renewal>),
    /// [`LockManager::settle`]
    Settle(Vec<Settlement>),
    /// [`LockManager::release`]
    Release(Vec<Release>),
    /// [`LockManager::consume`]
    Consume(Vec<Consumption>),
    /// [`LockManager::enqueue`]
    Enqueue(Vec<Enqueue>),
    /// [`LockManager::request_cancel`]
    Cancel(Execution),
    /// [`LockManager::sweep`]
    Sweep(SweepQuery),
    /// [`LockManager::heartbeat`]
    Heartbeat(InstanceReport),
    /// [`LockManager::leave`], by this instance.
    Leave(&'static str, Incarnation),
    /// [`LockManager::define`], by this instance.
    Define(&'static str, Vec<TaskDefinition>),
    /// [`LockManager::change_pause`] of these tasks.
    Pause(Vec<&'static str>, PauseChange),
    /// [`LockManager::tasks`]
    Tasks(TaskQuery),
    /// [`LockManager::history`]
    History(HistoryQuery),
    /// [`LockManager::prune`]
    Prune(Retention),
    /// This many milliseconds pass.
    Wait(u64),
    /// The holder of one of the running executions, by its position among them, does this.
    Hold(usize, Deed),
    /// One of the running or waiting executions, by its position among them, is claimed with the
    /// terms of this claim.
    TakeOver(usize, Claim),
}

/// What a holder does with its lock.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Renews it for this many milliseconds.
    Renew(u64),
    /// Settles it with this outcome, and this text as its error and its output.
    Settle(Outcome, Option<&'static str>),
    /// Releases it with this deadline.
    Release(Option<Timestamp>),
}

fn execution() -> impl Strategy<Value = Execution> {
    // Mostly one index of one task, and soon due, so that executions conflict.
    let name = prop_oneof![2 => Just(0), 1 => 0..TASKS.len()];
    let index = prop_oneof![2 => Just(1), 1 => 1_u64..=2];
    let tick = prop_oneof![1 => 0_i64..3, 1 => 0_i64..6];
    (name, index, tick).prop_map(|(name, index, tick)| Execution {
        task: task(TASKS[name]),
        index: ConcurrencyIndex::new(index).unwrap(),
        tick: Tick::from_millis(NOON_MS + tick * 250).unwrap(),
    })
}

/// A deadline: about half of them pass within a sequence of steps.
fn deadline() -> impl Strategy<Value = Option<Timestamp>> {
    let instant = (-2_i64..12).prop_map(|at| Tick::from_millis(NOON_MS + at * 250).unwrap());
    prop::option::of(instant.prop_map(Tick::timestamp))
}

fn two() -> Concurrency {
    Concurrency::new(2).unwrap()
}

fn needs_record() -> impl Strategy<Value = bool> {
    prop_oneof![3 => Just(false), 1 => Just(true)]
}

fn claim() -> impl Strategy<Value = Claim> {
    let delivery = (0_u8..3, 1_u32..4).prop_map(|(kind, max)| {
        let attempts_max = NonZeroU32::new(max).unwrap();
        match kind {
            0 => Delivery::AtMostOnce,
            1 => Delivery::AtLeastOnce { attempts_max },
            _ => Delivery::Transactional { attempts_max },
        }
    });
    let overlap = prop_oneof![
        Just(Overlap::Allow),
        Just(Overlap::Skip),
        Just(Overlap::QueueOne),
        Just(Overlap::CancelEarlier)
    ];
    let placement = prop_oneof![Just(Placement::Race), Just(Placement::Distinct)];
    let who = (0..INSTANCES.len(), 0_u128..4, 100_u64..500);
    let policies = (delivery, overlap, placement);
    let terms = (deadline(), needs_record());
    (execution(), policies, who, terms).prop_map(
        |(
            execution,
            (delivery, overlap, placement),
            (who, id, lease_ms),
            (deadline, needs_record),
        )| Claim {
            execution,
            concurrency: two(),
            claim_id: ClaimId::from_u128(id),
            instance: instance(INSTANCES[who]),
            delivery,
            overlap,
            placement,
            lease: Lease::new(Duration::from_millis(lease_ms)).unwrap(),
            deadline,
            needs_record,
        },
    )
}

fn lock() -> impl Strategy<Value = HeldLock> {
    (execution(), 0_u128..4, 1_u64..4).prop_map(|(execution, id, fence)| HeldLock {
        execution,
        claim_id: ClaimId::from_u128(id),
        fence: Fence::new(fence),
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        Just(Outcome::Succeeded),
        Just(Outcome::Failed),
        Just(Outcome::CutOff)
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    let said = prop::option::of(Just("it's \"gone\""));
    prop_oneof![
        1 => (100_u64..600).prop_map(Deed::Renew),
        2 => (outcome(), said).prop_map(|(outcome, said)| Deed::Settle(outcome, said)),
        2 => deadline().prop_map(Deed::Release),
    ]
}

fn settlement() -> impl Strategy<Value = Settlement> {
    (lock(), outcome(), any::<Option<String>>()).prop_map(|(lock, outcome, text)| {
        let at = lock.execution.tick.timestamp();
        let settlement = Settlement::new(lock, outcome, at, at);
        match text {
            Some(text) => settlement.with_error(&text).with_output(&text),
            None => settlement,
        }
    })
}

fn report() -> impl Strategy<Value = InstanceReport> {
    let parts = (0..INSTANCES.len(), 0_u128..2, 0_u32..9, 100_u64..900);
    parts.prop_map(|(who, which, running, ms)| InstanceReport {
        instance: instance(INSTANCES[who]),
        incarnation: Incarnation::from_u128(which),
        started_at: Tick::from_millis(NOON_MS).unwrap().timestamp(),
        version: "1.2.3".to_owned(),
        clock_offset: None,
        running,
        presence: Duration::from_millis(ms),
    })
}

fn definitions() -> impl Strategy<Value = Vec<TaskDefinition>> {
    let one =
        (0..TASKS.len(), 1_u64..3, 1_u8..3).prop_map(|(name, concurrency, hours)| TaskDefinition {
            task: task(TASKS[name]),
            schedule: "at noon".to_owned(),
            canonical: format!("every {hours}h \"'%[é"),
            concurrency: Concurrency::new(concurrency).unwrap(),
            definition: format!("{{\"concurrency\": {concurrency}}}"),
        });
    prop::collection::vec(one, 0..3)
}

fn history() -> impl Strategy<Value = HistoryQuery> {
    let states = prop_oneof![
        Just(Vec::new()),
        Just(vec![ExecutionState::Running, ExecutionState::Waiting]),
        Just(vec![ExecutionState::Waiting]),
        Just(vec![
            ExecutionState::Running,
            ExecutionState::Ended(Outcome::Succeeded),
            ExecutionState::Skipped
        ]),
    ];
    let bound = || {
        prop::option::of((0_i64..6).prop_map(|at| Tick::from_millis(NOON_MS + at * 250).unwrap()))
    };
    let named = prop::option::of((0..TASKS.len()).prop_map(|name| task(TASKS[name])));
    (
        named,
        states,
        bound(),
        bound(),
        prop::option::of(execution()),
        1_usize..8,
    )
        .prop_map(|(task, states, since, until, after, limit)| HistoryQuery {
            task,
            states,
            since,
            until,
            after,
            limit,
        })
}

/// Any [`Step`].
pub fn step() -> impl Strategy<Value = Step> {
    let drawn = (
        execution(),
        0..Reason::ALL.len(),
        any::<bool>(),
        any::<bool>(),
    );
    let consumption = drawn.prop_map(|(execution, reason, covers, is_covered)| Consumption {
        covers: covers.then_some(Covered {
            first: execution.tick.saturating_add_millis(-1),
            ticks: 9,
            unrecorded: 2,
        }),
        is_covered,
        ..Consumption::new(execution, two(), Reason::ALL[reason], instance("one"))
    });
    let enqueue = (execution(), deadline()).prop_map(|(execution, deadline)| Enqueue {
        execution,
        concurrency: two(),
        deadline,
    });
    let release = (lock(), deadline()).prop_map(|(lock, deadline)| Release { lock, deadline });
    let renewal = (lock(), 100_u64..600).prop_map(|(lock, ms)| Renewal {
        lock,
        lease: Lease::new(Duration::from_millis(ms)).unwrap(),
    });
    let sweep =
        (prop::option::of(execution()), 1_usize..5, 0_u64..500).prop_map(|(after, limit, ms)| {
            SweepQuery {
                after,
                limit,
                abandoned_after: Duration::from_millis(ms),
            }
        });
    let who = (0..INSTANCES.len()).prop_map(|who| INSTANCES[who]);
    let pause = prop_oneof![
        Just(PauseChange::Resume),
        Just(PauseChange::Pause {
            note: "lunch".to_owned(),
            by: "ops".to_owned()
        })
    ];
    let names = || prop::collection::vec((0..TASKS.len()).prop_map(|name| TASKS[name]), 0..3);
    let tasks = prop_oneof![
        names().prop_map(|names| TaskQuery::Named(names.into_iter().map(task).collect())),
        (
            prop::option::of((0..TASKS.len()).prop_map(|name| task(TASKS[name]))),
            1_usize..4
        )
            .prop_map(|(after, limit)| TaskQuery::Page { after, limit }),
    ];
    let retention = (prop::option::of(0_u64..1_500), prop::option::of(0_u32..4)).prop_map(
        |(age_ms, per_task_max)| Retention {
            age_max: age_ms.map(Duration::from_millis),
            per_task_max,
        },
    );
    prop_oneof![
        8 => prop::collection::vec(claim(), 0..5).prop_map(Step::Claim),
        2 => prop::collection::vec(renewal, 0..4).prop_map(Step::Renew),
        3 => prop::collection::vec(settlement(), 0..4).prop_map(Step::Settle),
        1 => prop::collection::vec(release, 0..4).prop_map(Step::Release),
        1 => prop::collection::vec(consumption, 0..3).prop_map(Step::Consume),
        2 => prop::collection::vec(enqueue, 0..3).prop_map(Step::Enqueue),
        2 => execution().prop_map(Step::Cancel),
        2 => sweep.prop_map(Step::Sweep),
        2 => report().prop_map(Step::Heartbeat),
        1 => (who.clone(), 0_u128..2)
            .prop_map(|(who, which)| Step::Leave(who, Incarnation::from_u128(which))),
        1 => (who, definitions()).prop_map(|(who, batch)| Step::Define(who, batch)),
        1 => (names(), pause).prop_map(|(names, change)| Step::Pause(names, change)),
        1 => tasks.prop_map(Step::Tasks),
        2 => history().prop_map(Step::History),
        1 => retention.prop_map(Step::Prune),
        8 => (1_u64..600).prop_map(Step::Wait),
        6 => (0_usize..8, deed()).prop_map(|(place, deed)| Step::Hold(place, deed)),
        6 => (0_usize..8, claim()).prop_map(|(place, claim)| Step::TakeOver(place, claim)),
    ]
}

/// Makes the call of a step, and answers the result as text. [`Step::Wait`] is left to the caller,
/// who has the clock.
pub async fn answer(manager: &dyn LockManager, step: &Step) -> String {
    let lead = ClaimLead::new(Duration::from_millis(500)).unwrap();
    match step {
        Step::Claim(batch) => format!("{:?}", manager.claim(lead, batch).await),
        Step::Renew(batch) => format!("{:?}", manager.renew(batch).await),
        Step::Settle(batch) => format!("{:?}", manager.settle(batch).await),
        Step::Release(batch) => format!("{:?}", manager.release(batch).await),
        Step::Consume(batch) => format!("{:?}", manager.consume(batch).await),
        Step::Enqueue(batch) => format!("{:?}", manager.enqueue(batch).await),
        Step::Cancel(execution) => format!("{:?}", manager.request_cancel(execution).await),
        Step::Sweep(query) => format!("{:?}", manager.sweep(query).await),
        Step::Heartbeat(report) => format!("{:?}", manager.heartbeat(report).await),
        Step::Leave(who, which) => {
            format!("{:?}", manager.leave(&instance(who), *which).await)
        }
        Step::Define(who, batch) => format!("{:?}", manager.define(&instance(who), batch).await),
        Step::Pause(names, change) => {
            let names: Vec<_> = names.iter().copied().map(task).collect();
            format!("{:?}", manager.change_pause(&names, change).await)
        }
        Step::Tasks(query) => format!("{:?}", manager.tasks(query).await),
        Step::History(query) => format!("{:?}", manager.history(query).await),
        Step::Prune(retention) => format!("{:?}", manager.prune(retention, 1_000).await),
        Step::Wait(_) => String::new(),
        Step::Hold(place, deed) => match one_of(manager, &[RUNNING], *place).await {
            Ok(Some(record)) => act(manager, &record, deed).await,
            Ok(None) => "nothing runs".to_owned(),
            Err(error) => format!("Err({error:?})"),
        },
        Step::TakeOver(place, claim) => {
            let found = one_of(manager, &[RUNNING, WAITING], *place).await;
            let execution = match found {
                Ok(Some(record)) => record.execution,
                Ok(None) => return "nothing is open".to_owned(),
                Err(error) => return format!("Err({error:?})"),
            };
            let claim = Claim {
                execution,
                ..claim.clone()
            };
            format!("{:?}", manager.claim(lead, &[claim]).await)
        }
    }
}

const RUNNING: ExecutionState = ExecutionState::Running;
const WAITING: ExecutionState = ExecutionState::Waiting;

/// The execution at this position among those in these states, modulo their number.
async fn one_of(
    manager: &dyn LockManager,
    states: &[ExecutionState],
    place: usize,
) -> Result<Option<ExecutionRecord>, LockError> {
    let query = HistoryQuery {
        states: states.to_vec(),
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let mut found = manager.history(&query).await?.value;
    let place = place.checked_rem(found.len());
    Ok(place.map(|place| found.swap_remove(place)))
}

async fn act(manager: &dyn LockManager, record: &ExecutionRecord, deed: &Deed) -> String {
    let lock = HeldLock {
        execution: record.execution.clone(),
        claim_id: record.claim_id.unwrap(),
        fence: record.fence,
    };
    match deed {
        Deed::Renew(ms) => {
            let lease = Lease::new(Duration::from_millis(*ms)).unwrap();
            format!("{:?}", manager.renew(&[Renewal { lock, lease }]).await)
        }
        Deed::Settle(outcome, said) => {
            let at = record.execution.tick.timestamp();
            let settlement = Settlement::new(lock, *outcome, at, at);
            let settlement = match said {
                Some(said) => settlement.with_error(said).with_output(said),
                None => settlement,
            };
            format!("{:?}", manager.settle(&[settlement]).await)
        }
        Deed::Release(deadline) => {
            let release = Release {
                lock,
                deadline: *deadline,
            };
            format!("{:?}", manager.release(&[release]).await)
        }
    }
}

/// All history, tasks and instances of a store, as text.
pub async fn whole(manager: &dyn LockManager) -> String {
    let page = TaskQuery::Page {
        after: None,
        limit: 1_000,
    };
    let everything = HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    };
    format!(
        "{:#?}\n{:#?}\n{:#?}",
        manager.history(&everything).await,
        manager.tasks(&page).await,
        manager.instances().await,
    )
}

//! Given the same calls at the same times, a server answers as the memory manager does, whatever
//! the calls are.

use std::cell::Cell;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sexton_core::clock::ManualClock;
use sexton_core::lock::{
    Claim, ClaimLead, Consumption, Covered, Enqueue, Execution, ExecutionState, HeldLock,
    HistoryQuery, InstanceReport, LockManager, Outcome, PauseChange, Reason, Release, Renewal,
    Retention, Settlement, SweepQuery, TaskDefinition, TaskQuery,
};
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::{ClaimId, Incarnation, InstanceId, Namespace, TaskName};
use sexton_core::policy::{Delivery, Lease, Overlap, Placement};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};
use sexton_redis::RedisOptions;
use sexton_testkit::redis::Server;

/// Noon of the day on which all tests play.
const NOON_MS: i64 = 1_706_616_000_000;

fn task(name: &str) -> TaskName {
    TaskName::new(name).unwrap()
}

fn instance(name: &str) -> InstanceId {
    InstanceId::new(name).unwrap()
}

const TASKS: [&str; 3] = ["a", "b \"'%[é", "c"];
const INSTANCES: [&str; 3] = ["one", "two", "three"];

#[derive(Debug, Clone)]
enum Step {
    Claim(Vec<Claim>),
    Renew(Vec<Renewal>),
    Settle(Vec<Settlement>),
    Release(Vec<Release>),
    Consume(Vec<Consumption>),
    Enqueue(Vec<Enqueue>),
    Cancel(Execution),
    Sweep(SweepQuery),
    Heartbeat(InstanceReport),
    Leave(&'static str, Incarnation),
    Define(&'static str, Vec<TaskDefinition>),
    Pause(Vec<&'static str>, PauseChange),
    Tasks(TaskQuery),
    History(HistoryQuery),
    Prune(Retention),
    Wait(u64),
}

fn execution() -> impl Strategy<Value = Execution> {
    // Much of it is about one (task, index), so that several of its ticks run and wait.
    let field = prop_oneof![2 => Just((0, 1)), 1 => (0..TASKS.len(), 1_u64..=2)];
    (field, 0_i64..6).prop_map(|((name, index), tick)| Execution {
        task: task(TASKS[name]),
        index: ConcurrencyIndex::new(index).unwrap(),
        tick: Tick::from_millis(NOON_MS + tick * 250).unwrap(),
    })
}

/// None, one that has passed, or one that a few waits make pass.
fn deadline() -> impl Strategy<Value = Option<Timestamp>> {
    prop::option::weighted(0.8, -200_000_i64..1_800_000)
        .prop_map(|us| us.map(|us| Timestamp::from_microsecond(NOON_MS * 1_000 + us).unwrap()))
}

fn two() -> Concurrency {
    Concurrency::new(2).unwrap()
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
    let who = (0..INSTANCES.len(), 0_u128..4, 100_u64..600);
    let terms = (deadline(), prop_oneof![3 => Just(false), 1 => Just(true)]);
    (execution(), delivery, overlap, placement, who, terms).prop_map(
        |(
            execution,
            delivery,
            overlap,
            placement,
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

/// [`Fence::NONE`] stands for one that is held when its step comes: see [`with_held_locks`].
fn lock() -> impl Strategy<Value = HeldLock> {
    let fence = prop_oneof![3 => Just(0), 1 => 1_u64..4];
    (execution(), 0_u128..4, fence).prop_map(|(execution, id, fence)| HeldLock {
        execution,
        claim_id: ClaimId::from_u128(id),
        fence: Fence::new(fence),
    })
}

fn settlement() -> impl Strategy<Value = Settlement> {
    let outcome = prop_oneof![
        Just(Outcome::Succeeded),
        Just(Outcome::Failed),
        Just(Outcome::CutOff)
    ];
    (lock(), outcome, any::<Option<String>>()).prop_map(|(lock, outcome, text)| {
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
    let texts = prop_oneof![
        Just(("at noon", "once 12:00")),
        Just(("at noon\t", "once\t12:00")),
        Just(("twelve", "once 12:00")),
        Just(("", ""))
    ];
    let one = (0..TASKS.len(), 1_u64..3, texts);
    let one = one.prop_map(
        |(name, concurrency, (schedule, canonical))| TaskDefinition {
            task: task(TASKS[name]),
            schedule: schedule.to_owned(),
            canonical: canonical.to_owned(),
            concurrency: Concurrency::new(concurrency).unwrap(),
            definition: format!("{{\"concurrency\": {concurrency}}}"),
        },
    );
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

fn step() -> impl Strategy<Value = Step> {
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
        12 => prop::collection::vec(claim(), 0..5).prop_map(Step::Claim),
        2 => prop::collection::vec(renewal, 0..4).prop_map(Step::Renew),
        3 => prop::collection::vec(settlement(), 0..4).prop_map(Step::Settle),
        3 => prop::collection::vec(release, 0..4).prop_map(Step::Release),
        1 => prop::collection::vec(consumption, 0..3).prop_map(Step::Consume),
        3 => prop::collection::vec(enqueue, 0..3).prop_map(Step::Enqueue),
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
        4 => (1_u64..400).prop_map(Step::Wait),
    ]
}

/// The step with locks that are held now where it leaves them open.
async fn with_held_locks(mut step: Step, manager: &MemoryLockManager) -> Step {
    let locks: Vec<&mut HeldLock> = match &mut step {
        Step::Renew(batch) => batch.iter_mut().map(|renewal| &mut renewal.lock).collect(),
        Step::Settle(batch) => batch
            .iter_mut()
            .map(|settlement| &mut settlement.lock)
            .collect(),
        Step::Release(batch) => batch.iter_mut().map(|release| &mut release.lock).collect(),
        _ => return step,
    };
    let running = HistoryQuery {
        states: vec![ExecutionState::Running],
        ..everything()
    };
    let held = manager.history(&running).await.unwrap().value;
    for lock in locks.into_iter().filter(|lock| lock.fence == Fence::NONE) {
        let drawn = usize::try_from(lock.claim_id.as_u128()).unwrap();
        let record = held.iter().cycle().nth(drawn);
        if let Some((record, id)) = record.and_then(|record| Some((record, record.claim_id?))) {
            *lock = HeldLock {
                execution: record.execution.clone(),
                claim_id: id,
                fence: record.fence,
            };
        }
    }
    step
}

/// What a manager answers, to be compared. `Wait` is the clocks' affair.
async fn answer(manager: &dyn LockManager, step: &Step) -> String {
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
    }
}

fn everything() -> HistoryQuery {
    HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    }
}

/// Everything that can be seen of a store.
async fn whole(manager: &dyn LockManager) -> String {
    let page = TaskQuery::Page {
        after: None,
        limit: 1_000,
    };
    format!(
        "{:#?}\n{:#?}\n{:#?}",
        manager.history(&everything()).await,
        manager.tasks(&page).await,
        manager.instances().await,
    )
}

async fn compare(server: &Server, number: u32, steps: &[Step]) -> Result<(), TestCaseError> {
    let clock = ManualClock::at(Tick::from_millis(NOON_MS).unwrap().timestamp());
    let memory = MemoryLockManager::with_clock(Arc::new(clock.clone()));
    let namespace = Namespace::new(format!("case {number}")).unwrap();
    let options = RedisOptions::new()
        .namespace(namespace)
        .clock(Arc::new(clock.clone()));
    let redis = options.connect(&server.url()).await.unwrap();
    for (number, step) in steps.iter().enumerate() {
        if let Step::Wait(ms) = step {
            clock.advance(Duration::from_millis(*ms));
        }
        let step = with_held_locks(step.clone(), &memory).await;
        let expected = answer(&memory, &step).await;
        let found = answer(&redis, &step).await;
        prop_assert_eq!(expected, found, "step {}: {:?}", number, step);
    }
    let (expected, found) = (whole(&memory).await, whole(&redis).await);
    prop_assert_eq!(expected, found, "at the end");
    Ok(())
}

/// Steps that are not drawn.
fn compare_all(series: &[Vec<Step>]) {
    if sexton_testkit::redis::is_declared_absent() {
        return;
    }
    let runtime = runtime();
    let server = runtime.block_on(Server::start_with(&["--appendonly", "no"]));
    for (number, steps) in (0..).zip(series) {
        let compared = runtime.block_on(compare(&server, number, steps));
        compared.unwrap_or_else(|failure| panic!("{failure}"));
    }
}

fn at(ms: i64) -> Execution {
    Execution {
        task: task("a"),
        index: ConcurrencyIndex::ONE,
        tick: Tick::from_millis(NOON_MS + ms).unwrap(),
    }
}

fn claim_at(ms: i64, id: u128) -> Claim {
    let mut claim = Claim::new(at(ms), two(), instance(&format!("instance {id}")));
    claim.claim_id = ClaimId::from_u128(id);
    claim
}

#[test]
fn more_waits_than_is_looked_at_once() {
    let enqueue = |ms: i64, deadline: i64| Enqueue {
        execution: at(ms),
        concurrency: two(),
        deadline: Some(Tick::from_millis(NOON_MS + deadline).unwrap().timestamp()),
    };
    let all_but_two = (0..23).map(|ms| enqueue(ms, -1)).collect();
    let mut newest = claim_at(100, 1);
    newest.overlap = Overlap::QueueOne;
    compare_all(&[vec![
        Step::Enqueue(all_but_two),
        Step::Claim(vec![newest]),
        Step::Enqueue(vec![enqueue(40, 60), enqueue(50, 60)]),
        Step::Claim(vec![claim_at(101, 2), claim_at(40, 3), claim_at(50, 4)]),
        Step::Claim(vec![claim_at(101, 5)]),
    ]]);
}

#[test]
fn an_execution_that_many_lost_names_the_last_of_them() {
    let lease = Duration::from_millis(100);
    let attempt = |id: u128| {
        let mut claim = claim_at(0, id);
        claim.placement = Placement::Distinct;
        claim.lease = Lease::new(lease).unwrap();
        claim.delivery = Delivery::AtLeastOnce {
            attempts_max: NonZeroU32::new(100).unwrap(),
        };
        [Step::Claim(vec![claim]), Step::Wait(100)]
    };
    let lost = (0..40).flat_map(attempt);
    // They have held it, so they get no other index, but for those that are not named any more.
    let other = |id: u128| {
        let mut claim = claim_at(0, id);
        claim.execution.index = ConcurrencyIndex::new(2).unwrap();
        claim.placement = Placement::Distinct;
        Step::Claim(vec![claim])
    };
    compare_all(&[lost
        .chain([other(39), other(20), other(8), other(6)])
        .collect()]);
}

fn runtime() -> tokio::runtime::Runtime {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().build().unwrap()
}

/// A failing case is printed whole, shrunk; PROPTEST_RNG_SEED steers it.
#[test]
fn a_server_answers_as_memory_does() {
    if sexton_testkit::redis::is_declared_absent() {
        return;
    }
    let runtime = runtime();
    let server = runtime.block_on(Server::start_with(&["--appendonly", "no"]));
    let mut runner = TestRunner::new(Config {
        cases: 128,
        failure_persistence: None,
        ..Config::default()
    });
    let number = Cell::new(0);
    let steps = prop::collection::vec(step(), 1..100);
    let tested = runner.run(&steps, |steps| {
        number.set(number.get() + 1);
        runtime.block_on(compare(&server, number.get(), &steps))
    });
    if let Err(failure) = tested {
        panic!("{failure}");
    }
}

//! Every start at its time, in its order, within its window: what was given back, what was missed,
//! what was triggered.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use sexton::clock::{Clock, TokioClock};
use sexton::lock::{ExecutionState, Reason};
use sexton::policy::{Delivery, Missed, Overlap, Placement};
use sexton::schedule::Every;
use sexton::{Event, MemoryLockManager, ReadyTask, Run, Scheduler, Task, Tick};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{
    Diary, Fleet, SUCCEEDED, begin, drain, every, lines, pass, pass_seconds, second, seconds,
    shut_down,
};

const MISSED: (ExecutionState, Option<Reason>) = (ExecutionState::Missed, Some(Reason::TooLate));

/// Given: one instance was granted the tick of second 60 ahead of it, and shuts down 150 ms before.
/// When: another finds at once what was given back. Then: it starts when any run of the tick would.
#[tokio::test(start_paused = true)]
async fn what_was_given_back_starts_at_its_tick_and_with_its_jitter() {
    for jitter in [None, Some(seconds(20))] {
        let task = move |diary: &Diary| {
            let task = every("t", 60);
            let task = match jitter {
                Some(jitter) => task.jitter(jitter),
                None => task,
            };
            task.run(diary.noting())
        };
        // Alone, an instance shows when the tick's run is due.
        let mut alone = Fleet::of(1).task(task).start().await;
        let mut fleet = Fleet::of(1).task(task).start().await;
        let mut events = fleet[0].events();
        let is_granted = |event: &Event| matches!(event, Event::Granted { .. });
        while !drain(&mut events).iter().any(is_granted) {
            pass(Duration::from_millis(10)).await;
        }
        assert_eq!(
            fleet.diary.entries().len(),
            0,
            "it is granted ahead of its tick"
        );
        fleet.shut_down().await;
        let staying = fleet.replica().heartbeat(Duration::from_millis(50));
        let staying = staying.start().await.unwrap();
        pass_seconds(30.0).await;
        let due = alone.diary.entries()[0].at_ms;
        assert_eq!(
            jitter.is_some(),
            due > alone.diary.entries()[0].tick.as_millis()
        );
        let begun: Vec<i64> = fleet
            .diary
            .entries()
            .iter()
            .map(|entry| entry.at_ms)
            .collect();
        assert_eq!(begun, [due], "{jitter:?}");
        alone.shut_down().await;
        shut_down([staying]).await;
    }
}

/// Runs `task` until shortly before second 60, gives that tick back, and then is `away`.
async fn away_with_work_given_back(
    task: impl Fn(&Diary) -> ReadyTask + 'static,
    away: Duration,
) -> Fleet {
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(59.85).await;
    fleet.shut_down().await;
    let waiting = &fleet.history("t").await[0];
    assert_eq!(waiting.state, ExecutionState::Waiting);
    pass(away).await;
    fleet.join(1).await;
    pass_seconds(7.0).await;
    fleet.shut_down().await;
    fleet
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_is_missed_when_the_fleet_comes_back_after_its_window() {
    for away in [seconds(70), seconds(6 * 60 * 60)] {
        let task = |diary: &Diary| every("t", 60).run(diary.noting());
        let fleet = away_with_work_given_back(task, away).await;
        assert!(
            !fleet.diary.seconds().contains(&60),
            "{:?}",
            fleet.diary.seconds()
        );
        assert_eq!(fleet.lines("t").await[0], (60, MISSED.0, MISSED.1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_given_back_runs_when_the_fleet_comes_back_within_its_window() {
    let window = seconds(300);
    let missed = Missed::All { window };
    let task = move |diary: &Diary| every("t", 60).missed(missed).run(diary.noting());
    let fleet = away_with_work_given_back(task, seconds(70)).await;
    assert_eq!(fleet.diary.seconds(), [60, 120]);
    assert!(
        fleet
            .lines("t")
            .await
            .iter()
            .all(|line| line.1 == SUCCEEDED)
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_granted_too_late_is_not_run() {
    let task = |diary: &Diary| every("t", 1).run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).with_faults().start().await;
    pass_seconds(5.1).await;
    // The store grants the ticks 6 and 7; by the time that it has answered, it is too late for
    // them.
    fleet.faults().plan(|method| match method {
        "claim" => Fault::Slow(seconds(4)),
        _ => Fault::None,
    });
    pass_seconds(1.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(8.0).await;
    let lines = fleet.lines("t").await;
    for entry in fleet.diary.entries() {
        assert!(entry.late_ms() < 1_000, "{entry:?}");
    }
    let missed: Vec<i64> = lines
        .iter()
        .filter(|line| line.1 == ExecutionState::Missed)
        .map(|line| line.0)
        .collect();
    assert!(missed.contains(&6), "{lines:?}");
    assert!(lines.iter().all(|line| line.1.is_over()), "{lines:?}");
    let ran = fleet.diary.seconds();
    assert!(
        missed.iter().all(|tick| !ran.contains(tick)),
        "{ran:?}, {missed:?}"
    );
    fleet.shut_down().await;
}

/// Three instances, distinct indices, a store that is away for 8 s: nobody closes what the others
/// have yet to come to.
#[tokio::test(start_paused = true)]
async fn after_an_outage_each_index_stays_open_to_the_instance_it_is_for() {
    let task = |diary: &Diary| {
        let window = seconds(60);
        let task = every("t", 1).concurrency(3).missed(Missed::All { window });
        task.placement(Placement::Distinct).run(diary.noting())
    };
    let mut fleet = Fleet::of(3).task(task).with_faults().start().await;
    pass_seconds(5.5).await;
    fleet.faults().all(Fault::Unreachable);
    pass_seconds(8.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(30.0).await;
    fleet.shut_down().await;
    let not_run: Vec<_> = fleet.lines("t").await;
    let not_run: Vec<_> = not_run.iter().filter(|line| line.1 != SUCCEEDED).collect();
    assert!(not_run.is_empty(), "{not_run:?}");
    let by_tick = fleet.diary.by_tick("t");
    assert!(by_tick.len() > 40);
    for (tick, indices) in by_tick {
        assert_eq!(indices, [1, 2, 3], "{tick}");
        let instances: std::collections::BTreeSet<String> = fleet
            .diary
            .entries()
            .into_iter()
            .filter(|entry| entry.tick == tick)
            .map(|entry| entry.instance)
            .collect();
        assert_eq!(instances.len(), 3, "{tick}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_takes_its_turn_on_a_busy_task() {
    for overlap in [Overlap::QueueOne, Overlap::Skip, Overlap::Allow] {
        // Always one runs and, under queue one, one waits.
        let task = move |diary: &Diary| {
            let work = diary.working(Duration::from_millis(1_500));
            every("t", 1).overlap(overlap).run(work)
        };
        let mut fleet = Fleet::of(1).task(task).start().await;
        pass_seconds(10.3).await;
        let tick = fleet.trigger("t").await;
        pass_seconds(4.0).await;
        let began = fleet
            .diary
            .entries()
            .into_iter()
            .find(|entry| entry.tick == tick);
        let began = began.unwrap_or_else(|| panic!("{overlap:?}: it has not run"));
        assert!(began.late_ms() <= 3_000, "{overlap:?}: {began:?}");
        let entries = fleet.diary.entries();
        let ticks: Vec<Tick> = entries.iter().map(|entry| entry.tick).collect();
        assert!(ticks.is_sorted(), "{overlap:?}: {ticks:?}");
        fleet.shut_down().await;
    }
}

/// When the ticks that have a record are, as seconds since the change.
async fn ticks_on_record(fleet: &Fleet, change_s: i64) -> Vec<i64> {
    let records = fleet.history("t").await;
    let since = |record: &sexton::lock::ExecutionRecord| second(record.execution.tick) - change_s;
    records.iter().map(since).collect()
}

#[tokio::test(start_paused = true)]
async fn ticks_of_another_schedule_count_from_its_definition() {
    let window = seconds(7_200);
    for missed in [
        Missed::Skip,
        Missed::Latest { window },
        Missed::All { window },
    ] {
        for by_restart in [true, false] {
            let fleet = Fleet::of(0).start().await;
            let due_every = |period_s| {
                let task = every("t", period_s).missed(missed);
                task.run(fleet.diary.noting())
            };
            let start = async |task| fleet.replica().task(task).start().await.unwrap();
            let mut running = start(due_every(3_600)).await;
            pass_seconds(3_605.5).await;
            let change_s = 3_605;
            if by_restart {
                shut_down([running]).await;
                running = start(due_every(1)).await;
            } else {
                running.handle().replace(due_every(1)).await.unwrap();
            }
            pass_seconds(5.05).await;
            shut_down([running]).await;
            let records = ticks_on_record(&fleet, change_s).await;
            let case = format!("{missed:?}, by restart: {by_restart}");
            assert_eq!(records.first(), Some(&-1_205), "{case}");
            assert_eq!(records[1..], [1, 2, 3, 4, 5], "{case}");
            assert_eq!(fleet.diary.entries().len(), 6, "{case}");
            // The same schedule again, after a while: now its ticks count from where the fleet
            // stopped.
            pass_seconds(100.0).await;
            let again = start(due_every(1)).await;
            pass_seconds(30.0).await;
            shut_down([again]).await;
            let records = ticks_on_record(&fleet, change_s).await;
            let gaps = records[1..].windows(2).any(|pair| pair[1] != pair[0] + 1);
            assert!(!gaps, "{case}: {records:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_shuts_down_still_starts_what_others_would_be_late_for() {
    let mut fleet = Fleet::of(1)
        .task(|diary| every("often", 1).run(diary.noting()))
        .task(|diary| every("seldom", 60).run(diary.noting()))
        .start()
        .await;
    pass_seconds(59.85).await;
    fleet.leave(0, seconds(10)).await;
    let last: Vec<(String, i64)> = fleet
        .diary
        .entries()
        .into_iter()
        .filter(|entry| second(entry.tick) == 60)
        .map(|entry| (entry.task.clone(), entry.late_ms()))
        .collect();
    assert_eq!(last, [("often".to_owned(), 0)]);
    let given_back = &fleet.history("seldom").await[0];
    assert_eq!(given_back.state, ExecutionState::Waiting);
}

/// The clock of a process that can stand still.
#[derive(Debug, Clone)]
struct StandingClock {
    clock: TokioClock,
    stood_for_ms: Arc<AtomicU64>,
}

impl StandingClock {
    /// Lets time pass while nothing in the process runs, once.
    fn stand_still_once(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap();
        let _ = self
            .stood_for_ms
            .compare_exchange(0, ms, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn stood_for(&self) -> Duration {
        Duration::from_millis(self.stood_for_ms.load(Ordering::SeqCst))
    }
}

impl Clock for StandingClock {
    fn now(&self) -> Timestamp {
        self.clock.now() + self.stood_for()
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic() + self.stood_for()
    }

    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()> {
        let deadline = deadline.saturating_sub(self.stood_for());
        self.clock.sleep_until(deadline)
    }
}

/// Given: two tasks due at second 10. When: the process stands still for 25 s after the first of
/// them began, and before the second. Answers: what happened to the executions of that tick.
async fn standing_still_at_the_tick(
    policies: impl Fn(Task<Every>) -> Task<Every>,
    prepare: impl FnOnce(FaultyManager) -> FaultyManager,
) -> (Vec<(String, u32)>, Vec<Event>, MemoryLockManager) {
    let clock = StandingClock {
        clock: begin(),
        stood_for_ms: Arc::default(),
    };
    let began = Arc::new(std::sync::Mutex::new(Vec::new()));
    let task = |name: &str| {
        let (clock, began) = (clock.clone(), Arc::clone(&began));
        let task = Task::new(name).every(seconds(10)).unwrap();
        policies(task).run(move |run: Run| {
            if second(run.tick()) == 10 {
                let entry = (run.task().to_string(), run.attempt().get());
                began.lock().unwrap().push(entry);
                clock.stand_still_once(seconds(25));
            }
            std::future::ready(())
        })
    };
    let store = MemoryLockManager::with_clock(Arc::new(clock.clone()));
    let scheduler = Scheduler::builder()
        .clock(clock.clone())
        .manager(prepare(FaultyManager::new(store.clone())))
        .task(task("a"))
        .task(task("b"))
        .start()
        .await
        .unwrap();
    let mut events = scheduler.events();
    pass_seconds(25.0).await;
    let events = drain(&mut events);
    shut_down([scheduler]).await;
    let began = began.lock().unwrap().clone();
    (began, events, store)
}

async fn is_not_run_but_missed(prepare: impl FnOnce(FaultyManager) -> FaultyManager) {
    let (began, events, store) = standing_still_at_the_tick(|task| task, prepare).await;
    let [(began, 1)] = began.as_slice() else {
        panic!("{began:?}");
    };
    let other = if began == "a" { "b" } else { "a" };
    let is_start_of_other = |event: &&Event| {
        matches!(event, Event::Started { execution, .. }
            if execution.task.as_str() == other && second(execution.tick) == 10)
    };
    let start = events.iter().find(is_start_of_other);
    assert!(start.is_none(), "{start:?}");
    let lines = lines(&store, other).await;
    assert!(lines.contains(&(10, MISSED.0, MISSED.1)), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_standstill_at_its_tick_makes_too_late_is_not_run() {
    is_not_run_but_missed(|manager| manager).await;
}

/// At most once has no lease that ends by itself: what is not given back stays running.
#[tokio::test(start_paused = true)]
async fn what_is_not_run_after_all_is_given_back_however_often_the_store_fails() {
    let mut failures = 0;
    is_not_run_but_missed(|manager| {
        manager.plan(move |method| {
            failures += u32::from(method == "release");
            match method {
                "release" if failures <= 3 => Fault::Unreachable,
                _ => Fault::None,
            }
        });
        manager
    })
    .await;
}

/// Locks that say nothing of their holder may be another's when a release is sent again.
#[tokio::test(start_paused = true)]
async fn a_lock_that_says_nothing_of_its_holder_is_given_back_by_one_call() {
    let mut kept = None;
    let (_, events, _) = standing_still_at_the_tick(
        |task| task,
        |manager| {
            manager.plan(|method| match method {
                "release" => Fault::Unreachable,
                _ => Fault::None,
            });
            kept.insert(manager.without_capabilities()).clone()
        },
    )
    .await;
    // One of the tick that came too late, and one of what the shutdown gives back.
    assert!(kept.unwrap().calls("release") <= 2);
    let is_told = |event: &&Event| matches!(event, Event::SettlementDropped { execution, .. } if second(execution.tick) == 10);
    assert_eq!(events.iter().filter(is_told).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_standstill_at_its_tick_costs_the_lease_is_left_to_the_next_attempt() {
    let policies = |task: Task<Every>| {
        let (window, attempts_max) = (seconds(3_600), NonZeroU32::new(3).unwrap());
        task.delivery(Delivery::AtLeastOnce { attempts_max })
            .lease(seconds(12))
            .missed(Missed::All { window })
    };
    let (began, events, _) = standing_still_at_the_tick(policies, |manager| manager).await;
    let lost = events.iter().find_map(|event| match event {
        Event::LeaseLost { execution } => Some(execution.task.to_string()),
        _ => None,
    });
    let lost = lost.unwrap_or_else(|| panic!("no lease is lost: {began:?}"));
    let attempts: Vec<u32> = began
        .iter()
        .filter(|(task, _)| *task == lost)
        .map(|(_, attempt)| *attempt)
        .collect();
    assert!(matches!(attempts.as_slice(), [] | [2]), "{began:?}");
}

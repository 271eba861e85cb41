//! Backlogs: caught up with in order and at a pace, beside what is fresh, and counted.

use std::collections::BTreeMap;
use std::time::Duration;

use sexton::clock::Clock;
use sexton::lock::{ExecutionState, Reason};
use sexton::policy::Missed;
use sexton::{Event, MemoryLockManager, Tick};
use sexton_testkit::faulty::{Fault, FaultyManager};

use crate::fleet::{
    Diary, Fleet, FleetBuilder, drain, every, history, pass, pass_seconds, second, seconds,
    shut_down,
};

/// An instance with a task that is due each second and catches up within a window.
fn caught_up(window_s: u64, work: Duration) -> FleetBuilder {
    Fleet::of(1).task(move |diary| {
        let window = seconds(window_s);
        let task = every("t", 1).missed(Missed::All { window });
        task.run(diary.working(work))
    })
}

/// Of each (task, index), the ticks in the order in which the fleet began them.
fn in_order_of_beginning(diary: &Diary) -> BTreeMap<(String, u16), Vec<Tick>> {
    let mut lanes: BTreeMap<(String, u16), Vec<Tick>> = BTreeMap::new();
    for entry in diary.entries() {
        lanes
            .entry((entry.task, entry.index))
            .or_default()
            .push(entry.tick);
    }
    lanes
}

#[tokio::test(start_paused = true)]
async fn a_fresh_tick_waits_behind_the_missed_ones_of_its_task_over_the_fleet() {
    let task = |diary: &Diary| {
        let window = seconds(600);
        let task = every("t", 1).concurrency(2).missed(Missed::All { window });
        task.run(diary.working(Duration::from_millis(300)))
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(5.5).await;
    fleet.shut_down().await;
    pass_seconds(200.0).await;
    fleet.join(3).await;
    pass_seconds(60.0).await;
    fleet.shut_down().await;
    let lanes = in_order_of_beginning(&fleet.diary);
    assert_eq!(lanes.len(), 2);
    for (lane, ticks) in lanes {
        assert!(ticks.is_sorted(), "{lane:?}: {ticks:?}");
        assert_eq!(ticks.len(), 265, "{lane:?}: every tick has run");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_caught_up_with_is_paced() {
    let fleet = caught_up(3_600, Duration::from_millis(500));
    let mut fleet = fleet.start().await;
    pass_seconds(1.5).await;
    fleet.shut_down().await;
    pass_seconds(3_000.0).await;
    fleet.join(1).await;
    let mut running_max = 0;
    for _ in 0..3_000 {
        pass(Duration::from_millis(100)).await;
        let now_ms = fleet.clock.now().as_millisecond();
        let entries = fleet.diary.entries();
        let running = entries.iter().filter(|entry| entry.at_ms > now_ms - 500);
        running_max = running_max.max(running.count());
    }
    fleet.shut_down().await;
    // Ten of the backlog, and a fresh one.
    assert!(
        (10..=11).contains(&running_max),
        "{running_max} ran at once"
    );
    let ticks = fleet.diary.seconds();
    assert!(ticks.is_sorted());
    assert_eq!(ticks.len(), 3_301, "it catches up with all of them");
}

#[tokio::test(start_paused = true)]
async fn a_tasks_backlog_delays_no_fresh_tick_of_another() {
    const DAY: Duration = seconds(24 * 60 * 60);
    let backlog = |diary: &Diary| {
        let window = 10 * DAY;
        let task = every("backlog", 1).missed(Missed::All { window });
        task.run(diary.working(seconds(2)))
    };
    let mut fleet = Fleet::of(1).task(backlog).start().await;
    pass_seconds(1.5).await;
    fleet.shut_down().await;
    pass(DAY).await;
    let slow = FaultyManager::new(fleet.store.clone());
    slow.all(Fault::Slow(Duration::from_millis(20)));
    let fresh = |number| every(&format!("fresh{number}"), 1).run(fleet.diary.noting());
    let scheduler = fleet
        .replica_on(slow)
        .running_max(60)
        .tasks((0..50).map(fresh))
        .start()
        .await
        .unwrap();
    pass_seconds(30.5).await;
    shut_down([scheduler]).await;
    let entries = fleet.diary.entries();
    let fresh: Vec<_> = entries
        .iter()
        .filter(|entry| entry.task.starts_with("fresh"))
        .collect();
    assert_eq!(fresh.len(), 50 * 31);
    let latest = fresh.iter().map(|entry| entry.late_ms()).max();
    assert_eq!(latest, Some(0), "as without a backlog");
    let caught_up = entries.iter().filter(|entry| entry.task == "backlog");
    assert!(caught_up.count() > 100);
}

#[tokio::test(start_paused = true)]
async fn ticks_that_are_given_up_hold_up_no_fresh_claim() {
    // `given_up` has missed ticks to account for; `fresh` becomes due after the outage.
    let mut fleet = Fleet::of(1)
        .task(|diary| every("given_up", 1).run(diary.noting()))
        .task(|diary| every("fresh", 30).run(diary.noting()))
        .with_faults()
        .start()
        .await;
    pass_seconds(10.5).await;
    fleet.faults().all(Fault::Unreachable);
    pass_seconds(15.0).await;
    // Accounting for them takes as long as it likes.
    fleet.faults().plan(|method| match method {
        "consume" => Fault::Slow(seconds(4)),
        _ => Fault::None,
    });
    pass_seconds(5.0).await;
    let late: Vec<i64> = fleet
        .diary
        .entries()
        .iter()
        .filter(|entry| entry.task == "fresh")
        .map(|entry| entry.late_ms())
        .collect();
    assert_eq!(late, [0]);
    fleet.faults().all(Fault::None);
    pass_seconds(20.0).await;
    fleet.shut_down().await;
    let unaccounted = fleet.history("given_up").await.len();
    assert!(
        unaccounted >= 49,
        "{unaccounted} of its ticks have a record"
    );
}

/// A hundred tasks of a second that were away for a minute and a half: to write down all that they
/// missed takes their store several seconds.
async fn back_after_an_absence() -> (Fleet, Tick) {
    let task = |number, diary: &Diary| every(&format!("t{number}"), 1).run(diary.noting());
    let fleet = Fleet::of(1).tasks(move |diary| {
        let tasks = (0..100).map(|number| task(number, diary));
        tasks.collect::<Vec<_>>()
    });
    let mut fleet = fleet.with_faults().start().await;
    pass_seconds(3.5).await;
    fleet.shut_down().await;
    pass_seconds(90.0).await;
    fleet.faults().all(Fault::Slow(Duration::from_millis(40)));
    let returned = Tick::at_or_before(fleet.clock.now());
    fleet.join(1).await;
    (fleet, returned)
}

/// The missed ticks of a task of [`back_after_an_absence`], as seconds, with what they say besides.
async fn missed_of(store: &MemoryLockManager, task: &str) -> Vec<(i64, Option<String>)> {
    let records = history(store, task).await;
    let missed = records
        .into_iter()
        .filter(|record| record.state == ExecutionState::Missed);
    let mut missed: Vec<_> = missed
        .map(|record| (second(record.execution.tick), record.error))
        .collect();
    missed.sort();
    missed
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_before_makes_no_fresh_tick_late_or_missed() {
    let (mut fleet, returned) = back_after_an_absence().await;
    pass_seconds(10.0).await;
    fleet.shut_down().await;
    let entries = fleet.diary.entries();
    let fresh: Vec<_> = entries.iter().filter(|one| one.tick > returned).collect();
    assert_eq!(fresh.len(), 100 * 10, "every tick since the return has run");
    let latest = fresh.iter().map(|entry| entry.late_ms()).max();
    assert!(latest <= Some(50), "{latest:?}");
    for number in 0..100 {
        let missed = missed_of(&fleet.store, &format!("t{number}")).await;
        let ticks: Vec<i64> = missed.iter().map(|(second, _)| *second).collect();
        // The last before the return is run: it is late by half a second.
        assert_eq!(ticks, (4..=92).collect::<Vec<_>>(), "each has a record");
        let notes: Vec<&str> = missed
            .iter()
            .filter_map(|(_, note)| note.as_deref())
            .collect();
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert_eq!(notes[0], "last of 89 not run since 2024-01-30T10:20:04Z");
        assert!(missed.last().unwrap().1.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_before_is_on_record_when_a_shutdown_ends() {
    let (mut fleet, _) = back_after_an_absence().await;
    pass_seconds(0.3).await;
    // The store fails the shutdown now and then.
    let mut calls = 0;
    fleet.faults().plan(move |method| {
        calls += u32::from(method == "consume");
        match method {
            "consume" if calls % 5 == 1 => Fault::Unreachable,
            _ => Fault::Slow(Duration::from_millis(40)),
        }
    });
    let records =
        missed_of(&fleet.store, "t99").await.len() + missed_of(&fleet.store, "t0").await.len();
    assert!(records < 2 * 89, "nothing is left to write");
    fleet.leave(0, seconds(60)).await;
    for number in 0..100 {
        let missed = missed_of(&fleet.store, &format!("t{number}")).await;
        assert_eq!(missed.len(), 89, "t{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_ticks_than_are_recorded_one_by_one_are_counted_and_told_by_one_instance() {
    let task = |diary: &Diary| every("t", 1).run(diary.noting());
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(1.5).await;
    fleet.shut_down().await;
    let gap_s = 140_000;
    pass(seconds(gap_s)).await;
    fleet.join(3).await;
    let mut events = [0, 1, 2].map(|replica| fleet[replica].events());
    pass_seconds(20.0).await;
    fleet.shut_down().await;
    let events: Vec<Event> = events.iter_mut().flat_map(drain).collect();
    let passed: Vec<u64> = events
        .iter()
        .filter_map(|event| match event {
            Event::TicksPassed {
                task,
                ticks,
                reason,
                ..
            } if task.as_str() == "t" => {
                assert_eq!(*reason, Reason::TooLate);
                Some(*ticks)
            }
            _ => None,
        })
        .collect();
    assert_eq!(passed.len(), 1, "one instance tells: {passed:?}");
    let is_unrun = |event: &&Event| matches!(event, Event::Unrun { execution, .. } if execution.task.as_str() == "t");
    let unrun = events.iter().filter(is_unrun);
    let unrun = u64::try_from(unrun.count()).unwrap();
    let ran = u64::try_from(fleet.diary.entries().len()).unwrap();
    assert_eq!(
        ran + unrun + passed[0],
        gap_s + 21,
        "each tick is counted once"
    );
    assert!((100..=110).contains(&unrun), "{unrun}");
    let records = fleet.history("t").await;
    let notes: Vec<String> = records
        .into_iter()
        .filter_map(|record| record.error)
        .collect();
    let unrecorded = passed[0] - 1;
    let end = format!(", {unrecorded} unrecorded");
    assert!(
        notes.iter().any(|note| note.ends_with(&end)),
        "{notes:?} {end}"
    );
}

/// Comes back to a backlog of a minute that takes it long, and changes the task a second later.
async fn changed_amid_its_backlog(change: impl AsyncFnOnce(&Fleet)) -> Vec<i64> {
    let mut fleet = caught_up(3_600, seconds(2)).start().await;
    pass_seconds(1.5).await;
    fleet.shut_down().await;
    pass_seconds(60.0).await;
    fleet.join(1).await;
    pass_seconds(1.0).await;
    let begun = fleet.diary.entries().len();
    assert!((10..=14).contains(&begun), "{begun}");
    change(&fleet).await;
    pass_seconds(30.0).await;
    fleet.shut_down().await;
    fleet.diary.seconds().split_off(begun)
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_a_task_goes_with_the_task() {
    let begun = changed_amid_its_backlog(async |fleet| {
        fleet.handle().remove("t").await.unwrap();
    })
    .await;
    // What was claimed by then is still run.
    assert!(begun.len() <= 2, "{begun:?}");
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_a_schedule_goes_with_the_schedule() {
    let begun = changed_amid_its_backlog(async |fleet| {
        let task = every("t", 7).run(fleet.diary.noting());
        fleet.handle().replace(task).await.unwrap();
    })
    .await;
    // The change comes at second 62.5, and the new schedule is due every seven seconds from then
    // on.
    let of_the_old = begun.iter().filter(|tick| **tick < 63);
    assert!(of_the_old.count() <= 2, "{begun:?}");
    let of_the_new: Vec<i64> = begun.iter().copied().filter(|tick| *tick >= 63).collect();
    assert_eq!(of_the_new.len(), 4, "{begun:?}");
    assert!(
        of_the_new.windows(2).all(|two| two[1] - two[0] == 7),
        "{begun:?}"
    );
}

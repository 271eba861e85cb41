//! At most once, at least once: what happens to an execution whose holder is lost.

use std::time::Duration;

use sexton::lock::{ExecutionState, Outcome};
use sexton::schedule::Every;
use sexton::{Event, Task};
use sexton_testkit::faulty::Fault;

use crate::fleet::{
    Diary, End, Fleet, FleetBuilder, SUCCEEDED, drain, every, pass_seconds, seconds,
};

const LEASE: Duration = Duration::from_secs(3);

fn minutely() -> Task<Every> {
    every("t", 60).lease(LEASE)
}

/// An instance with a task that is due each minute, at least once.
fn at_least_once(attempts_max: u32, work_s: u64) -> FleetBuilder {
    Fleet::of(1).task(move |diary| {
        let task = minutely().at_least_once(attempts_max);
        task.run(diary.working(seconds(work_s)))
    })
}

#[tokio::test(start_paused = true)]
async fn at_most_once_a_crashed_holder_takes_its_execution_with_it_and_that_is_told() {
    let task = |diary: &Diary| minutely().run(diary.working(seconds(10)));
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(62.0).await;
    assert_eq!(fleet.diary.entries().len(), 1);
    fleet.crash(0);
    fleet.join(1).await;
    let mut events = fleet[0].events();
    // Its presence runs out, and so does the time after which it counts as abandoned.
    pass_seconds(110.0).await;
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, ExecutionState::Ended(Outcome::Lost));
    assert_eq!(records[1].state, SUCCEEDED);
    let lost = |event: &Event| matches!(event, Event::Lost { execution } if *execution == records[0].execution);
    assert!(drain(&mut events).iter().any(lost));
    assert!(
        fleet
            .diary
            .by_tick("t")
            .values()
            .all(|indices| indices == &[1])
    );
    fleet.leave(0, seconds(20)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_a_crashed_holders_execution_is_granted_again_with_the_next_attempt() {
    let mut fleet = at_least_once(3, 10).start().await;
    pass_seconds(62.0).await;
    fleet.crash(0);
    fleet.join(1).await;
    // The lease, and a heartbeat to notice.
    pass_seconds(LEASE.as_secs_f64() + 5.1).await;
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 2, "{entries:#?}");
    assert_eq!(entries[0].tick, entries[1].tick);
    assert_eq!((entries[0].attempt, entries[1].attempt), (1, 2));
    assert!(entries[1].fence > entries[0].fence);
    pass_seconds(11.0).await;
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, SUCCEEDED);
    assert_eq!(records[0].attempt.map(|attempt| attempt.get()), Some(2));
    fleet.leave(0, seconds(20)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_a_run_longer_than_its_lease_keeps_it_by_renewing() {
    let mut fleet = at_least_once(3, 30).start().await;
    fleet.join(1).await;
    pass_seconds(95.0).await;
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 1, "{entries:#?}");
    assert_eq!(entries[0].end, End::Done);
    assert_eq!(fleet.history("t").await[0].state, SUCCEEDED);
    fleet.leave(0, seconds(1)).await;
    fleet.leave(0, seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_a_holder_cut_off_from_the_store_stops_its_run_before_another_has_it() {
    let mut fleet = at_least_once(3, 20).with_faults().start().await;
    pass_seconds(61.0).await;
    let other = fleet.replica_on(fleet.store.clone()).start().await.unwrap();
    let mut events = fleet[0].events();
    fleet.faults().all(Fault::Unreachable);
    pass_seconds(LEASE.as_secs_f64() + 0.1).await;
    assert_eq!(fleet.diary.entries()[0].end, End::Cancelled);
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::LeaseLost { .. }))
    );
    pass_seconds(5.0).await;
    fleet.faults().all(Fault::None);
    pass_seconds(22.0).await;
    let entries = fleet.diary.entries();
    assert_eq!(entries.len(), 2, "{entries:#?}");
    assert_eq!(entries[1].attempt, 2);
    let records = fleet.history("t").await;
    assert_eq!(records[0].state, SUCCEEDED);
    assert_eq!(records[0].instance.as_ref(), Some(other.instance()));
    fleet.leave(0, seconds(1)).await;
    other.shutdown(seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn at_least_once_the_last_attempt_lost_ends_the_execution_as_lost_visibly() {
    let mut fleet = at_least_once(2, 30).start().await;
    pass_seconds(61.0).await;
    fleet.crash(0);
    fleet.join(1).await;
    pass_seconds(10.0).await;
    assert_eq!(fleet.diary.entries().len(), 2);
    fleet.crash(0);
    fleet.join(1).await;
    let mut events = fleet[0].events();
    pass_seconds(35.0).await;
    assert_eq!(fleet.diary.entries().len(), 2);
    let records = fleet.history("t").await;
    assert_eq!(
        records[0].state,
        ExecutionState::Ended(Outcome::Lost),
        "{:#?}",
        records[0]
    );
    assert!(
        drain(&mut events)
            .iter()
            .any(|event| matches!(event, Event::Lost { .. }))
    );
    fleet.leave(0, seconds(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_shorter_than_the_claim_lead_does_not_run_out_before_the_tick() {
    let task = |diary: &Diary| {
        let task = every("t", 10).lease(Duration::from_millis(100));
        let work = diary.working(Duration::from_millis(400));
        task.at_least_once(3).run(work)
    };
    let mut fleet = Fleet::of(1).task(task).start().await;
    pass_seconds(35.0).await;
    let entries = fleet.diary.entries();
    assert_eq!(fleet.diary.seconds(), [10, 20, 30]);
    assert!(
        entries
            .iter()
            .all(|entry| entry.attempt == 1 && entry.late_ms() == 0),
        "{entries:#?}"
    );
    fleet.leave(0, seconds(1)).await;
}

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{Claim, Consumption, Covered, Execution, Reason};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};

use super::*;
use crate::limits::{CAUGHT_UP_MAX, Limits};
use crate::task::{CheckedTask, Task};

fn at_second(second: i64) -> StoreTime {
    StoreTime::from_micros(second * 1_000_000)
}

fn unlimited() -> Arc<Limits> {
    limits(None)
}

fn limits(instance_max: Option<usize>) -> Arc<Limits> {
    let (groups, transactions) = (HashMap::new(), HashMap::new());
    Arc::new(Limits::new(instance_max, groups, transactions))
}

fn task(name: &str) -> Arc<CheckedTask> {
    let task = Task::new(name).every(Duration::from_secs(1)).unwrap();
    Arc::new(task.run(async || {}).check().unwrap())
}

fn execution(name: &str, second: i64) -> Execution {
    Execution {
        task: TaskName::new(name).unwrap(),
        index: ConcurrencyIndex::ONE,
        tick: Tick::from_millis(second * 1_000).unwrap(),
    }
}

/// A claim of a tick of each second, late a second after it.
fn claim(name: &str, second: i64, kind: ClaimKind) -> PendingClaim {
    let execution = execution(name, second);
    let instance = InstanceId::new("i").unwrap();
    PendingClaim {
        task: task(name),
        claim: Claim::new(execution, Concurrency::ONE, instance),
        due_at: at_second(second),
        late_at: at_second(second + 1),
        deadline: StoreTime::MAX,
        not_before: StoreTime::MIN,
        kind,
        is_in_doubt: false,
        permit: None,
        refusals: 0,
    }
}

fn given_up(name: &str, second: i64) -> Consumption {
    let instance = InstanceId::new("i").unwrap();
    let execution = execution(name, second);
    Consumption::new(execution, Concurrency::ONE, Reason::TooLate, instance)
}

fn taken(claims: &[PendingClaim]) -> Vec<(String, i64)> {
    let of = |claim: &PendingClaim| {
        let Execution { task, tick, .. } = &claim.claim.execution;
        (task.to_string(), tick.as_millis() / 1_000)
    };
    claims.iter().map(of).collect()
}

fn at(name: &str, second: i64) -> (String, i64) {
    (name.to_owned(), second)
}

#[test]
fn a_tick_that_is_given_up_holds_back_what_stands_behind_it_but_not_what_the_store_has_waiting() {
    let mut lines = Lines::default();
    lines.push(claim("a", 5, ClaimKind::Scheduled));
    lines.push(claim("a", 4, ClaimKind::Found));
    lines.give_up(given_up("a", 3), None);
    lines.give_up(given_up("a", 2), None);
    lines.push(claim("b", 5, ClaimKind::Scheduled));
    let (now, limits) = (at_second(5), limits(None));
    let fresh = lines.take_claims(Batch::Fresh, now, &limits);
    assert_eq!(taken(&fresh), [at("b", 5)]);
    let first = lines.take_given_up(at_second(0));
    let consumptions: Vec<_> = first.iter().map(GivenUpRun::consumption).collect();
    assert_eq!(consumptions.len(), 1, "one stands for both");
    assert_eq!(consumptions[0].execution, execution("a", 3));
    let covers = Covered {
        first: execution("a", 2).tick,
        ticks: 2,
        unrecorded: 0,
    };
    assert_eq!(consumptions[0].covers, Some(covers));
    // Its line is under way: nothing else of it goes.
    assert!(lines.take_claims(Batch::Backlog, now, &limits).is_empty());
    first.iter().for_each(|one| lines.resolve_given_up(one));
    let found = lines.take_claims(Batch::Fresh, now, &limits);
    assert_eq!(taken(&found), [at("a", 4), at("a", 5)]);
}

#[test]
fn what_the_store_has_waiting_passes_by_ticks_that_are_held_back() {
    let mut lines = Lines::default();
    lines.give_up(given_up("a", 3), None);
    lines.push(claim("a", 4, ClaimKind::Scheduled));
    lines.push(claim("a", 5, ClaimKind::Found));
    let claims = lines.take_claims(Batch::Backlog, at_second(5), &limits(None));
    assert_eq!(taken(&claims), [at("a", 5)]);
}

#[test]
fn lines_with_a_backlog_take_turns_and_keep_their_pace() {
    let mut lines = Lines::default();
    for second in 1..=30 {
        lines.push(claim("a", second, ClaimKind::Scheduled));
        lines.push(claim("b", second, ClaimKind::Scheduled));
    }
    // Of four runs at once the backlog has half.
    let limits = limits(Some(4));
    let now = at_second(100);
    assert!(lines.take_claims(Batch::Fresh, now, &limits).is_empty());
    let first = lines.take_claims(Batch::Backlog, now, &limits);
    assert_eq!(taken(&first), [at("a", 1), at("b", 1)]);
    first.into_iter().for_each(|claim| lines.resolve(&claim));
    let paced = unlimited();
    let second = lines.take_claims(Batch::Backlog, now, &paced);
    assert_eq!(second.len(), 2 * CAUGHT_UP_MAX);
    let of_a = taken(&second).into_iter().filter(|(name, _)| name == "a");
    assert!(of_a.map(|(_, second)| second).eq(2..=11));
}

#[test]
fn an_index_that_is_left_open_holds_back_later_ticks_and_is_given_up_in_the_end() {
    let mut lines = Lines::default();
    let instance = InstanceId::new("i").unwrap();
    let limits = limits(None);
    let until = at_second(9);
    let mut open = claim("a", 1, ClaimKind::Scheduled);
    open.deadline = at_second(2);
    lines.push(open);
    let mut first = lines.take_claims(Batch::Fresh, at_second(1), &limits);
    let now = at_second(1);
    lines.keep_open(&execution("a", 1), now, Duration::from_secs(8));
    lines.leave_open(first.pop().unwrap(), now);
    lines.push(claim("a", 2, ClaimKind::Scheduled));
    assert!(lines.take_claims(Batch::Fresh, now, &limits).is_empty());
    assert_eq!(lines.next_at(now), Some(now + ASK_FIRST));
    // It is asked for again, and nothing behind it.
    let asked = lines.take_claims(Batch::Fresh, now + ASK_FIRST, &limits);
    assert_eq!(taken(&asked), [at("a", 1)]);
    for claim in asked {
        lines.leave_open(claim, now);
    }
    lines.expire(Now {
        at: until,
        away_until: StoreTime::MIN,
        instance: &instance,
    });
    let given_up = lines.take_given_up(at_second(0));
    assert_eq!(given_up.len(), 1);
    let consumption = given_up[0].consumption();
    assert_eq!(consumption.execution, execution("a", 1));
    assert_eq!(consumption.covers, None);
}

#[test]
fn where_nothing_is_recorded_each_tick_that_is_given_up_stands_for_itself() {
    let mut lines = Lines::without_records();
    lines.give_up(given_up("a", 2), None);
    lines.give_up(given_up("a", 3), None);
    let runs = lines.take_given_up(at_second(0));
    let consumptions: Vec<_> = runs.iter().map(GivenUpRun::consumption).collect();
    assert_eq!(consumptions, [given_up("a", 2), given_up("a", 3)]);
}

#[test]
fn a_schedule_that_is_forgotten_leaves_what_the_store_has_or_may_have() {
    let mut lines = Lines::default();
    lines.give_up(given_up("a", 1), None);
    lines.push(claim("a", 2, ClaimKind::Scheduled));
    let mut in_doubt = claim("a", 3, ClaimKind::Scheduled);
    in_doubt.is_in_doubt = true;
    lines.push(in_doubt);
    lines.push(claim("a", 4, ClaimKind::Found));
    lines.push(claim("b", 2, ClaimKind::Scheduled));
    lines.forget_schedule(&TaskName::new("a").unwrap());
    let claims = lines.take_claims(Batch::Backlog, at_second(60), &unlimited());
    assert_eq!(taken(&claims), [at("a", 3), at("a", 4), at("b", 2)]);
    assert!(lines.take_given_up(at_second(0)).is_empty());
    claims.into_iter().for_each(|claim| lines.resolve(&claim));
    assert!(lines.by_schedule.is_empty(), "{:?}", lines.by_schedule);
}

/// What waits is claimed by the policies that its task has now, but for what may be granted
/// already.
#[test]
fn what_waits_of_a_task_follows_its_new_definition() {
    let mut lines = Lines::default();
    lines.push(claim("a", 1, ClaimKind::Scheduled));
    let mut in_doubt = claim("a", 2, ClaimKind::Scheduled);
    in_doubt.is_in_doubt = true;
    lines.push(in_doubt);
    let new = Task::new("a").every(Duration::from_secs(1)).unwrap();
    let new = new.overlap(sexton_core::policy::Overlap::Skip);
    let new = Arc::new(new.run(async || {}).check().unwrap());
    lines.redefine(&new);
    let claims = lines.take_claims(Batch::Backlog, at_second(60), &unlimited());
    let overlaps: Vec<_> = claims.iter().map(|claim| claim.claim.overlap).collect();
    let tasks = claims.iter().map(|claim| Arc::ptr_eq(&claim.task, &new));
    assert_eq!(tasks.collect::<Vec<_>>(), [true, false]);
    assert_eq!(
        overlaps,
        [
            sexton_core::policy::Overlap::Skip,
            sexton_core::policy::Overlap::Allow
        ]
    );
}

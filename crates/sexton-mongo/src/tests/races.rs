//! Several clients at once, whose commands interleave: nothing twice, nothing lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{
    Answer, Claim, ClaimLead, Defined, Denial, Enqueue, Enqueued, Execution, ExecutionState,
    HeldLock, HistoryQuery, LockManager, Outcome, PauseChange, Release, Settlement, SweepQuery,
    TaskDefinition, TaskQuery, Verdict,
};
use sexton_core::policy::Placement;
use sexton_core::tick::{Concurrency, ConcurrencyIndex};
use sexton_testkit::fixtures::{claim, execution, grant, instance, noon, task};

use super::held_up::HeldUp;
use super::server::{Fault, Server};
use crate::MongoLockManager;

fn server() -> Arc<Server> {
    let clock = noon();
    clock.advance(Duration::from_secs(3_600));
    Server::with_clock(Arc::new(clock))
}

async fn claimed(manager: &MongoLockManager, batch: &[Claim]) -> Vec<Verdict> {
    let answer = manager
        .claim(ClaimLead::default(), batch)
        .await
        .and_then(Answer::whole);
    answer.unwrap().value
}

fn held(claim: &Claim, verdict: &Verdict) -> HeldLock {
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant(verdict).fence,
    }
}

fn succeeded(lock: HeldLock) -> Settlement {
    let at = lock.execution.tick.timestamp();
    Settlement::new(lock, Outcome::Succeeded, at, at)
}

async fn history(manager: &MongoLockManager) -> Vec<(Execution, ExecutionState)> {
    let query = HistoryQuery {
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let records = manager.history(&query).await.unwrap().value;
    records
        .into_iter()
        .map(|record| (record.execution, record.state))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_clients_after_the_same_executions_get_each_once() {
    const TICKS: i64 = 40;
    const TASKS: [&str; 3] = ["a", "b", "c"];
    let server = server();
    let mut racing = tokio::task::JoinSet::new();
    for racer in ["one", "two", "three", "four"] {
        let manager = server.manager().await;
        racing.spawn(async move {
            let mut won = Vec::new();
            for tick in 0..TICKS {
                let batch = TASKS.map(|name| claim(name, tick, racer));
                let verdicts = claimed(&manager, &batch).await;
                for (claim, verdict) in batch.iter().zip(&verdicts) {
                    if verdict.grant().is_some() {
                        let settlement = succeeded(held(claim, verdict));
                        manager
                            .settle(&[settlement])
                            .await
                            .unwrap()
                            .whole()
                            .unwrap();
                        won.push((claim.execution.clone(), grant(verdict).fence));
                    }
                }
            }
            won
        });
    }
    let mut owners = HashMap::new();
    for won in racing.join_all().await {
        for (execution, fence) in won {
            assert_eq!(owners.insert(execution, fence), None, "granted twice");
        }
    }
    assert_eq!(owners.len(), TASKS.len() * usize::try_from(TICKS).unwrap());
    let history = history(&server.manager().await).await;
    assert_eq!(history.len(), owners.len());
    let ended = ExecutionState::Ended(Outcome::Succeeded);
    assert!(history.iter().all(|(_, state)| *state == ended));
}

fn distinct(tick: i64, index: u64) -> Claim {
    let mut claim = Claim {
        placement: Placement::Distinct,
        concurrency: Concurrency::new(2).unwrap(),
        ..claim("spread", tick, "one")
    };
    claim.execution.index = ConcurrencyIndex::new(index).unwrap();
    claim
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_that_asks_for_two_indices_at_once_gets_one() {
    let server = server();
    let (one, other) = (server.manager().await, server.manager().await);
    for tick in 0..200 {
        let (first, second) = ([distinct(tick, 1)], [distinct(tick, 2)]);
        let (first, second) = tokio::join!(claimed(&one, &first), claimed(&other, &second));
        let granted = |verdicts: &[Verdict]| verdicts[0].grant().is_some();
        assert!(granted(&first) != granted(&second), "{first:?} {second:?}");
    }
}

#[tokio::test]
async fn a_reservation_that_came_to_nothing_holds_nobody_up() {
    let server = server();
    let manager = server.manager().await;
    let [first, second] = [distinct(0, 1), distinct(0, 2)];
    // It has made the register, reserved index 2, and breaks off before it takes it.
    let (held_up, broken_off) = HeldUp::new(&server, ("update", "sexton_registers", 1)).await;
    let claiming = tokio::spawn(async move { claimed(&broken_off, &[second]).await });
    held_up.reached.notified().await;
    claiming.abort();
    assert!(claiming.await.unwrap_err().is_cancelled());
    assert_eq!(server.documents("sexton_reservations").len(), 1);
    let verdicts = claimed(&manager, &[first]).await;
    assert!(
        matches!(verdicts[..], [Verdict::Granted(_)]),
        "{verdicts:?}"
    );
    let verdicts = claimed(&manager, &[distinct(0, 2)]).await;
    assert!(
        matches!(verdicts[..], [Verdict::Denied(Denial::Placement)]),
        "{verdicts:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_once_a_pause_has_been_answered() {
    for round in 0..20 {
        let server = server();
        let mut racing = tokio::task::JoinSet::new();
        for racer in ["one", "two"] {
            let manager = server.manager().await;
            racing.spawn(async move {
                for tick in 0..40 {
                    claimed(&manager, &[claim("t", tick, racer)]).await;
                }
            });
        }
        let operator = server.manager().await;
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        let (note, by) = ("stop".to_owned(), "anna".to_owned());
        let pause = PauseChange::Pause { note, by };
        operator.change_pause(&[task("t")], &pause).await.unwrap();
        let granted = async || {
            let all = history(&operator).await.into_iter();
            all.filter(|(_, state)| *state == ExecutionState::Running)
                .count()
        };
        let before = granted().await;
        racing.join_all().await;
        assert_eq!(granted().await, before);
    }
}

/// Claims, settles and enqueues, while at one of its commands something happens. Says whether it
/// came to that command.
async fn live_through(fault: Fault, at: usize) -> bool {
    let server = server();
    let manager = server.manager().await;
    let faults = std::iter::repeat_n(Fault::None, at).chain([fault]);
    server.fail(faults);
    let claims = [claim("a", 0, "one"), claim("b", 0, "one")];
    let verdicts = claimed(&manager, &claims).await;
    let settlements: Vec<Settlement> = claims
        .iter()
        .zip(&verdicts)
        .map(|(claim, verdict)| succeeded(held(claim, verdict)))
        .collect();
    manager.settle(&settlements).await.unwrap().whole().unwrap();
    let enqueue = Enqueue {
        execution: execution("a", 500),
        concurrency: Concurrency::ONE,
        deadline: None,
    };
    let enqueued = manager.enqueue(&[enqueue]).await.unwrap().value;
    assert_eq!(enqueued, [Enqueued::Waiting], "{fault:?} at {at}");
    let has_happened = server.has_failed();
    server.fail([]);
    // What broke off between the two halves of a write is completed by a sweep.
    let sweep = manager.sweep(&SweepQuery::default()).await.unwrap().value;
    assert_eq!(sweep.claimable.len(), 1, "{fault:?} at {at}");
    let ended = ExecutionState::Ended(Outcome::Succeeded);
    let expected = [
        (execution("a", 500), ExecutionState::Waiting),
        (execution("a", 0), ended),
        (execution("b", 0), ended),
    ];
    assert_eq!(history(&manager).await, expected, "{fault:?} at {at}");
    for (claim, verdict) in claims.iter().zip(&verdicts) {
        assert_eq!(grant(verdict).fence.get(), 1, "{claim:?}");
    }
    assert_eq!(server.documents("sexton_executions").len(), 2);
    let registers = server.documents("sexton_registers");
    assert!(
        registers.iter().all(|one| !one.contains_key("ended")),
        "{registers:?}"
    );
    has_happened
}

#[tokio::test(start_paused = true)]
async fn whichever_command_is_lost_or_its_answer_all_ends_the_same() {
    for fault in [Fault::Unheard, Fault::Unanswered] {
        let mut at = 0;
        while live_through(fault, at).await {
            at += 1;
        }
        assert!(at > 10, "{at} commands");
    }
}

#[tokio::test]
async fn a_holder_is_told_of_its_loss_by_a_write() {
    let server = server();
    let manager = server.manager().await;
    let ours = claim("t", 0, "one");
    let verdicts = claimed(&manager, std::slice::from_ref(&ours)).await;
    let lock = held(&ours, &verdicts[0]);
    let release = Release {
        lock: lock.clone(),
        deadline: None,
    };
    manager.release(&[release]).await.unwrap().whole().unwrap();
    server.commands();
    let settled = manager
        .settle(&[succeeded(lock)])
        .await
        .unwrap()
        .whole()
        .unwrap()
        .value;
    assert!(
        matches!(settled[..], [sexton_core::lock::Settled::Refused]),
        "{settled:?}"
    );
    assert!(server.commands().contains(&"update".to_owned()));
}

#[tokio::test]
async fn a_full_batch_is_a_handful_of_commands() {
    let server = server();
    let manager = server.manager().await;
    server.commands();
    let batch: Vec<Claim> = (0..1_000)
        .map(|number| claim(&format!("task {number}"), 0, "one"))
        .collect();
    let verdicts = claimed(&manager, &batch).await;
    assert!(verdicts.iter().all(|verdict| verdict.grant().is_some()));
    // Registers that there never were are made first, and everything is read again.
    let load = ["hello", "find", "find"];
    let first = [load.as_slice(), &["update"], &load, &["update"]].concat();
    assert_eq!(server.commands(), first);
    let settlements: Vec<Settlement> = batch
        .iter()
        .zip(&verdicts)
        .map(|(claim, verdict)| succeeded(held(claim, verdict)))
        .collect();
    manager.settle(&settlements).await.unwrap().whole().unwrap();
    // The registers, the history, and the registers without what is in the history.
    assert_eq!(
        server.commands(),
        ["hello", "find", "update", "update", "update"]
    );
    let next: Vec<Claim> = (0..1_000)
        .map(|number| claim(&format!("task {number}"), 1, "one"))
        .collect();
    let verdicts = claimed(&manager, &next).await;
    assert!(verdicts.iter().all(|verdict| verdict.grant().is_some()));
    assert_eq!(server.commands(), ["hello", "find", "find", "update"]);
}

#[tokio::test]
async fn what_runs_for_ever_leaves_no_room_at_last() {
    let server = server();
    let manager = server.manager().await;
    let mut first = None;
    let mut number = 0;
    let refused = loop {
        let batch: Vec<Claim> = (number..number + 1_000)
            .map(|number| claim("t", number, "one"))
            .collect();
        let answer = manager.claim(ClaimLead::default(), &batch).await;
        match answer.and_then(Answer::whole) {
            Ok(answer) => {
                first.get_or_insert_with(|| held(&batch[0], &answer.value[0]));
                number += 1_000;
            }
            Err(error) => break error,
        }
    };
    assert_eq!(number, 10_000);
    assert!(!refused.is_transient());
    assert!(
        refused.to_string().contains("let them run first"),
        "{refused}"
    );
    // Ten thousand of them fit a document.
    let register = server.documents("sexton_registers").pop().unwrap();
    assert_eq!(register.get_array("open").unwrap().len(), 10_000);
    assert!(register.to_vec().unwrap().len() < 8 * 1024 * 1024);
    let settled = manager.settle(&[succeeded(first.unwrap())]).await;
    settled.unwrap().whole().unwrap();
    let verdicts = claimed(&manager, &[claim("t", number, "one")]).await;
    assert!(
        matches!(verdicts[..], [Verdict::Granted(_)]),
        "{verdicts:?}"
    );
}

/// Defines a task again, while at one of the commands something happens. Says whether it came to
/// that command.
async fn defined_anew_through(fault: Fault, at: usize) -> bool {
    let server = server();
    let manager = server.manager().await;
    let definition = |schedule: &str| TaskDefinition {
        task: task("t"),
        schedule: schedule.to_owned(),
        canonical: schedule.to_owned(),
        concurrency: Concurrency::ONE,
        definition: format!("every {schedule}"),
    };
    let old = [definition("1s")];
    manager.define(&instance("one"), &old).await.unwrap();
    server.fail(std::iter::repeat_n(Fault::None, at).chain([fault]));
    let new = [definition("2s")];
    let defined = manager.define(&instance("two"), &new).await.unwrap().value;
    assert!(
        matches!(&defined[..], [Defined::Differed { was, .. }] if *was == old[0]),
        "{fault:?} at {at}: {defined:?}"
    );
    let has_happened = server.has_failed();
    server.fail([]);
    // It stands there once, and as it was defined last.
    let named = TaskQuery::Named(vec![task("t")]);
    let tasks = manager.tasks(&named).await.unwrap().value;
    assert_eq!(tasks[0].definition.as_ref(), Some(&new[0]));
    assert_eq!(server.documents("sexton_tasks").len(), 1);
    has_happened
}

#[tokio::test(start_paused = true)]
async fn a_new_definition_is_told_of_whichever_command_or_answer_is_lost() {
    for fault in [Fault::Unheard, Fault::Unanswered] {
        let mut at = 0;
        while defined_anew_through(fault, at).await {
            at += 1;
        }
        assert_eq!(at, 3, "commands");
    }
}

/// What comes of a claim that is about to write when its task is paused.
async fn claimed_around_a_pause(is_new: bool, at: usize) -> Verdict {
    let server = server();
    let operator = server.manager().await;
    if !is_new {
        claimed(&operator, &[claim("t", -1_000, "zero")]).await;
    }
    let (held_up, manager) = HeldUp::new(&server, ("update", "sexton_registers", at)).await;
    let claiming = tokio::spawn(async move { claimed(&manager, &[claim("t", 0, "one")]).await });
    held_up.reached.notified().await;
    let (note, by) = ("stop".to_owned(), "anna".to_owned());
    let pause = PauseChange::Pause { note, by };
    operator.change_pause(&[task("t")], &pause).await.unwrap();
    held_up.go_on.notify_one();
    claiming.await.unwrap().remove(0)
}

#[tokio::test]
async fn a_claim_that_a_pause_overtakes_is_not_granted_even_of_an_index_that_is_new() {
    for (is_new, at) in [(false, 0), (true, 0), (true, 1)] {
        let verdict = claimed_around_a_pause(is_new, at).await;
        let is_paused = matches!(verdict, Verdict::Denied(Denial::Paused));
        assert!(is_paused, "new: {is_new}, write {at}: {verdict:?}");
    }
}

#[tokio::test]
async fn a_reservation_stays_where_somebody_else_wrote_the_register_that_it_is_for() {
    let server = server();
    let other = server.manager().await;
    let elders = [1, 2].map(|index| Claim {
        placement: Placement::Race,
        ..distinct(-1_000, index)
    });
    let verdicts = claimed(&other, &elders).await;
    // One has read both registers, and not yet what is reserved.
    let (one_held, one) = HeldUp::new(&server, ("find", "sexton_reservations", 0)).await;
    let one = tokio::spawn(async move { claimed(&one, &[distinct(0, 1)]).await });
    one_held.reached.notified().await;
    // An earlier tick of index 2 is settled.
    let settlement = succeeded(held(&elders[1], &verdicts[1]));
    other.settle(&[settlement]).await.unwrap().whole().unwrap();
    // Two reads index 2 as it is now, reserves it, and has not yet taken it.
    let (two_held, two) = HeldUp::new(&server, ("update", "sexton_registers", 0)).await;
    let two = tokio::spawn(async move { claimed(&two, &[distinct(0, 2)]).await });
    two_held.reached.notified().await;
    one_held.go_on.notify_one();
    let one = one.await.unwrap();
    two_held.go_on.notify_one();
    let two = two.await.unwrap();
    let granted = |verdicts: &[Verdict]| verdicts[0].grant().is_some();
    assert!(granted(&one) != granted(&two), "{one:?} {two:?}");
}

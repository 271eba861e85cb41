//! A task's name belongs to one lock manager of a scheduler at a time.

use std::time::Duration;

use sexton::policy::Missed;
use sexton::{HandleError, MemoryLockManager, ReadyTask};

use crate::fleet::{Diary, Fleet, FleetBuilder, begin, every, lines, pass_seconds, seconds, store};

const OTHER: &str = "other";

fn each_second(diary: &Diary) -> ReadyTask {
    each_second_on("default", diary)
}

fn each_second_on(manager: &str, diary: &Diary) -> ReadyTask {
    let window = seconds(600);
    let task = every("t", 1).missed(Missed::All { window });
    task.manager(manager).run(diary.noting())
}

/// An instance with two lock managers, which keep their locks in different stores.
fn instance_on_two() -> (FleetBuilder, MemoryLockManager) {
    let other = store(&begin());
    let second = other.clone();
    let instance = Fleet::of(1).with(move |builder| builder.named_manager(OTHER, second.clone()));
    (instance, other)
}

async fn end(mut fleet: Fleet) {
    assert!(fleet.leave(0, Duration::ZERO).await.all_settled);
}

#[tokio::test(start_paused = true)]
async fn a_task_replaced_onto_another_manager_runs_there_alone() {
    // Between ticks, and while the next one is granted and waits for its time.
    for (moment, last) in [(10.3, 40), (10.9, 41), (10.999, 41)] {
        let (instance, other) = instance_on_two();
        let fleet = instance.task(each_second).start().await;
        let handle = fleet.handle();
        pass_seconds(moment).await;
        let there = each_second_on(OTHER, &fleet.diary);
        handle.replace(there).await.unwrap();
        pass_seconds(20.0).await;
        // And back: what the other ran meanwhile is not caught up with.
        let back = each_second(&fleet.diary);
        handle.replace(back).await.unwrap();
        pass_seconds(10.2).await;
        assert_eq!(fleet.diary.seconds(), Vec::from_iter(1..=last), "{moment}");
        let there = lines(&other, "t").await;
        let (began, ended) = (there[0].0, there[there.len() - 1].0);
        assert!((11..=12).contains(&began), "{moment}: {there:?}");
        assert_eq!(there.len() as i64, ended - began + 1, "{moment}: {there:?}");
        let here = fleet.lines("t").await.len();
        assert_eq!((here + there.len()) as i64, last, "{moment}");
        end(fleet).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_manager_has_is_refused_by_add() {
    let (instance, _) = instance_on_two();
    let fleet = instance.task(each_second).start().await;
    let (handle, new) = (fleet.handle(), Diary::by(&fleet.clock));
    let error = handle.add(each_second_on(OTHER, &new)).await;
    let error = error.unwrap_err();
    assert!(matches!(&error, HandleError::NameUsedTwice { task } if task.as_str() == "t"));
    // Nor does it matter whether this instance would have it.
    let elsewhere = every("t", 1).only_on("gpu");
    let error = handle.add(elsewhere.run(new.noting())).await;
    assert!(matches!(error, Err(HandleError::NameUsedTwice { .. })));
    pass_seconds(3.5).await;
    assert_eq!(
        (fleet.diary.seconds(), new.seconds()),
        (vec![1, 2, 3], vec![])
    );
    end(fleet).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_replaced_by_one_with_labels_of_others_goes() {
    let fleet = Fleet::of(1).task(each_second).start().await;
    let (handle, new) = (fleet.handle(), Diary::by(&fleet.clock));
    pass_seconds(3.5).await;
    let elsewhere = every("t", 1).only_on("gpu");
    handle.replace(elsewhere.run(new.noting())).await.unwrap();
    pass_seconds(3.0).await;
    assert_eq!(
        (fleet.diary.seconds(), new.seconds()),
        (vec![1, 2, 3], vec![])
    );
    let gone = handle.remove("t").await;
    assert!(matches!(gone, Err(HandleError::NoSuchTask { .. })));
    end(fleet).await;
}

/// However calls for one name follow each other, there is one task of it in the end.
#[tokio::test(start_paused = true)]
async fn tasks_put_onto_two_managers_at_once_do_not_both_stay() {
    let (instance, _) = instance_on_two();
    let fleet = instance.start().await;
    let handle = fleet.handle();
    let (here, there) = futures::join!(
        handle.add(each_second(&fleet.diary)),
        handle.add(each_second_on(OTHER, &fleet.diary)),
    );
    let refused = [here, there].into_iter().filter(Result::is_err);
    assert_eq!(refused.count(), 1);
    pass_seconds(2.5).await;
    assert_eq!(fleet.diary.seconds(), [1, 2]);
    let (here, there) = futures::join!(
        handle.replace(each_second(&fleet.diary)),
        handle.replace(each_second_on(OTHER, &fleet.diary)),
    );
    here.and(there).unwrap();
    pass_seconds(2.0).await;
    assert_eq!(fleet.diary.seconds(), [1, 2, 3, 4]);
    end(fleet).await;
}

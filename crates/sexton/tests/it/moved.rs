//! A task's name belongs to one lock manager of a scheduler at a time.

use std::time::Duration;

use sexton::policy::Missed;
use sexton::{HandleError, ReadyTask, Scheduler, Task};

use crate::fleet::{Diary, begin, lines, pass_seconds, replica, seconds, store};

const OTHER: &str = "other";

fn each_second(diary: &Diary, clock: &sexton::clock::TokioClock) -> ReadyTask {
    each_second_on("default", diary, clock)
}

fn each_second_on(manager: &str, diary: &Diary, clock: &sexton::clock::TokioClock) -> ReadyTask {
    let task = Task::new("t").every(seconds(1)).unwrap();
    let task = task.missed(Missed::All {
        window: seconds(600),
    });
    task.manager(manager).run(diary.noting(clock))
}

async fn ends(scheduler: Scheduler) {
    assert!(scheduler.shutdown(Duration::ZERO).await.all_settled);
}

#[tokio::test(start_paused = true)]
async fn a_task_replaced_onto_another_manager_runs_there_alone() {
    // Between ticks, and while the next one is granted and waits for its time.
    for (moment, last) in [(10.3, 40), (10.9, 41), (10.999, 41)] {
        let (clock, diary) = (begin(), Diary::default());
        let (first, second) = (store(&clock), store(&clock));
        let scheduler = replica(&clock, first.clone())
            .named_manager(OTHER, second.clone())
            .task(each_second(&diary, &clock));
        let scheduler = scheduler.start().await.unwrap();
        let handle = scheduler.handle();
        pass_seconds(moment).await;
        let there = each_second_on(OTHER, &diary, &clock);
        handle.replace(there).await.unwrap();
        pass_seconds(20.0).await;
        // And back: what the other ran meanwhile is not caught up with.
        let back = each_second(&diary, &clock);
        handle.replace(back).await.unwrap();
        pass_seconds(10.2).await;
        assert_eq!(diary.seconds(), Vec::from_iter(1..=last), "{moment}");
        let there = lines(&second, "t").await;
        let (began, ended) = (there[0].0, there[there.len() - 1].0);
        assert!((11..=12).contains(&began), "{moment}: {there:?}");
        assert_eq!(there.len() as i64, ended - began + 1, "{moment}: {there:?}");
        let here = lines(&first, "t").await.len();
        assert_eq!((here + there.len()) as i64, last, "{moment}");
        ends(scheduler).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_another_manager_has_is_refused_by_add() {
    let (clock, old, new) = (begin(), Diary::default(), Diary::default());
    let scheduler = replica(&clock, store(&clock))
        .named_manager(OTHER, store(&clock))
        .task(each_second(&old, &clock));
    let scheduler = scheduler.start().await.unwrap();
    let handle = scheduler.handle();
    let error = handle.add(each_second_on(OTHER, &new, &clock)).await;
    let error = error.unwrap_err();
    assert!(matches!(&error, HandleError::NameUsedTwice { task } if task.as_str() == "t"));
    // Nor does it matter whether this instance would have it.
    let elsewhere = Task::new("t").every(seconds(1)).unwrap().only_on("gpu");
    let error = handle.add(elsewhere.run(new.noting(&clock))).await;
    assert!(matches!(error, Err(HandleError::NameUsedTwice { .. })));
    pass_seconds(3.5).await;
    assert_eq!((old.seconds(), new.seconds()), (vec![1, 2, 3], vec![]));
    ends(scheduler).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_replaced_by_one_with_labels_of_others_goes() {
    let (clock, old, new) = (begin(), Diary::default(), Diary::default());
    let scheduler = replica(&clock, store(&clock)).task(each_second(&old, &clock));
    let scheduler = scheduler.start().await.unwrap();
    let handle = scheduler.handle();
    pass_seconds(3.5).await;
    let elsewhere = Task::new("t").every(seconds(1)).unwrap().only_on("gpu");
    handle
        .replace(elsewhere.run(new.noting(&clock)))
        .await
        .unwrap();
    pass_seconds(3.0).await;
    assert_eq!((old.seconds(), new.seconds()), (vec![1, 2, 3], vec![]));
    let gone = handle.remove("t").await;
    assert!(matches!(gone, Err(HandleError::NoSuchTask { .. })));
    ends(scheduler).await;
}

/// However calls for one name follow each other, there is one task of it in the end.
#[tokio::test(start_paused = true)]
async fn tasks_put_onto_two_managers_at_once_do_not_both_stay() {
    let (clock, diary) = (begin(), Diary::default());
    let scheduler = replica(&clock, store(&clock)).named_manager(OTHER, store(&clock));
    let scheduler = scheduler.start().await.unwrap();
    let handle = scheduler.handle();
    let (here, there) = futures::join!(
        handle.add(each_second(&diary, &clock)),
        handle.add(each_second_on(OTHER, &diary, &clock)),
    );
    let refused = [here, there].into_iter().filter(Result::is_err);
    assert_eq!(refused.count(), 1);
    pass_seconds(2.5).await;
    assert_eq!(diary.seconds(), [1, 2]);
    let (here, there) = futures::join!(
        handle.replace(each_second(&diary, &clock)),
        handle.replace(each_second_on(OTHER, &diary, &clock)),
    );
    here.and(there).unwrap();
    pass_seconds(2.0).await;
    assert_eq!(diary.seconds(), [1, 2, 3, 4]);
    ends(scheduler).await;
}

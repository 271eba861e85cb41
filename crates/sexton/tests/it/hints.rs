//! Hints that something has changed: a heartbeat at once for one, and not one each for a flood.

use std::time::Duration;

use sexton::Task;
use sexton_testkit::faulty::FaultyManager;
use tokio::sync::watch;

use crate::fleet::{Diary, begin, pass_seconds, replica, seconds, store};

/// Far from any other reason for one.
const HEARTBEAT: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_hint_brings_a_heartbeat_at_once_and_a_flood_of_them_one_a_second() {
    let clock = begin();
    let (hint, hints) = watch::channel(0_u64);
    let manager = FaultyManager::new(store(&clock)).hinted(hints);
    let diary = Diary::default();
    let task = Task::new("t").every(HEARTBEAT).unwrap();
    let scheduler = replica(&clock, manager.clone())
        .heartbeat(HEARTBEAT)
        .task(task.run(diary.working(&clock, seconds(0))))
        .start()
        .await
        .unwrap();
    pass_seconds(10.0).await;
    let beats = || manager.calls("heartbeat");
    let before = beats();
    hint.send_modify(|told| *told += 1);
    pass_seconds(0.2).await;
    assert_eq!(beats() - before, 1, "at once");

    // Any role of the database may say so, as often as it likes.
    let before = beats();
    for _ in 0..40_000 {
        hint.send_modify(|told| *told += 1);
        pass_seconds(0.001).await;
    }
    let flooded = beats() - before;
    assert!((35..=42).contains(&flooded), "{flooded} heartbeats in 40 s");

    // The last is not forgotten, and then it is quiet.
    pass_seconds(2.0).await;
    let before = beats();
    pass_seconds(60.0).await;
    assert_eq!(beats() - before, 0, "what was told was drained");
    scheduler.shutdown(seconds(20)).await;
}

//! Hints that something has changed: a heartbeat at once for one, and not one each for a flood.

use std::time::Duration;

use sexton_testkit::faulty::FaultyManager;
use tokio::sync::watch;

use crate::fleet::{Fleet, every, pass_seconds, seconds};

/// Far from any other reason for one.
const HEARTBEAT: Duration = Duration::from_secs(3_600);

#[tokio::test(start_paused = true)]
async fn a_hint_brings_a_heartbeat_at_once_and_a_flood_of_them_one_a_second() {
    let fleet = Fleet::of(0)
        .task(|diary| every("t", HEARTBEAT.as_secs()).run(diary.noting()))
        .with(|builder| builder.heartbeat(HEARTBEAT))
        .start()
        .await;
    let (hint, hints) = watch::channel(0_u64);
    let manager = FaultyManager::new(fleet.store.clone()).hinted(hints);
    let scheduler = fleet.replica_on(manager.clone()).start().await.unwrap();
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

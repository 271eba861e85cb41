//! Several managers on one file, as several processes would have.

use std::collections::HashMap;

use sexton_core::lock::{Claim, ClaimLead, LockManager, Verdict};
use sexton_testkit::fixtures::claim;

use crate::place::Place;

const MANAGERS: usize = 6;
const TICKS: i64 = 20;
const TASKS: usize = 10;

fn claims(tick: i64, by: &str) -> Vec<Claim> {
    let names = (0..TASKS).map(|number| format!("task-{number}"));
    names.map(|name| claim(&name, -tick, by)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tick_is_granted_once_to_whoever_races_for_it() {
    let place = Place::new();
    let mut racers = Vec::new();
    for number in 0..MANAGERS {
        let manager = place.open().await;
        racers.push(tokio::spawn(async move {
            let mut granted = Vec::new();
            // Ticks rise: later ones lie closer to noon.
            for tick in (0..TICKS).rev() {
                let batch = claims(tick, &format!("instance-{number}"));
                let answer = manager
                    .claim(ClaimLead::default(), &batch)
                    .await
                    .unwrap()
                    .whole()
                    .unwrap();
                for (claim, verdict) in batch.into_iter().zip(answer.value) {
                    if let Verdict::Granted(grant) = verdict {
                        granted.push((claim.execution, grant.fence));
                    }
                }
            }
            manager.close().await.unwrap();
            granted
        }));
    }
    let mut owners = HashMap::new();
    for racer in racers {
        for (execution, fence) in racer.await.unwrap() {
            assert_eq!(owners.insert(execution, fence), None, "granted twice");
        }
    }
    // Whoever lags may never take a tick that the fastest has passed, and the fastest takes each.
    assert_eq!(owners.len(), TASKS * usize::try_from(TICKS).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_open_a_new_file_at_once_all_find_it_ready() {
    let place = Place::new();
    let openings = (0..8).map(|_| {
        let (options, path) = (place.options(), place.path());
        tokio::spawn(async move { options.open(path).await })
    });
    for opening in openings.collect::<Vec<_>>() {
        let manager = opening.await.unwrap().unwrap();
        assert!(manager.instances().await.unwrap().value.is_empty());
        manager.close().await.unwrap();
    }
}

//! Deadlines that a server counts in numbers which are not exact so far ahead.

use std::sync::Arc;

use jiff::Timestamp;
use sexton_core::clock::ManualClock;
use sexton_core::lock::{
    Claim, Denial, HeldLock, HistoryQuery, LockManager, Outcome, Settled, Settlement, Verdict,
};
use sexton_core::policy::Overlap;
use sexton_redis::RedisOptions;
use sexton_testkit::redis::{Server, is_declared_absent};

use crate::asking::{ask, claim};

#[tokio::test]
async fn what_waits_until_the_end_of_time_is_given_no_time_behind_it() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start_with(&["--appendonly", "no"]).await;
    let clock = ManualClock::at("2024-01-30T12:00:00Z".parse().unwrap());
    let options = RedisOptions::new().clock(Arc::new(clock));
    let manager = options.connect(&server.url()).await.unwrap();
    let year_9000: Timestamp = "9000-01-01T00:00:00Z".parse().unwrap();
    for (number, deadline) in [(0, Timestamp::MAX), (10, year_9000)] {
        let queueing = |number| Claim {
            overlap: Overlap::QueueOne,
            deadline: Some(deadline),
            ..claim(number)
        };
        let (runs, waits) = (queueing(number), queueing(number + 1));
        let Verdict::Granted(grant) = ask(&manager, &runs).await.unwrap() else {
            panic!("nothing runs before {number}");
        };
        let queued = ask(&manager, &waits).await.unwrap();
        assert_eq!(queued, Verdict::Denied(Denial::Overlap));
        let lock = HeldLock {
            execution: runs.execution,
            claim_id: runs.claim_id,
            fence: grant.fence,
        };
        let now = manager.now().await.unwrap();
        let settlement = Settlement::new(lock, Outcome::Succeeded, now, now);
        let settled = manager
            .settle(&[settlement])
            .await
            .unwrap()
            .whole()
            .unwrap()
            .value;
        let waiting = Some(waits.execution.tick);
        assert_eq!(settled, [Settled::Recorded { waiting }]);
        let records = manager.history(&HistoryQuery::default()).await.unwrap();
        let mut records = records.value.into_iter();
        let queued = records.find(|record| record.execution == waits.execution);
        let kept = queued.unwrap().deadline.unwrap();
        assert!(kept.as_second() >= deadline.as_second(), "{kept}");
        let Verdict::Granted(grant) = ask(&manager, &waits).await.unwrap() else {
            panic!("it waits");
        };
        assert_eq!(grant.deadline, Some(kept));
        let lock = HeldLock {
            execution: waits.execution,
            claim_id: waits.claim_id,
            fence: grant.fence,
        };
        let settlement = Settlement::new(lock, Outcome::Succeeded, now, now);
        manager
            .settle(&[settlement])
            .await
            .unwrap()
            .whole()
            .unwrap();
    }
}

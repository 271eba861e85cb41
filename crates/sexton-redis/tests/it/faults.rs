//! What goes wrong with a server, and what is said of it: an outage, never a denial.

use std::time::Duration;

use sexton_core::lock::{HeldLock, LockError, LockManager, Renewal, Renewed, Verdict};
use sexton_core::name::InstanceId;
use sexton_core::policy::{Delivery, Lease};
use sexton_testkit::proxy::Proxy;
use sexton_testkit::redis::{Server, is_declared_absent};

use crate::asking::{Grants, LIMIT, ask, ask_until_answered, claim, claim_all, patient, quick};

#[tokio::test]
async fn a_server_that_was_killed_is_an_outage_and_keeps_what_it_granted() {
    if is_declared_absent() {
        return;
    }
    let mut server = Server::start().await;
    let manager = patient().connect(&server.url()).await.unwrap();
    let first = claim(1);
    assert!(matches!(
        ask(&manager, &first).await,
        Ok(Verdict::Granted(_))
    ));
    server.kill();
    let error = ask(&manager, &claim(2)).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("is unavailable while trying to claim"),
        "{error}"
    );
    server.begin().await;
    // Its own grant is found again, and nobody else's is given it.
    let again = ask_until_answered(&manager, &first).await;
    assert!(matches!(again, Verdict::Granted(_)), "{again:?}");
    let other = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(other, Verdict::Denied(_)), "{other:?}");
}

#[tokio::test]
async fn a_server_that_stands_still_is_an_outage_within_the_limit() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let manager = quick().connect(&server.url()).await.unwrap();
    ask_until_answered(&manager, &claim(1)).await;
    server.signal("STOP");
    let lost = claim(2);
    let asked = tokio::time::timeout(LIMIT, ask(&manager, &lost)).await;
    let error = asked.expect("no wait without an end").unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    server.signal("CONT");
    // The claim may have got through: by its id it is granted, or granted again.
    let verdict = ask_until_answered(&manager, &lost).await;
    assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
}

#[tokio::test]
async fn scripts_that_were_flushed_are_sent_again() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let manager = patient().connect(&server.url()).await.unwrap();
    let mut client = server.client().await;
    for number in 1..20 {
        let verdict = ask(&manager, &claim(number)).await.unwrap();
        assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
        let flushed: Result<(), _> = redis::cmd("SCRIPT")
            .arg("FLUSH")
            .query_async(&mut client)
            .await;
        flushed.unwrap();
    }
}

#[tokio::test]
async fn a_server_without_memory_refuses_and_says_what_to_do() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let manager = patient().connect(&server.url()).await.unwrap();
    let mut client = server.client().await;
    let mut set = async |limit: &str| {
        let mut command = redis::cmd("CONFIG");
        let command = command.arg("SET").arg("maxmemory").arg(limit);
        let done: Result<(), _> = command.query_async(&mut client).await;
        done.unwrap();
    };
    set("1").await;
    let error = ask(&manager, &claim(1)).await.unwrap_err();
    assert!(matches!(error, LockError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("raise maxmemory"), "{error}");
    set("0").await;
    let verdict = ask(&manager, &claim(1)).await.unwrap();
    assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
}

#[tokio::test]
async fn replicas_that_do_not_confirm_are_an_outage_and_the_grant_is_found_by_its_id() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let limit = Duration::from_millis(50);
    let waiting = patient()
        .wait_for_replicas(1, limit)
        .connect(&server.url())
        .await
        .unwrap();
    let first = claim(1);
    let error = ask(&waiting, &first).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(source, "0 of 1 replicas confirmed within 50ms");
    let port = server.port().to_string();
    let replica = Server::start_with(&["--replicaof", &format!("127.0.0.1 {port}")]).await;
    let verdict = ask_until_answered(&waiting, &first).await;
    assert!(matches!(verdict, Verdict::Granted(_)), "{verdict:?}");
    drop(replica);
}

/// What befalls a server while eight claimants on eight connections fight for the same ticks.
async fn nothing_is_granted_twice_while(
    ticks: i64,
    server: Server,
    trouble: impl AsyncFnOnce(Server) -> Server,
) {
    let mut claimants = Vec::new();
    for _ in 0..8 {
        let manager = quick().connect(&server.url()).await.unwrap();
        claimants.push(tokio::spawn(claim_all(manager, &["t"], ticks)));
    }
    let server = trouble(server).await;
    let mut all = Grants::default();
    for claimant in claimants {
        all.extend(claimant.await.unwrap());
    }
    drop(server);
    assert_eq!(all.broken(), Vec::<String>::new());
    assert_eq!(all.count(), usize::try_from(ticks).unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_twice_while_the_server_is_killed_under_load() {
    if is_declared_absent() {
        return;
    }
    nothing_is_granted_twice_while(400, Server::start().await, async |mut server| {
        for _ in 0..3 {
            // Some claims are under way each time.
            tokio::time::sleep(Duration::from_millis(100)).await;
            server.kill();
            server.begin().await;
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_twice_while_scripts_are_flushed_and_memory_runs_out_under_load() {
    if is_declared_absent() {
        return;
    }
    nothing_is_granted_twice_while(400, Server::start().await, async |server| {
        let mut client = server.client().await;
        for round in 0..20 {
            let mut flush = redis::cmd("SCRIPT");
            flush.arg("FLUSH").exec_async(&mut client).await.unwrap();
            for limit in ["1", "0"] {
                let mut set = redis::cmd("CONFIG");
                set.arg("SET").arg("maxmemory").arg(limit);
                set.exec_async(&mut client).await.unwrap();
                // A few claims are refused each time.
                tokio::time::sleep(Duration::from_millis(round)).await;
            }
        }
        server
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_twice_while_the_server_pauses_its_clients_past_their_patience() {
    if is_declared_absent() {
        return;
    }
    nothing_is_granted_twice_while(200, Server::start().await, async |server| {
        let mut client = server.client().await;
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut pause = redis::cmd("CLIENT");
            pause.arg("PAUSE").arg(800).arg("ALL");
            pause.exec_async(&mut client).await.unwrap();
            // Answered when the pause is over.
            redis::cmd("PING").exec_async(&mut client).await.unwrap();
        }
        server
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ran_out_while_clients_were_paused_is_granted_again_and_its_holder_learns_of_it()
 {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let url = server.url();
    let connect = || patient().connect(&url);
    let (holder, other) = (connect().await.unwrap(), connect().await.unwrap());
    let lease = Lease::new(Duration::from_secs(1)).unwrap();
    let leased = |instance: &str| {
        let mut claim = claim(1);
        claim.instance = InstanceId::new(instance).unwrap();
        claim.lease = lease;
        claim.delivery = Delivery::AtLeastOnce {
            attempts_max: std::num::NonZeroU32::new(3).unwrap(),
        };
        claim
    };
    let first = leased("one");
    let Ok(Verdict::Granted(grant)) = ask(&holder, &first).await else {
        panic!("it is the first");
    };
    let mut client = server.client().await;
    let mut pause = redis::cmd("CLIENT");
    pause.arg("PAUSE").arg(1_500).arg("ALL");
    pause.exec_async(&mut client).await.unwrap();
    // Sent in this order, and decided in it when the pause is over.
    let again = leased("two");
    let verdict = ask(&other, &again).await.unwrap();
    let Verdict::Granted(second) = verdict else {
        panic!("the lease is over: {verdict:?}");
    };
    assert_eq!(second.attempt.get(), 2);
    assert!(second.fence > grant.fence);
    let lock = HeldLock {
        execution: first.execution.clone(),
        claim_id: first.claim_id,
        fence: grant.fence,
    };
    let renewed = holder
        .renew(&[Renewal { lock, lease }])
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert_eq!(renewed.value, [Renewed::Lost]);
}

#[tokio::test]
async fn an_answer_that_was_lost_on_the_way_is_found_by_the_claims_id() {
    if is_declared_absent() {
        return;
    }
    let server = Server::start().await;
    let proxy = Proxy::to(server.port()).await;
    let url = format!("redis://127.0.0.1:{}/", proxy.port);
    let manager = patient().connect(&url).await.unwrap();
    let direct = patient().connect(&server.url()).await.unwrap();
    // The server knows the script from then on.
    ask(&manager, &claim(0)).await.unwrap();
    for number in 1..50 {
        let ours = claim(number);
        proxy.cut_at_the_next_answer();
        let error = ask(&manager, &ours).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
        proxy.has_cut().await;
        let taken = ask(&direct, &claim(number)).await.unwrap();
        assert!(matches!(taken, Verdict::Denied(_)), "{taken:?}");
        let again = ask_until_answered(&manager, &ours).await;
        assert!(matches!(again, Verdict::Granted(_)), "{again:?}");
    }
}

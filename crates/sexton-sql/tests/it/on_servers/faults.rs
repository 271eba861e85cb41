//! What goes wrong on the way to a server and on it: an outage that is told as one, or nothing that
//! a caller notices.

use std::collections::HashMap;
use std::sync::Arc;

use sexton_core::lock::{
    Answer, Claim, ClaimLead, Enqueue, Enqueued, LockError, LockManager, Verdict,
};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::{claim, grant};
use sexton_testkit::process::Disk;
use sexton_testkit::proxy::Proxy;
use sqlx::{Connection, Database};

use super::{HELD_UP, Manager, Options, TestServer, on_each_server};

on_each_server!(
    a_server_killed_under_load_forgets_no_grant_and_is_found_again,
    an_answer_that_is_lost_is_had_again_whichever_it_was,
    the_answer_to_the_write_itself_may_be_lost,
    a_trigger_is_one_whichever_answer_is_lost,
    an_intruder_who_holds_a_row_is_an_outage_and_then_over,
    a_table_that_is_locked_whole_is_an_outage_and_then_over,
    a_full_pool_is_an_outage_that_says_so,
    a_server_that_only_reads_is_an_outage_even_to_who_would_be_denied,
    a_server_with_no_connection_left_is_an_outage_and_then_over,
);

pub(super) async fn one(manager: &dyn LockManager, claim: &Claim) -> Result<Verdict, LockError> {
    let batch = std::slice::from_ref(claim);
    let answer = manager.claim(ClaimLead::default(), batch).await?.whole()?;
    Ok(answer.value.into_iter().next().unwrap())
}

/// The sources of an error, the last of them: what was found.
fn root(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.last().map(ToString::to_string).unwrap_or_default()
}

/// Claims until it is answered, as a scheduler does, with the same id.
async fn insist(manager: &dyn LockManager, batch: &[Claim]) -> Vec<Verdict> {
    loop {
        let answer = manager.claim(ClaimLead::default(), batch).await;
        match answer.and_then(Answer::whole) {
            Ok(answer) => return answer.value,
            Err(error) if error.is_transient() => tokio::task::yield_now().await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// With `fsync` on, as users have it: what was answered is on the disk.
async fn a_server_killed_under_load_forgets_no_grant_and_is_found_again<S: TestServer>() {
    const TICKS: i64 = 60;
    let Some(mut server) = S::start_with(Disk::Synced, &[]) else {
        return;
    };
    let url = server.url();
    let mut racers = Vec::new();
    let (progress, mut rounds) = tokio::sync::mpsc::unbounded_channel();
    for racer in 0..4 {
        let manager = Options::<S>::new().connect(&url).await.unwrap();
        let progress = progress.clone();
        racers.push(tokio::spawn(async move {
            let mut granted = Vec::new();
            for tick in (0..TICKS).rev() {
                let by = format!("instance-{racer}");
                let batch: Vec<_> = (0..20)
                    .map(|number| claim(&format!("task-{number}"), -tick, &by))
                    .collect();
                let verdicts = insist(&manager, &batch).await;
                for (claim, verdict) in batch.into_iter().zip(verdicts) {
                    granted.extend(verdict.grant().map(|grant| (claim.execution, grant.fence)));
                }
                progress.send(()).unwrap();
            }
            granted
        }));
    }
    drop(progress);
    let mut round = 0;
    while rounds.recv().await.is_some() {
        round += 1;
        if round % 40 == 0 && round < 4 * 50 {
            // On the test's own thread, with which the server ends; the racers have others.
            server.kill();
            server.begin();
        }
    }
    let mut owners = HashMap::new();
    for racer in racers {
        for (execution, fence) in racer.await.unwrap() {
            assert_eq!(owners.insert(execution, fence), None, "granted twice");
        }
    }
    assert_eq!(owners.len(), 20 * usize::try_from(TICKS).unwrap());
}

async fn an_answer_that_is_lost_is_had_again_whichever_it_was<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let proxy = Proxy::to(server.port()).await;
    let url = server.url_at(proxy.port);
    let manager = Options::<S>::new().connect(&url).await.unwrap();
    // Both of a claim's answers, and those before them while a new connection gets to know its
    // statements.
    for lost in 0..20 {
        let claim = claim("digest", lost, "one");
        proxy.cut_at_the_next_answer();
        let verdict = one(&manager, &claim).await.unwrap();
        assert!(grant(&verdict).fence.get() > u64::try_from(lost).unwrap());
        proxy.has_cut().await;
        assert_eq!(one(&manager, &claim).await.unwrap(), verdict);
    }
    let mut raw = server.raw().await;
    for count in [
        "SELECT count(*) FROM sexton_executions",
        "SELECT count(DISTINCT claim_id) FROM sexton_executions",
    ] {
        assert_eq!(S::number(&mut raw, count).await, 20);
    }
}

async fn a_trigger_is_one_whichever_answer_is_lost<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let proxy = Proxy::to(server.port()).await;
    let url = server.url_at(proxy.port);
    let manager = Options::<S>::new().connect(&url).await.unwrap();
    for answers in 0.. {
        let enqueue = Enqueue {
            execution: claim("digest", i64::from(answers), "one").execution,
            concurrency: Concurrency::ONE,
            deadline: None,
        };
        proxy.cut_after(answers);
        let batch = std::slice::from_ref(&enqueue);
        let answer = manager.enqueue(batch).await.unwrap();
        let is_whole = proxy.mend();
        assert_eq!(answer.value, [Enqueued::Waiting], "{answers}");
        let answer = manager.enqueue(batch).await.unwrap();
        assert_eq!(answer.value, [Enqueued::Already], "{answers}");
        if is_whole {
            // A look and a write at the least were cut off before.
            assert!(answers >= 2, "{answers}");
            break;
        }
    }
}

async fn the_answer_to_the_write_itself_may_be_lost<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let proxy = Arc::new(Proxy::to(server.port()).await);
    let options = Options::<S>::new();
    let manager = options.connect(&server.url_at(proxy.port)).await.unwrap();
    one(&manager, &claim("digest", 0, "one")).await.unwrap();
    // The write waits for the row, and its answer is the next.
    let mut intruder = server.raw().await;
    let mut holding = intruder.begin().await.unwrap();
    S::execute(&mut holding, HOLD_REGISTERS).await;
    let ours = claim("digest", 1, "one");
    let claiming = tokio::spawn({
        let (manager, ours) = (manager.clone(), ours.clone());
        async move { one(&manager, &ours).await }
    });
    someone_waits(&server).await;
    proxy.cut_at_the_next_answer();
    holding.rollback().await.unwrap();
    let verdict = claiming.await.unwrap().unwrap();
    assert_eq!(grant(&verdict).fence.get(), 2);
    proxy.has_cut().await;
}

pub(crate) const HOLD_REGISTERS: &str = "SELECT 1 FROM sexton_registers \
    WHERE namespace = 'default' AND task = 'digest' AND concurrency_index = 1 FOR UPDATE";

/// Returns when a session is held up by what another one holds.
pub(crate) async fn someone_waits<S: TestServer>(server: &S) {
    server.someone_is_held_up().await;
}

async fn an_intruder_who_holds_a_row_is_an_outage_and_then_over<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    server.make_tables().await;
    let options = Options::<S>::new().wait_max(HELD_UP);
    let manager = options.connect(&server.url()).await.unwrap();
    one(&manager, &claim("digest", 0, "one")).await.unwrap();
    let mut intruder = server.raw().await;
    let mut holding = intruder.begin().await.unwrap();
    S::execute(&mut holding, HOLD_REGISTERS).await;

    let next = claim("digest", 1, "one");
    let error = one(&manager, &next).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    // Others' tasks are not held up.
    one(&manager, &claim("other", 1, "one")).await.unwrap();
    // A claim that loses anyway is denied at once: that takes no row.
    let late = one(&manager, &claim("digest", 0, "two")).await.unwrap();
    assert!(matches!(late, Verdict::Denied(_)));

    holding.rollback().await.unwrap();
    assert_eq!(grant(&one(&manager, &next).await.unwrap()).fence.get(), 2);
}

async fn a_table_that_is_locked_whole_is_an_outage_and_then_over<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    server.make_tables().await;
    let options = Options::<S>::new().wait_max(HELD_UP).connections_max(1);
    let manager = options.connect(&server.url()).await.unwrap();
    let mut intruder = server.raw().await;
    let mut holding = intruder.begin().await.unwrap();
    S::execute(&mut holding, S::LOCK_EXECUTIONS).await;
    // More often than there are connections.
    for _ in 0..2 {
        let error = one(&manager, &claim("digest", 0, "one")).await.unwrap_err();
        assert!(error.is_transient(), "{error:?}");
    }
    // With its end everything that it held is free.
    drop(holding);
    intruder.close().await.unwrap();
    one(&manager, &claim("digest", 0, "one")).await.unwrap();
}

async fn a_full_pool_is_an_outage_that_says_so<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    server.make_tables().await;
    let pool = server.pool(1).await;
    let options = Options::<S>::new().wait_max(HELD_UP);
    let manager = options.with_pool(pool.clone()).await.unwrap();
    let taken = pool.acquire().await.unwrap();
    let error = one(&manager, &claim("digest", 0, "one")).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(
        root(&error).contains("all 1 are in use"),
        "{}",
        root(&error)
    );
    drop(taken);
    one(&manager, &claim("digest", 0, "one")).await.unwrap();
    pool.close().await;
    let error = one(&manager, &claim("digest", 1, "one")).await.unwrap_err();
    assert!(root(&error).contains("closed"), "{}", root(&error));
}

async fn a_server_that_only_reads_is_an_outage_even_to_who_would_be_denied<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, &[]) else {
        return;
    };
    let manager = server.open().await;
    let taken = claim("digest", 0, "one");
    one(&manager, &taken).await.unwrap();
    let mut operator = server.raw().await;
    for statement in S::ONLY_READ {
        S::execute(&mut operator, statement).await;
    }
    let error = loop {
        // The server's processes read the setting one after the other.
        let other = server.open().await;
        if let Err(error) = one(&other, &claim("digest", 0, "two")).await {
            break error;
        }
    };
    assert!(error.is_transient(), "{error:?}");
    assert!(root(&error).contains("read-only"), "{}", root(&error));
}

async fn a_server_with_no_connection_left_is_an_outage_and_then_over<S: TestServer>() {
    let Some(server) = S::start_with(Disk::Lazy, S::FEW_CONNECTIONS) else {
        return;
    };
    // It keeps the connection by which it made the tables.
    let first = server.open().await;
    let mut others = Vec::new();
    while let Ok(connection) = <S::DB as Database>::Connection::connect(&server.url()).await {
        others.push(connection);
    }
    let opened = Options::<S>::new().connect(&server.url()).await;
    assert!(opened.unwrap_err().is_transient());
    for connection in others {
        connection.close().await.unwrap();
    }
    let second = open_once_there_is_room(&server).await;
    for (tick, manager) in (0..).zip([first, second]) {
        one(&manager, &claim("digest", tick, "one")).await.unwrap();
    }
}

/// Opens a manager as soon as a server has counted down a connection, which it does a moment after
/// its client has closed it, and tells nobody.
async fn open_once_there_is_room<S: TestServer>(server: &S) -> Manager<S> {
    loop {
        match Options::<S>::new().connect(&server.url()).await {
            Ok(manager) => return manager,
            Err(error) => assert!(error.is_transient(), "{error:?}"),
        }
    }
}

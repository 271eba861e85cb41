//! What goes wrong with a server, and what is said of it: an outage, never a denial.

use std::sync::Arc;
use std::time::Duration;

use sexton_core::lock::{Claim, ClaimLead, Execution, LockError, LockManager, Verdict};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Tick};
use sexton_redis::{RedisLockManager, RedisOptions};

use crate::server::{Server, is_declared_absent};

const LIMIT: Duration = Duration::from_secs(30);

fn claim(number: i64) -> Claim {
    let execution = Execution {
        task: TaskName::new("t").unwrap(),
        index: ConcurrencyIndex::ONE,
        tick: Tick::from_millis(1_600_000_000_000 + number).unwrap(),
    };
    Claim::new(execution, Concurrency::ONE, InstanceId::new("one").unwrap())
}

async fn ask(manager: &RedisLockManager, claim: &Claim) -> Result<Verdict, LockError> {
    let batch = std::slice::from_ref(claim);
    let answer = manager.claim(ClaimLead::default(), batch).await?;
    Ok(answer.value.into_iter().next().unwrap())
}

fn quick() -> RedisOptions {
    let second = Duration::from_secs(1);
    RedisOptions::new()
        .connect_timeout(second)
        .response_timeout(second / 2)
}

/// Claims until there is an answer again, and answers that. Everything before must have been told as an outage.
async fn ask_until_answered(manager: &RedisLockManager, claim: &Claim) -> Verdict {
    let asking = async {
        loop {
            match ask(manager, claim).await {
                Ok(verdict) => return verdict,
                Err(error) => assert!(error.is_transient(), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, asking)
        .await
        .expect("the server is there again")
}

#[tokio::test]
async fn a_server_that_was_killed_is_an_outage_and_keeps_what_it_granted() {
    if is_declared_absent() {
        return;
    }
    let mut server = Server::start().await;
    let manager = quick().connect(&server.url()).await.unwrap();
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
    ask(&manager, &claim(1)).await.unwrap();
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
    let manager = quick().connect(&server.url()).await.unwrap();
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
    let manager = quick().connect(&server.url()).await.unwrap();
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
    let waiting = quick()
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

/// Eight claimants on eight connections fight for the same ticks while the server is killed and started again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_granted_twice_while_the_server_is_killed_under_load() {
    if is_declared_absent() {
        return;
    }
    const TICKS: i64 = 400;
    let mut server = Server::start().await;
    let url: Arc<str> = server.url().into();
    let mut claimants = Vec::new();
    for _ in 0..8 {
        let manager = quick().connect(&url).await.unwrap();
        claimants.push(tokio::spawn(async move {
            let mut granted = Vec::new();
            for number in 0..TICKS {
                let claim = claim(number);
                if let Verdict::Granted(grant) = ask_until_answered(&manager, &claim).await {
                    granted.push((number, grant.fence));
                }
            }
            granted
        }));
    }
    for _ in 0..3 {
        // Some claims are under way each time.
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.kill();
        server.begin().await;
    }
    let mut all = Vec::new();
    for claimant in claimants {
        all.extend(claimant.await.unwrap());
    }
    all.sort_unstable();
    let ticks: Vec<i64> = all.iter().map(|(tick, _)| *tick).collect();
    assert_eq!(ticks, (0..TICKS).collect::<Vec<_>>(), "each tick once");
    assert!(
        all.is_sorted_by(|(_, earlier), (_, later)| earlier < later),
        "fences rise"
    );
}

//! Beside a replica of the Kotlin system, which a bare client plays.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use sexton_core::clock::{Clock, SystemClock};
use sexton_core::lock::{
    Capability, Claim, ClaimLead, Denial, Execution, HeldLock, LockManager, Release, Verdict,
};
use sexton_core::name::{ClaimId, InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};
use sexton_redis::{KtorLockManager, RedisLockManager, RedisTaskLock};
use sexton_testkit::redis::{Server, is_declared_absent};

const EXPIRATION: Duration = Duration::from_secs(600);

fn execution(name: &str, tick: Tick) -> Execution {
    Execution {
        task: TaskName::new(name).unwrap(),
        index: ConcurrencyIndex::ONE,
        tick,
    }
}

fn now() -> Tick {
    Tick::at_or_before(SystemClock.now())
}

async fn ask(manager: &KtorLockManager, executions: &[Execution]) -> Vec<Verdict> {
    let one = InstanceId::new("one").unwrap();
    let claim =
        |execution: &Execution| Claim::new(execution.clone(), Concurrency::ONE, one.clone());
    let claims: Vec<Claim> = executions.iter().map(claim).collect();
    manager
        .claim(ClaimLead::default(), &claims)
        .await
        .unwrap()
        .whole()
        .unwrap()
        .value
}

fn held(execution: &Execution) -> HeldLock {
    HeldLock {
        execution: execution.clone(),
        claim_id: ClaimId::random(),
        fence: Fence::NONE,
    }
}

/// The Kotlin system's own claim.
async fn kotlin(client: &mut MultiplexedConnection, execution: &Execution) -> bool {
    let Execution { task, index, tick } = execution;
    let key = format!("{task}-***-{index}-***-{tick}");
    let mut set = redis::cmd("SET");
    let set = set
        .arg(key)
        .arg(tick.to_string())
        .arg("NX")
        .arg("PX")
        .arg(60_000);
    let answer: Option<String> = set.query_async(client).await.unwrap();
    answer.is_some()
}

async fn started() -> Option<(Server, KtorLockManager, MultiplexedConnection)> {
    if is_declared_absent() {
        return None;
    }
    let server = Server::start_with(&["--appendonly", "no"]).await;
    let redis = RedisLockManager::connect(&server.url()).await.unwrap();
    let client = server.client().await;
    Some((server, redis.ktor_compatible(EXPIRATION).unwrap(), client))
}

#[tokio::test]
async fn a_tick_is_theirs_or_ours() {
    let Some((_server, manager, mut client)) = started().await else {
        return;
    };
    let tick = now();
    let (theirs, ours) = (execution("theirs", tick), execution("ours", tick));
    assert!(kotlin(&mut client, &theirs).await);
    let verdicts = ask(&manager, &[theirs, ours.clone()]).await;
    assert!(matches!(
        verdicts[..],
        [Verdict::Denied(Denial::Taken), Verdict::Granted(_)]
    ));
    assert!(!kotlin(&mut client, &ours).await, "granted twice");
    let mut commands = redis::pipe();
    let key = format!("ours-***-1-***-{tick}");
    assert_eq!(RedisTaskLock::from(&held(&ours)).value(), key);
    commands.cmd("GET").arg(&key).cmd("PTTL").arg(&key);
    let (value, left_ms): (String, u64) = commands.query_async(&mut client).await.unwrap();
    assert_eq!(value, tick.to_string());
    assert!((590_000..=600_000).contains(&left_ms), "{left_ms}");
}

#[tokio::test]
async fn what_is_given_back_is_theirs_to_take() {
    let Some((_server, manager, mut client)) = started().await else {
        return;
    };
    let ours = execution("t", now());
    ask(&manager, std::slice::from_ref(&ours)).await;
    let lock = held(&ours);
    let deadline = None;
    manager
        .release(&[Release { lock, deadline }])
        .await
        .unwrap()
        .whole()
        .unwrap();
    assert!(kotlin(&mut client, &ours).await);
}

#[tokio::test]
async fn what_is_too_early_or_may_have_expired_is_not_claimed() {
    let Some((_server, manager, mut client)) = started().await else {
        return;
    };
    let ahead = execution("ahead", now().saturating_add_millis(60_000));
    let old = execution("old", now().saturating_add_millis(-600_001));
    let verdicts = ask(&manager, &[ahead, old]).await;
    assert_eq!(
        verdicts,
        [
            Verdict::Denied(Denial::TooEarly),
            Verdict::Denied(Denial::Taken)
        ]
    );
    let mut keys = redis::cmd("KEYS");
    let locks: Vec<String> = keys
        .arg(r"*-\*\*\*-*")
        .query_async(&mut client)
        .await
        .unwrap();
    assert!(locks.is_empty(), "{locks:?}");
}

#[tokio::test]
async fn both_kinds_together_run_every_tick_once() {
    let Some((server, manager, _client)) = started().await else {
        return;
    };
    let begin = now();
    let ticks = 0..300;
    let executions: Vec<Execution> = ticks
        .map(|number| execution("t", begin.saturating_add_millis(-number)))
        .collect();
    let mut granted: Vec<Execution> = Vec::new();
    let mut client = server.client().await;
    let theirs = async {
        let mut theirs = Vec::new();
        for execution in &executions {
            if kotlin(&mut client, execution).await {
                theirs.push(execution.clone());
            }
        }
        theirs
    };
    let ours = async {
        let mut ours = Vec::new();
        for some in executions.chunks(7) {
            let verdicts = ask(&manager, some).await;
            let won = some
                .iter()
                .zip(verdicts)
                .filter(|(_, verdict)| matches!(verdict, Verdict::Granted(_)));
            ours.extend(won.map(|(execution, _)| execution.clone()));
        }
        ours
    };
    let (theirs, ours) = tokio::join!(theirs, ours);
    granted.extend(theirs);
    granted.extend(ours);
    assert_eq!(granted.len(), executions.len());
    assert_eq!(
        granted.iter().collect::<BTreeSet<_>>().len(),
        executions.len()
    );
}

#[tokio::test]
async fn it_does_nothing_that_it_cannot() {
    let Some((server, manager, _client)) = started().await else {
        return;
    };
    for capability in [
        Capability::Leases,
        Capability::History,
        Capability::Operations,
    ] {
        assert!(!manager.supports(capability));
    }
    let error = manager.enqueue(&[]).await.unwrap_err();
    assert!(
        error.to_string().contains("does not support operations"),
        "{error}"
    );
    let redis = RedisLockManager::connect(&server.url()).await.unwrap();
    let error = redis
        .ktor_compatible(Duration::from_millis(100))
        .unwrap_err();
    assert!(error.to_string().contains("1s..=24h"), "{error}");
}

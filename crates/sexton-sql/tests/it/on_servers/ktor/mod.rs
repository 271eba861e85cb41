//! Beside a replica of the Kotlin system, which bare SQL plays.

mod kotlin;
#[cfg(feature = "mysql")]
mod mariadb;
mod opening;
#[cfg(feature = "postgres")]
mod postgres;
mod sharing;
mod trouble;

use sexton_core::lock::{
    Answer, Claim, ClaimLead, Execution, HeldLock, LockManager, Release, Released, Verdict,
};
use sexton_core::name::{ClaimId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};
use sexton_sql::{KtorLockManager, KtorTable};
use sexton_testkit::fixtures::{self, instance};
use sexton_testkit::process::Disk;

pub(crate) use self::kotlin::KotlinSide;
use super::{TestServer, on_each_server};

pub(crate) type Manager<S> = KtorLockManager<<S as TestServer>::DB>;

/// A server with the Kotlin system's table, and a manager that shares it.
async fn started<S: KotlinSide>() -> Option<(S, Manager<S>)> {
    let server = S::start_with(Disk::Lazy, &[])?;
    S::execute(&mut server.raw().await, S::TABLE).await;
    let manager = open(&server).await;
    Some((server, manager))
}

async fn open<S: KotlinSide>(server: &S) -> Manager<S> {
    let opened = server.open().await.ktor_compatible(&KtorTable::new()).await;
    opened.unwrap()
}

/// The tick of `t` so many ms after noon.
fn at(after_noon_ms: i64) -> Execution {
    fixtures::execution("t", after_noon_ms)
}

fn of(task: &str, index: u64, tick: Tick) -> Execution {
    Execution {
        task: TaskName::new(task).unwrap(),
        index: ConcurrencyIndex::new(index).unwrap(),
        tick,
    }
}

async fn ask(manager: &dyn LockManager, executions: &[Execution]) -> Vec<Verdict> {
    let claim =
        |execution: &Execution| Claim::new(execution.clone(), Concurrency::ONE, instance("one"));
    let claims: Vec<Claim> = executions.iter().map(claim).collect();
    let answer = manager
        .claim(ClaimLead::default(), &claims)
        .await
        .and_then(Answer::whole);
    answer.unwrap().value
}

/// Those of them that are ours now.
async fn won(manager: &dyn LockManager, executions: &[Execution]) -> Vec<Execution> {
    let verdicts = ask(manager, executions).await;
    assert_eq!(verdicts.len(), executions.len());
    let pairs = executions.iter().zip(verdicts);
    let granted = pairs.filter(|(_, verdict)| verdict.grant().is_some());
    granted.map(|(execution, _)| execution.clone()).collect()
}

async fn give_back(manager: &dyn LockManager, executions: &[Execution]) -> Vec<Released> {
    let release = |execution: &Execution| Release {
        lock: HeldLock {
            execution: execution.clone(),
            claim_id: ClaimId::random(),
            fence: Fence::NONE,
        },
        deadline: None,
    };
    let batch: Vec<Release> = executions.iter().map(release).collect();
    manager
        .release(&batch)
        .await
        .unwrap()
        .whole()
        .unwrap()
        .value
}

//! Claims, asked for as an instance would, and what came of all of them.

use std::collections::BTreeMap;
use std::time::Duration;

use sexton_core::lock::{Claim, ClaimLead, Execution, LockError, LockManager, Verdict};
use sexton_core::name::{InstanceId, TaskName};
use sexton_core::tick::{Concurrency, ConcurrencyIndex, Fence, Tick};
use sexton_redis::{RedisLockManager, RedisOptions};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn claim(number: i64) -> Claim {
    claim_of("t", number)
}

pub(crate) fn claim_of(task: &str, number: i64) -> Claim {
    let execution = Execution {
        task: TaskName::new(task).unwrap(),
        index: ConcurrencyIndex::ONE,
        tick: Tick::from_millis(1_600_000_000_000 + number).unwrap(),
    };
    Claim::new(execution, Concurrency::ONE, InstanceId::new("one").unwrap())
}

/// An error with its causes.
pub(crate) fn told(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let texts: Vec<String> = causes.map(ToString::to_string).collect();
    texts.join(": ")
}

pub(crate) async fn ask(manager: &RedisLockManager, claim: &Claim) -> Result<Verdict, LockError> {
    let batch = std::slice::from_ref(claim);
    let answer = manager.claim(ClaimLead::default(), batch).await?.whole()?;
    Ok(answer.value.into_iter().next().unwrap())
}

/// For servers that stand still: a busy machine may exceed these limits too, so that any claim may
/// be unanswered.
pub(crate) fn quick() -> RedisOptions {
    let second = Duration::from_secs(1);
    RedisOptions::new()
        .connect_timeout(second)
        .response_timeout(second / 2)
}

/// For claims whose first answer counts: limits that no busy machine exceeds. A server that is
/// killed closes its connections, so that no claim waits this long for it.
pub(crate) fn patient() -> RedisOptions {
    let limit = Duration::from_secs(10);
    RedisOptions::new()
        .connect_timeout(limit)
        .response_timeout(limit)
}

/// Claims until there is an answer again, and returns it. Everything before must be a transient
/// error.
pub(crate) async fn ask_until_answered(manager: &RedisLockManager, claim: &Claim) -> Verdict {
    let asking = async {
        loop {
            match ask(manager, claim).await {
                Ok(verdict) => return verdict,
                // Out of memory is for somebody to mend, and is told as that.
                Err(error) => assert!(
                    error.is_transient() || error.to_string().contains("out of memory"),
                    "{error:?}"
                ),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LIMIT, asking)
        .await
        .expect("the server is there again")
}

/// All grants of at-most-once executions that anybody was given.
#[derive(Debug, Default)]
pub(crate) struct Grants(BTreeMap<(TaskName, Tick), Vec<Fence>>);

impl Grants {
    pub(crate) fn note(&mut self, claim: &Claim, verdict: &Verdict) {
        let Execution { task, tick, .. } = &claim.execution;
        let fences = self.0.entry((task.clone(), *tick)).or_default();
        if let Verdict::Granted(grant) = verdict {
            fences.push(grant.fence);
        }
    }

    pub(crate) fn extend(&mut self, other: Grants) {
        for (execution, fences) in other.0 {
            self.0.entry(execution).or_default().extend(fences);
        }
    }

    /// What breaks the promise: executions that were granted twice, or to nobody, and fences that
    /// did not rise.
    pub(crate) fn broken(&self) -> Vec<String> {
        let mut broken = Vec::new();
        let mut last: BTreeMap<&TaskName, Fence> = BTreeMap::new();
        for ((task, tick), fences) in &self.0 {
            match fences.as_slice() {
                [fence] => {
                    let last = last.insert(task, *fence);
                    if last.is_some_and(|last| last >= *fence) {
                        broken.push(format!("{task} at {tick}: fence {fence:?} behind {last:?}"));
                    }
                }
                [] => broken.push(format!("{task} at {tick}: granted to nobody")),
                many => broken.push(format!("{task} at {tick}: granted {} times", many.len())),
            }
        }
        broken
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }
}

/// Claims these one after the other through whatever trouble there is.
pub(crate) async fn claim_all(manager: RedisLockManager, tasks: &[&str], ticks: i64) -> Grants {
    let mut grants = Grants::default();
    for number in 0..ticks {
        for task in tasks {
            let claim = claim_of(task, number);
            let verdict = ask_until_answered(&manager, &claim).await;
            grants.note(&claim, &verdict);
        }
    }
    grants
}

//! What the tests of the engine work with: clients of one store, on a clock that waits for nobody.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use sexton_core::lock::{
    Answer, Claim, ClaimLead, Denial, Enqueue, Execution, ExecutionRecord, Grant, HeldLock,
    HistoryQuery, LockError, LockKey, LockManager, Outcome, Settlement, Verdict,
};
use sexton_core::policy::{Delivery, Lease};
use sexton_core::tick::Concurrency;
use sexton_testkit::fixtures::{execution, noon};
use sexton_testkit::memory_port::{MemoryPort, MemoryPortManager, MemoryStore};
use sexton_testkit::virtual_clock::VirtualClock;

/// A store, and the clock that its clients wait by.
pub(crate) struct Bench {
    pub(crate) clock: VirtualClock,
    pub(crate) store: Arc<MemoryStore>,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench {
            clock: VirtualClock::default(),
            store: MemoryStore::new(noon()),
        }
    }

    /// A client whose manager is still to be made.
    pub(crate) fn port(&self) -> MemoryPort {
        MemoryPort::new(&self.store, &self.clock)
    }

    /// A client.
    pub(crate) fn manager(&self) -> Arc<MemoryPortManager> {
        Arc::new(self.port().manager(1))
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.clock.run(future)
    }

    /// Claims a batch, as a call that must go well.
    pub(crate) fn claim(&self, by: &MemoryPortManager, batch: &[Claim]) -> Vec<Verdict> {
        whole(self.run(by.claim(ClaimLead::ZERO, batch)).unwrap())
    }

    /// The record of an execution, as a client sees it that nothing goes wrong for.
    pub(crate) fn record(&self, execution: &Execution) -> Option<ExecutionRecord> {
        let query = HistoryQuery {
            limit: 1_000,
            ..HistoryQuery::default()
        };
        let history = self.run(self.manager().history(&query)).unwrap().value;
        history
            .into_iter()
            .find(|record| record.execution == *execution)
    }
}

/// The answers of a batch in which no entry has an error.
pub(crate) fn whole<T>(answer: Answer<Vec<Result<T, LockError>>>) -> Vec<T> {
    answer.whole().unwrap().value
}

/// The output of a call that waits for nothing.
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("the call waits for nothing")
}

/// Claims one execution at once, for another client to do in the middle of a call.
pub(crate) fn claim_at_once(by: &MemoryPortManager, claim: &Claim) -> Verdict {
    let answer = at_once(by.claim(ClaimLead::ZERO, std::slice::from_ref(claim)));
    whole(answer.unwrap()).remove(0)
}

pub(crate) fn key(name: &str) -> LockKey {
    execution(name, 0).key()
}

/// The lock of a claim that was granted.
pub(crate) fn lock_of(claim: &Claim, verdict: &Verdict) -> HeldLock {
    let grant: &Grant = verdict.grant().expect("a grant");
    HeldLock {
        execution: claim.execution.clone(),
        claim_id: claim.claim_id,
        fence: grant.fence,
    }
}

pub(crate) fn settlement(lock: &HeldLock) -> Settlement {
    let at = lock.execution.tick.timestamp();
    Settlement::new(lock.clone(), Outcome::Succeeded, at, at)
}

pub(crate) fn enqueue(execution: Execution) -> Enqueue {
    Enqueue {
        execution,
        concurrency: Concurrency::ONE,
        deadline: None,
    }
}

/// The same claim, of an execution that is granted to others when its lease is over.
pub(crate) fn recovering(claim: Claim, attempts_max: u32, lease_ms: u64) -> Claim {
    Claim {
        delivery: Delivery::AtLeastOnce {
            attempts_max: attempts_max.try_into().unwrap(),
        },
        lease: Lease::new(Duration::from_millis(lease_ms)).unwrap(),
        ..claim
    }
}

pub(crate) fn taken() -> Verdict {
    Verdict::Denied(Denial::Taken)
}

/// What an error's source says.
pub(crate) fn said(error: &LockError) -> String {
    match error {
        LockError::Unavailable { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

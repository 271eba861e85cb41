//! The in-memory manager, on a clock that is moved instead of waited for.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::clock::ManualClock;
use sexton_core::lock::LockManager;
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::Namespace;

pub(crate) struct InMemory {
    pub(crate) clock: ManualClock,
    pub(crate) manager: MemoryLockManager,
}

impl InMemory {
    pub(crate) fn new() -> InMemory {
        let clock = ManualClock::at("2024-01-30T10:20:30.4Z".parse().unwrap());
        let manager = MemoryLockManager::with_clock(Arc::new(clock.clone()));
        InMemory { clock, manager }
    }
}

#[async_trait::async_trait]
impl Store for InMemory {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        Ok(Arc::new(self.manager.in_namespace(namespace.clone())))
    }

    async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    fn offers(&self, hook: Hook) -> bool {
        // Its memory is all it has: there is no restart.
        hook != Hook::Restart
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        self.clock.jump(by);
        Ok(())
    }

    /// Its clients read no clock.
    async fn open_skewed(
        &self,
        namespace: &Namespace,
        _: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        self.open(namespace).await
    }
}

async fn make_store() -> impl Store {
    InMemory::new()
}

sexton_conformance::conformance_tests!(make_store);

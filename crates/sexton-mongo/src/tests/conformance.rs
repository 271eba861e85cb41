//! The manager put to the suite, on a server in memory of each case's own.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::clock::ManualClock;
use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;
use sexton_testkit::fixtures::noon;

use super::server::Server;

struct Stand {
    clock: ManualClock,
    server: Arc<Server>,
}

#[async_trait::async_trait]
impl Store for Stand {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        Ok(Arc::new(self.server.open(namespace).await))
    }

    async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// What was acknowledged is all in the documents.
    fn offers(&self, _: Hook) -> bool {
        true
    }

    async fn restart(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        self.clock.jump(by);
        Ok(())
    }

    /// A client reads no clock of its own.
    async fn open_skewed(
        &self,
        namespace: &Namespace,
        _: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        self.open(namespace).await
    }
}

async fn make_store() -> impl Store {
    let clock = noon();
    let server = Server::with_clock(Arc::new(clock.clone()));
    Stand { clock, server }
}

sexton_conformance::conformance_tests!(make_store);

//! The manager put to the suite, on a file whose clock is moved instead of waited for.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;

use crate::place::Place;

struct OnFile(Place);

#[async_trait::async_trait]
impl Store for OnFile {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let options = self.0.options().namespace(namespace.clone());
        Ok(Arc::new(options.open(self.0.path()).await?))
    }

    async fn pass(&self, duration: Duration) {
        self.0.clock.advance(duration);
    }

    fn offers(&self, _: Hook) -> bool {
        true
    }

    /// Every case opens new connections afterwards; the file is all that goes on.
    async fn restart(&self) -> Result<(), Failure> {
        Ok(())
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        self.0.clock.jump(by);
        Ok(())
    }

    /// All who share a file share the machine's clock.
    async fn open_skewed(
        &self,
        namespace: &Namespace,
        _: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        self.open(namespace).await
    }
}

async fn make_store() -> impl Store {
    OnFile(Place::new())
}

sexton_conformance::conformance_tests!(make_store);

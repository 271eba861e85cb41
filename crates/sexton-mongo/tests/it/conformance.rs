//! The manager put to the suite, each case in a separate database. The clock is the server's,
//! which nobody here sets.

use std::sync::Arc;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::lock::LockManager;
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::Namespace;

use crate::server::Database;

/// `Absent` stands for a server that is not there, which was said.
enum Stand {
    OnServer(Database),
    Absent(MemoryLockManager),
}

#[async_trait::async_trait]
impl Store for Stand {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        Ok(match self {
            Stand::OnServer(database) => Arc::new(database.open(namespace).await),
            Stand::Absent(memory) => Arc::new(memory.in_namespace(namespace.clone())),
        })
    }

    fn offers(&self, hook: Hook) -> bool {
        matches!(self, Stand::OnServer(_)) && hook == Hook::SkewedClients
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
    match Database::new() {
        Some(database) => Stand::OnServer(database),
        None => Stand::Absent(MemoryLockManager::new()),
    }
}

sexton_conformance::conformance_tests!(make_store);

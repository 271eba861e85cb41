//! The manager put to the suite, on a server of each case's own.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::lock::LockManager;
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::Namespace;
use sexton_sql::postgres::PostgresOptions;
use sexton_testkit::postgres::Server;
use tokio::sync::Mutex;

use super::clock;

/// `Absent` stands for a server that was declared absent, which is said when it is made.
enum Stand {
    OnServer(Mutex<Server>),
    Absent(MemoryLockManager),
}

#[async_trait::async_trait]
impl Store for Stand {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let server = match self {
            Stand::OnServer(server) => server.lock().await,
            Stand::Absent(memory) => return Ok(Arc::new(memory.in_namespace(namespace.clone()))),
        };
        let url = server.url() + clock::BY_THAT_CLOCK;
        let options = PostgresOptions::new().namespace(namespace.clone());
        Ok(Arc::new(options.connect(&url).await?))
    }

    /// The server's own clock goes on.
    async fn pass(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn offers(&self, _: Hook) -> bool {
        matches!(self, Stand::OnServer(_))
    }

    async fn restart(&self) -> Result<(), Failure> {
        if let Stand::OnServer(server) = self {
            let mut server = server.lock().await;
            server.kill();
            server.begin();
        }
        Ok(())
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        if let Stand::OnServer(server) = self {
            clock::jump(&*server.lock().await, by).await;
        }
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
    match Server::start() {
        Some(server) => {
            clock::install(&server).await;
            Stand::OnServer(Mutex::new(server))
        }
        None => Stand::Absent(MemoryLockManager::new()),
    }
}

sexton_conformance::conformance_tests!(make_store);

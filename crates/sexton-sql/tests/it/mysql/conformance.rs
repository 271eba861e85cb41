//! The manager put to the suite, on a server of each case's own.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::lock::LockManager;
use sexton_core::memory::MemoryLockManager;
use sexton_core::name::Namespace;
use sexton_sql::mysql::MySqlOptions;
use sexton_testkit::mariadb::Server;
use tokio::sync::Mutex;

use super::clock::Clock;

/// `Absent` stands for a server that was declared absent, which is said when it is made.
enum Stand {
    OnServer(Mutex<Server>, Clock),
    Absent(MemoryLockManager),
}

#[async_trait::async_trait]
impl Store for Stand {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let (server, clock) = match self {
            Stand::OnServer(server, clock) => (server.lock().await, clock),
            Stand::Absent(memory) => return Ok(Arc::new(memory.in_namespace(namespace.clone()))),
        };
        let options = MySqlOptions::new().namespace(namespace.clone());
        Ok(Arc::new(
            options.with_pool(clock.pool(&server).await).await?,
        ))
    }

    /// The server's own clock goes on.
    async fn pass(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn offers(&self, _: Hook) -> bool {
        matches!(self, Stand::OnServer(..))
    }

    async fn restart(&self) -> Result<(), Failure> {
        if let Stand::OnServer(server, _) = self {
            let mut server = server.lock().await;
            server.kill();
            server.begin();
        }
        Ok(())
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        if let Stand::OnServer(_, clock) = self {
            clock.jump(by);
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
        Some(server) => Stand::OnServer(Mutex::new(server), Clock::going()),
        None => Stand::Absent(MemoryLockManager::new()),
    }
}

sexton_conformance::conformance_tests!(make_store);

//! The manager put to the suite, on a server whose clock is held still by the test but for its own
//! cases.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::clock::ManualClock;
use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;
use sexton_redis::RedisOptions;
use sexton_testkit::redis::Server;
use tokio::sync::Mutex;

use crate::permissions::{documented, with_user};

struct OnServer {
    server: Mutex<Server>,
    url: String,
    clock: ManualClock,
}

#[async_trait::async_trait]
impl Store for OnServer {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let options = RedisOptions::new()
            .namespace(namespace.clone())
            .clock(Arc::new(self.clock.clone()));
        Ok(Arc::new(options.connect(&self.url).await?))
    }

    async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    fn offers(&self, _: Hook) -> bool {
        true
    }

    async fn restart(&self) -> Result<(), Failure> {
        let mut server = self.server.lock().await;
        server.kill();
        server.begin().await;
        Ok(())
    }

    async fn jump(&self, by: SignedDuration) -> Result<(), Failure> {
        self.clock.jump(by);
        Ok(())
    }

    /// A client reads no clock at all.
    async fn open_skewed(
        &self,
        namespace: &Namespace,
        _: SignedDuration,
    ) -> Result<Arc<dyn LockManager>, Failure> {
        self.open(namespace).await
    }
}

async fn make_store() -> impl Store {
    // As the user that the documentation calls enough.
    let user = with_user(&documented().remove(0));
    let kept = ["--appendonly", "yes", "--appendfsync", "always"];
    let arguments: Vec<&str> = kept
        .into_iter()
        .chain(user.iter().map(String::as_str))
        .collect();
    let server = Server::start_with(&arguments).await;
    OnServer {
        url: format!("redis://sexton:secret@127.0.0.1:{}/", server.port()),
        server: Mutex::new(server),
        clock: ManualClock::at("2024-01-30T12:00:00Z".parse().unwrap()),
    }
}

sexton_conformance::conformance_tests!(make_store);

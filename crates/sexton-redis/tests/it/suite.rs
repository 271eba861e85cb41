//! The manager put to the suite where there are more servers than one, all cases one after the other.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use sexton_conformance::{Failure, Hook, Store};
use sexton_core::clock::ManualClock;
use sexton_core::lock::LockManager;
use sexton_core::name::Namespace;
use sexton_redis::RedisOptions;
use sexton_testkit::redis::{Cluster, Watched, is_declared_absent};
use tokio::sync::Mutex;

enum Servers {
    Cluster(Cluster),
    /// Beginning again is a failover here.
    Watched(Watched),
}

struct OnServers {
    servers: Mutex<Servers>,
    url: String,
    clock: ManualClock,
}

impl OnServers {
    fn new(servers: Servers) -> OnServers {
        let url = match &servers {
            Servers::Cluster(cluster) => cluster.url(),
            Servers::Watched(watched) => watched.url(),
        };
        OnServers {
            servers: Mutex::new(servers),
            url,
            clock: ManualClock::at("2024-01-30T12:00:00Z".parse().unwrap()),
        }
    }
}

#[async_trait::async_trait]
impl Store for OnServers {
    async fn open(&self, namespace: &Namespace) -> Result<Arc<dyn LockManager>, Failure> {
        let mut options = RedisOptions::new()
            .namespace(namespace.clone())
            .clock(Arc::new(self.clock.clone()));
        if let Servers::Watched(_) = &*self.servers.lock().await {
            options = options.wait_for_replicas(1, Duration::from_secs(5));
        }
        Ok(Arc::new(options.connect(&self.url).await?))
    }

    async fn pass(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    fn offers(&self, _: Hook) -> bool {
        true
    }

    async fn restart(&self) -> Result<(), Failure> {
        match &mut *self.servers.lock().await {
            Servers::Cluster(cluster) => {
                for master in &mut cluster.masters {
                    master.kill();
                }
                for master in &mut cluster.masters {
                    master.begin().await;
                }
                cluster.wait_until_it_agrees().await;
            }
            Servers::Watched(watched) => {
                let master = watched.master().await;
                watched.servers[master].kill();
                watched.wait_for_another_master_than(master).await;
                watched.servers[master].begin().await;
                watched.wait_for_the_replica().await;
            }
        }
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

async fn passes_the_suite(servers: Servers) {
    let report = sexton_conformance::run_all(Arc::new(OnServers::new(servers))).await;
    assert!(report.is_conforming(), "{report}");
    assert_eq!(report.not_applicable().count(), 0, "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_three_masters_passes_the_suite() {
    if is_declared_absent() {
        return;
    }
    passes_the_suite(Servers::Cluster(Cluster::start().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_sentinels_watch_pass_the_suite_and_fail_over_where_it_restarts() {
    if is_declared_absent() {
        return;
    }
    passes_the_suite(Servers::Watched(Watched::start().await)).await;
}

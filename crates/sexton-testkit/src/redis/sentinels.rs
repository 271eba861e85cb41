//! A private master with a replica, and three Sentinels that watch them.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use sexton_core::clock::{Clock, SystemClock};
use tempfile::TempDir;

use super::{Server, program};
use crate::process::free_port;

/// How long the Sentinels may take to find each other, or to choose another master.
const LIMIT: Duration = Duration::from_secs(60);

/// After how much silence of a master the Sentinels fail over, while a test waits for that.
const SILENCE_AWAITED: Duration = Duration::from_millis(500);
/// The same while no failover is wanted: on a busy machine a live server may be silent for longer
/// than a test should wait for a dead one.
const SILENCE_ALLOWED: Duration = Duration::from_secs(600);

/// The name of the master that the Sentinels watch.
pub const MASTER: &str = "mymaster";

#[derive(Debug)]
struct Sentinel {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sentinel {
    fn start(master: u16) -> Sentinel {
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let file = folder.path().join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nloglevel warning\n\
             sentinel monitor {MASTER} 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds {MASTER} {}\n\
             sentinel failover-timeout {MASTER} 3000\n\
             sentinel parallel-syncs {MASTER} 1\n",
            folder.path().display(),
            SILENCE_ALLOWED.as_millis()
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program());
        command.arg(&file).arg("--sentinel");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Sentinel {
            child: command.spawn().unwrap(),
            port,
            _folder: folder,
        }
    }

    async fn client(&self) -> Option<MultiplexedConnection> {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.ok()
    }

    async fn fail_over_after(&self, silence: Duration) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}/", self.port)).unwrap();
        // A Sentinel writes the setting to its file before it answers.
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let mut client = connecting.await.unwrap();
        let millis = u64::try_from(silence.as_millis()).unwrap();
        let mut command = redis::cmd("SENTINEL");
        command.arg("SET").arg(MASTER);
        command.arg("down-after-milliseconds").arg(millis);
        command.exec_async(&mut client).await.unwrap();
    }

    /// What the Sentinel answers about the master.
    async fn master(&self) -> Option<std::collections::HashMap<String, String>> {
        let mut client = self.client().await?;
        let mut command = redis::cmd("SENTINEL");
        command.arg("MASTER").arg(MASTER);
        command.query_async(&mut client).await.ok()
    }
}

/// Two servers and their Sentinels.
#[derive(Debug)]
pub struct Watched {
    /// A master and its replica, in either order.
    pub servers: [Server; 2],
    sentinels: Vec<Sentinel>,
}

/// Evaluates a condition until it holds. A macro, since an async closure cannot say yet that its
/// future is `Send`.
macro_rules! wait_until {
    ($what:literal, $is_so:expr) => {
        let until = SystemClock.monotonic() + LIMIT;
        while !$is_so {
            assert!(SystemClock.monotonic() < until, $what);
            // Sentinels announce nothing that could be awaited.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
}

async fn replication(server: &Server) -> String {
    let client = redis::Client::open(server.url()).unwrap();
    let Ok(mut client) = client.get_multiplexed_async_connection().await else {
        return String::new();
    };
    let mut info = redis::cmd("INFO");
    let asked = info.arg("replication").query_async(&mut client).await;
    asked.unwrap_or_default()
}

impl Watched {
    /// Starts all of them, and returns once each Sentinel knows the others and the replica.
    pub async fn start() -> Watched {
        let kept = [
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--repl-diskless-sync-delay",
            "0",
        ];
        let master = Server::start_with(&kept).await;
        let port = master.port();
        let replica_of = format!("127.0.0.1 {port}");
        let arguments = [&kept[..], &["--replicaof", &replica_of]].concat();
        let replica = Server::start_with(&arguments).await;
        let sentinels = (0..3).map(|_| Sentinel::start(port)).collect();
        let watched = Watched {
            servers: [master, replica],
            sentinels,
        };
        watched.wait_for_the_replica().await;
        for sentinel in &watched.sentinels {
            wait_until!("the Sentinels have not found each other", {
                let master = sentinel.master().await.unwrap_or_default();
                let is =
                    |name: &str, value: &str| master.get(name).is_some_and(|found| found == value);
                is("num-other-sentinels", "2") && is("num-slaves", "1") && is("flags", "master")
            });
        }
        watched
    }

    /// The URL of the Sentinels.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self
            .sentinels
            .iter()
            .map(|sentinel| format!("127.0.0.1:{}", sentinel.port))
            .collect();
        format!("redis+sentinel://{}/{MASTER}", hosts.join(","))
    }

    /// Returns once one server is a replica of the other and has all of its data.
    pub async fn wait_for_the_replica(&self) {
        wait_until!("the replica does not follow", {
            let [one, other] = [&self.servers[0], &self.servers[1]];
            let (one, other) = (replication(one).await, replication(other).await);
            let follows = |replica: &str, master: &str| {
                replica.contains("master_link_status:up")
                    && replica.contains("master_sync_in_progress:0")
                    && master.contains("state=online")
            };
            follows(&one, &other) || follows(&other, &one)
        });
    }

    /// The index of the server that the Sentinels agree is the master; `usize::MAX` while they do not.
    pub async fn master(&self) -> usize {
        let mut ports = Vec::new();
        for sentinel in &self.sentinels {
            let master = sentinel.master().await;
            ports.push(master.and_then(|mut master| master.remove("port")));
        }
        let agreed = ports[0]
            .clone()
            .filter(|port| ports.iter().all(|other| other.as_ref() == Some(port)));
        let port = agreed.and_then(|port| port.parse::<u16>().ok());
        self.servers
            .iter()
            .position(|server| Some(server.port()) == port)
            .unwrap_or(usize::MAX)
    }

    async fn fail_over_after(&self, silence: Duration) {
        for sentinel in &self.sentinels {
            sentinel.fail_over_after(silence).await;
        }
    }

    /// Returns once every Sentinel sees the master up. A Sentinel that a busy machine delays takes it
    /// for down, and names no master meanwhile.
    async fn wait_until_the_master_is_seen(&self) {
        for sentinel in &self.sentinels {
            wait_until!("the Sentinels do not see the master", {
                let master = sentinel.master().await.unwrap_or_default();
                master.get("flags").is_some_and(|flags| flags == "master")
            });
        }
    }

    /// Kills both servers, so that no failover is possible, and returns once the Sentinels know.
    pub async fn kill_all_and_wait_until_they_are_known_to_be_down(&mut self) {
        for server in &mut self.servers {
            server.kill();
        }
        self.fail_over_after(SILENCE_AWAITED).await;
        for sentinel in &self.sentinels {
            wait_until!("the Sentinels do not notice", {
                let master = sentinel.master().await.unwrap_or_default();
                master
                    .get("flags")
                    .is_some_and(|flags| flags.contains("o_down"))
            });
        }
    }

    /// Makes the Sentinels fail over from the `lost` server, and returns once they and the other
    /// server agree that that one is the master.
    pub async fn wait_for_another_master_than(&self, lost: usize) {
        let other = 1 - lost;
        self.fail_over_after(SILENCE_AWAITED).await;
        wait_until!("the Sentinels choose no other master", {
            self.master().await == other
                && replication(&self.servers[other])
                    .await
                    .contains("role:master")
        });
        self.fail_over_after(SILENCE_ALLOWED).await;
        self.wait_until_the_master_is_seen().await;
    }
}

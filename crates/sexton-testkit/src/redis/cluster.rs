//! A private cluster of three masters.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use sexton_core::clock::{Clock, SystemClock};

use super::Server;
use crate::process::free_port;

const SLOTS: u16 = 16_384;
/// How long the nodes may take to agree.
const LIMIT: Duration = Duration::from_secs(60);

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    /// The masters, each with a third of the slots.
    pub masters: Vec<Server>,
}

async fn ask<T: redis::FromRedisValue>(client: &mut MultiplexedConnection, words: &[&str]) -> T {
    let mut command = redis::cmd(words[0]);
    words[1..].iter().for_each(|word| {
        command.arg(word);
    });
    command.query_async(client).await.unwrap()
}

impl Cluster {
    /// Starts the masters, and returns once they agree on the slots.
    pub async fn start() -> Cluster {
        let mut masters = Vec::new();
        for _ in 0..3 {
            let bus = free_port().to_string();
            let arguments = [
                "--cluster-enabled",
                "yes",
                "--cluster-port",
                &bus,
                "--cluster-node-timeout",
                "2000",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ];
            masters.push((Server::start_with(&arguments).await, bus));
        }
        let share = SLOTS / 3;
        for (number, (master, _)) in (0..).zip(&masters) {
            let first = number * share;
            let last = if number == 2 {
                SLOTS - 1
            } else {
                first + share - 1
            };
            let mut client = master.client().await;
            let (first, last) = (first.to_string(), last.to_string());
            ask::<()>(&mut client, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
        }
        let mut client = masters[0].0.client().await;
        for (master, bus) in &masters[1..] {
            let port = master.port().to_string();
            ask::<()>(&mut client, &["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await;
        }
        let masters = masters.into_iter().map(|(master, _)| master).collect();
        let cluster = Cluster { masters };
        cluster.wait_until_it_agrees().await;
        cluster
    }

    /// Returns once every master knows where every slot is.
    pub async fn wait_until_it_agrees(&self) {
        let until = SystemClock.monotonic() + LIMIT;
        for master in &self.masters {
            let mut client = master.client().await;
            loop {
                let info: String = ask(&mut client, &["CLUSTER", "INFO"]).await;
                let has = |line: &str| info.lines().any(|found| found == line);
                if has("cluster_state:ok")
                    && has("cluster_known_nodes:3")
                    && has("cluster_slots_ok:16384")
                {
                    break;
                }
                assert!(SystemClock.monotonic() < until, "no cluster: {info}");
                // The nodes announce nothing that could be awaited.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    /// Makes the masters answer for their slots while another master is away.
    pub async fn serve_what_is_left(&self) {
        for master in &self.masters {
            let mut client = master.client().await;
            let words = ["CONFIG", "SET", "cluster-require-full-coverage", "no"];
            ask::<()>(&mut client, &words).await;
        }
    }

    /// The URL of the cluster.
    pub fn url(&self) -> String {
        let nodes: Vec<String> = self
            .masters
            .iter()
            .map(|master| format!("127.0.0.1:{}", master.port()))
            .collect();
        format!("redis+cluster://{}", nodes.join(","))
    }
}

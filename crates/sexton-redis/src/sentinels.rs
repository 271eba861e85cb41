//! Sentinels, who know which server is the master at the time.

use std::collections::{BTreeSet, HashMap};

use redis::sentinel::SentinelClient;
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};
use tokio::sync::Mutex;

pub(crate) struct Sentinels {
    driver: Mutex<SentinelClient>,
    /// Each of them, to be asked why there is no master.
    nodes: Vec<Client>,
    master: String,
}

impl Sentinels {
    pub(crate) fn new(driver: SentinelClient, nodes: Vec<Client>, master: String) -> Sentinels {
        Sentinels {
            driver: Mutex::new(driver),
            nodes,
            master,
        }
    }

    pub(crate) async fn master(
        &self,
        config: &AsyncConnectionConfig,
    ) -> Result<Client, RedisError> {
        let found = self.driver.lock().await.async_get_client().await;
        match found {
            Err(error) if error.kind() == ErrorKind::MasterNameNotFoundBySentinel => {
                Err(self.why_there_is_none(config).await.unwrap_or(error))
            }
            found => found,
        }
    }

    /// The driver says the same of a name that nobody watches and of a master that is down.
    async fn why_there_is_none(&self, config: &AsyncConnectionConfig) -> Option<RedisError> {
        let mut watched = BTreeSet::new();
        let mut has_answered = false;
        for node in &self.nodes {
            let Ok(masters) = masters(node, config).await else {
                continue;
            };
            has_answered = true;
            watched.extend(masters.into_iter().filter_map(|mut one| one.remove("name")));
        }
        if watched.contains(&self.master) {
            let said = "the Sentinels say that the master is down";
            return Some((ErrorKind::Io, said, self.master.clone()).into());
        }
        let watched: Vec<String> = watched.into_iter().collect();
        let detail = format!("{:?}; they watch {watched:?}", self.master);
        let said = "the Sentinels watch no master of that name";
        has_answered.then(|| (ErrorKind::MasterNameNotFoundBySentinel, said, detail).into())
    }
}

async fn masters(
    node: &Client,
    config: &AsyncConnectionConfig,
) -> Result<Vec<HashMap<String, String>>, RedisError> {
    let connecting = node.get_multiplexed_async_connection_with_config(config);
    let mut connection = connecting.await?;
    let mut asking = redis::cmd("SENTINEL");
    asking.arg("MASTERS").query_async(&mut connection).await
}

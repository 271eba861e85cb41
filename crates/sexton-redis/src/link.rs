//! The ways to a server: its address, Sentinels, or a cluster's nodes.

use std::sync::Arc;

use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{Route, SingleNodeRoutingInfo, SlotAddr};
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, Pipeline,
    RedisConnectionInfo, RedisError, TlsCertificates, TlsMode, Value,
};

use crate::address::{Address, Kind, TlsFiles};
use crate::error::ConnectError;
use crate::master::{Guide, Master};
use crate::options::RedisOptions;
use crate::sentinels::Sentinels;

/// Clones share the connection.
#[derive(Clone)]
pub(crate) enum Link {
    Master(Arc<Master>),
    Cluster(ClusterConnection),
}

impl Link {
    pub(crate) async fn open(
        address: &Address,
        options: &RedisOptions,
    ) -> Result<Link, ConnectError> {
        let tls = certificates(&address.tls)?;
        if address.nodes.iter().any(is_tls) {
            // Where an application has two of them it has to choose, or the driver would panic.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let error = |error| ConnectError::of(&address.location, error);
        let response_timeout = options.response_timeout + options.confirmation.limit();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect_timeout))
            .set_response_timeout(Some(response_timeout));
        let infos = || address.nodes.iter().map(|node| info(address, node));
        match &address.kind {
            Kind::Server => {
                let [node] = address.nodes.as_slice() else {
                    let problem = "it names more than one host".to_owned();
                    return Err(ConnectError::Url { problem });
                };
                let client = client(info(address, node)?, tls).map_err(error)?;
                Ok(Link::master(Guide::Address(client), config))
            }
            Kind::Sentinel {
                master,
                username,
                password,
            } => {
                let mut login = RedisConnectionInfo::default();
                if let Some(username) = username {
                    login = login.set_username(username);
                }
                if let Some(password) = password {
                    login = login.set_password(password);
                }
                let asked = infos().map(|info| {
                    let info = info?.set_redis_settings(login.clone());
                    client(info, tls.clone()).map_err(error)
                });
                let asked = asked.collect::<Result<Vec<_>, _>>()?;
                let nodes = address.nodes.clone();
                let builder = SentinelClientBuilder::new(nodes, master, SentinelServerType::Master);
                let mut builder = builder
                    .map_err(error)?
                    .set_client_to_redis_db(address.login.db());
                if let Some(username) = address.login.username() {
                    builder = builder.set_client_to_redis_username(username);
                }
                if let Some(password) = address.login.password() {
                    builder = builder.set_client_to_redis_password(password);
                }
                if let Some(username) = username {
                    builder = builder.set_client_to_sentinel_username(username);
                }
                if let Some(password) = password {
                    builder = builder.set_client_to_sentinel_password(password);
                }
                if address.nodes.iter().any(is_tls) {
                    builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
                    if let Some(tls) = tls {
                        builder = builder
                            .set_client_to_redis_certificates(tls.clone())
                            .set_client_to_sentinel_certificates(tls);
                    }
                }
                let driver = builder.build().map_err(error)?;
                let sentinels = Sentinels::new(driver, asked, master.clone());
                Ok(Link::master(Guide::Sentinels(sentinels), config))
            }
            Kind::Cluster => {
                let infos = infos().collect::<Result<Vec<_>, _>>()?;
                let mut builder = ClusterClientBuilder::new(infos.clone())
                    .connection_timeout(options.connect_timeout)
                    .response_timeout(response_timeout)
                    // Whoever calls tries again itself, with a pause that grows.
                    .retries(2);
                if let Some(tls) = tls.clone() {
                    builder = builder.certs(tls);
                }
                let cluster = builder.build().map_err(error)?;
                match cluster.get_async_connection().await {
                    Ok(connection) => Ok(Link::Cluster(connection)),
                    Err(all) => {
                        let found = trouble_of_a_node(infos, tls, &config).await;
                        Err(error(found.unwrap_or(all)))
                    }
                }
            }
        }
    }

    fn master(guide: Guide, config: AsyncConnectionConfig) -> Link {
        Link::Master(Arc::new(Master::new(guide, config)))
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self, Link::Cluster(_))
    }

    /// Sends it in one go, in a cluster to the master that has `key`; an answer for each command,
    /// errors among them.
    pub(crate) async fn send(
        &self,
        pipeline: &Pipeline,
        key: &str,
    ) -> Result<Vec<Value>, RedisError> {
        match self {
            Link::Master(master) => master.send(pipeline).await,
            Link::Cluster(connection) => {
                let route = Route::with_key(key, SlotAddr::Master);
                let route = SingleNodeRoutingInfo::SpecificNode(route);
                let mut connection = connection.clone();
                connection
                    .route_pipeline(pipeline.clone(), 0, pipeline.len(), route)
                    .await
            }
        }
    }
}

/// What is wrong with a node: of a whole cluster the driver says only that no node will do.
async fn trouble_of_a_node(
    infos: Vec<ConnectionInfo>,
    tls: Option<TlsCertificates>,
    config: &AsyncConnectionConfig,
) -> Option<RedisError> {
    for info in infos {
        let connecting = async {
            let client = client(info, tls.clone())?;
            client
                .get_multiplexed_async_connection_with_config(config)
                .await
        };
        if let Err(error) = connecting.await {
            return Some(error);
        }
    }
    None
}

fn is_tls(node: &ConnectionAddr) -> bool {
    matches!(node, ConnectionAddr::TcpTls { .. })
}

fn info(address: &Address, node: &ConnectionAddr) -> Result<ConnectionInfo, ConnectError> {
    use redis::IntoConnectionInfo;
    let info = node.clone().into_connection_info();
    let info = info.map_err(|error| ConnectError::of(&address.location, error))?;
    Ok(info.set_redis_settings(address.login.clone()))
}

fn client(info: ConnectionInfo, tls: Option<TlsCertificates>) -> Result<Client, RedisError> {
    match tls {
        Some(tls) => Client::build_with_tls(info, tls),
        None => Client::open(info),
    }
}

/// What the files hold; `None` for the machine's own certificates and no login by one.
fn certificates(files: &TlsFiles) -> Result<Option<TlsCertificates>, ConnectError> {
    if files.is_empty() {
        return Ok(None);
    }
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|source| ConnectError::Certificate {
            path: path.clone(),
            source,
        })
    };
    let client_tls = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => Some(ClientTlsConfig {
            client_cert: read(certificate)?,
            client_key: read(key)?,
        }),
        _ => None,
    };
    let root_cert = files.ca.as_ref().map(read).transpose()?;
    Ok(Some(TlsCertificates {
        client_tls,
        root_cert,
    }))
}

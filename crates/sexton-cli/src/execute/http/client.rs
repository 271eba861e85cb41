//! The clients: one for all requests that connect alike, built when the first of them needs it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;
use thiserror::Error;

use crate::tasks::{Connection, Proxy, TaskSpec, Work};
use crate::tls::{self, Authorities, PemError};

const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Sends requests, over connections that it keeps. Clones share them.
#[derive(Clone, Default)]
pub struct Requests {
    clients: Arc<Mutex<Clients>>,
}

#[derive(Default)]
struct Clients {
    by_connection: HashMap<Connection, Client>,
    /// Whom the clients trust that name nobody, once it was read and there is anybody.
    machine: Option<Authorities>,
}

/// Why no request can be sent.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// Nobody is trusted.
    #[error(
        "this machine has no CA certificates, so no https:// URL can be requested: install them (the package \
         `ca-certificates`), or name a file of them by the environment variable SSL_CERT_FILE or the request's field `ca`"
    )]
    NoAuthorities,
    /// TLS cannot be set up.
    #[error("HTTP requests cannot be sent: {0}")]
    Tls(PemError),
    /// The client cannot be built.
    #[error("HTTP requests cannot be sent: {0}")]
    Client(reqwest::Error),
    /// A task's requests cannot be sent.
    #[error("task {task:?} in line {line}: {why}")]
    OfTask {
        /// Which task.
        task: String,
        /// The line that it begins in.
        line: usize,
        /// Why.
        why: Box<RequestsError>,
    },
}

/// Without the clients, which show their proxies.
impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requests")
    }
}

impl Requests {
    /// Nothing is built yet.
    #[must_use]
    pub fn new() -> Requests {
        Requests::default()
    }

    /// Builds the clients that these tasks need, and forgets the others. The machine's authorities
    /// are read again.
    ///
    /// # Errors
    /// [`RequestsError`] of the first task whose request cannot be sent; nothing is forgotten then.
    pub fn prepare(&self, tasks: &[TaskSpec]) -> Result<(), RequestsError> {
        let requests = tasks.iter().filter_map(|task| match &task.work {
            Work::Http(spec) => Some((task, &spec.connection)),
            Work::Command(_) => None,
        });
        let mut requests = requests.peekable();
        let mut wanted = Clients::default();
        if requests.peek().is_some() {
            wanted.machine = Authorities::of_machine();
        }
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unchanged = wanted.machine == clients.machine;
        for (task, connection) in requests {
            let stays = is_unchanged || connection.authorities.is_some();
            let kept = clients.by_connection.get(connection).filter(|_| stays);
            if let Some(client) = kept {
                wanted.insert(connection, client.clone());
            } else if let Err(why) = wanted.client(connection) {
                return Err(RequestsError::OfTask {
                    task: task.name.to_string(),
                    line: task.line,
                    why: Box::new(why),
                });
            }
        }
        *clients = wanted;
        Ok(())
    }

    /// The client for requests that connect so.
    pub(super) fn client(&self, connection: &Connection) -> Result<Client, RequestsError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.client(connection)
    }
}

impl Clients {
    fn client(&mut self, connection: &Connection) -> Result<Client, RequestsError> {
        if let Some(client) = self.by_connection.get(connection) {
            return Ok(client.clone());
        }
        let authorities = match &connection.authorities {
            None if self.machine.is_none() => {
                self.machine = Authorities::of_machine();
                &self.machine
            }
            None => &self.machine,
            own => own,
        };
        let client = build(connection, authorities.as_ref())?;
        self.insert(connection, client.clone());
        Ok(client)
    }

    fn insert(&mut self, connection: &Connection, client: Client) {
        self.by_connection.insert(connection.clone(), client);
    }
}

fn build(
    connection: &Connection,
    authorities: Option<&Authorities>,
) -> Result<Client, RequestsError> {
    if authorities.is_none() && connection.is_secured {
        return Err(RequestsError::NoAuthorities);
    }
    let config = tls::client_config(authorities, connection.identity.as_ref());
    let builder = Client::builder()
        .tls_backend_preconfigured(config.map_err(RequestsError::Tls)?)
        .user_agent(concat!("sexton/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_MAX);
    let builder = match &connection.proxy {
        Proxy::OfEnvironment => builder,
        Proxy::Direct => builder.no_proxy(),
        Proxy::At(url) => {
            builder.proxy(reqwest::Proxy::all(url.as_str()).map_err(RequestsError::Client)?)
        }
    };
    builder.build().map_err(RequestsError::Client)
}

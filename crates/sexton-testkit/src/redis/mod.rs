//! Private Redis servers: one, a [`Cluster`], or a master and a replica [`Watched`] by Sentinels.
//! `SEXTON_REDIS_SERVER` names another `redis-server` than the one in `PATH`.

mod cluster;
mod sentinels;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use tempfile::TempDir;

use crate::process::{self, free_port};

pub use cluster::Cluster;
pub use sentinels::{MASTER, Watched};

/// How long a server may take to begin.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether Redis was declared absent. If so, it prints that the test was not run.
pub fn is_declared_absent() -> bool {
    process::is_declared_absent("redis")
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    child: Option<Child>,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

/// The `redis-server` of these tests.
pub fn program() -> std::ffi::OsString {
    std::env::var_os("SEXTON_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

impl Server {
    /// A server that writes each command to its append-only file before it answers.
    pub async fn start() -> Server {
        Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// A server with these arguments.
    pub async fn start_with(arguments: &[&str]) -> Server {
        let mut server = Server {
            child: None,
            port: free_port(),
            arguments: arguments
                .iter()
                .map(|&argument| argument.to_owned())
                .collect(),
            folder: tempfile::tempdir().unwrap(),
        };
        server.begin().await;
        server
    }

    /// Sets other arguments, for the next [`Server::begin`].
    pub fn arguments(&mut self, arguments: &[&str]) {
        self.arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
    }

    /// Starts the server again after [`Server::kill`], on the same port and with what it has kept.
    pub async fn begin(&mut self) {
        let mut command = Command::new(program());
        command
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
            ])
            .args([
                "--dir",
                self.path().to_str().unwrap(),
                "--loglevel",
                "warning",
            ])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let child = command.spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!(
                "redis-server: {error}; install it, or declare its absence: SEXTON_WITHOUT=redis"
            )
        }));
        self.wait_until_it_answers().await;
    }

    async fn wait_until_it_answers(&self) {
        let until = SystemClock.monotonic() + LIMIT;
        let client = redis::Client::open(self.bare_url()).unwrap();
        loop {
            if let Ok(mut connection) = client.get_multiplexed_async_connection().await {
                let answered: Result<String, _> =
                    redis::cmd("PING").query_async(&mut connection).await;
                // A server that asks for a password is up too.
                match answered {
                    Ok(_) => return,
                    Err(error) if error.code() == Some("NOAUTH") => return,
                    Err(_) => {}
                }
            }
            assert!(
                SystemClock.monotonic() < until,
                "redis-server did not begin"
            );
            // A server that is starting announces nothing that could be awaited.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The server's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn bare_url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// The port that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        self.bare_url()
    }

    /// A connection of the driver, past any lock manager.
    pub async fn client(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.bare_url()).unwrap();
        // A busy server may take longer than the driver's limits.
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        connecting.await.unwrap()
    }

    /// Ends the server by SIGKILL, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Sends the server a signal by its name, such as `STOP` or `CONT`.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

//! A redis-server of a test's own: on a free port, in a temporary folder, gone with the test.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sexton_core::clock::{Clock, SystemClock};
use tempfile::TempDir;

/// How long a server may take to begin.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether the tests were told to do without a server.
pub(crate) fn is_declared_absent() -> bool {
    let without = std::env::var("SEXTON_WITHOUT").unwrap_or_default();
    let is_absent = without.split(',').any(|name| name == "redis");
    if is_absent {
        eprintln!("not run: redis was declared absent");
    }
    is_absent
}

/// A server that runs.
pub(crate) struct Server {
    child: Option<Child>,
    port: u16,
    arguments: Vec<String>,
    folder: TempDir,
}

pub(crate) fn program() -> std::ffi::OsString {
    std::env::var_os("SEXTON_REDIS_SERVER").unwrap_or_else(|| "redis-server".into())
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl Server {
    /// One that keeps everything in its append-only file.
    pub(crate) async fn start() -> Server {
        Server::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    pub(crate) async fn start_with(arguments: &[&str]) -> Server {
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

    /// Other arguments, for when it starts again.
    pub(crate) fn arguments(&mut self, arguments: &[&str]) {
        self.arguments = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
    }

    /// Starts it (again), with what it has kept.
    pub(crate) async fn begin(&mut self) {
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
                // One that wants a password is there too.
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
            // It tells nobody when it has begun.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn bare_url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        self.bare_url()
    }

    /// A client of the test's own.
    pub(crate) async fn client(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(self.bare_url()).unwrap();
        // It waits as long as the server takes.
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        connecting.await.unwrap()
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Lets it stand still, or go on.
    pub(crate) fn signal(&self, name: &str) {
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

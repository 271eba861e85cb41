//! A server of a test's own that speaks MongoDB's protocol: a PostgreSQL with DocumentDB, from the
//! folder of programs that `SEXTON_DOCUMENTDB` names, and a front of ours before it.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use super::front::Front;
use crate::servers::process::{self, Process, as_server_user, copy, free_port, own, run};

/// Names the folder of `postgres` and `initdb`.
const VARIABLE: &str = "SEXTON_DOCUMENTDB";
/// Raised when the template is made otherwise.
const TEMPLATE: &str = "documentdb-template-1";
/// The database of the extension, and of what the extension keeps.
const DATABASE: &str = "postgres";
const USER: &str = "documentdb";
/// How it ends at once, and without a crash's remains in shared memory.
const END_BY: &str = "QUIT";
const READY: &str = "database system is ready to accept";
const SETTINGS: &str = "\
shared_preload_libraries = 'pg_cron, pg_documentdb_core, pg_documentdb'
cron.database_name = 'postgres'
shared_buffers = 32MB
max_connections = 100
";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    settings: &'static [&'static str],
    running: Option<Process>,
    front: Front,
}

impl Server {
    /// One that is quick, and safe from everything but a crash of the machine; `None` if the
    /// variable names no programs.
    pub(crate) fn start() -> Option<Server> {
        Server::start_with(&["fsync=off", "full_page_writes=off"])
    }

    /// One that keeps what it has acknowledged.
    pub(crate) fn start_synced() -> Option<Server> {
        Server::start_with(&[])
    }

    fn start_with(settings: &'static [&'static str]) -> Option<Server> {
        let programs = PathBuf::from(std::env::var_os(VARIABLE)?);
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        let template = template(&programs);
        copy(&template, &folder.path().join("data"));
        let port = free_port();
        let mut server = Server {
            folder,
            port,
            settings,
            running: None,
            front: Front::start(options(port)),
        };
        server.begin(&programs);
        Some(server)
    }

    fn begin(&mut self, programs: &Path) {
        let data = self.folder.path().join("data");
        self.running = Some(start(programs, &data, self.port, self.settings));
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port())
    }

    /// By way of another port, where something stands in between.
    pub(crate) fn url_at(&self, port: u16) -> String {
        format!("mongodb://127.0.0.1:{port}/")
    }

    pub(crate) fn port(&self) -> u16 {
        self.front.port()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.end(Signal::SIGQUIT);
        }
    }
}

fn options(port: u16) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username(USER)
        .database(DATABASE)
}

fn start(programs: &Path, data: &Path, port: u16, settings: &[&str]) -> Process {
    let mut command = as_server_user(&programs.join("postgres"), END_BY);
    command
        .arg("-D")
        .arg(data)
        .args(["-h", "127.0.0.1", "-k", "", "-p", &port.to_string()])
        .args(settings.iter().flat_map(|setting| ["-c", setting]));
    Process::start(command, READY)
}

/// The folder of a server that has the extension.
fn template(programs: &Path) -> PathBuf {
    process::template(TEMPLATE, &programs.join("postgres"), |folder| {
        let data = folder.join("data");
        run(as_server_user(&programs.join("initdb"), END_BY)
            .arg("-D")
            .arg(&data)
            .args(["-U", USER, "-A", "trust", "-E", "UTF8", "--no-locale"])
            .args(["--no-sync", "--wal-segsize=1"])
            .current_dir(folder));
        let file = data.join("postgresql.conf");
        let made = std::fs::read_to_string(&file).unwrap();
        std::fs::write(file, made + SETTINGS).unwrap();
        let port = free_port();
        let running = start(programs, &data, port, &["fsync=off"]);
        // In a separate runtime: the caller may be in one.
        let made = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let mut session = options(port).connect().await.unwrap();
                let script = "CREATE EXTENSION documentdb CASCADE";
                session.execute(script).await.unwrap();
                session.close().await.unwrap();
            });
        });
        made.join().unwrap();
        running.end(Signal::SIGINT);
    })
}

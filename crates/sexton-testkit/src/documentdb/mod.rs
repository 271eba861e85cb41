//! A private server that speaks MongoDB's protocol: PostgreSQL with DocumentDB, from the folder of
//! programs that `SEXTON_DOCUMENTDB` names, behind a front of ours.

mod commands;
mod front;
mod hello;

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use crate::process::{self, Process, as_server_user, copy, free_port, own, run};

use front::Front;

/// Names the folder of `postgres` and `initdb`.
const VARIABLE: &str = "SEXTON_DOCUMENTDB";
/// The number is raised when the template changes.
const TEMPLATE: &str = "documentdb-template-1";
/// The database of the extension and its data.
const DATABASE: &str = "postgres";
const USER: &str = "documentdb";
/// The signal that ends the server at once and leaves no shared memory behind.
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
pub struct Server {
    folder: TempDir,
    port: u16,
    settings: &'static [&'static str],
    running: Option<Process>,
    front: Front,
}

impl Server {
    /// A server that is quick, and safe from everything but a crash of the machine; `None` if
    /// `SEXTON_DOCUMENTDB` names no programs.
    pub fn start() -> Option<Server> {
        Server::start_with(&["fsync=off", "full_page_writes=off"])
    }

    /// A server whose commits wait for the disk; `None` if `SEXTON_DOCUMENTDB` names no programs.
    pub fn start_synced() -> Option<Server> {
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

    /// The URL of the server.
    pub fn url(&self) -> String {
        self.url_at(self.port())
    }

    /// The same URL with another port: a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        format!("mongodb://127.0.0.1:{port}/")
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
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

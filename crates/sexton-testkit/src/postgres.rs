//! A private PostgreSQL server. `initdb` takes a second, so its result is kept and copied for each
//! server.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::Signal;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

use crate::process::{self, Disk, Process, as_server_user, copy, free_port, own, run};

/// The server's only database.
pub const DATABASE: &str = "template1";
/// The password of the user `sexton`, which the server asks for after
/// [`Server::ask_for_passwords`].
pub const PASSWORD: &str = "correct horse";
/// The number is raised when the template changes.
const TEMPLATE: &str = "postgres-template-3";
/// The signal that ends the server at once and leaves no shared memory behind.
const END_BY: &str = "QUIT";

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    running: Option<Process>,
}

impl Server {
    /// A server that is quick ([`Disk::Lazy`]); `None` if PostgreSQL was declared absent.
    pub fn start() -> Option<Server> {
        Server::start_with(Disk::Lazy, &[])
    }

    /// A server with these settings of `postgresql.conf`; `None` if PostgreSQL was declared absent.
    pub fn start_with(disk: Disk, settings: &[&str]) -> Option<Server> {
        if process::is_declared_absent("postgres") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        copy(&template(), &folder.path().join("data"));
        let mut settings: Vec<String> = settings.iter().map(|&one| one.to_owned()).collect();
        if disk == Disk::Lazy {
            settings.extend(["fsync=off".to_owned(), "full_page_writes=off".to_owned()]);
        }
        let mut server = Server {
            folder,
            port: free_port(),
            settings,
            running: None,
        };
        server.begin();
        Some(server)
    }

    /// Starts the server again after [`Server::kill`], on the same port.
    pub fn begin(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut command = as_server_user(&program("postgres"), END_BY);
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-h", "127.0.0.1", "-k", "", "-p", &self.port.to_string()])
            .args(["-c", "shared_buffers=32MB", "-c", "max_connections=60"])
            .args(self.settings.iter().flat_map(|one| ["-c", one.as_str()]));
        let ready = "database system is ready to accept";
        self.running = Some(Process::start(command, ready));
    }

    /// Ends the server by SIGKILL, as a crash would. Returns when its last process is gone.
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Ends the server, and answers its log.
    pub fn stop(mut self) -> Vec<String> {
        self.end(Signal::SIGINT)
    }

    fn end(&mut self, signal: Signal) -> Vec<String> {
        let running = self.running.take();
        running.map_or_else(Vec::new, |running| running.end(signal))
    }

    /// The port that the server listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the server's database, for the user `sexton`.
    pub fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// The same URL with another port: a proxy's.
    pub fn url_at(&self, port: u16) -> String {
        let password = PASSWORD.replace(' ', "%20");
        format!("postgres://sexton:{password}@127.0.0.1:{port}/{DATABASE}?sslmode=disable")
    }

    /// A connection of the driver, past any lock manager.
    pub async fn raw(&self) -> PgConnection {
        let options: PgConnectOptions = self.url().parse().unwrap();
        options.disable_statement_logging().connect().await.unwrap()
    }

    /// Runs statements on such a connection.
    pub async fn run(&self, sql: &str) {
        let mut connection = self.raw().await;
        let script = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(script)
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// Makes the server ask for passwords from now on.
    pub async fn ask_for_passwords(&self) {
        let rules = self.folder.path().join("data").join("pg_hba.conf");
        std::fs::write(rules, "host all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        self.run("SELECT pg_reload_conf()").await;
        // The postmaster reads the rules a moment later: until then it takes a wrong password.
        let wrong: PgConnectOptions = self.url().replace("correct", "wrong").parse().unwrap();
        while wrong.connect().await.is_ok() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At once, and leaving no shared memory behind.
        self.end(Signal::SIGQUIT);
    }
}

/// The path of one of PostgreSQL's programs.
pub fn program(name: &str) -> PathBuf {
    process::program(name, "postgres", "postgresql")
}

/// The data folder as `initdb` leaves it, with one database.
fn template() -> PathBuf {
    process::template(TEMPLATE, &program("postgres"), |folder| {
        let password = folder.join("password");
        File::create(&password)
            .unwrap()
            .write_all(PASSWORD.as_bytes())
            .unwrap();
        own(&password);
        let data = folder.join("data");
        run(as_server_user(&program("initdb"), END_BY)
            .arg("-D")
            .arg(&data)
            .arg(format!("--pwfile={}", password.display()))
            .args(["-U", "sexton", "-A", "trust", "-E", "UTF8", "--no-locale"])
            .args(["--no-sync", "--wal-segsize=1"])
            .current_dir(folder));
        leave_one_database(&data);
    })
}

/// Drops all databases but [`DATABASE`]: each is 300 files to copy.
fn leave_one_database(data: &Path) {
    let mut alone = as_server_user(&program("postgres"), END_BY)
        .arg("--single")
        .arg("-D")
        .arg(data)
        .arg(DATABASE)
        .current_dir(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut statements = alone.stdin.take().unwrap();
    statements
        .write_all(
            b"UPDATE pg_database SET datistemplate = false;\n\
              DROP DATABASE template0;\nDROP DATABASE postgres;\nVACUUM;\n",
        )
        .unwrap();
    drop(statements);
    assert!(alone.wait().unwrap().success());
}

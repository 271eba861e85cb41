//! A MariaDB server of a test's own, or a MySQL server where `SEXTON_MYSQL_SERVER` names its
//! `mysqld`. Its folder takes a while to make, so it is kept and copied for each server.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use sexton_sql::mysql::{MySqlLockManager, MySqlOptions};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

use super::process::{self, Disk, Process, as_server_user, copy, free_port, own, run};

pub(crate) const DATABASE: &str = "bells";
pub(crate) const PASSWORD: &str = "correct horse";
/// Raised when the template is made otherwise.
const TEMPLATE: &str = "mariadb-template-2";
const MYSQL_TEMPLATE: &str = "mysql-template-1";
/// Names the `mysqld` of a MySQL, which then stands in for MariaDB.
const MYSQL_VARIABLE: &str = "SEXTON_MYSQL_SERVER";
const END_BY: &str = "KILL";

/// Whose server it is: they differ in a few arguments, in how a folder is made, and in what a
/// password travels by.
#[derive(Debug, Clone)]
pub(crate) enum Maker {
    MariaDb,
    MySql { server: PathBuf },
}

impl Maker {
    pub(crate) fn here() -> Maker {
        match std::env::var_os(MYSQL_VARIABLE) {
            Some(server) => Maker::MySql {
                server: PathBuf::from(server),
            },
            None => Maker::MariaDb,
        }
    }

    fn server(&self) -> PathBuf {
        match self {
            Maker::MariaDb => program("mariadbd"),
            Maker::MySql { server } => server.clone(),
        }
    }

    fn arguments(&self) -> &'static [&'static str] {
        match self {
            Maker::MariaDb => &[LOG_SIZE],
            Maker::MySql { .. } => &MYSQL_ARGUMENTS,
        }
    }

    /// MySQL's way to check passwords asks for TLS.
    fn ssl_mode(&self) -> &'static str {
        match self {
            Maker::MariaDb => "DISABLED",
            Maker::MySql { .. } => "REQUIRED",
        }
    }
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    maker: Maker,
    settings: Vec<String>,
    running: Option<Process>,
}

impl Server {
    /// `None`, and says so, if the tests were told to do without.
    pub(crate) fn start() -> Option<Server> {
        Server::start_with(Disk::Lazy, &[])
    }

    pub(crate) fn start_with(disk: Disk, settings: &[&str]) -> Option<Server> {
        if process::is_declared_absent("mariadb") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        let maker = Maker::here();
        copy(&template(&maker), &folder.path().join("data"));
        let mut settings: Vec<String> = settings.iter().map(|&one| format!("--{one}")).collect();
        settings.push(match disk {
            Disk::Lazy => "--innodb-flush-log-at-trx-commit=2".to_owned(),
            Disk::Synced => "--innodb-flush-log-at-trx-commit=1".to_owned(),
        });
        let mut server = Server {
            folder,
            port: free_port(),
            maker,
            settings,
            running: None,
        };
        server.begin();
        Some(server)
    }

    /// Starts what was stopped, on the same port.
    pub(crate) fn begin(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let folder = self.folder.path();
        let mut command = as_server_user(&self.maker.server(), END_BY);
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", folder.join("data").display()))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            // Of its own: a server that starts deletes what others have in a folder for all.
            .arg(format!("--tmpdir={}", folder.display()))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve"])
            .arg(format!("--port={}", self.port))
            .arg("--innodb-buffer-pool-size=32M")
            .args(self.maker.arguments())
            .args(["--max-connections=60", "--performance-schema=OFF"])
            .arg("--innodb-print-all-deadlocks=ON")
            .args(&self.settings);
        self.running = Some(Process::start(command, "ready for connections"));
    }

    /// SIGKILL to the server: as in a crash, nobody is told. Returns when it is gone.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Ends it, and answers what it said all the while.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.end(Signal::SIGTERM)
    }

    fn end(&mut self, signal: Signal) -> Vec<String> {
        let running = self.running.take();
        running.map_or_else(Vec::new, |running| running.end(signal))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        self.url_at(self.port)
    }

    /// By way of another port, where something stands in between.
    pub(crate) fn url_at(&self, port: u16) -> String {
        let password = PASSWORD.replace(' ', "%20");
        let ssl_mode = self.maker.ssl_mode();
        format!("mysql://sexton:{password}@127.0.0.1:{port}/{DATABASE}?ssl-mode={ssl_mode}")
    }

    /// A connection of somebody else's, who may do everything.
    pub(crate) async fn raw(&self) -> MySqlConnection {
        let url = self.url().replace("sexton:", "admin:");
        let options: MySqlConnectOptions = url.parse().unwrap();
        options.disable_statement_logging().connect().await.unwrap()
    }

    /// Statements of somebody else's.
    pub(crate) async fn run(&self, sql: &str) {
        let mut connection = self.raw().await;
        let script = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(script)
            .execute(&mut connection)
            .await
            .unwrap();
    }

    /// Another manager, as another process would have.
    pub(crate) async fn open(&self) -> MySqlLockManager {
        MySqlOptions::new().connect(&self.url()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing of it is kept.
        self.end(Signal::SIGKILL);
    }
}

const LOG_SIZE: &str = "--innodb-log-file-size=8M";
/// What Debian's MySQL has built in, and the tests' folders have no room for.
const MYSQL_ARGUMENTS: [&str; 4] = [
    "--innodb-redo-log-capacity=8M",
    "--secure-file-priv=",
    "--mysqlx=OFF",
    "--skip-log-bin",
];

/// A program of MariaDB's.
fn program(name: &str) -> PathBuf {
    process::program(name, "mariadb", "mariadb-server")
}

/// The folder of a server that has a database and two users: one who may use it (and make another
/// one), and one who may do everything.
fn template(maker: &Maker) -> PathBuf {
    let name = match maker {
        Maker::MariaDb => TEMPLATE,
        Maker::MySql { .. } => MYSQL_TEMPLATE,
    };
    process::template(name, &maker.server(), |folder| {
        let users = folder.join("users.sql");
        let statements = format!(
            "CREATE DATABASE {DATABASE};\n\
             CREATE USER sexton@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON {DATABASE}.* TO sexton@'%';\n\
             GRANT ALL PRIVILEGES ON new.* TO sexton@'%';\n\
             CREATE USER admin@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO admin@'%' WITH GRANT OPTION;\n"
        );
        std::fs::write(&users, statements).unwrap();
        own(&users);
        match maker {
            Maker::MariaDb => make_mariadb(folder, &users),
            Maker::MySql { server } => make_mysql(server, folder, &users),
        }
    })
}

fn make_mariadb(folder: &Path, users: &Path) {
    let statements = std::fs::read_to_string(users).unwrap();
    std::fs::write(users, format!("FLUSH PRIVILEGES;\n{statements}")).unwrap();
    let sized = [LOG_SIZE, "--innodb-data-file-path=ibdata1:4M:autoextend"];
    run(as_server_user(&program("mariadb-install-db"), END_BY)
        .arg("--no-defaults")
        .arg(format!("--datadir={}", folder.join("data").display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--extra-file={}", users.display()))
        .args(sized)
        .current_dir(folder));
}

fn make_mysql(server: &Path, folder: &Path, users: &Path) {
    run(as_server_user(server, END_BY)
        .args(["--no-defaults", "--initialize-insecure"])
        .arg(format!("--datadir={}", folder.join("data").display()))
        .arg(format!("--init-file={}", users.display()))
        .args(MYSQL_ARGUMENTS)
        .current_dir(folder));
}

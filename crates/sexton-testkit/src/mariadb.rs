//! A private MariaDB server, or a MySQL server where `SEXTON_MYSQL_SERVER` names its `mysqld`. Its
//! data folder takes a while to make, so it is kept and copied for each server.

use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

use crate::process::{self, Disk, Process, as_server_user, copy, free_port, own, run};

/// The database of the user `sexton`.
pub const DATABASE: &str = "bells";
/// The password of the users `sexton` and `admin`.
pub const PASSWORD: &str = "correct horse";
/// The number is raised when the template changes.
const TEMPLATE: &str = "mariadb-template-2";
const MYSQL_TEMPLATE: &str = "mysql-template-1";
/// Names the `mysqld` of a MySQL server that takes MariaDB's place.
const MYSQL_VARIABLE: &str = "SEXTON_MYSQL_SERVER";
const END_BY: &str = "KILL";

/// Whose server it is. They differ in a few arguments, in how the data folder is made, and in
/// whether passwords travel by TLS.
#[derive(Debug, Clone)]
pub enum Maker {
    /// MariaDB, from this machine's packages.
    MariaDb,
    /// MySQL.
    MySql {
        /// The path of `mysqld`.
        server: PathBuf,
    },
}

impl Maker {
    /// The maker of the servers of these tests.
    pub fn here() -> Maker {
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

    /// MySQL checks passwords by TLS only.
    fn ssl_mode(&self) -> &'static str {
        match self {
            Maker::MariaDb => "DISABLED",
            Maker::MySql { .. } => "REQUIRED",
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    maker: Maker,
    settings: Vec<String>,
    running: Option<Process>,
}

impl Server {
    /// A server that is quick ([`Disk::Lazy`]); `None` if MariaDB was declared absent.
    pub fn start() -> Option<Server> {
        Server::start_with(Disk::Lazy, &[])
    }

    /// A server with these options, without their `--`; `None` if MariaDB was declared absent.
    pub fn start_with(disk: Disk, settings: &[&str]) -> Option<Server> {
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

    /// Starts the server again after [`Server::kill`], on the same port.
    pub fn begin(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let folder = self.folder.path();
        let mut command = as_server_user(&self.maker.server(), END_BY);
        command
            .arg("--no-defaults")
            .arg(format!("--datadir={}", folder.join("data").display()))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            // A private one: a server that starts deletes the files of others in a shared one.
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

    /// Ends the server by SIGKILL, as a crash would. Returns when it is gone.
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Ends the server, and answers its log.
    pub fn stop(mut self) -> Vec<String> {
        self.end(Signal::SIGTERM)
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
        let ssl_mode = self.maker.ssl_mode();
        format!("mysql://sexton:{password}@127.0.0.1:{port}/{DATABASE}?ssl-mode={ssl_mode}")
    }

    /// A connection of the driver, past any lock manager, for a user with all privileges.
    pub async fn raw(&self) -> MySqlConnection {
        let url = self.url().replace("sexton:", "admin:");
        let options: MySqlConnectOptions = url.parse().unwrap();
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
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data goes with it.
        self.end(Signal::SIGKILL);
    }
}

const LOG_SIZE: &str = "--innodb-log-file-size=8M";
/// Smaller logs than MySQL's default, and nothing outside of the test's folder.
const MYSQL_ARGUMENTS: [&str; 4] = [
    "--innodb-redo-log-capacity=8M",
    "--secure-file-priv=",
    "--mysqlx=OFF",
    "--skip-log-bin",
];

/// The path of one of MariaDB's programs.
fn program(name: &str) -> PathBuf {
    process::program(name, "mariadb", "mariadb-server")
}

/// The data folder of a server with one database and two users: `sexton`, who may use it and make
/// the database `new`, and `admin` with all privileges.
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

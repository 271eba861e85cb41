//! A PostgreSQL server of a test's own: from the programs of this machine, on a free port, in a temporary folder, gone with the test.
//!
//! `initdb` takes a second, so its result is kept in a folder of the build and copied for each server.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use sexton_sql::postgres::{PostgresLockManager, PostgresOptions};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tempfile::TempDir;

/// The only one.
pub(crate) const DATABASE: &str = "template1";
pub(crate) const PASSWORD: &str = "correct horse";
/// Raised when the template is made otherwise.
const TEMPLATE: &str = "postgres-template-3";
/// A server that has not said that it is ready after so long never will.
const READY_MAX: Duration = Duration::from_secs(60);

/// What a test asks of its server besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Writes are not waited for: quick, and safe from everything but a crash of the machine.
    Lazy,
    /// As it should be.
    Synced,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    postmaster: Child,
    /// Ends when the last process of the server has ended: they share its standard error.
    log: JoinHandle<Vec<String>>,
}

impl Server {
    /// `None`, and says so, if the tests were told to do without.
    pub(crate) fn start() -> Option<Server> {
        Server::start_with(Disk::Lazy, &[])
    }

    #[allow(clippy::print_stderr, reason = "what was not tested is said")]
    pub(crate) fn start_with(disk: Disk, settings: &[&str]) -> Option<Server> {
        let without = std::env::var("SEXTON_WITHOUT").unwrap_or_default();
        if without.split(',').any(|name| name.trim() == "postgres") {
            eprintln!("not run: PostgreSQL was declared absent by SEXTON_WITHOUT");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        own(folder.path());
        let data = folder.path().join("data");
        run(Command::new("cp")
            .arg("-a")
            .arg("--reflink=auto")
            .arg(template())
            .arg(&data));
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

    /// Starts what was stopped, on the same port.
    pub(crate) fn begin(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut command = as_server_user(&program("postgres"));
        command
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .args(["-h", "127.0.0.1", "-k", "", "-p", &self.port.to_string()])
            .args(["-c", "shared_buffers=32MB", "-c", "max_connections=60"])
            .args(self.settings.iter().flat_map(|one| ["-c", one.as_str()]))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut postmaster = command.spawn().unwrap();
        let stderr = postmaster.stderr.take().unwrap();
        let (ready, is_ready) = mpsc::channel();
        let log = std::thread::spawn(move || {
            let mut lines = Vec::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line.contains("database system is ready to accept") {
                    // Nobody waits for it any more if it came too late.
                    let _ = ready.send(());
                }
                lines.push(line);
            }
            lines
        });
        let began = is_ready.recv_timeout(READY_MAX);
        self.running = Some(Running { postmaster, log });
        if began.is_err() {
            let log = self.end(Signal::SIGQUIT);
            panic!("the server did not start:\n{}", log.join("\n"));
        }
    }

    /// SIGKILL to the server: as in a crash, nobody is told. Returns when its last process is gone.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Ends it, and answers what it said all the while.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.end(Signal::SIGINT)
    }

    fn end(&mut self, signal: Signal) -> Vec<String> {
        let Some(Running {
            mut postmaster,
            log,
        }) = self.running.take()
        else {
            return Vec::new();
        };
        let pid = Pid::from_raw(i32::try_from(postmaster.id()).unwrap());
        // One that ended by itself cannot be killed any more.
        let _ = kill(pid, signal);
        postmaster.wait().unwrap();
        log.join().unwrap()
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
        format!("postgres://sexton:{password}@127.0.0.1:{port}/{DATABASE}?sslmode=disable")
    }

    /// A connection of somebody else's.
    pub(crate) async fn raw(&self) -> PgConnection {
        let options: PgConnectOptions = self.url().parse().unwrap();
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

    /// From now on nobody is let in without a password.
    pub(crate) async fn ask_for_passwords(&self) {
        let rules = self.folder.path().join("data").join("pg_hba.conf");
        std::fs::write(rules, "host all all 127.0.0.1/32 scram-sha-256\n").unwrap();
        self.run("SELECT pg_reload_conf()").await;
        // The postmaster reads them a moment later; whoever is let in with a wrong password came before that.
        let wrong: PgConnectOptions = self.url().replace("correct", "wrong").parse().unwrap();
        while wrong.connect().await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Another manager, as another process would have.
    pub(crate) async fn open(&self) -> PostgresLockManager {
        PostgresOptions::new().connect(&self.url()).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // At once, and without a crash's remains in shared memory.
        self.end(Signal::SIGQUIT);
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A program of PostgreSQL's, from `PATH` or from where Debian puts it. Without it the test fails.
pub(crate) fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let files = folders.into_iter().map(|folder| folder.join(name));
    let found = files.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is missing: install postgresql, or say SEXTON_WITHOUT=postgres")
    })
}

/// The user that a server runs as, where we are root: PostgreSQL refuses to.
fn server_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let known = ["postgres", "nobody"].map(|name| User::from_name(name).unwrap());
    Some(known.into_iter().flatten().next().unwrap())
}

fn own(path: &Path) {
    if let Some(user) = server_user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

/// Runs a program as the server's user, and ends it should this process be killed.
fn as_server_user(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = server_user() {
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        command.args(["--reuid", &uid, "--regid", &gid, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command
}

/// Runs a command to its end, which must be a good one.
fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// The folder that `initdb` left, made once for all tests.
fn template() -> PathBuf {
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(build).unwrap();
    let template = build.join(TEMPLATE);
    let lock = File::create(build.join(format!("{TEMPLATE}.lock"))).unwrap();
    lock.lock().unwrap();
    if template.exists() {
        return template;
    }
    let folder = tempfile::tempdir().unwrap();
    own(folder.path());
    let password = folder.path().join("password");
    File::create(&password)
        .unwrap()
        .write_all(PASSWORD.as_bytes())
        .unwrap();
    own(&password);
    let data = folder.path().join("data");
    run(as_server_user(&program("initdb"))
        .arg("-D")
        .arg(&data)
        .arg(format!("--pwfile={}", password.display()))
        .args(["-U", "sexton", "-A", "trust", "-E", "UTF8", "--no-locale"])
        .args(["--no-sync", "--wal-segsize=1"])
        .current_dir(folder.path()));
    // Each database is 300 files to copy: one will do, and `template1` is there already.
    let mut alone = as_server_user(&program("postgres"))
        .arg("--single")
        .arg("-D")
        .arg(&data)
        .arg(DATABASE)
        .current_dir(folder.path())
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
    let part = build.join(format!("{TEMPLATE}.part"));
    run(Command::new("rm").arg("-rf").arg(&part));
    run(Command::new("cp").arg("-a").arg(&data).arg(&part));
    std::fs::rename(&part, &template).unwrap();
    template
}

//! Servers of a test's own, from the programs of this machine: on a free port, in a temporary
//! folder, gone with the test.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};

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

/// A server's process, or the first of its processes.
#[derive(Debug)]
pub(crate) struct Process {
    first: Child,
    /// Ends when the last process of the server has ended: they share its standard error.
    log: JoinHandle<Vec<String>>,
}

impl Process {
    /// Starts it, and returns when it has said that it is ready.
    pub(crate) fn start(mut command: Command, ready_line: &'static str) -> Process {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut first = command.spawn().unwrap();
        let stderr = first.stderr.take().unwrap();
        let (ready, is_ready) = mpsc::channel();
        let log = std::thread::spawn(move || {
            let mut lines = Vec::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if line.contains(ready_line) {
                    // Nobody waits for it any more if it came too late.
                    let _ = ready.send(());
                }
                lines.push(line);
            }
            lines
        });
        let began = is_ready.recv_timeout(READY_MAX);
        let process = Process { first, log };
        if began.is_err() {
            let log = process.end(Signal::SIGKILL);
            panic!("the server did not start:\n{}", log.join("\n"));
        }
        process
    }

    /// Ends it, and answers what it said all the while. Returns when its last process is gone.
    pub(crate) fn end(mut self, signal: Signal) -> Vec<String> {
        let pid = Pid::from_raw(i32::try_from(self.first.id()).unwrap());
        // One that ended by itself cannot be killed any more.
        let _ = kill(pid, signal);
        self.first.wait().unwrap();
        self.log.join().unwrap()
    }
}

/// Whether the tests were told to do without it, which is then said.
#[allow(clippy::print_stderr, reason = "what was not tested is said")]
pub(crate) fn is_declared_absent(name: &str) -> bool {
    let without = std::env::var("SEXTON_WITHOUT").unwrap_or_default();
    let is_absent = without.split(',').any(|absent| absent.trim() == name);
    if is_absent {
        eprintln!("not run: {name} was declared absent by SEXTON_WITHOUT");
    }
    is_absent
}

pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A program, from `PATH` or from where Debian puts those of servers. Without it the test fails.
pub(crate) fn program(name: &str, tool: &str, package: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.push(PathBuf::from("/usr/sbin"));
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    let files = folders.into_iter().map(|folder| folder.join(name));
    let found = files.into_iter().find(|file| file.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is missing: install {package}, or say SEXTON_WITHOUT={tool}")
    })
}

/// The user that servers run as, where we are root: they refuse to.
fn server_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let known = ["postgres", "mysql", "nobody"].map(|name| User::from_name(name).unwrap());
    Some(known.into_iter().flatten().next().unwrap())
}

pub(crate) fn own(path: &Path) {
    if let Some(user) = server_user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

/// Runs a program as the servers' user, and ends it should this process be killed.
pub(crate) fn as_server_user(program: &Path, end_by: &str) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = server_user() {
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        command.args(["--reuid", &uid, "--regid", &gid, "--clear-groups"]);
    }
    command.args(["--pdeathsig", end_by, "--"]).arg(program);
    command
}

/// Runs a command to its end, which must be a good one.
pub(crate) fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// A folder of data as new servers begin with, made once for all tests with a server of this
/// version, and copied for each: another version does not start on it.
pub(crate) fn template(name: &str, server: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    let name = format!("{name}-{}", version(server));
    let build = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(build).unwrap();
    let template = build.join(&name);
    let lock = File::create(build.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    if template.exists() {
        return template;
    }
    let folder = tempfile::tempdir().unwrap();
    own(folder.path());
    make(folder.path());
    let part = build.join(format!("{name}.part"));
    run(Command::new("rm").arg("-rf").arg(&part));
    copy(&folder.path().join("data"), &part);
    std::fs::rename(&part, &template).unwrap();
    template
}

/// What a server says of its version, as a part of a file's name.
fn version(server: &Path) -> String {
    let output = Command::new(server).arg("--version").output().unwrap();
    assert!(output.status.success(), "{}: {output:?}", server.display());
    let said = String::from_utf8_lossy(&output.stdout);
    let number = said.split_whitespace().find(|word| {
        let first = word.chars().next();
        first.is_some_and(|first| first.is_ascii_digit())
    });
    let number = number.unwrap_or_else(|| panic!("no version: {said:?}"));
    let allowed = |letter: &char| letter.is_ascii_alphanumeric() || ".-".contains(*letter);
    number.chars().filter(allowed).collect()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let mut copying = Command::new("cp");
    run(copying.arg("-a").arg("--reflink=auto").arg(from).arg(to));
}

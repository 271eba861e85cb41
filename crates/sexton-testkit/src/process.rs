//! Programs of this machine as private servers of one test: on a free port, in a temporary folder,
//! gone with the test.

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

/// How long a server may take to say that it is ready.
const READY_MAX: Duration = Duration::from_secs(60);

/// Whether a server waits for its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Commits do not wait for the disk: quick, and safe but from a crash of the machine.
    Lazy,
    /// Each commit waits for the disk, as in production.
    Synced,
}

/// A server's process, or the first of its processes.
#[derive(Debug)]
pub struct Process {
    first: Child,
    /// Ends when the last process of the server has ended: they share its standard error.
    log: JoinHandle<Vec<String>>,
}

impl Process {
    /// Starts a server, and returns once a line of its log contains `ready_line`.
    ///
    /// # Panics
    /// Within a minute no such line came.
    pub fn start(mut command: Command, ready_line: &'static str) -> Process {
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
                    // The receiver is gone if the line came too late.
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

    /// Ends the server by this signal, and answers its log. Returns when its last process is gone.
    pub fn end(mut self, signal: Signal) -> Vec<String> {
        let pid = Pid::from_raw(i32::try_from(self.first.id()).unwrap());
        // It fails if the server has ended by itself.
        let _ = kill(pid, signal);
        self.first.wait().unwrap();
        self.log.join().unwrap()
    }
}

/// Whether `SEXTON_WITHOUT` declares this server or tool absent. If so, it prints that the test was
/// not run.
#[allow(clippy::print_stderr, reason = "what was not tested is said")]
pub fn is_declared_absent(name: &str) -> bool {
    let without = std::env::var("SEXTON_WITHOUT").unwrap_or_default();
    let is_absent = without.split(',').any(|absent| absent.trim() == name);
    if is_absent {
        eprintln!("not run: {name} was declared absent by SEXTON_WITHOUT");
    }
    is_absent
}

/// A port that nothing listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// The path of a program, from `PATH` or from where Debian puts those of servers.
///
/// # Panics
/// It is missing: the message names the package to install, and the name to declare absent.
pub fn program(name: &str, tool: &str, package: &str) -> PathBuf {
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

/// The user that servers run as where the test runs as root: servers refuse to run as root.
fn server_user() -> Option<User> {
    if !Uid::effective().is_root() {
        return None;
    }
    let known = ["postgres", "mysql", "nobody"].map(|name| User::from_name(name).unwrap());
    Some(known.into_iter().flatten().next().unwrap())
}

/// Gives a file to the user that servers run as.
pub fn own(path: &Path) {
    if let Some(user) = server_user() {
        chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
    }
}

/// A command that runs a program as the servers' user. The program is sent the signal `end_by` if
/// this process dies.
pub fn as_server_user(program: &Path, end_by: &str) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = server_user() {
        let (uid, gid) = (user.uid.to_string(), user.gid.to_string());
        command.args(["--reuid", &uid, "--regid", &gid, "--clear-groups"]);
    }
    command.args(["--pdeathsig", end_by, "--"]).arg(program);
    command
}

/// Runs a command to its end.
///
/// # Panics
/// It failed.
pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// The data folder that a new server begins with: `make` makes it in the subfolder `data` once for
/// each version of a server, since another version does not start on it, and tests copy it.
pub fn template(name: &str, server: &Path, make: impl FnOnce(&Path)) -> PathBuf {
    let name = format!("{name}-{}", version(server));
    let build = kept_between_runs();
    std::fs::create_dir_all(&build).unwrap();
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

/// The folder for temporary files in Cargo's target directory. `CARGO_TARGET_TMPDIR` names it to
/// tests and benchmarks while they are compiled, not to the crates that they use.
fn kept_between_runs() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let Some(target) = program.ancestors().find(is_target) else {
        panic!("{} is in no target directory of Cargo", program.display());
    };
    target.join("tmp")
}

/// A server's version as the server tells it, as part of a file name.
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

/// Copies a folder, owners and all.
pub fn copy(from: &Path, to: &Path) {
    let mut copying = Command::new("cp");
    run(copying.arg("-a").arg("--reflink=auto").arg(from).arg(to));
}

//! A machine that lacks processes or descriptors at the program's start: told with what to do, and
//! never taken for a store that cannot be used.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::geteuid;
use sexton_core::clock::{Clock, SystemClock};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::program::{Program, sexton};

/// A user that nobody else is: its processes are counted.
const USER: u32 = 54_321;
const TASK: &str = "[[task]]\nname = \"t\"\nevery = \"200ms\"\nshell = 'true'\n";

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tasks.toml"), TASK).unwrap();
    folder
}

fn assert_told(output: &Output, advice: &str, what: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{what}: {stderr}");
    assert!(
        stderr.starts_with("error: cannot start: "),
        "{what}: {stderr}"
    );
    assert!(stderr.contains(advice), "{what}: {stderr}");
    assert_eq!(stderr.lines().count(), 1, "{what}: {stderr}");
}

fn with_descriptors(folder: &Path, count: u64, words: &[&str]) -> Output {
    let mut command = Command::new("sh");
    let script = format!("ulimit -n {count} && exec \"$0\" \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_sexton")]);
    command.args(words).current_dir(folder).output().unwrap()
}

#[test]
fn too_few_descriptors_at_the_start_are_told() {
    let folder = folder();
    for count in [8, 12, 16, 24] {
        for words in [&["run", "tasks.toml"][..], &["tasks"], &["history"]] {
            let output = with_descriptors(folder.path(), count, words);
            assert_told(&output, "`ulimit -n`", &format!("{count}: {words:?}"));
        }
    }
}

#[test]
fn too_few_processes_at_the_start_are_told() {
    if !geteuid().is_root() {
        eprintln!("not run: only root is another user with a limit of processes");
        return;
    }
    let folder = folder();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    chown(folder.path(), Some(USER), Some(USER)).unwrap();
    let copy = folder.path().join("sexton");
    fs::copy(env!("CARGO_BIN_EXE_sexton"), &copy).unwrap();
    for count in 1..8 {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nproc={count}"));
        command.args(["setpriv", &format!("--reuid={USER}")]);
        command.args([&format!("--regid={USER}"), "--clear-groups"]);
        command.arg(&copy).args(["run", "tasks.toml"]);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert_told(&output, "`ulimit -u`", &count.to_string());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("TasksMax="), "{stderr}");
    }
}

fn set_descriptors(program: &Program, limit: &str) {
    let mut command = Command::new("prlimit");
    let pid = program.id().to_string();
    command.args(["--pid", &pid, &format!("--nofile={limit}")]);
    assert!(command.status().unwrap().success());
}

/// Given: a store that is waited for since another has locked it. When: it is unlocked, and there
/// are no descriptors. Then: it is waited for further, until there are.
#[tokio::test]
async fn a_store_that_cannot_be_opened_for_want_of_descriptors_is_waited_for() {
    let folder = folder();
    let options = sqlx::sqlite::SqliteConnectOptions::new();
    let options = options.filename(folder.path().join("sexton.db"));
    let mut other = options.create_if_missing(true).connect().await.unwrap();
    other.execute("BEGIN EXCLUSIVE").await.unwrap();
    let mut program = Program::run(folder.path(), &["tasks.toml", "--store-wait", "60s"]);
    program.wait("store awaited", |_| true);
    set_descriptors(&program, "3:1000");
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    std::thread::sleep(Duration::from_secs(3));
    set_descriptors(&program, "1000:1000");
    program.began();
    program.finished("t");
    assert!(program.stop().status.success());
}

#[test]
fn a_store_that_is_no_file_is_refused_by_every_command() {
    let folder = folder();
    let made = Command::new("mkfifo")
        .arg(folder.path().join("fifo"))
        .status();
    assert!(made.unwrap().success());
    for (store, told) in [
        ("sqlite:fifo", "is a FIFO"),
        ("sqlite:/dev/null", "is a device"),
    ] {
        let run = ["run", "tasks.toml", "--store", store];
        let looks = [["tasks", "--store", store], ["history", "--store", store]];
        for words in [&run[..], &looks[0], &looks[1]] {
            let began = SystemClock.monotonic();
            let output = sexton(folder.path(), words).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(4), "{words:?}: {stderr}");
            assert!(stderr.contains(told), "{words:?}: {stderr}");
            assert!(
                SystemClock.monotonic() - began < Duration::from_secs(4),
                "{words:?}: {stderr}"
            );
        }
    }
}

//! A store that is away at the start is waited for, one that cannot be used is not; the exit code
//! says which it was.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rustix::process::{Signal, geteuid};
use sexton_testkit::process::free_port;
use sexton_testkit::redis;

use crate::program::{Program, sexton};
use crate::rolling::line::Line;

const TASK: &str = "[[task]]\nname = \"t\"\nevery = \"200ms\"\nshell = 'echo hello'\n";

fn write_tasks(folder: &Path) {
    std::fs::write(folder.join("tasks.toml"), TASK).unwrap();
}

fn run(folder: &Path, port: u16, wait: &str) -> Program {
    write_tasks(folder);
    let url = format!("redis://127.0.0.1:{port}");
    Program::run(
        folder,
        &["tasks.toml", "--store", &url, "--store-wait", wait],
    )
}

#[test]
fn a_store_that_comes_later_is_waited_for() {
    if redis::is_declared_absent() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(redis::Server::start());
    let port = free_port();
    let mut program = run(folder.path(), port, "1h");
    let awaited = program.wait("store awaited", |_| true);
    assert!(
        awaited["error"]
            .as_str()
            .unwrap()
            .contains("cannot be reached"),
        "{awaited}"
    );
    let _line = Line::at(port, server.port());
    program.finished("t");
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn a_store_that_does_not_come_ends_the_program_with_the_code_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let ended = run(folder.path(), port, "1s").ended();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(ended.stderr.contains("cannot be reached"), "{ended:?}");
    let ended = run(folder.path(), port, "0s").ended();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert_eq!(ended.lines, [""; 0]);

    let url = format!("redis://127.0.0.1:{port}");
    let mut tasks = sexton(folder.path(), ["tasks", "--store", &url]);
    let output = tasks.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn a_stop_is_obeyed_while_a_store_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = run(folder.path(), free_port(), "1h");
    program.wait("store awaited", |_| true);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().status.code(), Some(0));
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_store_that_this_user_may_only_read_is_refused_at_the_start() {
    if !geteuid().is_root() {
        eprintln!("not run: only root can run programs as another user");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::run_file(folder.path(), TASK);
    program.finished("t");
    program.stop();
    let open = PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    std::fs::set_permissions(
        folder.path().join("sexton.db"),
        PermissionsExt::from_mode(0o644),
    )
    .unwrap();
    let program = env!("CARGO_BIN_EXE_sexton");
    let copy = folder.path().join("sexton");
    std::fs::copy(program, &copy).unwrap();

    let mut as_nobody = Command::new("setpriv");
    as_nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    let mut read_only = Command::new("unshare");
    read_only.args([
        "--mount",
        "sh",
        "-c",
        "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && exec \"$@\"",
        "sh",
    ]);
    for mut command in [as_nobody, read_only] {
        let command = command.arg(&copy).args(["run", "tasks.toml"]);
        let output = command.current_dir(folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{output:?}");
        let said = stderr(&output);
        assert!(
            said.contains("must be writable") || said.contains("may write the file"),
            "{said}"
        );
    }
}

//! `sexton run` as process 1, in a namespace of process ids that only root can make.

use std::fs::read_link;
use std::process::Command;

use nix::unistd::Uid;
use rustix::process::{Pid, Signal, kill_process};

use crate::program::{Program, ask_until};

/// `sexton run` as process 1; `None`, which is said, where this user cannot have that.
fn as_process_1(folder: &std::path::Path, text: &str) -> Option<Program> {
    if !Uid::effective().is_root() {
        eprintln!("skipped: only root can make a namespace of process ids");
        return None;
    }
    std::fs::write(folder.join("tasks.toml"), text).unwrap();
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
        .arg(env!("CARGO_BIN_EXE_sexton"))
        .args(["run", "--log-format", "json", "tasks.toml"])
        .args(["--grace", "100ms"])
        .current_dir(folder);
    Some(Program::start(&mut command))
}

/// The processes in the namespace of this one: id outside, name and state.
fn in_namespace_of(process: i32) -> Vec<(i32, String, char)> {
    let namespace = read_link(format!("/proc/{process}/ns/pid")).unwrap();
    let all = std::fs::read_dir("/proc").unwrap();
    let inside = all.filter_map(|entry| {
        let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = stat.split_once('(')?;
        let (name, rest) = rest.rsplit_once(") ")?;
        // A zombie has no namespace to be seen, but a parent.
        let parent: i32 = rest.split(' ').nth(1)?.parse().ok()?;
        let is_inside = |pid: i32| {
            read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|found| found == namespace)
        };
        let state = rest.chars().next()?;
        (is_inside(pid) || is_inside(parent)).then(|| (pid, name.to_owned(), state))
    });
    inside.collect()
}

/// The process that is number 1 in there, by its number out here.
fn process_1(program: &Program) -> i32 {
    let children = format!("/proc/{0}/task/{0}/children", program.id());
    ask_until("process 1 is there", || {
        let children = std::fs::read_to_string(&children).ok()?;
        children.split_whitespace().next()?.parse().ok()
    })
}

fn file(script: &str) -> String {
    format!(
        "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\nshell = '''{script}'''\n"
    )
}

#[test]
fn what_loses_its_parent_leaves_no_zombie() {
    let folder = tempfile::tempdir().unwrap();
    let script = "test -e begun && exit 0; : > begun\n\
                  for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do\n\
                  (setsid sh -c 'until test -e go; do sleep 0.05; done' > /dev/null 2>&1 &)\n\
                  done";
    let Some(mut program) = as_process_1(folder.path(), &file(script)) else {
        return;
    };
    assert_eq!(program.finished("t")["outcome"], "succeeded");
    let init = process_1(&program);
    let orphans = |name: &str| {
        let inside = in_namespace_of(init).into_iter();
        inside.filter(|(_, other, _)| other == name).count()
    };
    ask_until("the orphans run", || (orphans("sh") >= 20).then_some(()));
    std::fs::write(folder.path().join("go"), "").unwrap();
    ask_until("the orphans are gone, and no zombie is left", || {
        let inside = in_namespace_of(init);
        inside.iter().all(|(_, name, _)| name != "sh").then_some(())
    });
}

#[test]
fn signals_are_passed_on_and_the_exit_code_is_the_programs() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut program) = as_process_1(folder.path(), &file("sleep 1000")) else {
        return;
    };
    program.wait("started", |event| event["task"] == "t");
    let init = Pid::from_raw(process_1(&program)).unwrap();
    kill_process(init, Signal::HUP).unwrap();
    program.wait("reloaded", |_| true);
    kill_process(init, Signal::TERM).unwrap();
    let ended = program.ended();
    // What was cut off makes it 1.
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");

    let program = as_process_1(folder.path(), "no task file").unwrap();
    let ended = program.ended();
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.stderr.contains("tasks.toml"), "{ended:?}");
}

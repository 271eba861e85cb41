//! What must be gone when a chore is over. Signals and orphans concern a whole process, so those tests run themselves again
//! in a process of their own, told apart by [`INNER`].

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, kill_process};

use super::*;
use crate::failed::Failed;
use crate::step::run;

const INNER: &str = "XTASK_INNER";

/// Starts a sleeper inside the group and one that has left it, tells their numbers, and does the rest.
fn sleepers(then: &str) -> Command {
    let mut command = Command::new("sh");
    command.args([
        "-c",
        &format!("sleep 1000 & echo $!; setsid sleep 1000 & echo $!; {then}"),
    ]);
    command
}

fn is_running(id: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(id).join("stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The numbers of the two sleepers, both of them running.
fn read_two(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> [String; 2] {
    let mut next = || {
        let ids = lines.by_ref().map(Result::unwrap);
        let id = ids
            .into_iter()
            .find(|line| line.parse::<u32>().is_ok())
            .unwrap();
        assert!(is_running(&id), "{id}");
        id
    };
    [next(), next()]
}

#[test]
fn a_group_that_is_dropped_leaves_nobody_of_it() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "sleep 1000 & echo $!; wait"])
        .stdout(Stdio::piped());
    let mut group = Group::start(&mut command).unwrap().unwrap();
    let mut lines = BufReader::new(group.output().unwrap()).lines();
    let sleeper = lines.next().unwrap().unwrap();
    assert!(is_running(&sleeper));
    drop(group);
    // The pipe is at its end when nobody holds it any more: the sleeper did.
    assert!(lines.next().is_none());
}

#[test]
fn a_group_whose_leader_has_ended_is_over() {
    let mut command = Command::new("sh");
    command
        .args(["-c", "sleep 1000 & echo $!; exit 3"])
        .stdout(Stdio::piped());
    let mut group = Group::start(&mut command).unwrap().unwrap();
    let mut lines = BufReader::new(group.output().unwrap()).lines();
    assert!(lines.next().unwrap().is_ok());
    assert_eq!(group.wait().unwrap().code(), Some(3));
    assert!(lines.next().is_none());
}

/// This test again, in a process of its own.
fn again(test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("process::tests::{test}")])
        .env(INNER, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn is_inner() -> bool {
    std::env::var_os(INNER).is_some()
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_step_leaves_behind_is_stopped() {
    if is_inner() {
        watch().unwrap();
        run(&mut sleepers("exit 0")).unwrap();
        println!("stopped");
        return;
    }
    let mut inner = again("what_a_step_leaves_behind_is_stopped");
    let mut lines = BufReader::new(inner.stdout.take().unwrap()).lines();
    let before = lines.by_ref().map(Result::unwrap);
    let ids: Vec<String> = before
        .take_while(|line| line != "stopped")
        .filter(|line| line.parse::<u32>().is_ok())
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.iter().all(|id| !is_running(id)), "{ids:?}");
    // To its end: what it says last must find a reader.
    lines.for_each(drop);
    assert!(inner.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_stops_what_was_started() {
    if is_inner() {
        watch().unwrap();
        let told = run(&mut sleepers("wait")).unwrap_err();
        assert!(
            matches!(told, Failed::Interrupted { signal: SIGTERM }),
            "{told}"
        );
        let told = run(&mut Command::new("true")).unwrap_err();
        assert!(
            matches!(told, Failed::Interrupted { .. }),
            "nothing starts after a signal: {told}"
        );
        return;
    }
    let mut inner = again("a_signal_stops_what_was_started");
    let mut lines = BufReader::new(inner.stdout.take().unwrap()).lines();
    let ids = read_two(&mut lines);
    kill_process(Pid::from_child(&inner), Signal::TERM).unwrap();
    lines.for_each(drop);
    assert!(inner.wait().unwrap().success());
    assert!(ids.iter().all(|id| !is_running(id)), "{ids:?}");
}

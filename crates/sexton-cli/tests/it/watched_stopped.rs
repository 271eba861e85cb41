//! Watching processes that stand still, stopped by their command or from outside: nothing outlives
//! the end of a run, or the program, all the same.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;

use crate::program::{Ended, Program, ask_until, wait_until_gone};

/// A folder of a command that writes the ids of its processes there. They are killed at the end,
/// whatever the test finds.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn pids(&self) -> Vec<String> {
        let pids = std::fs::read_to_string(self.path().join("pids")).unwrap_or_default();
        pids.lines().map(str::to_owned).collect()
    }

    /// The ids, once there are this number of them.
    fn all_pids(&self, count: usize) -> Vec<String> {
        ask_until("all processes run", || {
            let pids = self.pids();
            (pids.len() >= count).then_some(pids)
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        for pid in self.pids().iter().filter_map(|pid| pid.parse().ok()) {
            let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}

/// A file with a task that runs this script once.
fn file(script: &str, more: &str) -> String {
    format!(
        "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\n{more}\n\
         shell = '''\ntest -e begun && exit 0\n: > begun\n{script}\n'''\n"
    )
}

/// Writes the ids of a command, of its watching process, and of a child in another session.
const FAMILY: &str = "(setsid sh -c 'echo $$ >> pids; exec sleep 1000' &)\n\
                      until test -s pids; do sleep 0.01; done\necho $$ >> pids\necho $PPID >> pids";
const FAMILY_SIZE: usize = 3;

fn is_there(pid: &str) -> bool {
    let pid = pid.parse().unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let is_dead = stat
        .rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'));
    test_kill_process(Pid::from_raw(pid).unwrap()).is_ok() && !is_dead
}

/// Stops the watching process, which is the last of the family.
fn stop_watcher(pids: &[String]) {
    let pid = Pid::from_raw(pids[FAMILY_SIZE - 1].parse().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
}

fn assert_gone_with(ended: &Ended, pids: &[String]) {
    for pid in pids {
        assert!(!is_there(pid), "{pid} of {pids:?} lives: {ended:?}");
    }
}

#[test]
fn a_command_that_stops_its_watching_process_is_ended_by_its_timeout() {
    // The second one stops it again and again, and does not end by itself.
    let again = "trap '' TERM\n(while :; do kill -STOP $PPID; done) &\n";
    for more in ["", again] {
        let folder = Folder::new();
        let script = format!("{FAMILY}\n{more}kill -STOP $PPID\nsleep 1000");
        let text = file(&script, "timeout = \"1s\"");
        let mut program = Program::run_file(folder.path(), &text);
        let pids = folder.all_pids(FAMILY_SIZE);
        let end = program.wait("finished", |event| event["outcome"] != "succeeded");
        assert_eq!(end["outcome"], "timed_out", "{end}");
        pids.iter().for_each(|pid| wait_until_gone(pid));
        let ended = program.stop();
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[test]
fn a_shutdown_leaves_nothing_where_the_watching_process_was_stopped() {
    let folder = Folder::new();
    let text = file(&format!("{FAMILY}\nsleep 1000"), "");
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let program = Program::run(folder.path(), &["tasks.toml", "--grace", "4s"]);
    let pids = folder.all_pids(FAMILY_SIZE);
    stop_watcher(&pids);
    let ended = program.stop();
    assert_gone_with(&ended, &pids);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let events = ended.events();
    let end = events.iter().find(|event| event["event"] == "finished");
    assert_eq!(end.unwrap()["outcome"], "cut_off", "{ended:?}");
}

/// Nothing waits for the command then, and a process that is stopped again and again does not end
/// it.
#[test]
fn a_second_signal_leaves_nothing_where_the_watching_process_is_stopped() {
    let folder = Folder::new();
    let script = format!("{FAMILY}\ntrap '' TERM\nwhile :; do kill -STOP $PPID; done");
    let mut program = Program::run_file(folder.path(), &file(&script, ""));
    let pids = folder.all_pids(FAMILY_SIZE);
    program.signal(Signal::TERM);
    program.wait("stopping", |_| true);
    // One that comes at once is taken for the same, and nobody tells when that is over.
    std::thread::sleep(std::time::Duration::from_millis(400));
    program.signal(Signal::TERM);
    let ended = program.ended();
    assert_gone_with(&ended, &pids);
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
}

#[test]
fn a_watching_process_that_was_stopped_ends_its_command_when_the_program_is_killed() {
    let folder = Folder::new();
    let text = file(&format!("{FAMILY}\nkill -STOP $PPID\nsleep 1000"), "");
    let program = Program::run_file(folder.path(), &text);
    let pids = folder.all_pids(FAMILY_SIZE);
    let stat = format!("/proc/{}/stat", pids[FAMILY_SIZE - 1]);
    ask_until("the watching process is stopped", || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        stat.contains(") T ").then_some(())
    });
    program.signal(Signal::KILL);
    program.ended();
    pids.iter().for_each(|pid| wait_until_gone(pid));
}

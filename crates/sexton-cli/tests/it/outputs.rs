//! Outputs that cannot be written: the program runs its tasks on, obeys its signals, and says what
//! is missing once it can.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use sexton_core::clock::{Clock, SystemClock};

use crate::program::{LIMIT, ask_until, sexton};

/// Each run leaves a line in the folder, and says far more than a pipe holds.
const LOUD: &str = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"loud\"\nevery = \"100ms\"\n\
    shell = 'echo >> ran; head -c 60000 /dev/zero | tr \"\\0\" x'\n";

/// A program whose outputs the test has chosen. Killed when dropped.
struct Running(Child);

impl Running {
    fn start(folder: &Path, command: &mut Command) -> Running {
        std::fs::write(folder.join("tasks.toml"), LOUD).unwrap();
        Running(command.stdin(Stdio::null()).spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        ask_until("the program ends", || self.0.try_wait().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Of a program that has ended already there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ran(folder: &Path) -> usize {
    std::fs::read_to_string(folder.join("ran")).map_or(0, |text| text.lines().count())
}

/// Waits for this number of further runs.
fn runs_on(folder: &Path, runs: usize) {
    let until = ran(folder) + runs;
    ask_until("the tasks run on", || (ran(folder) >= until).then_some(()));
}

fn log(folder: &Path) -> Command {
    sexton(folder, ["run", "tasks.toml", "--log-format", "json"])
}

#[test]
fn a_full_device_ends_nothing_and_is_told_on_the_other_output() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = log(folder);
    command.stdout(full).stderr(Stdio::piped());
    let mut program = Running::start(folder, &mut command);
    let mut stderr = BufReader::new(program.0.stderr.take().unwrap());
    let mut told = String::new();
    stderr.read_line(&mut told).unwrap();
    assert_eq!(
        told,
        "sexton: standard output cannot be written: No space left on device (os error 28)\n"
    );
    runs_on(folder, 10);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

#[test]
fn a_pipe_that_nobody_reads_delays_no_task_and_no_signal() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Both ends stay open here, and nobody reads.
    let (_unread, stdout) = std::io::pipe().unwrap();
    let stderr = stdout.try_clone().unwrap();
    let mut command = log(folder);
    command.env("SEXTON_LOG", "trace");
    command.stdout(stdout).stderr(stderr);
    let mut program = Running::start(folder, &mut command);
    runs_on(folder, 20);
    let more = LOUD.replace("echo >> ran", "echo >> ran; : > again");
    std::fs::write(folder.join("tasks.toml"), more).unwrap();
    program.signal(Signal::HUP);
    ask_until("the file is read again", || {
        folder.join("again").exists().then_some(())
    });
    let asked = SystemClock.monotonic();
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
    // A second is what it waits for each of its outputs.
    let took = SystemClock.monotonic() - asked;
    assert!(took < LIMIT / 3, "{took:?}");
}

#[test]
fn a_closed_pipe_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (unread, stdout) = std::io::pipe().unwrap();
    drop(unread);
    let mut command = log(folder);
    command.stdout(stdout).stderr(Stdio::null());
    let mut program = Running::start(folder, &mut command);
    runs_on(folder, 10);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

/// The disk is a file system in memory, full until the test makes room.
#[test]
fn what_a_full_disk_lost_is_counted_once_there_is_room() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("not run: only root can mount a disk that is full");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir(folder.join("disk")).unwrap();
    let program = env!("CARGO_BIN_EXE_sexton");
    let script = format!(
        "mount -t tmpfs -o size=256k tmpfs disk && head -c 200000 /dev/zero > disk/fill && \
         exec {program} run tasks.toml --log-format json > disk/log"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    command.current_dir(folder).stderr(Stdio::piped());
    let mut program = Running::start(folder, &mut command);
    let mut stderr = BufReader::new(program.0.stderr.take().unwrap());
    let mut told = String::new();
    stderr.read_line(&mut told).unwrap();
    assert!(told.contains("cannot be written: No space left"), "{told}");
    runs_on(folder, 5);
    // The program's own view of the file system, from here.
    let disk = format!("/proc/{}/root{}/disk", program.0.id(), folder.display());
    std::fs::remove_file(format!("{disk}/fill")).unwrap();
    let mut again = String::new();
    stderr.read_line(&mut again).unwrap();
    let lost: u64 = again
        .strip_prefix("sexton: standard output can be written again; ")
        .and_then(|rest| rest.split(' ').next())
        .and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("{again:?}"));
    assert!(lost > 0);
    let missing = ask_until("the log says what is missing", || {
        let log = std::fs::read_to_string(format!("{disk}/log")).unwrap();
        let mut events = log.lines().filter_map(|line| {
            // The line that the disk had no room for has a beginning and no end.
            serde_json::from_str::<serde_json::Value>(line).ok()
        });
        let told = events.find(|event| event["event"] == "not written")?;
        told["lines"].as_u64()
    });
    assert_eq!(missing, lost);
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

//! What becomes of commands and of all that they start: nothing outlives the program or a cancelled
//! run, and what is left in the background on purpose is left in peace.

use std::path::Path;

use rustix::process::{Resource, Signal, getrlimit};
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Program, ask_until, sexton, wait_until_gone};

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn file(task: &str) -> String {
    format!(
        "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\n{task}\n"
    )
}

/// The first end of a task with these lines in its table.
fn first_end(folder: &Path, task: &str) -> Value {
    let mut program = Program::run_file(folder, &file(task));
    let end = program.finished("t");
    let ended = program.stop();
    assert!(ended.status.success(), "{ended:?}");
    end
}

fn output(end: &Value) -> &str {
    end["output"]
        .as_str()
        .unwrap_or_else(|| panic!("said nothing: {end}"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Starts a child, a grandchild in another session, and one that no parent knows of and that does
/// not listen to SIGTERM; writes the ids of all, and of who watches, and waits.
const FAMILY: &str = r#"shell = '''
sleep 1000 & echo $! >> pids
setsid sleep 1000 & echo $! >> pids
(setsid sh -c 'trap "" TERM; sleep 1000 & echo $! >> pids; wait' > /dev/null 2>&1 &)
echo $PPID >> pids
echo $$ >> pids
wait'''"#;
const FAMILY_SIZE: usize = 5;

/// The process ids of this number of families, when all of them run.
fn families(folder: &Path, count: usize) -> Vec<String> {
    ask_until("all processes run", || {
        let pids = read(&folder.join("pids"));
        let pids: Vec<String> = pids.lines().map(str::to_owned).collect();
        (pids.len() >= count * FAMILY_SIZE).then_some(pids)
    })
}

fn wait_until_all_gone(pids: &[String]) {
    pids.iter().for_each(|pid| wait_until_gone(pid));
}

#[test]
fn commands_and_all_that_they_started_die_with_the_program() {
    const COMMANDS: usize = 40;
    let folder = folder();
    let task = format!("concurrency = {COMMANDS}\n{FAMILY}");
    let program = Program::run_file(folder.path(), &file(&task));
    let pids = families(folder.path(), COMMANDS);
    program.signal(Signal::KILL);
    program.ended();
    wait_until_all_gone(&pids);
}

#[test]
fn a_timeout_leaves_nothing() {
    let folder = folder();
    let task = format!("timeout = \"2s\"\n{FAMILY}");
    let mut program = Program::run_file(folder.path(), &file(&task));
    let pids = families(folder.path(), 1);
    assert_eq!(program.finished("t")["outcome"], "timed_out");
    wait_until_all_gone(&pids[..FAMILY_SIZE]);
}

#[test]
fn a_cancelled_run_leaves_nothing() {
    let folder = folder();
    let text = file(FAMILY).replace("memory:", "sqlite:store.db");
    let mut program = Program::run_file(folder.path(), &text);
    let pids = families(folder.path(), 1);
    let cancelled = sexton(folder.path(), ["cancel", "t", "--file", "tasks.toml"])
        .output()
        .unwrap();
    assert!(cancelled.status.success(), "{cancelled:?}");
    assert_eq!(program.finished("t")["outcome"], "cancelled");
    wait_until_all_gone(&pids[..FAMILY_SIZE]);
}

#[test]
fn a_shutdown_leaves_nothing() {
    let folder = folder();
    std::fs::write(folder.path().join("tasks.toml"), file(FAMILY)).unwrap();
    let program = Program::run(folder.path(), &["tasks.toml", "--grace", "100ms"]);
    let pids = families(folder.path(), 1);
    assert_eq!(program.stop().status.code(), Some(1));
    wait_until_all_gone(&pids);
}

/// A command whose background says much more than a pipe holds, once it is told to, and then how
/// that went.
const BACKGROUND: &str = r#"shell = '''
test -e begun && exit 0
: > begun
(until test -e go; do sleep 0.05; done; head -c 1000000 /dev/zero; echo $? > status; echo hello; echo $? >> status) &
exit 0'''"#;

fn wait_until_background_has_spoken(folder: &Path) {
    std::fs::write(folder.join("go"), "").unwrap();
    let status = ask_until("the background has spoken", || {
        let status = read(&folder.join("status"));
        (status.lines().count() == 2).then_some(status)
    });
    assert_eq!(status, "0\n0\n");
}

#[test]
fn what_is_left_in_the_background_meets_no_broken_pipe() {
    let folder = folder();
    let mut program = Program::run_file(folder.path(), &file(BACKGROUND));
    assert_eq!(program.finished("t")["outcome"], "succeeded");
    wait_until_background_has_spoken(folder.path());
    assert!(program.stop().status.success());
}

#[test]
fn what_is_left_in_the_background_outlives_the_program() {
    for signal in [Signal::TERM, Signal::KILL] {
        let folder = folder();
        let mut program = Program::run_file(folder.path(), &file(BACKGROUND));
        program.finished("t");
        program.signal(signal);
        program.ended();
        wait_until_background_has_spoken(folder.path());
    }
}

/// Five runs of a task that says which process watches it, and where and with which umask it
/// begins.
fn five_runs(extra: &str) -> Vec<(String, String)> {
    let folder = folder();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let task = "cwd = \"below\"\nshell = 'echo $PPID; pwd; umask; echo ${WORD:-no word}'";
    let mut program = Program::run_file(folder.path(), &format!("{}{extra}", file(task)));
    let below = folder.path().canonicalize().unwrap().join("below");
    let runs = (0..5).map(|_| {
        let end = program.finished("t");
        let (watching, rest) = output(&end).split_once('\n').unwrap();
        (
            watching.to_owned(),
            rest.replace(below.to_str().unwrap(), "BELOW"),
        )
    });
    let runs = runs.collect();
    assert!(program.stop().status.success());
    runs
}

#[test]
fn a_process_that_has_watched_a_command_watches_the_next_one() {
    let runs = five_runs("");
    let processes: std::collections::BTreeSet<_> =
        runs.iter().map(|(process, _)| process).collect();
    assert!(processes.len() < 5, "{runs:?}");
}

#[test]
fn nothing_of_a_command_is_left_for_the_next_one() {
    let other = "[[task]]\nname = \"u\"\nevery = \"200ms\"\numask = \"077\"\n\
                 env = { WORD = \"a word\" }\ncommand = [\"true\"]\n";
    for (_, rest) in five_runs(other) {
        assert_eq!(rest, "BELOW\n0022\nno word\n");
    }
}

#[test]
fn a_command_has_no_terminal_though_the_program_has() {
    let folder = folder();
    let task =
        "shell = 'if (exec < /dev/tty) 2> /dev/null; then echo a terminal; else echo none; fi'";
    std::fs::write(folder.path().join("tasks.toml"), file(task)).unwrap();
    let inside = format!(
        "sh -c 'exec < /dev/tty; echo $$ > pid; exec {} run --log-format json tasks.toml'",
        env!("CARGO_BIN_EXE_sexton")
    );
    let mut script = std::process::Command::new("script");
    script
        .args(["--quiet", "--flush", "--command", &inside, "/dev/null"])
        .current_dir(folder.path());
    let mut program = Program::start(&mut script);
    assert_eq!(output(&program.finished("t")), "none\n");
    let pid: i32 = read(&folder.path().join("pid")).trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    program.ended();
}

#[test]
fn a_command_has_no_descriptors_but_its_own() {
    let folder = folder();
    std::fs::write(
        folder.path().join("tasks.toml"),
        file("command = [\"ls\", \"/proc/self/fd\"]"),
    )
    .unwrap();
    let mut shell = std::process::Command::new("sh");
    let begin = format!(
        "exec 7< tasks.toml; exec {} run --log-format json tasks.toml",
        env!("CARGO_BIN_EXE_sexton")
    );
    shell.args(["-c", &begin]).current_dir(folder.path());
    let mut program = Program::start(&mut shell);
    // The fourth is that of the folder which `ls` lists.
    assert_eq!(output(&program.finished("t")), "0\n1\n2\n3\n");
    assert!(program.stop().status.success());
}

#[test]
fn nothing_of_a_command_is_seen_in_the_process_that_watches_it() {
    let task = "env = { WORD = \"hunter2\" }\n\
                shell = 'cat /proc/$PPID/cmdline /proc/$PPID/environ /proc/$PPID/comm | tr \"\\0\" \" \"'";
    let end = first_end(folder().path(), task);
    // What it is told is the limit of descriptors that a command has.
    let limit = getrlimit(Resource::Nofile).current.unwrap();
    let expected = format!("sexton-exec __exec {limit} sexton-exec\n");
    assert_eq!(output(&end), expected);
}

#[test]
fn a_signal_to_all_processes_ends_no_command_that_does_not_want_it() {
    let task = "shell = 'for signal in TERM INT HUP QUIT USR1 USR2; do kill -$signal $PPID; done; \
                sleep 0.1; kill -0 $PPID && echo still watched'";
    let end = first_end(folder().path(), task);
    assert_eq!(output(&end), "still watched\n");
}

#[test]
fn a_command_whose_watching_process_was_killed_is_ended_too() {
    let end = first_end(
        folder().path(),
        "shell = 'echo $$; sleep 0.2; kill -KILL $PPID; sleep 1000'",
    );
    assert_eq!(end["outcome"], "failed");
    let error = end["error"].as_str().unwrap();
    assert!(error.starts_with("lost sight of the command"), "{error}");
    wait_until_gone(output(&end));
}

#[test]
fn a_program_whose_file_was_replaced_starts_commands_as_before() {
    let folder = folder();
    let own = folder.path().join("sexton");
    std::fs::copy(env!("CARGO_BIN_EXE_sexton"), &own).unwrap();
    let text = file("shell = 'echo here'");
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let mut command = std::process::Command::new(&own);
    command
        .args(["run", "--log-format", "json", "tasks.toml"])
        .current_dir(folder.path());
    let mut program = Program::start(&mut command);
    program.began();
    std::fs::remove_file(&own).unwrap();
    std::fs::write(&own, "another program").unwrap();
    let after = program.wait("granted", |_| true);
    let end = program.wait("finished", |event| event["tick"] == after["tick"]);
    assert_eq!(output(&end), "here\n");
    assert!(program.stop().status.success());
}

#[test]
fn the_watching_process_is_not_for_people() {
    let by_hand = sexton(Path::new("/"), ["__exec"])
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert_eq!(by_hand.status.code(), Some(2));
    let stderr = String::from_utf8(by_hand.stderr).unwrap();
    assert_eq!(stderr, "error: `__exec` is for `sexton run` itself\n");
    let help = sexton(Path::new("/"), ["--help"]).output().unwrap();
    assert!(!String::from_utf8(help.stdout).unwrap().contains("__exec"));
}

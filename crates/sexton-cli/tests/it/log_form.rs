//! What the live log looks like, by where it goes.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::program::{Program, ask_until, sexton};

const TASKS: &str = "[store]\nurl = \"memory:\"\n\
    [[task]]\nname = \"good\"\nevery = \"200ms\"\nshell = 'echo hello'\n\
    [[task]]\nname = \"bad\"\nevery = \"200ms\"\nshell = 'exit 3'\n";

/// The log in a file, once both tasks have ended in it.
fn in_a_file(
    folder: &Path,
    variables: impl FnOnce(&File) -> Vec<(&'static str, String)>,
) -> String {
    std::fs::write(folder.join("tasks.toml"), TASKS).unwrap();
    let path = folder.join("log");
    let log = File::create(&path).unwrap();
    let mut command = sexton(folder, ["run", "tasks.toml"]);
    command
        .envs(variables(&log))
        .stdin(Stdio::null())
        .stdout(log);
    let mut program = command.spawn().unwrap();
    ask_until("both tasks end", || {
        let log = std::fs::read_to_string(&path).unwrap();
        (log.contains("ok in") && log.contains("failed in")).then_some(())
    });
    let pid = rustix::process::Pid::from_child(&program);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert!(program.wait().unwrap().success());
    std::fs::read_to_string(&path).unwrap()
}

#[test]
fn a_file_gets_the_date_with_its_offset_and_no_colours() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_a_file(folder.path(), |_| vec![("TZ", "Asia/Kolkata".to_owned())]);
    for line in log.lines() {
        let (time, _) = line.split_once(' ').unwrap();
        assert!(time.ends_with("+05:30"), "{line}");
        time.parse::<jiff::Timestamp>().unwrap();
    }
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[test]
fn the_journal_gets_priorities_and_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let log = in_a_file(folder.path(), |log| {
        let log = log.metadata().unwrap();
        vec![("JOURNAL_STREAM", format!("{}:{}", log.dev(), log.ino()))]
    });
    let line = |part: &str| log.lines().find(|line| line.contains(part)).unwrap();
    assert!(line("2 tasks").starts_with("<5>2 tasks"), "{log}");
    assert!(line("ok in").starts_with("<6>good #1"), "{log}");
    assert!(line("failed in").starts_with("<3>bad #1"), "{log}");
    // Another stream than standard output is somebody else's.
    let folder = tempfile::tempdir().unwrap();
    let log = in_a_file(folder.path(), |_| {
        vec![("JOURNAL_STREAM", "1:2".to_owned())]
    });
    assert!(!log.starts_with('<'), "{log}");
}

#[test]
fn a_terminal_gets_colours_if_it_has_them() {
    for (variable, value, has_colours) in [
        ("TERM", "xterm", true),
        ("TERM", "dumb", false),
        ("NO_COLOR", "1", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tasks.toml"), TASKS).unwrap();
        // Its standard output is a terminal that `script` makes.
        let program = env!("CARGO_BIN_EXE_sexton");
        // The program ends with `script`, which passes no signal on.
        let run = format!("exec setpriv --pdeathsig TERM {program} run tasks.toml");
        let mut command = Command::new("script");
        command.args(["--quiet", "--return", "--command", &run, "/dev/null"]);
        command.current_dir(folder.path()).env(variable, value);
        command.env("SEXTON_LOG", "sexton=trace");
        let mut running = Program::start(&mut command);
        let line = running.wait_line("an end", |line| {
            line.contains("ok in").then(|| line.to_owned())
        });
        assert_eq!(line.contains('\u{1b}'), has_colours, "{variable}: {line:?}");
    }
}

#[test]
fn what_was_not_run_is_one_line_for_each_task() {
    let folder = tempfile::tempdir().unwrap();
    let tasks = "[[task]]\nname = \"often\"\nevery = \"20ms\"\nshell = 'true'\n\
        [[task]]\nname = \"rare\"\nevery = \"40ms\"\nshell = 'true'\n";
    let mut program = Program::run_file(folder.path(), tasks);
    program.finished("often");
    program.finished("rare");
    // In a downtime of two seconds 100 ticks of the one and 50 of the other are missed.
    program.stop();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let mut program = Program::start(&mut sexton(folder.path(), ["run", "tasks.toml"]));
    for task in ["often", "rare"] {
        let line = program.wait_line(task, |line| {
            let is_it = line.contains(task) && line.contains("not run");
            is_it.then(|| line.to_owned())
        });
        let count = line.split("#1 ").nth(1).unwrap().trim();
        let count: u32 = count.split(' ').next().unwrap().parse().unwrap();
        assert!(count > 10, "{line}");
    }
    let log = program.stop().lines;
    let told = log.iter().filter(|line| line.contains("not run")).count();
    assert!(told <= 6, "{}", log.join("\n"));
}

#[test]
fn sighup_tells_what_does_not_take_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.toml");
    let mut program = Program::run_file(folder.path(), TASKS);
    program.finished("good");
    let other = TASKS.replace("memory:", "sqlite:other.db");
    let other = format!("{other}\n[groups.late]\nrunning_max = 1\n");
    std::fs::write(&path, other).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    let warnings = reloaded["warnings"].to_string();
    assert!(
        warnings.contains("the store stays that of the start"),
        "{reloaded}"
    );
    assert!(warnings.contains("[groups] has changed"), "{reloaded}");
    assert!(!folder.path().join("other.db").exists());
    program.stop();
}

#[test]
fn a_crontab_that_becomes_empty_has_no_tasks_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crontab");
    std::fs::write(&path, "* * * * * true\n").unwrap();
    let mut program = Program::run(
        folder.path(),
        &["--crontab", "crontab", "--store", "memory:"],
    );
    program.began();
    std::fs::write(&path, "# * * * * * true\n").unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    assert_eq!(
        reloaded["removed"].as_array().unwrap().len(),
        1,
        "{reloaded}"
    );
    assert_eq!(reloaded["errors"], json!([]));
    assert!(
        reloaded["warnings"]
            .to_string()
            .contains("no task that can be run"),
        "{reloaded}"
    );
    program.stop();
}

#[test]
fn of_a_run_that_failed_the_last_lines_are_shown() {
    let folder = tempfile::tempdir().unwrap();
    let task = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\n\
        shell = 'seq 1 9; echo; echo \"  at line 10\"; exit 3'\n";
    std::fs::write(folder.path().join("tasks.toml"), task).unwrap();
    let mut program = Program::start(&mut sexton(folder.path(), ["run", "tasks.toml"]));
    program.wait_line("the end", |line| {
        line.contains("exit status 3").then_some(())
    });
    for expected in ["6", "7", "8", "9", "  at line 10"] {
        let line = program.wait_line(expected, |line| Some(line.to_owned()));
        let shown = line.get("2026-12-24T18:00:00.500+01:00 ".len()..);
        assert_eq!(shown, Some(expected), "{line}");
    }
}

#[test]
fn a_task_of_the_same_name_that_runs_something_else_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = |shell: &str| {
        format!(
            "[store]\nurl = \"sqlite:it.db\"\n[[task]]\nname = \"t\"\nevery = \"1h\"\nshell = '{shell}'\n"
        )
    };
    std::fs::write(folder.path().join("same.toml"), file("echo one")).unwrap();
    std::fs::write(folder.path().join("other.toml"), file("echo two")).unwrap();
    let mut first = Program::run_file(folder.path(), &file("echo one"));
    first.began();
    ask_until("it is defined", || {
        let mut tasks = sexton(
            folder.path(),
            ["tasks", "--json", "--store", "sqlite:it.db"],
        );
        let tasks = tasks.output().unwrap().stdout;
        String::from_utf8(tasks)
            .unwrap()
            .contains("; work ")
            .then_some(())
    });
    let mut same = Program::run(folder.path(), &["same.toml"]);
    same.began();
    let mut other = Program::run(folder.path(), &["other.toml"]);
    let differs = other.wait("definition differs", |_| true);
    let [theirs, ours] = ["theirs", "ours"].map(|side| differs[side].as_str().unwrap());
    let before_work = |text: &str| text.split_once("; work ").unwrap().0.to_owned();
    assert_ne!(theirs, ours);
    assert_eq!(before_work(theirs), before_work(ours));
    let ended = same.stop();
    let is_told = |event: &Value| event["event"] == "definition differs";
    assert!(!ended.events().iter().any(is_told), "{ended:?}");
    other.stop();
    first.stop();
}

//! `sexton run`: its logs, its store, what it refuses to start with, and the example that the
//! README begins with.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Output;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Program, ask_until, sexton};

const TASK: &str = "[[task]]\nname = \"t\"\nevery = \"200ms\"\nshell = 'echo hello; echo again'\n";

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tasks.toml")
}

fn refused(arguments: &[&str], file: &str, code: i32) -> Output {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tasks.toml"), file).unwrap();
    let mut command = sexton(folder.path(), ["run"]);
    let output = command.args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert_eq!(output.stdout, b"");
    assert!(
        !folder.path().join("sexton.db").exists(),
        "nothing starts half"
    );
    output
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_starts() {
    for (arguments, file, expected) in [
        (vec!["tasks.toml"], "[[task]]\nname = 1\n", "tasks.toml:2"),
        (vec!["not-there.toml"], TASK, "not-there.toml"),
        (
            vec!["tasks.toml", "--store", "mysql://u:hunter2@h:port/"],
            TASK,
            "error: --store: the MySQL store's URL cannot be read: a port in it is not a number from 1 to 65535; allowed is",
        ),
        (
            vec!["tasks.toml", "--store", "hunter2"],
            TASK,
            "error: --store: unknown kind of store; allowed is",
        ),
        (
            vec!["tasks.toml", "--store", "sqlite:no/such/folder/x.db"],
            TASK,
            "no/such/folder",
        ),
        (vec!["tasks.toml", "--grace=-5s"], TASK, "--grace"),
        (vec!["tasks.toml", "--label", "zone"], TASK, "NAME=VALUE"),
        (vec![], TASK, "FILE"),
    ] {
        // That the folder is not there may change without a change of what was given.
        let code = if expected.starts_with("no/") { 4 } else { 2 };
        let output = refused(&arguments, file, code);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(
            !stderr.contains("hunter2") || arguments[0] != "tasks.toml",
            "{stderr}"
        );
        assert_eq!(
            stderr.matches("unknown kind of store").count().max(1),
            1,
            "{stderr}"
        );
    }
}

#[test]
fn every_line_of_the_json_log_has_its_fields() {
    let folder = tempfile::tempdir().unwrap();
    let text = TASK.to_owned()
        + "[[task]]\nname = \"f\"\nevery = \"200ms\"\nretry = { attempts = 2, backoff = \"1ms\" }\nshell = 'exit 1'\n";
    let mut program = Program::run_file(folder.path(), &text);
    program.finished("t");
    program.finished("f");
    let ended = program.stop();
    assert_eq!(ended.stderr, "");
    let execution = ["at", "event", "task", "index", "tick"];
    for event in ended.events() {
        let own: &[&str] = match event["event"].as_str().unwrap() {
            "began" => &["instance", "store", "tasks", "tz_data", "warnings"],
            "granted" => &["fence", "attempt"],
            "started" => &["attempt", "lateness_ms"],
            "retried" => &["retry", "error", "after_ms"],
            "finished" if event["task"] == "t" => &["outcome", "duration_ms", "output"],
            "finished" => &["outcome", "duration_ms", "error"],
            "denied" => &["reason"],
            "released" | "stopping" => &[],
            "stopped" => &["cut_off", "all_settled"],
            other => panic!("unexpected: {other}"),
        };
        let of_run = if event.get("task").is_some() {
            &execution[..]
        } else {
            &execution[..2]
        };
        let expected: BTreeSet<&str> = of_run.iter().chain(own).copied().collect();
        let found: BTreeSet<&str> = event
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(found, expected, "{event}");
        let at = event["at"].as_str().unwrap();
        at.parse::<jiff::Timestamp>().unwrap();
    }
}

#[test]
fn the_log_for_people_is_plain_where_there_is_no_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[store]\nurl = \"memory:\"\n".to_owned()
        + TASK
        + "[[task]]\nname = \"evil\"\nevery = \"200ms\"\nshell = 'printf \"\\033[31mred\"; exit 3'\n";
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let mut program = Program::start(&mut sexton(folder.path(), ["run", "tasks.toml"]));
    let first = program.wait_line("the beginning", |line| Some(line.to_owned()));
    assert!(
        first.contains(" 2 tasks, store memory:, instance "),
        "{first}"
    );
    let good = program.wait_line("a good end", |line| {
        line.contains("t #1 ")
            .then(|| line.to_owned())
            .filter(|line| line.contains("ok in"))
    });
    assert!(good.ends_with("  again"), "{good}");
    let bad = program.wait_line("a bad end", |line| {
        line.contains("failed in").then(|| line.to_owned())
    });
    assert!(bad.ends_with(r": exit status 3  \u{1b}[31mred"), "{bad}");
    let ended = program.stop();
    assert!(ended.status.success());
    assert!(ended.lines.iter().all(|line| !line.contains('\u{1b}')));
    assert!(
        ended.lines.last().unwrap().ends_with(" stopped"),
        "{ended:?}"
    );
}

#[test]
fn the_store_lies_beside_the_file_unless_said_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("below");
    std::fs::create_dir(&below).unwrap();
    std::fs::write(below.join("tasks.toml"), TASK).unwrap();
    let mut program = Program::run(folder.path(), &["below/tasks.toml"]);
    program.finished("t");
    drop(program);
    assert!(below.join("sexton.db").exists());
    let mut program = Program::run(
        folder.path(),
        &["below/tasks.toml", "--store", "sqlite:own.db"],
    );
    program.finished("t");
    assert!(folder.path().join("own.db").exists());
}

#[test]
fn a_task_with_labels_runs_only_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let task = |name: &str, zone: &str| {
        let placement = format!("{{ mode = \"race\", labels = {{ zone = \"{zone}\" }} }}");
        format!(
            "[[task]]\nname = \"{name}\"\nevery = \"200ms\"\nplacement = {placement}\nshell = 'true'\n"
        )
    };
    let text = "[store]\nurl = \"memory:\"\n".to_owned()
        + &task("there", "us")
        + &task("here", "eu")
        + TASK;
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let mut program = Program::run(folder.path(), &["tasks.toml", "--label", "zone=eu"]);
    for task in ["here", "t", "here", "t"] {
        program.finished(task);
    }
    let events = program.stop().events();
    assert!(events.iter().all(|event| event["task"] != "there"));
}

#[test]
fn what_goes_on_inside_is_told_on_standard_error_if_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tasks.toml"), TASK).unwrap();
    let arguments = [
        "run",
        "--log-format",
        "json",
        "--store",
        "memory:",
        "tasks.toml",
    ];
    let mut command = sexton(folder.path(), arguments);
    let mut program = Program::start(command.env("SEXTON_LOG", "trace"));
    program.finished("t");
    assert_ne!(program.stop().stderr, "");
    let mut command = sexton(folder.path(), arguments);
    let output = command.env("SEXTON_LOG", "=,=").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: SEXTON_LOG: "));
}

#[test]
fn the_example_shows_something_at_once_and_two_of_it_share_the_ticks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(examples(), folder.path().join("tasks.toml")).unwrap();
    let mut programs = [0, 1].map(|_| Program::run(folder.path(), &["tasks.toml"]));
    for program in &mut programs {
        program.began();
    }
    let mut unseen = BTreeSet::from(["greet", "flaky", "slow", "report", "backup"]);
    ask_until("each task has been run by one of the two", || {
        for program in &mut programs {
            while let Some(event) = program.said_since() {
                let task = event["task"]
                    .as_str()
                    .filter(|_| event["event"] == "started");
                unseen.remove(task.unwrap_or_default());
            }
        }
        unseen.is_empty().then_some(())
    });
    for program in &programs {
        program.signal(Signal::TERM);
    }
    let mut seen = BTreeSet::new();
    for program in programs {
        let ended = program.ended();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(ended.stderr, "");
        for event in ended.events() {
            if event["event"] == "started" && event["attempt"] == 1 {
                let execution = ["task", "index", "tick"].map(|field| event[field].to_string());
                assert!(seen.insert(execution), "run twice: {event}");
            }
            let expected: &[Value] = match event["task"].as_str() {
                Some("slow") => &["timed_out".into()],
                Some("flaky") => &["succeeded".into(), "failed".into()],
                _ => &["succeeded".into()],
            };
            assert!(
                event["event"] != "finished" || expected.contains(&event["outcome"]),
                "{event}"
            );
        }
    }
}

#[test]
fn what_shares_a_limit_does_not_run_at_once() {
    const FILE: &str = r#"
[store]
url = "memory:"

[groups.rope]
running_max = 1

[defaults]
missed = { mode = "all", window = "1m" }

[[task]]
name = "one"
every = "400ms"
group = "rope"
shell = "mkdir held && sleep 0.05 && rmdir held"

[[task]]
name = "two"
every = "400ms"
group = "rope"
shell = "mkdir held && sleep 0.05 && rmdir held"

[[task]]
name = "alone"
every = "400ms"
concurrency = 3
running_max = 1
shell = "mkdir alone && sleep 0.05 && rmdir alone"
"#;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::run_file(folder.path(), FILE);
    for task in ["one", "two", "alone"].repeat(4) {
        let end = program.finished(task);
        assert_eq!(end["outcome"], "succeeded", "{end}");
    }
    let ended = program.stop();
    assert!(ended.status.success(), "{ended:?}");
}

//! The commands of operators, against a store whose tasks two programs run.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::program::{Program, ask_until, sexton};

const FILE: &str = r#"
[[task]]
name = "ring"
every = "200ms"
shell = 'echo "$SEXTON_TICK" >> rung'

[[task]]
name = "by hand"
cron = "0 0 1 1 *"
concurrency = 2
shell = 'echo "$SEXTON_TICK $SEXTON_CONCURRENCY_INDEX" >> triggered; echo done'

[[task]]
name = "long"
cron = "0 0 1 1 *"
shell = 'echo begun >> long; exec sleep 600'
"#;

/// What a command said, and how it ended.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn say(folder: &Path, words: &[&str]) -> Said {
    let output = sexton(folder, words).output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What a command that must succeed said as JSON.
fn json(folder: &Path, words: &[&str]) -> Value {
    let said = say(folder, &[words, &["--json"]].concat());
    assert_eq!(said.code, Some(0), "{words:?}: {}", said.stderr);
    serde_json::from_str(&said.stdout).unwrap_or_else(|error| panic!("{error}: {}", said.stdout))
}

/// Waits until the store has been told of a task, which a program does once it has begun.
fn wait_for_definition(folder: &Path, name: &str) {
    ask_until("it is defined", || {
        let tasks = json(folder, &["tasks"]);
        let mut tasks = tasks.as_array().unwrap().iter();
        let found = tasks.find(|task| task["task"] == name)?;
        (!found["schedule"].is_null()).then_some(())
    });
}

fn two_programs(folder: &Path) -> (Program, Program) {
    let mut first = Program::run_file(folder, FILE);
    first.began();
    let mut second = Program::run(folder, &["tasks.toml"]);
    second.began();
    (first, second)
}

fn lines(folder: &Path, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn stop(programs: (Program, Program)) {
    for program in [programs.0, programs.1] {
        let ended = program.stop();
        assert!(ended.status.success(), "{ended:?}");
    }
}

#[test]
fn a_task_that_is_paused_is_skipped_by_all_until_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let programs = two_programs(folder);
    ask_until("it rings", || {
        (lines(folder, "rung").len() > 2).then_some(())
    });
    let paused = json(folder, &["pause", "ring", "--note", "quiet, please"]);
    assert_eq!(paused["paused"], true);
    // What was granted ahead of the pause still runs; a second later every tick is skipped.
    let skipped = ["history", "ring", "--state", "skipped", "--limit", "8"];
    let skipped = ask_until("eight ticks are skipped", || {
        let skipped = json(folder, &skipped);
        (skipped.as_array().unwrap().len() == 8).then_some(skipped)
    });
    assert!(
        skipped
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["reason"] == "paused")
    );
    let rung = lines(folder, "rung").len();
    let tasks = json(folder, &["tasks"]);
    let ring = tasks
        .as_array()
        .unwrap()
        .iter()
        .find(|task| task["task"] == "ring")
        .unwrap();
    assert_eq!(ring["paused"]["note"], "quiet, please");
    assert_eq!(ring["last"]["state"], "skipped");
    let known_since: jiff::Timestamp = ring["known_since"].as_str().unwrap().parse().unwrap();
    let first = ring["paused"]["since"].as_str().unwrap().parse().unwrap();
    assert!(known_since < first, "{known_since} is not before {first}");
    assert_eq!(ring["schedule"], "every 200 milliseconds");
    assert_eq!(
        lines(folder, "rung").len(),
        rung,
        "it rang while it was paused"
    );
    assert_eq!(json(folder, &["resume", "ring"])["was_paused"], true);
    ask_until("it rings again", || {
        (lines(folder, "rung").len() > rung + 2).then_some(())
    });
    let ticks = lines(folder, "rung");
    assert_eq!(
        ticks.iter().collect::<BTreeSet<_>>().len(),
        ticks.len(),
        "{ticks:?}"
    );
    assert_eq!(json(folder, &["resume", "ring"])["was_paused"], false);
    stop(programs);
}

#[test]
fn what_is_triggered_runs_once_over_the_fleet_with_all_its_indices() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let programs = two_programs(folder);
    wait_for_definition(folder, "by hand");
    let tick = json(folder, &["trigger", "by hand"])["tick"]
        .as_str()
        .unwrap()
        .to_owned();
    let ended = ["history", "by hand", "--state", "succeeded"];
    let history = ask_until("both indices have run", || {
        let history = json(folder, &ended);
        (history.as_array().unwrap().len() == 2).then_some(history)
    });
    for record in history.as_array().unwrap() {
        assert_eq!(record["tick"], tick.as_str());
        assert_eq!(record["output"], "done\n");
        assert_eq!(record["concurrency"], 2);
        assert!(record["lateness_ms"].as_i64().unwrap() >= 0, "{record}");
    }
    stop(programs);
    let mut ran = lines(folder, "triggered");
    ran.sort();
    assert_eq!(ran, [format!("{tick} 1"), format!("{tick} 2")]);
}

#[test]
fn whoever_triggers_may_wait_for_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = r#"
[[task]]
name = "well"
cron = "0 0 1 1 *"
shell = "true"

[[task]]
name = "badly"
cron = "0 0 1 1 *"
concurrency = 2
shell = 'exit $((SEXTON_CONCURRENCY_INDEX - 1))'
"#;
    let mut program = Program::run_file(folder, file);
    program.began();
    wait_for_definition(folder, "well");
    wait_for_definition(folder, "badly");
    let well = say(folder, &["trigger", "well", "--wait"]);
    assert_eq!((well.code, well.stderr.as_str()), (Some(0), ""));
    assert!(well.stdout.ends_with(": succeeded\n"), "{}", well.stdout);
    let badly = say(folder, &["trigger", "badly", "--wait"]);
    assert_eq!(badly.code, Some(1));
    assert_eq!(badly.stderr, "error: 1 of 2 executions did not succeed\n");
    assert!(
        badly.stdout.ends_with(": failed: exit status 1\n"),
        "{}",
        badly.stdout
    );
    assert!(program.stop().status.success());
}

/// Given: the only program that runs the task has stopped. Then: waiting for a trigger ends with
/// its deadline.
#[test]
fn waiting_for_a_trigger_that_nobody_starts_ends() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = r#"
[[task]]
name = "alone"
cron = "0 0 1 1 *"
shell = "true"
"#;
    let mut program = Program::run_file(folder, file);
    program.began();
    wait_for_definition(folder, "alone");
    assert!(program.stop().status.success());
    let no_time = say(folder, &["trigger", "alone", "--within", "0s"]);
    assert_eq!(no_time.code, Some(2), "{}", no_time.stderr);
    assert!(no_time.stderr.contains("--within 0s"), "{}", no_time.stderr);
    let waited = say(folder, &["trigger", "alone", "--wait", "--within", "1s"]);
    assert_eq!(waited.code, Some(1));
    assert_eq!(waited.stderr, "error: 1 of 1 executions did not succeed\n");
    let why = ": waiting: past its deadline, and no instance that runs the task is up\n";
    assert!(waited.stdout.ends_with(why), "{}", waited.stdout);
}

#[test]
fn what_runs_is_cancelled_wherever_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let programs = two_programs(folder);
    wait_for_definition(folder, "long");
    let tick = json(folder, &["trigger", "long"])["tick"]
        .as_str()
        .unwrap()
        .to_owned();
    ask_until("it has begun", || {
        (!lines(folder, "long").is_empty()).then_some(())
    });
    let other = say(folder, &["cancel", "long", "--index", "2"]);
    assert_eq!(other.code, Some(1));
    assert_eq!(
        other.stderr,
        "error: nothing of the task \"long\" runs or waits\n"
    );
    let told = say(folder, &["cancel", "long", "--tick", &tick]);
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        told.stdout,
        format!("long #1 of {tick}: its holder is told\n")
    );
    let over = ask_until("it has ended", || {
        let over = json(folder, &["history", "long", "--state", "cancelled"]);
        over.as_array().unwrap().first().cloned()
    });
    assert_eq!(over["tick"], tick.as_str());
    assert_eq!(over["cancel_requested"], true);
    stop(programs);
    assert_eq!(lines(folder, "long"), ["begun"]);
}

#[test]
fn tables_are_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = r#"
[[task]]
name = "first"
at = 2001-01-01T00:00:00Z
shell = "true"

[[task]]
name = "two of a tick"
cron = "0 0 1 1 *"
concurrency = 2
shell = 'printf "one\n\033[31mtwo\n"; exit 3'
"#;
    let mut program = Program::run_file(folder, file);
    program.began();
    wait_for_definition(folder, "two of a tick");
    json(folder, &["trigger", "two of a tick"]);
    ask_until("it has failed", || {
        let failed = json(folder, &["history", "--state", "failed"]);
        (failed.as_array().unwrap().len() == 2).then_some(())
    });
    assert!(program.stop().status.success());
    let history = say(
        folder,
        &["history", "--tz", "UTC", "--output", "--limit", "1"],
    );
    let lines: Vec<&str> = history.stdout.lines().collect();
    assert!(
        lines[0].starts_with("TICK                     TASK"),
        "{}",
        history.stdout
    );
    assert!(
        lines[1].contains("  two of a tick  1  failed  1    "),
        "{}",
        history.stdout
    );
    assert!(lines[1].ends_with("  exit status 3"), "{}", history.stdout);
    assert!(
        history.stdout.contains("\n  one\n  \\u{1b}[31mtwo\n"),
        "{}",
        history.stdout
    );
    assert!(!history.stdout.contains('\u{1b}'));
    let tasks = say(folder, &["tasks", "--file", "tasks.toml", "--tz", "UTC"]);
    assert!(
        tasks.stdout.contains("-01-01 00:00:00.000"),
        "{}",
        tasks.stdout
    );
    assert!(!tasks.stdout.contains('\u{1b}'));
}

/// The commands answer what cannot be: the words of the command line, the code, and what is said.
#[test]
fn what_cannot_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut program = Program::run_file(folder, FILE);
    program.finished("ring");
    wait_for_definition(folder, "by hand");
    assert!(program.stop().status.success());
    std::fs::write(folder.join("bad.toml"), "[[task]]\nname = 1\n").unwrap();
    let cases: [(&[&str], i32, &str); 10] = [
        (
            &["history", "rign"],
            2,
            "error: the store has never heard of a task \"rign\"; did you mean \"ring\"?\n",
        ),
        (
            &["pause", "nobody at all"],
            2,
            "error: the store has never heard of a task \"nobody at all\"\n",
        ),
        (
            &["cancel", "by hand"],
            1,
            "error: nothing of the task \"by hand\" runs or waits\n",
        ),
        (
            &["tasks", "--store", "memory:"],
            2,
            "error: the store memory: is within the memory of the process that runs the tasks: no other can look into it\n",
        ),
        (
            &["tasks", "--store", "sqlite:gone.db"],
            4,
            "gone.db\" does not exist, and was not to be created\n",
        ),
        (
            &["history", "--since", "yesterday"],
            2,
            "or how long ago, like 90m or 1d\n",
        ),
        (
            &["history", "--since", "2016-12-31T23:59:60Z"],
            2,
            "a leap second, :60, is no instant here",
        ),
        (
            &["history", "--until", "2026-01-01T01:00+05:00[Europe/Paris]"],
            2,
            "not a zone in brackets",
        ),
        (&["history", "--tz", "Mars/Olympus"], 2, "Mars/Olympus"),
        (&["tasks", "--file", "bad.toml"], 2, "bad.toml:2"),
    ];
    for (words, code, told) in cases {
        let said = say(folder, words);
        assert_eq!(said.code, Some(code), "{words:?}: {}", said.stderr);
        assert!(said.stderr.contains(told), "{words:?}: {}", said.stderr);
        assert_eq!(said.stdout, "", "{words:?}");
    }
    assert!(!folder.join("gone.db").exists());
    let state = say(folder, &["history", "--state", "done"]);
    assert_eq!(state.code, Some(2));
    assert!(
        state.stderr.contains("allowed is one of"),
        "{}",
        state.stderr
    );
}

#[test]
fn what_operators_see_has_no_hidden_characters_and_no_tasks_of_sexton_s_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let programs = two_programs(folder);
    wait_for_definition(folder, "ring");
    let note = "\u{202e}\u{9b}31m\u{200b}evil";
    let paused = say(folder, &["pause", "ring", "--note", note]);
    assert_eq!(paused.code, Some(0), "{}", paused.stderr);
    for words in [vec!["tasks"], vec!["tasks", "--json"]] {
        let said = say(folder, &words);
        let is_hidden = |c| c != '\n' && (char::is_control(c) || "\u{202e}\u{200b}".contains(c));
        assert!(!said.stdout.contains(is_hidden), "{:?}", said.stdout);
        assert!(said.stdout.contains("evil"), "{}", said.stdout);
        assert!(!said.stdout.contains("sexton:prune"), "{}", said.stdout);
    }
    assert_eq!(json(folder, &["tasks"])[2]["paused"]["note"], note);
    ask_until("the task that prunes is known", || {
        let all = say(folder, &["tasks", "--all"]);
        all.stdout.contains("sexton:prune").then_some(())
    });
    stop(programs);
    let shown = |words: &[&str]| {
        let records = json(folder, words);
        let records = records.as_array().unwrap().clone();
        let of = |record: &Value| record["task"].as_str().unwrap().starts_with("sexton:");
        records.iter().filter(|record| of(record)).count()
    };
    assert_eq!(shown(&["history", "--limit", "1000"]), 0);
}

#[test]
fn a_trigger_says_what_it_waits_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let programs = two_programs(folder);
    wait_for_definition(folder, "by hand");
    let said = say(folder, &["trigger", "by hand"]).stdout;
    assert!(said.ends_with("; 2 instances are up\n"), "{said}");
    let paused = say(folder, &["pause", "by hand"]);
    assert_eq!(paused.code, Some(0), "{}", paused.stderr);
    let said = say(folder, &["trigger", "by hand"]).stdout;
    let expected = "; the task is paused: it waits up to 1h to be resumed\n";
    assert!(said.ends_with(expected), "{said}");
    say(folder, &["resume", "by hand"]);
    stop(programs);
    let said = say(folder, &["trigger", "by hand", "--within", "2m"]).stdout;
    let expected = "; no instance is up: it waits up to 2m for one\n";
    assert!(said.ends_with(expected), "{said}");
}

#[test]
fn a_hundred_triggers_of_a_paused_task_wait_and_one_more_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let programs = two_programs(folder);
    wait_for_definition(folder, "by hand");
    assert_eq!(say(folder, &["pause", "by hand"]).code, Some(0));
    for _ in 0..100 {
        let said = say(folder, &["trigger", "by hand"]);
        assert_eq!(said.code, Some(0), "{}", said.stderr);
    }
    let refused = say(folder, &["trigger", "by hand"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stdout);
    assert_eq!(
        refused.stderr,
        "error: by hand has 100 executions that wait already, as many as may: resume the task if it is paused, let them run, or cancel some\n"
    );
    assert_eq!(say(folder, &["cancel", "by hand"]).code, Some(0));
    assert_eq!(say(folder, &["trigger", "by hand"]).code, Some(0));
    stop(programs);
}

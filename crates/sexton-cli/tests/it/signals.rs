//! SIGTERM and SIGINT drain, a second one does not wait, SIGHUP reads the file again.

use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use sqlx::{ConnectOptions, Executor};

use crate::program::{Ended, Program, ask_until, sexton, wait_until_gone};

/// Runs until something in the folder tells it to end, and leaves a word of it.
const UNTIL_TOLD: &str = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\n\
    shell = 'echo $$ > pid; : > begun; until test -e end; do sleep 0.05; done; echo done'\n";

fn begin(folder: &Path, grace: &str) -> Program {
    std::fs::write(folder.join("tasks.toml"), UNTIL_TOLD).unwrap();
    let mut program = Program::run(folder, &["tasks.toml", "--grace", grace]);
    program.began();
    ask_until("the command begins", || {
        folder.join("begun").exists().then_some(())
    });
    program
}

fn last(ended: &Ended) -> Value {
    ended.events().pop().unwrap()
}

#[test]
fn sigterm_and_sigint_let_what_runs_end() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = begin(folder.path(), "60s");
        program.signal(signal);
        program.wait("stopping", |_| true);
        std::fs::write(folder.path().join("end"), "").unwrap();
        let end = program.finished("t");
        assert_eq!(
            (&end["outcome"], &end["output"]),
            (&json!("succeeded"), &json!("done\n"))
        );
        let ended = program.ended();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        let last = last(&ended);
        assert_eq!(last["event"], "stopped");
        assert_eq!(last["cut_off"], json!([]));
        assert_eq!(last["all_settled"], true);
        let after = ended
            .events()
            .into_iter()
            .skip_while(|event| event["event"] != "stopping");
        assert!(after.into_iter().all(|event| event["event"] != "started"));
    }
}

#[test]
fn what_does_not_end_within_the_grace_is_cut_off_and_told() {
    let folder = tempfile::tempdir().unwrap();
    // Half of it is for what is cancelled.
    let program = begin(folder.path(), "10s");
    let ended = program.stop();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    let last = last(&ended);
    assert_eq!(last["cut_off"].as_array().unwrap().len(), 1, "{last}");
    let events = ended.events();
    let end = events.iter().find(|event| event["event"] == "finished");
    assert_eq!(end.unwrap()["outcome"], "cut_off");
    wait_until_command_is_gone(folder.path());
}

#[test]
fn what_ignores_sigterm_is_killed_and_told_within_a_short_grace() {
    let folder = tempfile::tempdir().unwrap();
    let stubborn = UNTIL_TOLD
        .replace("memory:", "sqlite:sexton.db")
        .replace("shell = '", "shell = 'trap \"\" TERM; ");
    std::fs::write(folder.path().join("tasks.toml"), stubborn).unwrap();
    let mut program = Program::run(folder.path(), &["tasks.toml", "--grace", "3s"]);
    program.began();
    ask_until("the command begins", || {
        folder.path().join("begun").exists().then_some(())
    });
    let ended = program.stop();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    // With the four seconds after SIGTERM that a command has of a longer grace, nothing would be
    // left to tell of it.
    let end = last(&ended);
    assert_eq!(end["event"], "stopped", "{end}");
    assert_eq!(end["cut_off"].as_array().map(Vec::len), Some(1), "{end}");
    let shown = sexton(folder.path(), ["history", "--file", "tasks.toml", "--json"]);
    let shown = { shown }.output().unwrap().stdout;
    let history: Value = serde_json::from_slice(&shown).unwrap();
    assert_eq!(history[0]["state"], "cut_off", "{history}");
    wait_until_command_is_gone(folder.path());
}

#[test]
fn nothing_is_tried_again_once_a_shutdown_has_begun() {
    let folder = tempfile::tempdir().unwrap();
    let failing = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\n\
        retry = { attempts = 3, backoff = \"10m\" }\nshell = 'exit 3'\noverlap = \"skip\"\n";
    std::fs::write(folder.path().join("tasks.toml"), failing).unwrap();
    let mut program = Program::run(folder.path(), &["tasks.toml", "--grace", "1h"]);
    program.wait("retried", |_| true);
    let ended = program.stop();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let events = ended.events();
    let end = events.iter().find(|event| event["event"] == "finished");
    let end = end.unwrap();
    assert_eq!(end["outcome"], "failed", "{end}");
    assert_eq!(last(&ended)["cut_off"], json!([]));
}

#[test]
fn a_second_signal_does_not_wait_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = begin(folder.path(), "1h");
    program.signal(Signal::INT);
    program.wait("stopping", |_| true);
    // One that comes at once is taken for the same, and nobody tells when that is over.
    std::thread::sleep(Duration::from_millis(400));
    program.signal(Signal::INT);
    let ended = program.ended();
    assert_eq!(ended.status.code(), Some(1), "{ended:?}");
    assert_eq!(last(&ended)["event"], "stopped at once");
    wait_until_command_is_gone(folder.path());
}

/// The store is locked by another process all the while, so that it is told of nothing.
#[tokio::test]
async fn a_grace_that_is_over_is_told_apart_from_a_second_signal() {
    for format in ["json", "text"] {
        let folder = tempfile::tempdir().unwrap();
        let text = UNTIL_TOLD.replace("memory:", "sqlite:sexton.db");
        std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
        let words = ["run", "--log-format", format, "tasks.toml", "--grace", "2s"];
        let program = Program::start(&mut sexton(folder.path(), words));
        ask_until("the command begins", || {
            folder.path().join("begun").exists().then_some(())
        });
        let options = sqlx::sqlite::SqliteConnectOptions::new();
        let options = options.filename(folder.path().join("sexton.db"));
        let mut other = options.connect().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        program.signal(Signal::TERM);
        let ended = program.ended();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let line = ended.lines.last().unwrap();
        if format == "json" {
            let last = last(&ended);
            assert_eq!(last["event"], "grace over", "{last}");
            assert_eq!(last["all_settled"], false, "{last}");
        } else {
            let told =
                "stopped as the grace was over: the store may not know how the last runs ended";
            assert!(line.contains(told), "{line}");
        }
        wait_until_command_is_gone(folder.path());
    }
}

fn wait_until_command_is_gone(folder: &Path) {
    wait_until_gone(&std::fs::read_to_string(folder.join("pid")).unwrap());
}

fn task(name: &str, rest: &str) -> String {
    format!("[[task]]\nname = \"{name}\"\nevery = \"200ms\"\n{rest}\n")
}

#[test]
fn sighup_changes_what_changed_and_leaves_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.toml");
    let store = "[store]\nurl = \"memory:\"\n";
    let stays = task("stays", "shell = 'echo same'");
    let before = task("changes", "shell = 'echo before'");
    let goes = task("goes", "shell = 'echo here'");
    let mut program = Program::run_file(folder.path(), &format!("{store}{before}{stays}{goes}"));
    for name in ["changes", "stays", "goes"] {
        program.finished(name);
    }

    let after = task("changes", "shell = 'echo after'");
    let comes = task("comes", "shell = 'echo new'");
    std::fs::write(&path, format!("{store}# moved\n{stays}{after}{comes}")).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    assert_eq!(reloaded["added"], json!(["comes"]));
    assert_eq!(reloaded["replaced"], json!(["changes"]));
    assert_eq!(reloaded["removed"], json!(["goes"]));
    assert_eq!(reloaded["errors"], json!([]));
    program.wait("finished", |event| event["output"] == "after\n");
    program.wait("finished", |event| event["output"] == "new\n");
    program.wait("finished", |event| event["output"] == "same\n");
    // What was claimed ahead by then, by no more than the lead, may still run.
    let last_ms = instant_ms(&reloaded["at"]) + LEAD_MS;
    program.wait("finished", |event| {
        instant_ms(&event["tick"]) > last_ms + LEAD_MS
    });
    let events = program.stop().events();
    for gone in events.iter().filter(|event| event["task"] == "goes") {
        assert!(
            instant_ms(&gone["tick"]) <= last_ms,
            "{gone} after {reloaded}"
        );
    }
}

const LEAD_MS: i64 = 500;

fn instant_ms(value: &Value) -> i64 {
    let instant: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    instant.as_millisecond()
}

#[test]
fn a_bad_file_is_reported_and_the_tasks_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.toml");
    let good = format!(
        "[store]\nurl = \"memory:\"\n{}",
        task("t", "shell = 'echo here'")
    );
    let mut program = Program::run_file(folder.path(), &good);
    program.finished("t");
    std::fs::write(&path, good.replace("200ms", "200 parsecs")).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    let errors = reloaded["errors"].to_string();
    assert!(
        errors.contains("200 parsecs") && errors.contains("tasks.toml:5"),
        "{errors}"
    );
    program.finished("t");

    std::fs::remove_file(&path).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    assert!(
        reloaded["errors"].to_string().contains("tasks.toml"),
        "{reloaded}"
    );
    program.finished("t");

    std::fs::write(&path, &good).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    for field in ["added", "replaced", "removed", "errors"] {
        assert_eq!(reloaded[field], json!([]), "{field}");
    }
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn sighup_is_told_to_people_too() {
    let folder = tempfile::tempdir().unwrap();
    let good = format!(
        "[store]\nurl = \"memory:\"\n{}",
        task("t", "shell = 'true'")
    );
    std::fs::write(folder.path().join("tasks.toml"), good).unwrap();
    let mut program = Program::start(&mut sexton(folder.path(), ["run", "tasks.toml"]));
    program.wait_line("a run", |line| line.ends_with("started").then_some(()));
    program.signal(Signal::HUP);
    let line = program.wait_line("the reload", |line| {
        line.contains("file read again").then(|| line.to_owned())
    });
    assert!(line.ends_with("file read again, nothing changed"), "{line}");
}

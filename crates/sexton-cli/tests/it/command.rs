//! What a command gets, what is kept of what it says, and that nothing of it is left behind.

use std::path::Path;

use rustix::process::Pid;
use serde_json::Value;
use sexton::SqliteLockManager;
use sexton_core::lock::{ExecutionState, HistoryQuery, LockManager, Outcome, Settlement};
use tempfile::TempDir;

use crate::program::{Program, sexton, wait_until_gone};

/// The first end of a task that is due all the time, with these lines in its table.
fn first_end(folder: &Path, task: &str) -> Value {
    let mut program = Program::run_file(folder, &one_task(task));
    let end = program.finished("t");
    let ended = program.stop();
    assert!(ended.status.success(), "{ended:?}");
    end
}

/// The first run that was cut short by its timeout after it had begun to speak. One that the machine was too slow for
/// has nothing to show.
fn first_timeout(folder: &Path, task: &str) -> Value {
    let task = format!("timeout = \"500ms\"\n{task}");
    let mut program = Program::run_file(folder, &one_task(&task));
    let end = program.wait("finished", |event| event.get("output").is_some());
    assert_eq!(end["outcome"], "timed_out", "{end}");
    end
}

fn one_task(task: &str) -> String {
    format!(
        "[store]\nurl = \"memory:\"\n[[task]]\nname = \"t\"\nevery = \"200ms\"\noverlap = \"skip\"\n{task}\n"
    )
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn output(end: &Value) -> &str {
    end["output"]
        .as_str()
        .unwrap_or_else(|| panic!("said nothing: {end}"))
}

#[test]
fn a_command_is_told_of_its_run() {
    let folder = folder();
    let task = "concurrency = 2\ncommand = [\"sh\", \"-c\", \"env | grep ^SEXTON_ | sort\"]";
    let mut program = Program::run_file(folder.path(), &one_task(task));
    let instance = program.began();
    let granted = program.wait("granted", |event| event["index"] == 2);
    let end = program.wait("finished", |event| {
        event["tick"] == granted["tick"] && event["index"] == 2
    });
    let tick = granted["tick"].as_str().unwrap();
    assert_eq!(
        output(&end),
        format!(
            "SEXTON_ATTEMPT=1\nSEXTON_CONCURRENCY=2\nSEXTON_CONCURRENCY_INDEX=2\nSEXTON_FENCE={}\n\
             SEXTON_INSTANCE={instance}\nSEXTON_TASK=t\nSEXTON_TICK={tick}\n",
            granted["fence"]
        )
    );
    let (second, fraction) = tick.split_once('.').unwrap();
    assert_eq!((second.len(), fraction.len()), (19, 4), "{tick}");
    assert!(fraction.ends_with('Z'), "{tick}");
}

#[test]
fn an_argv_goes_through_no_shell() {
    let end = first_end(
        folder().path(),
        r#"command = ["printf", "%s|", "a  b", "$HOME", "*", "", "$(id)", "é"]"#,
    );
    assert_eq!(output(&end), "a  b|$HOME|*||$(id)|é|");
}

#[test]
fn a_shell_line_goes_through_the_shell_and_reads_nothing() {
    let end = first_end(
        folder().path(),
        r#"shell = "cat; for word in a b; do printf '%s,' \"$word\"; done; echo $((6 * 7))""#,
    );
    assert_eq!(output(&end), "a,b,42\n");
}

#[test]
fn the_folder_is_the_files_own_and_the_environment_is_added_to() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("below")).unwrap();
    let real = folder.path().canonicalize().unwrap();
    let text = "[defaults]\nenv = { A = \"default\", B = \"default\" }\n".to_owned()
        + &one_task("env = { B = \"own ${WORD}\" }\nshell = 'pwd; echo \"$A, $B, $WORD\"'")
        + "[[task]]\nname = \"u\"\nevery = \"200ms\"\ncwd = \"below\"\ncommand = [\"pwd\"]\n";
    std::fs::write(folder.path().join("tasks.toml"), text).unwrap();
    let mut command = sexton(Path::new("/"), ["run", "--log-format", "json"]);
    command
        .arg(folder.path().join("tasks.toml"))
        .env("WORD", "secret");
    let mut program = Program::start(&mut command);
    let end = program.finished("t");
    assert_eq!(
        output(&end),
        format!("{}\ndefault, own secret, secret\n", real.display())
    );
    let end = program.finished("u");
    assert_eq!(output(&end), format!("{}/below\n", real.display()));
}

#[test]
fn how_a_command_failed_is_told() {
    for (task, error) in [
        ("shell = 'echo no; exit 7'", "exit status 7"),
        ("shell = 'kill -9 $$'", "ended by SIGKILL"),
        (
            "command = [\"no-such-program\", \"${PATH}\"]",
            "cannot start \"no-such-program\": No such file or directory (os error 2)",
        ),
        (
            "cwd = \"not-there\"\ncommand = [\"true\"]",
            "cannot start \"true\": its folder ./not-there is not there",
        ),
    ] {
        let end = first_end(folder().path(), task);
        assert_eq!(end["outcome"], "failed", "{task}");
        assert_eq!(end["error"], error, "{task}");
    }
}

#[test]
fn a_command_that_failed_is_tried_again_within_its_run() {
    let folder = folder();
    let task = "retry = { attempts = 3, backoff = \"1ms\" }\n\
                shell = 'echo x >> tries; test $(wc -l < tries) = 3'";
    let mut program = Program::run_file(folder.path(), &one_task(task));
    for retry in 1..=2 {
        let event = program.wait("retried", |_| true);
        assert_eq!(event["retry"], retry);
        assert_eq!(event["error"], "exit status 1");
    }
    assert_eq!(program.finished("t")["outcome"], "succeeded");
}

/// Ends once nothing runs under this process id any more. What is dead and not yet waited for does not run.
#[test]
fn a_timeout_takes_the_whole_group_down() {
    let end = first_timeout(folder().path(), "shell = 'sleep 60 & echo $!; wait'");
    wait_until_gone(output(&end));
}

#[test]
fn who_does_not_listen_is_killed() {
    let task = "shell = 'trap \"\" TERM; echo $$; while :; do sleep 1; done'";
    let end = first_timeout(folder().path(), task);
    wait_until_gone(output(&end));
}

#[test]
fn a_grandchild_that_does_not_listen_is_killed_though_its_parent_listened() {
    let task = "shell = '(trap \"\" TERM; echo ready; while :; do sleep 1; done) & wait'";
    let task = task.replace("echo ready", "sh -c \"echo \\$PPID\"");
    let end = first_timeout(folder().path(), &task);
    wait_until_gone(output(&end));
}

#[test]
fn who_listens_may_say_its_last_words() {
    // The shell itself tells of its sleep, which the signal ends as well.
    let task = "shell = 'exec 2> /dev/null; trap \"echo last words; exit 0\" TERM; echo ready; \
                while :; do sleep 0.05; done'";
    let end = first_timeout(folder().path(), task);
    assert_eq!(output(&end), "ready\nlast words\n");
}

#[test]
fn what_is_left_in_the_background_holds_nothing_up() {
    let end = first_end(folder().path(), "shell = 'sleep 30 & echo $!'");
    assert_eq!(end["outcome"], "succeeded");
    let pid: i32 = output(&end).trim().parse().unwrap();
    // It is its own affair, until this test ends it.
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), rustix::process::Signal::KILL)
        .unwrap();
}

#[tokio::test]
async fn the_end_of_what_is_said_is_kept_in_the_history() {
    let folder = folder();
    let text = "[[task]]\nname = \"t\"\nevery = \"200ms\"\n\
                shell = 'head -c 3000000 /dev/zero | tr \"\\0\" x; printf \"\\nerr\\377é\\n\" >&2; exit 3'\n";
    let mut program = Program::run_file(folder.path(), text);
    let end = program.finished("t");
    let ended = program.stop();
    assert!(ended.status.success(), "{ended:?}");
    let manager = SqliteLockManager::open(folder.path().join("sexton.db"))
        .await
        .unwrap();
    let history = manager.history(&HistoryQuery::default()).await.unwrap();
    let record = history
        .value
        .into_iter()
        .find(|record| record.execution.tick.to_string() == end["tick"].as_str().unwrap())
        .unwrap();
    assert_eq!(record.state, ExecutionState::Ended(Outcome::Failed));
    assert_eq!(record.error.as_deref(), Some("exit status 3"));
    let output = record.output.unwrap();
    assert!(output.len() <= Settlement::OUTPUT_BYTES_MAX);
    assert!(output.len() > Settlement::OUTPUT_BYTES_MAX / 2);
    assert!(output.starts_with("[29"), "{}", &output[..60]);
    assert!(
        output.contains("\nerr\u{fffd}é\n"),
        "{}",
        &output[output.len() - 60..]
    );
}

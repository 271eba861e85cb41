//! `sexton instances`, against a store whose tasks real programs run.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Program, ask_until, sexton};

const FILE: &str = r#"
[[task]]
name = "long"
cron = "0 0 1 1 *"
shell = "exec sleep 600"
"#;

fn shown(folder: &Path, words: &[&str]) -> String {
    let output = sexton(folder, words).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn instances(folder: &Path) -> Vec<Value> {
    serde_json::from_str(&shown(folder, &["instances", "--json"])).unwrap()
}

/// Given: two instances, one of which runs a task. When: that one is killed, and the other stops.
/// Then: the one is gone once its presence is over, and the other is not shown any more.
#[test]
fn each_instance_is_present_until_it_is_gone_or_has_left() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut first = Program::run_file(folder, FILE);
    let killed = first.began();
    ask_until("the store knows the task", || {
        let mut trigger = sexton(folder, ["trigger", "long"]);
        trigger.output().unwrap().status.success().then_some(())
    });
    first.wait("started", |event| event["task"] == "long");
    let mut second = Program::run(folder, &["tasks.toml"]);
    let stopped = second.began();

    let both = ask_until("the store knows both, and what runs", || {
        let both = instances(folder);
        let runs = |one: &Value| one["running"] == 1;
        (both.len() == 2 && both.iter().any(runs)).then_some(both)
    });
    for instance in &both {
        assert_eq!(instance["state"], "present", "{instance}");
        assert_eq!(instance["version"], env!("CARGO_PKG_VERSION"));
        assert!(instance["clock_offset_ms"].is_i64(), "{instance}");
        let at = |name: &str| instance[name].as_str().unwrap().parse().unwrap();
        let (since, seen): (jiff::Timestamp, jiff::Timestamp) = (at("since"), at("seen_at"));
        assert!(since <= seen, "{instance}");
        let runs = u64::from(instance["instance"] == killed.as_str());
        assert_eq!(instance["running"], runs, "{instance}");
    }
    let table = shown(
        folder,
        &["instances", "--tz", "UTC", "--file", "tasks.toml"],
    );
    let states = table
        .lines()
        .skip(1)
        .map(|line| line.ends_with("  present"));
    assert_eq!(states.collect::<Vec<_>>(), [true, true], "{table}");

    first.signal(Signal::KILL);
    ask_until("the one that was killed is gone", || {
        let both = instances(folder);
        let one = both.iter().find(|one| one["instance"] == killed.as_str());
        (one.unwrap()["state"] == "gone").then_some(())
    });
    assert!(second.stop().status.success());
    let left = instances(folder);
    let is_left = |id: &str| left.iter().any(|one| one["instance"] == id);
    assert_eq!((is_left(&killed), is_left(&stopped)), (true, false));
}

//! One crontab on several hosts: what they share, and what they are told of where they do not.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::{Program, ask_until, sexton};

/// A host whose crontab is called `app`, with a store that the hosts share.
struct Host<'h> {
    shared: &'h Path,
    name: &'h str,
}

impl Host<'_> {
    fn write(&self, text: &str) {
        let folder = self.shared.join(self.name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("app"), text).unwrap();
    }

    fn run(&self, text: &str) -> Program {
        self.write(text);
        Program::run(
            &self.shared.join(self.name),
            &["--store", "sqlite:../shared.db", "--crontab", "app"],
        )
    }

    /// Waits until the store knows a task: definitions are told in the background.
    fn knows(&self, task: &str) {
        ask_until(&format!("{task} is known"), || {
            self.operates(&["tasks", "--all"])
                .contains(task)
                .then_some(())
        });
    }

    /// A command for operators about this host's crontab.
    fn operates(&self, arguments: &[&str]) -> String {
        let folder = self.shared.join(self.name);
        let output = sexton(&folder, arguments)
            .args(["--store", "sqlite:../shared.db"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn instances_that_run_other_lines_of_a_crontab_are_told() {
    let shared = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| Host {
        shared: shared.path(),
        name,
    });
    let text = "0 0 1 1 * /srv/v1/backup\n";
    let mut first = one.run(text);
    let id = first.began();
    one.knows("sexton:crontab app");
    // The same lines, whatever else the file says.
    let mut second = two.run(&format!("# mine\nA=b\n{text}"));
    second.began();
    two.write("0 0 1 1 * /srv/v2/backup\n0 0 1 1 * other\n");
    second.signal(Signal::HUP);
    let differs = second.wait("crontab differs", |_| true);
    assert_eq!(
        (&differs["crontab"], &differs["by"]),
        (&"app".into(), &Value::from(id))
    );
    assert!(differs["theirs"].as_str().unwrap().starts_with("1 line "));
    assert!(differs["ours"].as_str().unwrap().starts_with("2 lines "));
    // The first has not started again, and hears of it all the same, within a minute.
    let differs = first.wait("crontab differs", |_| true);
    assert!(differs["theirs"].as_str().unwrap().starts_with("2 lines "));
    // Edited back, the second hears nothing but that it was itself.
    two.write(text);
    second.signal(Signal::HUP);
    second.wait("reloaded", |_| true);
    let said = second.stop();
    let count = said
        .events()
        .iter()
        .filter(|event| event["event"] == "crontab differs")
        .count();
    assert_eq!(count, 1);
    // What an instance that has left ran is no other's.
    first.stop();
    let mut third = two.run("0 0 1 1 * /srv/v3/backup\n");
    third.began();
    let said = third.stop();
    assert!(
        said.events()
            .iter()
            .all(|event| event["event"] != "crontab differs")
    );
}

#[test]
fn instances_whose_named_line_differs_are_told() {
    let shared = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| Host {
        shared: shared.path(),
        name,
    });
    let line =
        |version: u32| format!("# sexton: name = \"backup\"\n0 0 1 1 * /srv/v{version}/backup\n");
    let mut first = one.run(&line(1));
    first.began();
    one.knows("backup");
    let mut second = two.run(&line(2));
    let differs = second.wait("definition differs", |_| true);
    assert_eq!(differs["task"], "backup");
    // It is one task, so that the crontabs are alike.
    let said = second.stop();
    assert!(
        said.events()
            .iter()
            .all(|event| event["event"] != "crontab differs")
    );
    first.stop();
}

#[test]
fn operators_name_crontabs_too() {
    let shared = tempfile::tempdir().unwrap();
    let [one, two] = ["one", "two"].map(|name| Host {
        shared: shared.path(),
        name,
    });
    let mut first = one.run("0 0 1 1 * backup\n");
    first.began();
    // A user that this machine does not have is no obstacle to looking.
    two.write("0 0 1 1 * report\n");
    let mut second = two.run("0 0 1 1 * report\n");
    second.began();
    one.knows("app: backup [");
    one.knows("app: report [");
    let ours = one.operates(&["tasks", "--crontab", "app"]);
    assert!(
        ours.contains("app: backup [") && !ours.contains("report"),
        "{ours}"
    );
    assert!(!ours.contains("sexton:crontab"), "{ours}");
    let json = one.operates(&["tasks", "--crontab", "app", "--json"]);
    let tasks: Value = serde_json::from_str(&json).unwrap();
    assert!(
        tasks[0]["next"].as_str().unwrap().contains("-01-01T"),
        "{tasks}"
    );
    one.write("0 0 1 1 * no-such-user backup\n0 0 1 1 * nobody x\n");
    let arguments = ["tasks", "--crontab", "app", "--crontab-form", "system"];
    one.operates(&arguments);
    let name = tasks[0]["task"].as_str().unwrap();
    one.operates(&["pause", name, "--crontab", "app"]);
    let paused = one.operates(&["tasks"]);
    assert!(paused.contains("by "), "{paused}");
    first.stop();
    second.stop();
}

//! Whose time zone rules count: which they are, and what is told where they are not those of other
//! replicas, or cannot be read.

mod machines;

use std::path::Path;

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::{Value, json};
use sexton_testkit::tzif::slim;

use crate::program::{Program, sexton};
use crate::ran::{Folder, Ran};

const CENTRAL_EUROPE: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// Summer time ends a week earlier.
const A_WEEK_EARLIER: &str = "CET-1CEST,M3.5.0,M10.4.0/3";

const TASKS: &str = "[[task]]\nname = \"digest\"\ncron = \"30 2 * * *\"\ntimezone = \"Europe/Paris\"\nshell = \"true\"\n";

/// A folder with zone rules in `zones`, which are the machine's.
fn machine(files: &[(&str, &[u8])]) -> Folder {
    let folder = Folder::new().file("zones/Etc/GMT", slim("GMT0"));
    let folder = files.iter().fold(folder, |folder, (name, content)| {
        folder.file(&format!("zones/{name}"), content)
    });
    let zones = folder.path().join("zones").display().to_string();
    folder.variable("TZDIR", &zones)
}

/// The program's words without what differs from test to test.
fn plain(folder: &Folder, text: &str) -> String {
    text.replace(&folder.path().display().to_string(), "DIR")
}

fn shown(folder: &Folder, ran: &Ran) -> String {
    plain(folder, &format!("{ran}\n{}", ran.rules))
}

/// `sexton run`, where `TZDIR` is a folder of rules.
fn run(folder: &Path, zones: &str, arguments: &[&str]) -> Program {
    let mut command = sexton(folder, ["run", "--log-format", "json"]);
    command.args(arguments).env("TZDIR", folder.join(zones));
    Program::start(&mut command)
}

#[test]
fn two_replicas_with_other_rules_are_told_at_the_start_of_the_second() {
    let folder = Folder::new()
        .file("old/Europe/Paris", slim(CENTRAL_EUROPE))
        .file("new/Europe/Paris", slim(A_WEEK_EARLIER))
        .file("tasks.toml", TASKS);
    let mut first = run(folder.path(), "old", &["tasks.toml"]);
    let began = first.wait("began", |_| true);
    let rules = |began: &Value| began["tz_data"]["zones"][0]["fingerprint"].clone();
    let theirs = rules(&began);
    assert_eq!(began["tz_data"]["source"], "machine");
    crate::program::ask_until("the first has told the store", || {
        let ran = folder.run(&["tasks", "--json"]);
        (ran.code == Some(0) && ran.stdout.contains("digest")).then_some(())
    });
    let mut second = run(folder.path(), "new", &["tasks.toml"]);
    let began = second.wait("began", |_| true);
    let ours = rules(&began);
    assert_ne!(theirs, ours);
    let differs = second.wait("definition differs", |_| true);
    let words = |fingerprint: &Value| fingerprint.as_str().unwrap().to_owned();
    let (theirs, ours) = (words(&theirs), words(&ours));
    let expected = format!("Europe/Paris there {theirs}, here {ours}");
    assert_eq!(
        (&differs["task"], &differs["zone_rules"]),
        (&json!("digest"), &json!(expected))
    );

    // `tasks` tells it, too.
    let looked = |zones: &str| {
        let mut command = folder.command(&["tasks"]);
        command.env("TZDIR", folder.path().join(zones));
        Ran::of(command.output().unwrap())
    };
    let (old, new) = (looked("old"), looked("new"));
    assert_eq!(
        old.stderr,
        format!(
            "warning: digest is defined by other rules of Europe/Paris ({ours}) than those here ({theirs})\n"
        )
    );
    assert_eq!(new.stderr, "");
    assert!(new.rules.contains(&ours), "{}", new.rules);
    let listed = folder.run(&["tasks", "--json"]).json();
    assert_eq!(
        listed[0]["zone_rules"],
        json!([{"zone": "Europe/Paris", "fingerprint": ours}])
    );
    assert!(first.stop().status.success() && second.stop().status.success());
}

#[test]
fn people_are_told_in_words_what_to_do_about_other_rules() {
    let folder = Folder::new()
        .file("old/Europe/Paris", slim(CENTRAL_EUROPE))
        .file("new/Europe/Paris", slim(A_WEEK_EARLIER))
        .file("tasks.toml", TASKS);
    let mut first = run(folder.path(), "old", &["tasks.toml"]);
    first.began();
    crate::program::ask_until("the first has told the store", || {
        let ran = folder.run(&["tasks", "--json"]);
        (ran.code == Some(0) && ran.stdout.contains("digest")).then_some(())
    });
    let mut command = sexton(folder.path(), ["run", "tasks.toml"]);
    let mut second = Program::start(command.env("TZDIR", folder.path().join("new")));
    let line = |second: &mut Program, part: &str| {
        second.wait_line(part, |line| line.contains(part).then(|| line.to_owned()))
    };
    let rules = line(&mut second, "time zone rules: ");
    assert!(
        rules.contains("time zone rules: this machine's, of unknown version; Europe/Paris "),
        "{rules}"
    );
    let other = line(
        &mut second,
        "goes by other time zone rules: Europe/Paris there ",
    );
    assert!(other.contains("digest: instance "), "{other}");
    line(&mut second, "start all with --tz-data bundled");
    assert!(first.stop().status.success() && second.stop().status.success());
}

#[test]
fn the_rules_that_count_are_chosen_by_a_flag() {
    let folder = machine(&[("Europe/Paris", &slim("CET-1"))]);
    let summer = |folder: &Folder, source: &[&str]| {
        let next = [
            "next",
            "0 9 * * *",
            "--tz",
            "Europe/Paris",
            "--from",
            "2026-07-01",
            "--count",
            "1",
        ];
        folder.run(&[&next, source].concat())
    };
    assert_snapshot!(shown(&folder, &summer(&folder, &["--tz-data", "machine"])), @r#"
    exit 0
    --- stdout
    Wed 2026-07-01 09:00:00 +01:00  2026-07-01T08:00:00.000Z

    time zone rules: this machine's, of unknown version; Europe/Paris 42115e611c6f7e70
    "#);
    // Nobody knows how old the machine's are, so they are taken to be the newest.
    assert_eq!(
        summer(&folder, &[]).stdout,
        summer(&folder, &["--tz-data", "machine"]).stdout
    );
    let bundled = summer(&folder, &["--tz-data", "bundled"]);
    assert_snapshot!(bundled, @r#"
    exit 0
    --- stdout
    Wed 2026-07-01 09:00:00 +02:00  2026-07-01T07:00:00.000Z
    "#);
    assert!(
        bundled.rules.starts_with("time zone rules: built in, 20"),
        "{}",
        bundled.rules
    );

    let folder = folder.file("zones/tzdata.zi", "# version 2001a\n");
    let newest = folder.run(&[
        "next",
        "0 9 * * *",
        "--tz",
        "Europe/Paris",
        "--from",
        "2026-07-01",
        "--count",
        "1",
    ]);
    assert_eq!(newest.stdout, bundled.stdout);
    assert!(
        newest.rules.contains("(this machine's are 2001a)"),
        "{}",
        newest.rules
    );
    assert_snapshot!(summer(&folder, &["--tz-data", "latest"]), @r#"
    exit 2
    --- stderr
    error: invalid value 'latest' for '--tz-data <SOURCE>': "latest" is no source of zone rules; allowed is newest, machine or bundled

    For more information, try '--help'.
    "#);
}

#[test]
fn every_command_says_whose_rules_count() {
    let folder = machine(&[("Europe/Paris", &slim(CENTRAL_EUROPE))]).file("tasks.toml", TASKS);
    let check = folder.run(&["check", "tasks.toml"]);
    assert_snapshot!(shown(&folder, &check), @r#"
    exit 0
    --- stdout
    tasks.toml: 1 task, no errors

    time zone rules: this machine's, of unknown version; Europe/Paris ddc2d7f3595cfd1e
    "#);
    let explain = [
        "explain",
        "30 2 * * *",
        "--tz",
        "Europe/Paris",
        "--from",
        "2026-01-01",
    ];
    assert_eq!(folder.run(&explain).rules, check.rules);
    let json = folder
        .run(&[&explain, &["--json"] as &[&str]].concat())
        .json();
    let fingerprint = check.rules.trim().rsplit(' ').next().unwrap();
    let mut told = json["tz_data"].clone();
    assert!(told["bundled_version"].take().is_string());
    assert_eq!(
        told,
        json!({
            "source": "machine",
            "version": null,
            "machine_version": null,
            "bundled_version": null,
            "zones": [{"zone": "Europe/Paris", "fingerprint": fingerprint}],
        })
    );
    // Where no zone has a part, there is nothing to say.
    assert_eq!(folder.run(&["next", "30 2 * * *"]).rules, "");
}

#[test]
fn a_broken_or_missing_zone_comes_from_the_built_in_rules_and_that_is_told() {
    let folder = machine(&[("Europe/Paris", b"TZif2, or what is left of it")]);
    let folder = folder.file("tasks.toml", TASKS);
    assert_snapshot!(plain(&folder, &folder.run(&["check", "tasks.toml"]).to_string()), @r#"
    exit 0
    --- stdout
    tasks.toml: 1 task, no errors, 1 warning

    --- stderr
    warning: time zone Europe/Paris: DIR/zones/Europe/Paris cannot be read as zone rules; the built-in rules count for it
      help: replicas with other rules compute other ticks: install the system's time zone data, on Debian tzdata and, for old names, tzdata-legacy
    "#);
    let next = [
        "next",
        "0 9 * * *",
        "--tz",
        "Europe/London",
        "--from",
        "2026-07-01",
        "--count",
        "1",
    ];
    assert_snapshot!(plain(&folder, &folder.run(&next).to_string()), @r#"
    exit 0
    --- stdout
    Wed 2026-07-01 09:00:00 +01:00  2026-07-01T08:00:00.000Z

    --- stderr
    warning: time zone Europe/London: DIR/zones does not have it; the built-in rules count for it
      help: replicas with other rules compute other ticks: install the system's time zone data, on Debian tzdata and, for old names, tzdata-legacy
    "#);

    let mut program = run(
        folder.path(),
        "zones",
        &["tasks.toml", "--store", "memory:"],
    );
    let began = program.wait("began", |_| true);
    let warnings = began["warnings"].to_string();
    assert!(
        warnings.contains("cannot be read as zone rules; the built-in rules count for it"),
        "{began}"
    );
    assert!(program.stop().status.success());
}

#[test]
fn a_folder_of_rules_that_is_none_is_told() {
    let folder = Folder::new()
        .file("tasks.toml", TASKS)
        .variable("TZDIR", "/nowhere/at/all");
    let ran = folder.run(&["check", "tasks.toml"]);
    assert!(
        ran.stderr
            .starts_with("warning: TZDIR=\"/nowhere/at/all\" is no folder: "),
        "{ran}"
    );
}

#[test]
fn a_folder_of_rules_that_is_empty_is_told() {
    let folder = Folder::new().file("zones/README", "nothing here");
    std::fs::remove_file(folder.path().join("zones/README")).unwrap();
    let zones = folder.path().join("zones").display().to_string();
    let folder = folder.file("tasks.toml", TASKS).variable("TZDIR", &zones);
    let ran = folder.run(&["check", "tasks.toml"]);
    assert!(
        ran.stderr.starts_with(&format!("warning: {zones}: ")),
        "{ran}"
    );
    assert!(
        ran.rules.contains("(this machine has none); Europe/Paris "),
        "{}",
        ran.rules
    );
}

#[test]
fn names_that_mean_another_zone_on_each_machine_are_refused() {
    let folder = Folder::new();
    let refused = [
        "localtime",
        "posixrules",
        "Factory",
        "posix/Europe/Paris",
        "right/UTC",
    ];
    let refused = refused.map(|name| folder.run(&["next", "@daily", "--tz", name]).stderr);
    assert_snapshot!(refused.concat(), @r#"
    error: no time zone is called "localtime"; write the zone's IANA name, such as Europe/Paris
    error: no time zone is called "posixrules"; write the zone's IANA name, such as Europe/Paris
    error: no time zone is called "Factory"; write the zone's IANA name, such as Europe/Paris
    error: no time zone is called "posix/Europe/Paris"; write Europe/Paris
    error: no time zone is called "right/UTC"; write UTC
    "#);
}

#[test]
fn rules_that_were_replaced_count_when_the_file_is_read_again() {
    let folder = Folder::new()
        .file("zones/Europe/Paris", slim(CENTRAL_EUROPE))
        .file("tasks.toml", TASKS);
    let mut program = run(
        folder.path(),
        "zones",
        &["tasks.toml", "--store", "memory:"],
    );
    program.began();
    program.signal(Signal::HUP);
    let told = program.wait("reloaded", |_| true);
    assert_eq!(told["replaced"], json!([]));
    let folder = folder.file("zones/Europe/Paris", slim(A_WEEK_EARLIER));
    program.signal(Signal::HUP);
    let told = program.wait("reloaded", |_| true);
    assert_eq!(told["replaced"], json!(["digest"]));
    assert!(program.stop().status.success());
    drop(folder);
}

#[test]
fn times_of_the_history_are_shown_by_the_rules_that_were_chosen() {
    let folder = Folder::new()
        .file("zones/Europe/Paris", slim("FIVE-5"))
        .file("tasks.toml", TASKS.replace("30 2 * * *", "* * * * * *"));
    let mut program = run(folder.path(), "zones", &["tasks.toml"]);
    program.finished("digest");
    assert!(program.stop().status.success());
    let shown = |source: &str, zone: &str| {
        let arguments = ["history", "--limit", "1", "--tz", zone, "--tz-data", source];
        let mut command = folder.command(&arguments);
        command.env("TZDIR", folder.path().join("zones"));
        Ran::of(command.output().unwrap())
    };
    let [machine, fixed, bundled] = [
        shown("machine", "Europe/Paris"),
        shown("machine", "Etc/GMT-5"),
        shown("bundled", "Europe/Paris"),
    ]
    .map(|ran| ran.stdout);
    assert_eq!(machine, fixed);
    assert_ne!(machine, bundled);
    assert_eq!(shown("machine", "Europe/Pariss").code, Some(2));
}

//! `sexton check`.

use insta::assert_snapshot;

use crate::ran::Folder;

const GOOD: &str = r#"
[[task]]
name = "digest"
cron = "30 9 * * MON-FRI"
timezone = "Europe/Paris"
command = ["/bin/true"]

[[task]]
name = "ping"
every = "90s"
http = { url = "http://127.0.0.1:1/", headers = { Authorization = "Bearer ${TOKEN}" } }
"#;

#[test]
fn a_good_file_is_told_in_a_line() {
    let folder = Folder::new()
        .file("tasks.toml", GOOD)
        .variable("TOKEN", "hunter2");
    assert_snapshot!(folder.run(&["check", "tasks.toml"]), @r#"
    exit 0
    --- stdout
    tasks.toml: 2 tasks, no errors
    "#);
}

#[test]
fn checking_starts_and_leaves_nothing() {
    let touching = r#"[[task]]
        name = "touch"
        every = "1ms"
        command = ["touch", "touched"]"#;
    let folder = Folder::new().file("tasks.toml", touching);
    let ran = folder.run(&["check", "tasks.toml"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let left: Vec<_> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    assert_eq!(left, ["tasks.toml"]);
}

#[test]
fn a_bad_file_has_all_its_errors_on_standard_error() {
    let bad = r#"[store]
url = "etcd://127.0.0.1/"

[[task]]
name = "digest"
corn = "30 9 * * MON-FRI"
command = ["/bin/true"]

[[task]]
name = "digest"
cron = "61 * * * *"
concurrency = 0
shell = "true"

[[task]]
name = "ping"
every = "90s"
http = { url = "http://127.0.0.1:1/", headers = { Authorization = "Bearer ${TOKEN}" } }
"#;
    let folder = Folder::new().file("tasks.toml", bad);
    assert_snapshot!(folder.run(&["check", "tasks.toml"]), @r#"
    exit 2
    --- stderr
    error: unknown kind of store `etcd:`
     --> tasks.toml:2:7, field `store.url`
      |
    2 | url = "etcd://127.0.0.1/"
      |       ^^^^^^^^^^^^^^^^^^^ found "etcd://127.0.0.1/"
      = allowed: "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)

    error: the task has no schedule
     --> tasks.toml:4:1, task "digest"
      |
    4 | [[task]]
      | ^^^^^^^^
      = allowed: exactly one of `cron`, `kron`, `every`, `at`

    error: unknown field `corn`
     --> tasks.toml:6:1, task "digest", field `corn`
      |
    6 | corn = "30 9 * * MON-FRI"
      | ^^^^
      = allowed: `at`, `clock_change`, `command`, `concurrency`, `cron`, `cwd`, `delivery`, `end`, `env`, `every`, `except`, `group`, `http`, `inherit`, `jitter`, `kron`, `limits`, `missed`, `name`, `nice`, `overlap`, `placement`, `priority`, `retry`, `running_max`, `shell`, `shell_program`, `start`, `stdin`, `timeout`, `timezone`, `umask`
      = help: did you mean `cron`?

    error: the task in line 4 has the same name
      --> tasks.toml:10:8, task "digest", field `name`
       |
    10 | name = "digest"
       |        ^^^^^^^^ found "digest"
       = allowed: a name of 1 to 200 bytes, unique in the file, without control characters

    error: cron "61 * * * *": minutes, at byte 0: found "61", allowed is a number 0-59
      --> tasks.toml:11:8, task "digest", field `cron`
       |
    11 | cron = "61 * * * *"
       |        ^^^^^^^^^^^^ found "61 * * * *"
       = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    error: the number is out of range
      --> tasks.toml:12:15, task "digest", field `concurrency`
       |
    12 | concurrency = 0
       |               ^ found 0
       = allowed: a whole number, 1..=1000

    error: the environment variable TOKEN is not set
      --> tasks.toml:18:67, task "ping", field `http.headers.Authorization`
       |
    18 | http = { url = "http://127.0.0.1:1/", headers = { Authorization = "Bearer ${TOKEN}" } }
       |                                                                   ^^^^^^^^^^^^^^^^^ found "Bearer ${TOKEN}"
       = allowed: `${NAME}` or `${NAME:-default}`
       = help: set TOKEN, or give a default: `${TOKEN:-default}`

    tasks.toml: 7 errors
    "#);
}

#[test]
fn one_error_keeps_a_file_from_running() {
    let bad = GOOD.replace("90s", "90");
    let folder = Folder::new()
        .file("tasks.toml", bad)
        .variable("TOKEN", "hunter2");
    let (checked, run) = (
        folder.run(&["check", "tasks.toml"]),
        folder.run(&["run", "tasks.toml"]),
    );
    assert_eq!(
        (run.code, &run.stdout, &run.stderr),
        (Some(2), &checked.stdout, &checked.stderr)
    );
    assert!(!folder.path().join("sexton.db").exists());
    assert_snapshot!(checked, @r#"
    exit 2
    --- stderr
    error: every "90": length, at byte 2: found nothing, allowed is a unit: w, d, h, m, s or ms, or its English name
      --> tasks.toml:10:9, task "ping", field `every`
       |
    10 | every = "90"
       |         ^^^^ found "90"
       = allowed: a duration like "200ms", "15m", "1h30m" or "7d"

    tasks.toml: 1 error
    "#);
}

#[test]
fn secrets_are_not_printed() {
    let url = "http = { url = \"${TOKEN}\" }";
    let bad = GOOD
        .lines()
        .map(|line| if line.starts_with("http") { url } else { line });
    let folder = Folder::new()
        .file("tasks.toml", bad.collect::<Vec<_>>().join("\n"))
        .variable("TOKEN", "hunter2");
    let ran = folder.run(&["check", "tasks.toml"]);
    assert!(!ran.to_string().contains("hunter2"), "{ran}");
    assert_snapshot!(ran, @r#"
    exit 2
    --- stderr
    error: the value that the environment gives cannot be used
      --> tasks.toml:11:16, task "ping", field `http.url`
       |
    11 | http = { url = "${TOKEN}" }
       |                ^^^^^^^^^^ found "${TOKEN}"
       = allowed: an http:// or https:// URL
       = help: the value is not shown, for it may be secret

    tasks.toml: 1 error
    "#);
}

#[test]
fn a_file_can_come_by_standard_input() {
    let folder = Folder::new().variable("TOKEN", "hunter2");
    assert_snapshot!(folder.run_with_input(&["check", "-"], GOOD), @r#"
    exit 0
    --- stdout
    -: 2 tasks, no errors
    "#);
    assert_snapshot!(folder.run_with_input(&["check", "-"], "[[task]"), @r#"
    exit 2
    --- stderr
    error: this is not TOML: unclosed array table, expected `]`
     --> -:1:8
      |
    1 | [[task]
      |        ^

    -: 1 error
    "#);
    assert_snapshot!(folder.run_with_input(&["check", "--crontab", "-"], "@daily true"), @r#"
    exit 0
    --- stdout
    -: 1 task, no errors
    "#);
}

#[test]
fn what_is_no_text_file_is_refused() {
    let folder = Folder::new()
        .file("binary.toml", b"# \n\x7fELF\xff")
        .file("folder.toml/x", "");
    let large = std::fs::File::create(folder.path().join("large.toml")).unwrap();
    large.set_len(16 * 1024 * 1024 + 1).unwrap();
    let names = ["missing", "folder", "binary", "large"].map(|name| format!("{name}.toml"));
    let refused = |flags: &[&str], names: &[String]| {
        let errors = names.iter().map(|name| {
            let ran = folder.run(&[&["check"], flags, &[name]].concat());
            assert_eq!(
                (ran.code, ran.stdout.as_str()),
                (Some(2), ""),
                "{name}: {ran}"
            );
            ran.stderr
        });
        errors.collect::<String>()
    };
    assert_snapshot!(refused(&[], &names), @r#"
    error: cannot read missing.toml: No such file or directory (os error 2)
    error: cannot read folder.toml: Is a directory (os error 21)
    error: binary.toml:2: not UTF-8 text: byte 0xff at offset 7
    error: large.toml is longer than the 16777216 bytes that are allowed
    "#);
    // A crontab's bytes need not be text, and a folder is one of crontabs.
    let unread = [&names[0], &names[3]].map(String::clone);
    assert_snapshot!(refused(&["--crontab"], &unread), @"
    error: cannot read missing.toml: No such file or directory (os error 2)
    error: large.toml is longer than the 16777216 bytes that are allowed
    ");
}

#[test]
fn what_ends_too_early_is_told_once() {
    let folder = Folder::new().file("tasks.toml", format!("task = {}", "[".repeat(100_000)));
    assert_snapshot!(folder.run(&["check", "tasks.toml"]), @r#"
    exit 2
    --- stderr
    error: this is not TOML: cannot recurse further; max recursion depth met
     --> tasks.toml:1:88
      |
    1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[…
      |                                ^

    error: this is not TOML: unclosed array, expected `]`
     --> tasks.toml:1:100008
      |
    1 | …[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                ^

    tasks.toml: 2 errors
    "#);
}

#[test]
fn a_path_cannot_move_the_cursor() {
    let folder = Folder::new()
        .file("a\u{1b}[2Jb", GOOD)
        .variable("TOKEN", "hunter2");
    assert_snapshot!(folder.run(&["check", "a\u{1b}[2Jb"]), @r#"
    exit 0
    --- stdout
    a\u{1b}[2Jb: 2 tasks, no errors
    "#);
    assert_snapshot!(folder.run(&["check", "c\u{1b}[2Jd"]), @r#"
    exit 2
    --- stderr
    error: cannot read c\u{1b}[2Jd: No such file or directory (os error 2)
    "#);
}

const CRONTAB: &str = "MAILTO=root\n@reboot echo hi\n*/5 * * * * date +\\%F\n@daily mail joe%Hello";

#[test]
fn a_crontab_with_a_line_that_is_skipped() {
    let folder = Folder::new().file("tab", CRONTAB);
    assert_snapshot!(folder.run(&["check", "--crontab", "tab"]), @r#"
    exit 0
    --- stdout
    tab: 2 tasks, no errors, 2 warnings

    --- stderr
    warning: nothing is mailed
     --> tab:1:1, field `MAILTO`
      |
    1 | MAILTO=root
      | ^^^^^^^^^^^
      = help: what commands print is in the history: `sexton history --output`; `MAILTO=""` ends this warning

    warning: @reboot is skipped: there is no such moment for replicas that share a schedule
     --> tab:2:1
      |
    2 | @reboot…
      | ^^^^^^^
      = help: start the command by the machine's own means, such as a systemd unit
    "#);
}

#[test]
fn a_crontab_with_lines_that_cannot_be_used() {
    let bad =
        format!("{CRONTAB}\n0 25 * * * x\n* * *\n@dayly x\n0 0 30 2 * x\nCRON_TZ=Mars/Olympus\n");
    let folder = Folder::new().file("tab", bad);
    assert_snapshot!(folder.run(&["check", "--crontab", "tab"]), @r#"
    exit 0
    --- stdout
    tab: 2 tasks, no errors, 7 warnings

    --- stderr
    warning: nothing is mailed
     --> tab:1:1, field `MAILTO`
      |
    1 | MAILTO=root
      | ^^^^^^^^^^^
      = help: what commands print is in the history: `sexton history --output`; `MAILTO=""` ends this warning

    warning: @reboot is skipped: there is no such moment for replicas that share a schedule
     --> tab:2:1
      |
    2 | @reboot…
      | ^^^^^^^
      = help: start the command by the machine's own means, such as a systemd unit

    warning: this line is left out: cron "0 25 * * *": hours, at byte 2: found "25", allowed is a number 0-23
     --> tab:5:1
      |
    5 | 0 25 * * *…
      | ^^^^^^^^^^

    warning: this line is left out: the line is too short for a time and a command
     --> tab:6:1
      |
    6 | *…
      | ^ found "*"
      = allowed: minute hour day-of-month month day-of-week command, or NAME=value

    warning: this line is left out: cron "@dayly": nickname, at byte 0: found "@dayly", allowed is @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly
     --> tab:7:1
      |
    7 | @dayly…
      | ^^^^^^

    warning: this line is left out: cron "0 0 30 2 *" is never due: no date up to 9999-12-30 matches
     --> tab:8:1
      |
    8 | 0 0 30 2 *…
      | ^^^^^^^^^^

    warning: this line is left out: no time zone is called "Mars/Olympus"; write an IANA name such as Europe/Paris, America/New_York or UTC
     --> tab:9:1, field `CRON_TZ`
      |
    9 | CRON_TZ=Mars/Olympus
      | ^^^^^^^^^^^^^^^^^^^^
      = help: the lines below count in this machine's zone
    "#);
}

#[test]
fn the_form_of_a_crontab_is_told_by_its_place_or_by_a_flag() {
    // A user line, whose command's first word would be the user in the system form.
    let folder = Folder::new()
        .file("tab", "0 2 * * * no-such-user /bin/true\n")
        .file("etc/crontab", "0 2 * * * no-such-user /bin/true\n")
        .file("etc/cron.d/tab", "0 2 * * * no-such-user /bin/true\n");
    let form_of = |arguments: &[&str]| {
        let ran = folder.run(&[&["check", "--crontab"], arguments].concat());
        match ran.code {
            Some(0) => "user",
            Some(2)
                if ran
                    .stderr
                    .contains("left out: this machine has no such user") =>
            {
                "system"
            }
            _ => panic!("{ran}"),
        }
    };
    assert_eq!(form_of(&["tab"]), "user");
    assert_eq!(form_of(&["tab", "--crontab-form", "system"]), "system");
    for path in ["etc/crontab", "etc/cron.d/tab"] {
        assert_eq!(form_of(&[path]), "system");
        assert_eq!(form_of(&[path, "--crontab-form", "user"]), "user");
    }
}

#[test]
fn a_warning_of_a_task_file_is_an_error_if_that_is_asked_for() {
    let file = "[[task]]\nname = \"bell\"\ncron = \"@daily\"\nshell = \"true\"\n";
    let folder = Folder::new()
        .file("tasks.toml", file)
        .variable("TZ", "Europe/Paris");
    assert_eq!(folder.run(&["check", "tasks.toml"]).code, Some(0));
    let strict = folder.run(&["check", "--strict", "tasks.toml"]);
    assert_eq!(strict.code, Some(2), "{strict}");
    assert_eq!(strict.stdout, "tasks.toml: 1 task, no errors, 1 warning\n");
}

#[test]
fn tasks_without_a_zone_are_told_where_the_machine_is_not_in_utc() {
    let file = r#"
        [[task]]
        name = "cron"
        cron = "0 9 * * *"
        shell = "true"

        [[task]]
        name = "at"
        at = 2099-12-24T18:00:00
        shell = "true"

        [[task]]
        name = "every"
        every = "90s"
        shell = "true"

        [[task]]
        name = "offset"
        at = 2099-12-24T18:00:00+01:00
        shell = "true"
    "#;
    let in_paris = |text: &str| {
        let folder = Folder::new().file("tasks.toml", text);
        folder
            .variable("TZ", "Europe/Paris")
            .run(&["check", "tasks.toml"])
    };
    assert_snapshot!(in_paris(file), @r#"
    exit 0
    --- stdout
    tasks.toml: 4 tasks, no errors, 1 warning

    --- stderr
    warning: 2 tasks name no time zone and count in UTC, and this machine is in Europe/Paris
      help: write `timezone = "Europe/Paris"`, or `timezone = "UTC"`, in the task or in [defaults]
    "#);
    let named = format!("[defaults]\ntimezone = \"UTC\"\n{file}");
    for quiet in [
        in_paris(&named),
        Folder::new()
            .file("tasks.toml", file)
            .variable("TZ", "UTC")
            .run(&["check", "tasks.toml"]),
    ] {
        assert_eq!((quiet.code, &*quiet.stderr), (Some(0), ""), "{quiet}");
    }
}

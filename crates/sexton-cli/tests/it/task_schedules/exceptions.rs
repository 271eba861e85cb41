//! `except`: dates, ranges and files of holidays.

use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::json;

use super::{load, read, rejected_schedule, ticks, with_task};
use crate::program::Program;
use crate::ran::Folder;

#[test]
fn dates_and_ranges_are_left_out_in_the_zone_of_the_task() {
    let lines = "cron = \"0 9 * * *\"\ntimezone = \"Europe/Paris\"\n\
        except = [2026-12-24, \"2026-12-26..2026-12-28\", \"2026-12-30\"]";
    let days = ["12-23 08:00", "12-25 08:00", "12-29 08:00", "12-31 08:00"];
    assert_eq!(ticks(&read(lines), "2026-12-23", 4), days);
    // 23:30 in New York is another date in UTC.
    let lines = "cron = \"30 23 * * *\"\ntimezone = \"America/New_York\"\nexcept = 2026-12-24";
    assert_eq!(
        ticks(&read(lines), "2026-12-23", 3),
        ["12-23 04:30", "12-24 04:30", "12-26 04:30"]
    );
    let lines = "every = \"12h\"\nexcept = \"2026-12-24..2026-12-25\"";
    assert_eq!(
        ticks(&read(lines), "2026-12-23", 2),
        ["12-23 12:00", "12-26 00:00"]
    );
}

#[test]
fn exceptions_that_are_none() {
    assert_snapshot!(rejected_schedule(
        "cron = \"@daily\"\nexcept = [\n  2026-12-24T18:00:00Z,\n  \"2026-02-30\",\n  \"2026-12-26..2026-12-24\",\n  \"christmas\",\n  7,\n  {},\n  { file = 3, url = \"x\" },\n]"
    ), @r#"
    error: this is not a date
     --> tasks.toml:6:3, task "bell", field `except[0]`
      |
    6 |   2026-12-24T18:00:00Z,
      |   ^^^^^^^^^^^^^^^^^^^^ found 2026-12-24T18:00:00Z
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    error: this is not a date
     --> tasks.toml:7:3, task "bell", field `except[1]`
      |
    7 |   "2026-02-30",
      |   ^^^^^^^^^^^^ found "2026-02-30"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    error: the range ends before it begins
     --> tasks.toml:8:3, task "bell", field `except[2]`
      |
    8 |   "2026-12-26..2026-12-24",
      |   ^^^^^^^^^^^^^^^^^^^^^^^^ found "2026-12-26..2026-12-24"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    error: this is not a date
     --> tasks.toml:9:3, task "bell", field `except[3]`
      |
    9 |   "christmas",
      |   ^^^^^^^^^^^ found "christmas"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    error: an integer does not belong here
      --> tasks.toml:10:3, task "bell", field `except[4]`
       |
    10 |   7,
       |   ^ found 7
       = allowed: dates like 2026-12-25, ranges like "2026-12-24..2027-01-02" (the last date included), and { file = "holidays.txt" } with one of these a line

    error: `file` is missing
      --> tasks.toml:11:3, task "bell", field `except[5]`
       |
    11 |   {},
       |   ^^ found {}
       = allowed: dates like 2026-12-25, ranges like "2026-12-24..2027-01-02" (the last date included), and { file = "holidays.txt" } with one of these a line

    error: an integer does not belong here
      --> tasks.toml:12:12, task "bell", field `except[6].file`
       |
    12 |   { file = 3, url = "x" },
       |            ^ found 3
       = allowed: the path of a file of dates

    error: unknown field `url`
      --> tasks.toml:12:15, task "bell", field `except[6].url`
       |
    12 |   { file = 3, url = "x" },
       |               ^^^
       = allowed: `file`

    tasks.toml: 8 errors
    "#);
    assert_snapshot!(rejected_schedule("cron = \"@daily\"\nexcept = []"), @r#"
    error: the array is empty
     --> tasks.toml:5:10, task "bell", field `except`
      |
    5 | except = []
      |          ^^ found []
      = allowed: dates like 2026-12-25, ranges like "2026-12-24..2027-01-02" (the last date included), and { file = "holidays.txt" } with one of these a line

    tasks.toml: 1 error
    "#);
    assert_snapshot!(rejected_schedule("at = 2030-01-01T12:00:00Z\nexcept = 2030-01-01"), @r#"
    error: once at 2030-01-01T12:00:00.000Z, except on 2030-01-01 (UTC) is never due: its exceptions leave nothing
     --> tasks.toml:5:10, task "bell", field `except`
      |
    5 | except = 2030-01-01
      |          ^^^^^^^^^^ found 2030-01-01
      = allowed: exceptions that leave something

    tasks.toml: 1 error
    "#);
    let many: Vec<String> = (0..1_001).map(|_| "2026-01-01".to_owned()).collect();
    let told = rejected_schedule(&format!(
        "cron = \"@daily\"\nexcept = [{}]",
        many.join(", ")
    ));
    assert!(told.contains("at most 1000 dates and ranges"), "{told}");
}

const HOLIDAYS: &str =
    "\u{feff}# Holidays\r\n\r\n2026-12-24..2026-12-26  # Christmas\r\n 2026-12-31\r\n";

#[test]
fn holidays_come_from_a_file_beside_the_task_file() {
    let task =
        with_task("cron = \"0 9 * * *\"\nexcept = [2026-12-28, { file = \"lists/holidays.txt\" }]");
    let folder = Folder::new()
        .file("etc/tasks.toml", &task)
        .file("etc/lists/holidays.txt", HOLIDAYS);
    let file = load(&folder, "etc/tasks.toml").unwrap();
    let days = [
        "12-23 09:00",
        "12-27 09:00",
        "12-29 09:00",
        "12-30 09:00",
        "01-01 09:00",
    ];
    assert_eq!(ticks(&file, "2026-12-23", 5), days);
    // Wherever the program is run.
    let ran = folder.run(&["check", "etc/tasks.toml"]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn what_is_wrong_with_a_file_of_holidays_is_told_with_its_lines() {
    let task = with_task("cron = \"0 9 * * *\"\nexcept = [{ file = \"holidays.txt\" }]");
    let folder = Folder::new().file("tasks.toml", &task);
    assert_snapshot!(load(&folder, "tasks.toml").unwrap_err(), @r#"
    error: cannot read /srv/bells/holidays.txt: No such file or directory (os error 2)
     --> /srv/bells/tasks.toml:5:20, task "bell", field `except[0].file`
      |
    5 | except = [{ file = "holidays.txt" }]
      |                    ^^^^^^^^^^^^^^ found "holidays.txt"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    /srv/bells/tasks.toml: 1 error
    "#);
    let bad = "2026-12-24\n\nchristmas\n2026-12-26 .. 2026-12-24\n2026-12-25 # fine\n2026/12/26\n";
    let folder = folder.file("holidays.txt", bad);
    assert_snapshot!(load(&folder, "tasks.toml").unwrap_err(), @r#"
    error: /srv/bells/holidays.txt:3: this is not a date
     --> /srv/bells/tasks.toml:5:20, task "bell", field `except[0].file`
      |
    5 | except = [{ file = "holidays.txt" }]
      |                    ^^^^^^^^^^^^^^ found "holidays.txt"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    error: /srv/bells/holidays.txt:4: the range ends before it begins: found "2026-12-26 .. 2026-12-24"
     --> /srv/bells/tasks.toml:5:20, task "bell", field `except[0].file`
      |
    5 | except = [{ file = "holidays.txt" }]
      |                    ^^^^^^^^^^^^^^ found "holidays.txt"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    error: /srv/bells/holidays.txt:6: this is not a date: found "2026/12/26"
     --> /srv/bells/tasks.toml:5:20, task "bell", field `except[0].file`
      |
    5 | except = [{ file = "holidays.txt" }]
      |                    ^^^^^^^^^^^^^^ found "holidays.txt"
      = allowed: a date like 2026-12-25, or a range like 2026-12-24..2027-01-02 (its last date included)

    /srv/bells/tasks.toml: 3 errors
    "#);
    let folder = folder.file("holidays.txt", b"2026-12-24\n\xff\n");
    let told = load(&folder, "tasks.toml").unwrap_err();
    assert!(told.contains("holidays.txt:2: not UTF-8"), "{told}");
    // A path of the environment's is not shown, and what is wrong is told all the same.
    let by_variable = with_task("cron = \"0 9 * * *\"\nexcept = [{ file = \"${SECRET}.txt\" }]");
    let folder = folder.file("secret.toml", by_variable);
    let told = load(&folder, "secret.toml").unwrap_err();
    assert!(
        told.starts_with("error: cannot read ${SECRET}.txt: No such file"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
    let folder = folder.file("hunter2.txt", "2026-12-24\nchristmas\n");
    let told = load(&folder, "secret.toml").unwrap_err();
    assert!(
        told.starts_with("error: ${SECRET}.txt:2: this is not a date"),
        "{told}"
    );
    assert!(!told.contains("hunter2"), "{told}");
    let folder = folder.file("holidays.txt", "no\n".repeat(100_000));
    let told = load(&folder, "tasks.toml").unwrap_err();
    assert!(told.ends_with("tasks.toml: 10 errors\n"), "{told}");
}

#[test]
fn a_changed_file_of_holidays_is_read_again_at_sighup() {
    let folder = tempfile::tempdir().unwrap();
    let holidays = folder.path().join("holidays.txt");
    std::fs::write(&holidays, "2026-12-24\n").unwrap();
    let text = "[store]\nurl = \"memory:\"\n[[task]]\nname = \"bell\"\nshell = \"ring\"\n\
        cron = \"0 9 * * *\"\nexcept = [{ file = \"holidays.txt\" }]\n";
    let mut program = Program::run_file(folder.path(), text);
    program.began();
    for (content, replaced) in [
        ("2026-12-24 # same\n", json!([])),
        ("2026-12-25\n", json!(["bell"])),
    ] {
        std::fs::write(&holidays, content).unwrap();
        program.signal(Signal::HUP);
        let reloaded = program.wait("reloaded", |_| true);
        assert_eq!(reloaded["replaced"], replaced, "{reloaded}");
        assert_eq!(reloaded["errors"], json!([]), "{reloaded}");
    }
    // What cannot be read leaves the task as it was.
    std::fs::remove_file(&holidays).unwrap();
    program.signal(Signal::HUP);
    let reloaded = program.wait("reloaded", |_| true);
    let errors = reloaded["errors"].to_string();
    assert!(errors.contains("holidays.txt"), "{reloaded}");
    assert_eq!(reloaded["removed"], json!([]), "{reloaded}");
    assert_eq!(program.stop().status.code(), Some(0));
}

#[test]
fn dates_of_no_zone_are_warned_of_where_the_machine_is_in_another() {
    let warned = |lines: &str| {
        let folder = Folder::new().file("tasks.toml", with_task(lines));
        let ran = folder
            .variable("TZ", "Europe/Paris")
            .run(&["check", "tasks.toml"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        ran.stderr.contains("names no time zone")
    };
    assert!(!warned("every = \"1h\""));
    assert!(warned("every = \"1h\"\nexcept = 2026-12-24"));
    assert!(!warned(
        "every = \"1h\"\nexcept = 2026-12-24\ntimezone = \"UTC\""
    ));
    // All of several strings have to name an offset.
    assert!(!warned("kron = [\"0 0 9 * * 60o\", '0 0 9 * * 120o']"));
    assert!(warned("kron = [\"0 0 9 * * 60o\", '0 0 9 * *']"));
    assert!(warned("cron = [\"@daily\", \"@hourly\"]"));
}

//! The command line itself: what it refuses, and its help.

use insta::assert_snapshot;

use crate::ran::{Folder, sexton};

/// The first lines of what each of these is refused with, all of them with exit code 2.
fn refused(runs: &[&[&str]]) -> String {
    let errors = runs.iter().map(|arguments| {
        let ran = sexton(arguments);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}: {ran}"
        );
        let said = ran.stderr.split("\nUsage:").next().unwrap();
        let said = said.split("\nFor more information").next().unwrap();
        format!("{}\n", said.trim_end())
    });
    errors.collect()
}

#[test]
fn what_is_no_command_line_is_refused() {
    assert_snapshot!(refused(&[
        &["nxt"],
        &["--nxt"],
        &["next"],
        &["next", "* * * * *", "--cuont", "3"],
        &["next", "* * * * *", "--count", "0"],
        &["next", "* * * * *", "--count", "100001"],
        &["next", "* * * * *", "--count", "many"],
        &["next", "--kron", "--every", "5s"],
        &["check"],
        &["check", "tasks.toml", "--crontab", "tab"],
        &["check", "tasks.toml", "--crontab-form", "user"],
        &["check", "--crontab", "tab", "--crontab-form", "sytem"],
        &["run"],
        &["run", "tasks.toml", "--grace", "soon"],
        &["run", "tasks.toml", "--running-max", "0"],
        &["run", "tasks.toml", "--log-format", "xml"],
    ]), @r#"
    error: unrecognized subcommand 'nxt'

      tip: a similar subcommand exists: 'next'
    error: unexpected argument '--nxt' found
    error: the following required arguments were not provided:
      <EXPR>
    error: unexpected argument '--cuont' found

      tip: a similar argument exists: '--count'
    error: invalid value '0' for '--count <N>': 0 is not in 1..=100000
    error: invalid value '100001' for '--count <N>': 100001 is not in 1..=100000
    error: invalid value 'many' for '--count <N>': invalid digit found in string
    error: the argument '--kron' cannot be used with '--every'
    error: the following required arguments were not provided:
      <FILE|--crontab <PATH>>
    error: the argument '[FILE]' cannot be used with '--crontab <PATH>'
    error: the argument '[FILE]' cannot be used with '--crontab-form <FORM>'
    error: invalid value 'sytem' for '--crontab-form <FORM>'
      [possible values: user, system]

      tip: a similar value exists: 'system'
    error: the following required arguments were not provided:
      <FILE|--crontab <PATH>>
    error: invalid value 'soon' for '--grace <DURATION>': at byte 0: found "soon", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    error: invalid value '0' for '--running-max <COUNT>': 0 is not in 1..=4294967295
    error: invalid value 'xml' for '--log-format <FORMAT>'
      [possible values: text, json]
    "#);
}

#[test]
fn durations_and_instants_are_read_as_in_a_task_file() {
    assert_snapshot!(refused(&[
        &["run", "tasks.toml", "--store-wait", "1.5h"],
        &["run", "tasks.toml", "--store-wait", "1 month"],
        &["cancel", "backup", "--tick", "2016-12-31T23:59:60Z"],
        &["cancel", "backup", "--tick", "2026-01-01T00:00:00+25:00"],
        &["cancel", "backup", "--tick", "2026-01-01T00:00:00.0001Z"],
        &["cancel", "backup", "--tick", "2026-01-01T01:00+01:00[Europe/Paris]"],
    ]), @r#"
    error: invalid value '1.5h' for '--store-wait <DURATION>': at byte 0: found "1.5h", allowed is whole numbers with the units w, d, h, m, s, ms, the largest first, such as 1h30m
    error: invalid value '1 month' for '--store-wait <DURATION>': at byte 2: found "month", allowed is units of a fixed length: w, d, h, m, s, ms; months and years have none
    error: invalid value '2016-12-31T23:59:60Z' for '--tick <INSTANT>': seconds are 00-59: a leap second, :60, is no instant here; allowed is an instant like 2026-12-24T18:00:00.000Z
    error: invalid value '2026-01-01T00:00:00+25:00' for '--tick <INSTANT>': an offset from UTC is less than a day: -23:59 to +23:59; allowed is an instant like 2026-12-24T18:00:00.000Z
    error: invalid value '2026-01-01T00:00:00.0001Z' for '--tick <INSTANT>': an instant is in whole milliseconds; allowed is an instant like 2026-12-24T18:00:00.000Z
    error: invalid value '2026-01-01T01:00+01:00[Europe/Paris]' for '--tick <INSTANT>': an instant has an offset, not a zone in brackets, which could contradict it; allowed is an instant like 2026-12-24T18:00:00.000Z
    "#);
}

#[test]
fn a_store_that_cannot_be_used_is_told_before_anything_runs() {
    let task = "[[task]]\nname = \"touch\"\nevery = \"1ms\"\ncommand = [\"touch\", \"touched\"]\n";
    let folder = Folder::new()
        .file("tasks.toml", task)
        .file("folder.db/x", "")
        .file("text.db", "This is not a database, and longer than a header of one would be, which has a hundred bytes.\n");
    let errors = [
        (2, "redis+sentinel://127.0.0.1/"),
        (2, "ftp://user:hunter2@127.0.0.1/"),
        (2, "hunter2"),
        (2, "sqlite:"),
        (2, "postgres://user:hunter2@127.0.0.1:port/app"),
        (2, "mysql://user:hunter2@127.0.0.1:port/app"),
        (3, "postgres://user:hunter2@127.0.0.1:1/app"),
        (3, "mysql://user:hunter2@127.0.0.1:1/app"),
        (4, "sqlite:no-such-folder/sexton.db"),
        (4, "sqlite:folder.db"),
        (4, "sqlite:text.db"),
    ]
    .map(|(code, url)| {
        let arguments = ["run", "tasks.toml", "--store-wait", "0s", "--store", url];
        let ran = folder.run(&arguments);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(code), ""),
            "{url}: {ran}"
        );
        ran.stderr
    });
    assert!(!folder.path().join("touched").exists());
    let path = folder.path().canonicalize().unwrap();
    let errors = errors.concat().replace(path.to_str().unwrap(), "/folder");
    assert_snapshot!(errors, @r#"
    error: --store: the Redis store's URL cannot be read: Sentinels need to be told the name of the master: …/mymaster; allowed is "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
    error: --store: unknown kind of store `ftp:`; allowed is "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
    error: --store: unknown kind of store; allowed is "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
    error: --store: the SQLite store's URL names no file; allowed is "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
    error: --store: the PostgreSQL store's URL cannot be read: a port in it is not a number from 1 to 65535; allowed is "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
    error: --store: the MySQL store's URL cannot be read: a port in it is not a number from 1 to 65535; allowed is "sqlite:sexton.db" (relative to the file's folder), "sqlite:///absolute/path.db", "redis://user:password@host:6379/0" (or rediss, redis+sentinel, redis+cluster), "postgres://user:password@host:5432/database", "mysql://user:password@host:3306/database", "mongodb://user:password@host:27017/database" or "memory:" (this process alone)
    error: the store cannot be reached: postgres://127.0.0.1:1/app cannot be reached: check that the server runs and that host and port are right: error communicating with database: Connection refused (os error 111)
    error: the store cannot be reached: mysql://127.0.0.1:1/app cannot be reached: check that the server runs and that host and port are right: error communicating with database: Connection refused (os error 111)
    error: the store cannot be used: "/folder/no-such-folder/sexton.db" cannot be created: the directory "/folder/no-such-folder" does not exist
    error: the store cannot be used: "/folder/folder.db" is a directory, a SQLite database is a file
    error: the store cannot be used: sqlite:/folder/text.db is not a SQLite database (or is encrypted); choose another path: error returned from database: (code: 26) file is not a database
    "#);
}

#[test]
fn without_arguments_the_help_is_shown_as_an_error() {
    let ran = sexton(&[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert_eq!(ran.stderr, sexton(&["--help"]).stdout);
}

#[test]
fn help() {
    assert_snapshot!(sexton(&["--help"]), @r#"
    exit 0
    --- stdout
    A cron that survives a machine: each tick of a task is run once, however many copies of this program share its store

    Usage: sexton <COMMAND>

    Commands:
      run        Run the tasks of a file until SIGTERM or SIGINT
      check      Check a file: exit 0, or 2 with every error in it
      next       Print when an expression is due next
      explain    Say in plain English when an expression is due
      history    Show what ran, was skipped or was missed, newest first
      tasks      Show the tasks that the store knows: schedule, last execution, what runs, what is paused
      instances  Show the instances that the store knows: version, since when, last seen, clock, runs
      trigger    Run a task now, once over all instances, besides its schedule
      pause      Pause a task all over the fleet: ticks that come due are skipped until it is resumed
      resume     Resume a task that is paused
      cancel     Cancel what a task runs, on whichever instance
      store      Look after the store itself
      help       Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Exit codes:
      0  done, or stopped as asked
      1  something failed: a run was cut off, a triggered task did not succeed
      2  what was given cannot be used: arguments, task file, crontab, URL
      3  the store cannot be reached; try again
      4  the store cannot be used: it is read-only, refuses the user, has no or other tables
    "#);
    for command in ["run", "check", "next", "explain"] {
        let ran = sexton(&[command, "--help"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
        assert!(
            ran.stdout
                .contains(&format!("Usage: sexton {command} [OPTIONS]")),
            "{ran}"
        );
        assert!(ran.stdout.contains("\nExamples:\n"), "{ran}");
    }
}

#[test]
fn the_examples_in_the_help_work() {
    for command in ["next", "explain"] {
        let help = sexton(&[command, "--help"]).stdout;
        let examples = help
            .lines()
            .filter_map(|line| line.strip_prefix("  sexton "));
        let examples: Vec<&str> = examples.collect();
        assert!(examples.len() >= 2, "{help}");
        for example in examples {
            // Quoted parts are the odd ones.
            let parts = example.split('\'').enumerate();
            let arguments = parts.flat_map(|(index, part)| match index % 2 {
                0 => part.split_whitespace().collect(),
                _ => vec![part],
            });
            let ran = sexton(&arguments.collect::<Vec<_>>());
            assert_eq!(
                (ran.code, ran.stderr.as_str()),
                (Some(0), ""),
                "{example}: {ran}"
            );
        }
    }
}

#[test]
fn version() {
    let ran = sexton(&["--version"]);
    let expected = format!("sexton {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!((ran.code, ran.stdout), (Some(0), expected));
}

#[test]
fn no_color_is_honoured() {
    let forced = Folder::new().variable("CLICOLOR_FORCE", "1");
    assert!(forced.run(&["--help"]).stdout.contains('\u{1b}'));
    let plain = forced.variable("NO_COLOR", "1").run(&["--help"]);
    assert!(!plain.stdout.contains('\u{1b}'), "{plain}");
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_text_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let folder = Folder::new();
    let mut command = folder.command(&["next"]);
    let output = command
        .arg(OsStr::from_bytes(b"* * * * \xff"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("error: invalid UTF-8"), "{told}");
}

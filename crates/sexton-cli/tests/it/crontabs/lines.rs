//! What a line of a crontab means.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use insta::assert_snapshot;
use jiff::Timestamp;
use sexton_cli::crontab::{self, Form};
use sexton_cli::diagnostic::Source;
use sexton_cli::secret::Secret;
use sexton_cli::tasks::{CommandSpec, Inherit, Program, TaskFile, Work};
use sexton_core::tick::Tick;

use crate::reading::{Villagers, crontab, environment};

fn user(text: &str) -> TaskFile {
    crontab(text, Form::User).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn command(file: &TaskFile, place: usize) -> &CommandSpec {
    match &file.tasks[place].work {
        Work::Command(command) => command,
        Work::Http(_) => panic!("not a command"),
    }
}

fn script(file: &TaskFile, place: usize) -> &str {
    match &command(file, place).program {
        Program::Shell { script, .. } => script.to_str().unwrap(),
        Program::Argv { .. } => panic!("not for a shell"),
    }
}

/// The first ticks of the line after the beginning of 2026, in UTC.
fn ticks(when: &str, count: usize) -> Vec<String> {
    let file = user(&format!("CRON_TZ=UTC\n{when} ring\n"));
    let start: Timestamp = "2025-12-31T23:59:59Z".parse().unwrap();
    let mut after = Tick::at_or_before(start);
    (0..count)
        .map(|_| {
            after = file.tasks[0].schedule.next_after(after).unwrap();
            after.timestamp().strftime("%a %m-%d %H:%M").to_string()
        })
        .collect()
}

#[test]
fn a_command_is_the_shells_and_begins_at_home() {
    let file = user("30 9 * * * ring --loud | tee log\n");
    let command = command(&file, 0);
    let Program::Shell { shell, script } = &command.program else {
        panic!("not for a shell");
    };
    assert_eq!(
        (shell.to_str(), script.to_str()),
        (Some("/bin/sh"), Some("ring --loud | tee log"))
    );
    assert_eq!(command.cwd.as_deref(), Some(Path::new("/home/quasimodo")));
    assert_eq!(command.inherit, Inherit::nothing());
    assert!(command.stdin.is_none() && command.run_as.is_none());
}

#[test]
fn the_system_form_names_a_user_who_has_a_home() {
    let file = crontab("30 9 * * *\twww-data\tring\n", Form::System).unwrap();
    let command = command(&file, 0);
    let run_as = command.run_as.as_ref().unwrap();
    assert_eq!(
        (run_as.name.as_str(), script(&file, 0)),
        ("www-data", "ring")
    );
    assert_eq!(command.cwd.as_deref(), Some(Path::new("/var/lib/www-data")));
}

#[test]
fn blanks_comments_and_ends_of_lines() {
    for text in [
        "30 9 * * * ring",
        "30 9 * * * ring\r\n",
        "\u{feff}30 9 * * * ring\n",
        "# the bell\n\n   \t\n  # more\n30 9 * * * ring\n",
        "\t 30\t9  *\t*   * \t ring \n",
    ] {
        let file = user(text);
        assert_eq!(file.tasks.len(), 1, "{text:?}");
        assert_eq!(file.tasks[0].schedule_written, "30 9 * * *", "{text:?}");
        assert_eq!(script(&file, 0), "ring", "{text:?}");
    }
}

#[test]
fn a_number_sign_behind_a_command_is_the_shells() {
    assert_eq!(
        script(&user("30 9 * * * ring # loudly\n"), 0),
        "ring # loudly"
    );
}

#[test]
fn percent_signs_are_newlines_and_the_first_begins_the_input() {
    // The example of crontab(5).
    let file = user("0 22 * * 1-5\tmail -s \"It's 10pm\" joe%Joe,%%Where are your kids?%\n");
    assert_eq!(script(&file, 0), "mail -s \"It's 10pm\" joe");
    let stdin = command(&file, 0).stdin.as_ref().map(Secret::expose);
    assert_eq!(stdin, Some("Joe,\n\nWhere are your kids?\n"));
    let file = user("33 22 * * * expr $(date +\\%s) \\% 9\n");
    assert_eq!(script(&file, 0), "expr $(date +%s) % 9");
    assert!(command(&file, 0).stdin.is_none());
}

#[test]
fn nicknames_in_either_case() {
    for (nickname, first) in [
        ("@yearly", "Thu 01-01 00:00"),
        ("@annually", "Thu 01-01 00:00"),
        ("@monthly", "Thu 01-01 00:00"),
        ("@weekly", "Sun 01-04 00:00"),
        ("@daily", "Thu 01-01 00:00"),
        ("@midnight", "Thu 01-01 00:00"),
        ("@hourly", "Thu 01-01 00:00"),
        ("@Daily", "Thu 01-01 00:00"),
    ] {
        assert_eq!(ticks(nickname, 1), [first], "{nickname}");
    }
}

#[test]
fn names_lists_ranges_and_steps_as_debians_cron_has_them() {
    assert_eq!(
        ticks("5 4 * * sun", 2),
        ["Sun 01-04 04:05", "Sun 01-11 04:05"]
    );
    assert_eq!(ticks("0 0 * * 7", 1), ticks("0 0 * * 0", 1));
    assert_eq!(
        ticks("0 0 * * Mon-wed", 2),
        ["Mon 01-05 00:00", "Tue 01-06 00:00"]
    );
    assert_eq!(
        ticks("0 0 1 feb,APR *", 2),
        ["Sun 02-01 00:00", "Wed 04-01 00:00"]
    );
    assert_eq!(
        ticks("09,39 * * * *", 3),
        ["Thu 01-01 00:09", "Thu 01-01 00:39", "Thu 01-01 01:09"]
    );
    assert_eq!(
        ticks("5-55/10 * * * *", 2),
        ["Thu 01-01 00:05", "Thu 01-01 00:15"]
    );
    assert_eq!(
        ticks("23 0-23/2 * * *", 2),
        ["Thu 01-01 00:23", "Thu 01-01 02:23"]
    );
    assert_eq!(
        ticks("0 9-10,17 * * *", 3),
        ["Thu 01-01 09:00", "Thu 01-01 10:00", "Thu 01-01 17:00"]
    );
}

#[test]
fn two_restricted_day_fields_mean_either_and_a_star_means_both() {
    assert_eq!(
        ticks("30 4 1,15 * 5", 4),
        [
            "Thu 01-01 04:30",
            "Fri 01-02 04:30",
            "Fri 01-09 04:30",
            "Thu 01-15 04:30"
        ]
    );
    assert_eq!(
        ticks("30 4 */2 * 5", 2),
        ["Fri 01-09 04:30", "Fri 01-23 04:30"]
    );
}

#[test]
fn a_minus_before_the_time_is_of_suse_and_a_tilde_of_cronie() {
    assert_eq!(ticks("-*/15 * * * *", 2), ticks("*/15 * * * *", 2));
    let spread = ticks("0~59 3~5 * * *", 2);
    assert_eq!(spread, ticks("0~59 3~5 * * *", 2));
    assert!(spread[0].starts_with("Thu 01-01 0") && spread[1].starts_with("Fri 01-02 0"));
}

#[test]
fn a_line_that_is_left_open_is_due_or_not_by_its_own_name() {
    let lines: String = (0..40)
        .map(|bell| format!("0 0 30 1~2 * ring {bell}\n"))
        .collect();
    let file = user(&format!("{lines}@daily ring\n"));
    let (due, left_out) = (file.tasks.len() - 1, file.warnings.len());
    assert_eq!(due + left_out, 40);
    assert!((8..=32).contains(&due), "{due} of 40 are due in January");
}

#[test]
fn a_form_feed_and_other_bytes_are_no_obstacle() {
    let text = b"# caf\xe9\n\x0c\n@daily printf '\x1b[1m \xff'\n\xef\xbf\xbe bad\n";
    let source = Source::of_bytes("bells", text.to_vec());
    let folder = Path::new("/srv/bells");
    let read = crontab::read(
        &source,
        folder,
        Form::User,
        None,
        &environment(),
        &Villagers,
    );
    let file = read.unwrap();
    let Program::Shell { script, .. } = &command(&file, 0).program else {
        panic!("not for a shell");
    };
    assert_eq!(script.as_bytes(), b"printf '\x1b[1m \xff'");
    assert_eq!(file.warnings.len(), 1);
    assert!(
        file.warnings[0].contains("this line is left out")
            && file.warnings[0].contains("--> bells:4:1")
    );
}

#[test]
fn reboot_is_skipped_and_said_to_be() {
    let file = user("@reboot ring --all\n@daily ring\n");
    assert_eq!(file.tasks.len(), 1);
    assert_snapshot!(file.warnings.concat(), @"
    warning: @reboot is skipped: there is no such moment for replicas that share a schedule
     --> bells:1:1
      |
    1 | @reboot…
      | ^^^^^^^
      = help: start the command by the machine's own means, such as a systemd unit
    ");
}

#[test]
fn no_task_is_lost_behind_many_warnings() {
    let file = user(&format!("{}@daily ring\n", "@reboot ring\n".repeat(1_500)));
    assert_eq!(file.tasks.len(), 1);
    assert_eq!(file.warnings.len(), 1_001);
    assert_snapshot!(file.warnings[1_000], @"warning: there are 500 more warnings");
}

#[test]
fn what_is_no_time_is_not_repeated() {
    let text = "1 1 * * * dump \\\n  -u root --password=HUNTER2SECRET --host x --all\n\
        * * * HUNTER2SECRET a b c\nHUNTER2SECRET\n@HUNTER2SECRET x\n61 1 * * * echo ok\n";
    let file = user(text);
    let told = file.warnings.join("\n");
    assert!(!told.contains("HUNTER2"), "{told}");
    assert!(told.contains("a line is not continued"), "{told}");
    assert!(told.contains("61"), "{told}");
    assert_eq!(file.tasks.len(), 1);
}

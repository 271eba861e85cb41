//! The environment lines of a crontab.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use sexton_cli::crontab::{self, Form};
use sexton_cli::diagnostic::Source;
use sexton_cli::tasks::{Program, TaskFile, Work, ZoneChosen};
use sexton_core::tick::Tick;

use crate::reading::{Villagers, crontab, environment};

fn read(text: &str, form: Form) -> TaskFile {
    crontab(text, form).unwrap_or_else(|rejected| panic!("{rejected}"))
}

/// The variables of the command at `place`.
fn variables(file: &TaskFile, place: usize) -> BTreeMap<&str, &str> {
    let Work::Command(command) = &file.tasks[place].work else {
        panic!("not a command");
    };
    let variables = command.variables.iter();
    variables
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect()
}

#[test]
fn a_command_sees_what_cron_sets_and_nothing_of_ours() {
    let expected = BTreeMap::from([
        ("HOME", "/home/quasimodo"),
        ("LOGNAME", "quasimodo"),
        ("PATH", "/usr/bin:/bin"),
        ("SHELL", "/bin/sh"),
        ("USER", "quasimodo"),
    ]);
    assert_eq!(variables(&read("@daily ring\n", Form::User), 0), expected);
    let expected = BTreeMap::from([
        ("HOME", "/root"),
        ("LOGNAME", "root"),
        ("PATH", "/usr/bin:/bin"),
        ("SHELL", "/bin/sh"),
        ("USER", "root"),
    ]);
    assert_eq!(
        variables(&read("@daily root ring\n", Form::System), 0),
        expected
    );
}

#[test]
fn a_variable_is_for_the_lines_below_it() {
    let file = read("@daily a\nTONE=c\n@daily b\nTONE=d\n@daily c\n", Form::User);
    assert_eq!(variables(&file, 0).get("TONE"), None);
    assert_eq!(variables(&file, 1)["TONE"], "c");
    assert_eq!(variables(&file, 2)["TONE"], "d");
}

#[test]
fn values_stand_in_quotes_or_without_and_nothing_in_them_is_expanded() {
    for (line, value) in [
        ("A=b c", "b c"),
        ("  A =\tb c  ", "b c"),
        ("A=\"b c \"", "b c "),
        ("A='b \"c\"'", "b \"c\""),
        ("\"A\"=b", "b"),
        ("A=", ""),
        ("A=\"\"", ""),
        ("A=$HOME/bin:${SECRET}", "$HOME/bin:${SECRET}"),
        ("A=b%c", "b%c"),
        ("A=b=c", "b=c"),
        ("A=b # c", "b # c"),
    ] {
        let file = read(&format!("{line}\n@daily ring\n"), Form::User);
        assert_eq!(variables(&file, 0)["A"], value, "{line}");
    }
}

#[test]
fn shell_and_home_are_the_crontabs_to_set_and_the_user_is_not() {
    let text = "SHELL=/bin/bash\nHOME=/tmp\nLOGNAME=frollo\nUSER=frollo\nPATH=/sbin\n";
    for (form, line, user) in [
        (Form::User, "@daily ring\n", "quasimodo"),
        (Form::System, "@daily news ring\n", "news"),
    ] {
        let file = read(&format!("{text}{line}"), form);
        let variables = variables(&file, 0);
        assert_eq!((variables["HOME"], variables["PATH"]), ("/tmp", "/sbin"));
        assert_eq!((variables["LOGNAME"], variables["USER"]), (user, user));
        let Work::Command(command) = &file.tasks[0].work else {
            panic!("not a command");
        };
        let Program::Shell { shell, .. } = &command.program else {
            panic!("not for a shell");
        };
        assert_eq!(shell, "/bin/bash");
        assert_eq!(command.cwd.as_deref().unwrap().to_str(), Some("/tmp"));
    }
}

#[test]
fn mailto_is_passed_on_and_what_is_ours_is_not_theirs_to_set() {
    let file = read("MAILTO=joe\nSEXTON_TICK=0\n@daily ring\n", Form::User);
    let variables = variables(&file, 0);
    assert_eq!(variables["MAILTO"], "joe");
    assert!(!variables.contains_key("SEXTON_TICK"));
}

#[test]
fn values_are_bytes() {
    let source = Source::of_bytes(
        "bells",
        b"A=caf\xe9\nHOME=/srv/\xe9\n@daily cat%\xe9\n".to_vec(),
    );
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
    let Work::Command(command) = &file.tasks[0].work else {
        panic!("not a command");
    };
    assert_eq!(command.variables["A"].expose_bytes(), b"caf\xe9");
    assert_eq!(
        command.cwd.as_ref().unwrap().as_os_str().as_bytes(),
        b"/srv/\xe9"
    );
    assert_eq!(command.stdin.as_ref().unwrap().expose_bytes(), b"\xe9\n");
    assert_eq!(file.warnings, [""; 0]);
}

#[test]
fn a_random_delay_is_the_same_for_the_same_task_and_below_what_is_said() {
    let file = read(
        "CRON_TZ=UTC\nRANDOM_DELAY=45\n# sexton: name = \"x\"\n0 3 * * * a\n0 3 * * * b\n0 3 * * * c\nRANDOM_DELAY=0\n0 3 * * * d\n",
        Form::User,
    );
    let three: Tick = "2026-01-01T03:00:00Z".parse().unwrap();
    let minute = |place: usize| {
        let schedule = &file.tasks[place].schedule;
        let tick = schedule.next_after("2026-01-01T00:00:00Z".parse().unwrap());
        (tick.unwrap().as_millis() - three.as_millis()) / 60_000
    };
    let delays = [minute(0), minute(1), minute(2)];
    assert!(
        delays.iter().all(|delay| (0..45).contains(delay)),
        "{delays:?}"
    );
    assert_ne!(delays, [delays[0]; 3]);
    assert_eq!(delays[0], 6, "what replicas have agreed on would change");
    assert_eq!(minute(3), 0);
}

#[test]
fn cron_tz_is_the_time_zone_of_the_lines_below_it() {
    let text = "@daily a\nCRON_TZ=Asia/Tokyo\n@daily b\nCRON_TZ = \"America/New_York\"\n@daily c\n";
    let file = read(text, Form::User);
    let zone = |place: usize| file.tasks[place].timezone.clone();
    assert_eq!(zone(0).chosen, ZoneChosen::ByMachine);
    assert_eq!(
        (zone(1).zone.iana_name(), zone(1).chosen),
        (Some("Asia/Tokyo"), ZoneChosen::ByFile)
    );
    assert_eq!(zone(2).zone.iana_name(), Some("America/New_York"));
    assert!(file.tasks[1].schedule.describe().contains("Tokyo"));
}

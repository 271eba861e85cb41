//! The zone that a machine is in, by `TZ`: one without a name, one that cannot be read.

use insta::assert_snapshot;
use sexton_testkit::tzif::{slim, without_rule};

use super::{CENTRAL_EUROPE, machine, plain};
use crate::program::{Program, ask_until, sexton};
use crate::ran::{Folder, Ran};

const NEW_YORK: &str = "EST5EDT,M3.2.0,M11.1.0";
const CRONTAB: &str = "30 2 * * * true\n";

#[test]
fn the_machines_own_zone_may_be_broken_or_missing_too() {
    let folder = machine(&[("Europe/Paris", b"TZif2, or what is left of it")]);
    let folder = folder.file("tab", CRONTAB).variable("TZ", "Europe/Paris");
    let ran = folder.run(&["check", "--crontab", "tab"]);
    assert_snapshot!(plain(&folder, &ran.to_string()), @r#"
    exit 0
    --- stdout
    tab: 1 task, no errors, 1 warning

    --- stderr
    warning: time zone Europe/Paris: DIR/zones/Europe/Paris cannot be read as zone rules; the built-in rules count for it
      help: replicas with other rules compute other ticks: install the system's time zone data, on Debian tzdata and, for old names, tzdata-legacy
    "#);
    assert!(ran.rules.contains("; Europe/Paris "), "{}", ran.rules);
}

#[test]
fn a_zone_of_the_machine_that_cannot_be_read_is_told() {
    for tz in ["Europe/Pariss", "/nowhere/at/all"] {
        let folder = Folder::new().file("tab", CRONTAB).variable("TZ", tz);
        let ran = folder.run(&["check", "--crontab", "tab"]);
        assert_eq!(
            ran.stderr,
            format!(
                "warning: TZ={tz:?} cannot be read as a time zone: no IANA name, no POSIX rule, no file of rules that can be used; this machine counts as in UTC\n  \
                 help: set TZ to an IANA name such as Europe/Paris, or link /etc/localtime to a file of /usr/share/zoneinfo\n\n"
            )
        );
        assert_eq!((ran.code, &*ran.rules), (Some(0), ""), "{ran}");
    }
    let folder = Folder::new().file("tab", CRONTAB);
    let mut command = sexton(
        folder.path(),
        ["run", "--log-format", "json", "--crontab", "tab"],
    );
    let mut program = Program::start(command.env("TZ", "Europe/Pariss"));
    let began = program.wait("began", |_| true);
    assert!(
        began["warnings"].to_string().contains("Europe/Pariss"),
        "{began}"
    );
    assert!(program.stop().status.success());
}

#[test]
fn a_zone_of_the_machine_whose_file_ends_is_looked_up_by_its_name_or_told() {
    let folder = Folder::new()
        .file("tab", CRONTAB)
        .file("zoneinfo/right/Europe/Paris", without_rule(CENTRAL_EUROPE))
        .file("elsewhere", without_rule(CENTRAL_EUROPE));
    let checked = |tz: &str| {
        let mut command = folder.command(&["check", "--crontab", "tab"]);
        Ran::of(command.env("TZ", folder.path().join(tz)).output().unwrap())
    };
    let right = checked("zoneinfo/right/Europe/Paris");
    assert_eq!(right.stderr, "");
    assert!(right.rules.contains("; Europe/Paris "), "{}", right.rules);
    let elsewhere = checked("elsewhere").stderr;
    assert!(
        elsewhere.contains("this machine counts as in UTC"),
        "{elsewhere}"
    );
}

#[test]
fn a_zone_of_the_machine_without_a_name_is_told_by_its_rules() {
    let folder = Folder::new()
        .file("tab", CRONTAB)
        .file("paris", slim(CENTRAL_EUROPE))
        .file("new_york", slim(NEW_YORK));
    let file = |name: &str| folder.path().join(name).display().to_string();
    let checked = |tz: &str| {
        let mut command = folder.command(&["check", "--crontab", "tab"]);
        Ran::of(command.env("TZ", tz).output().unwrap())
    };
    let after_version = |ran: &Ran| ran.rules.rsplit("; ").next().unwrap_or_default().to_owned();
    let (paris, new_york) = (checked(&file("paris")), checked(&file("new_york")));
    assert_snapshot!(paris, @r#"
    exit 0
    --- stdout
    tab: 1 task, no errors, 1 warning

    --- stderr
    warning: this machine's time zone has no name: the crontab counts by the zone rules ddc2d7f3595cfd1e
      help: set TZ or CRON_TZ to an IANA name such as Europe/Paris, or link /etc/localtime to a file of /usr/share/zoneinfo
    "#);
    assert_ne!(after_version(&paris), after_version(&new_york));
    assert!(
        after_version(&paris).starts_with("(unnamed) "),
        "{}",
        paris.rules
    );
    // A rule is as good as a name.
    let rule = checked(NEW_YORK);
    assert_eq!(rule.stderr, "");
    let rules_of = |text: &str| text.trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(rules_of(&rule.rules), rules_of(&new_york.rules));
    assert_eq!(
        after_version(&rule),
        format!("{NEW_YORK} {}\n", rules_of(&rule.rules))
    );
}

#[test]
fn two_machines_without_a_zones_name_are_told_that_theirs_differ() {
    let folder = Folder::new()
        .file("tab", "30 2 * * * true\n")
        .file("paris", slim(CENTRAL_EUROPE))
        .file("new_york", slim(NEW_YORK));
    let start = |tz: &str| {
        let mut command = sexton(
            folder.path(),
            ["run", "--log-format", "json", "--crontab", "tab"],
        );
        Program::start(command.env("TZ", folder.path().join(tz)))
    };
    let mut first = start("paris");
    let began = first.wait("began", |_| true);
    assert!(
        began["warnings"].to_string().contains("has no name"),
        "{began}"
    );
    ask_until("the first has told the store", || {
        let ran = folder.run(&["tasks", "--json"]);
        (ran.code == Some(0) && ran.stdout.contains("zone_rules")).then_some(())
    });
    let mut second = start("new_york");
    second.wait("definition differs", |_| true);
    assert!(first.stop().status.success() && second.stop().status.success());
}

//! The names of a crontab's tasks: replicas must agree on them without talking.

use std::path::Path;

use sexton_cli::crontab::{self, Form};
use sexton_cli::diagnostic::Source;

use crate::reading::{Villagers, crontab, environment};

fn names(text: &str) -> Vec<String> {
    let file = crontab(text, Form::User).unwrap_or_else(|rejected| panic!("{rejected}"));
    let names = file.tasks.iter();
    names.map(|task| task.name.to_string()).collect()
}

#[test]
fn a_name_tells_file_and_program_and_never_changes() {
    // In stores out there: a change here would run a tick twice while replicas are replaced.
    assert_eq!(
        names("30 9 * * * ring  --loud\n"),
        ["bells: ring [fc951113704360ce]"]
    );
}

#[test]
fn no_more_of_a_command_is_told_than_its_program() {
    let told = names(
        "0 1 * * * TOKEN='hunter2 hunter2' /opt/bin/dump --password=hunter2 | gpg -r hunter2\n\
         0 1 * * * curl -u me:hunter2 https://bells/?token=hunter2%hunter2\n",
    );
    assert!(told[0].starts_with("bells: dump [") && told[1].starts_with("bells: curl ["));
    assert!(
        told.iter().all(|name| !name.contains("hunter2")),
        "{told:?}"
    );
}

#[test]
fn a_comment_directly_above_a_line_names_it_whatever_it_says() {
    let text =
        "# the nightly one\n# sexton: name = \"back up\"\n0 3 * * * /srv/v1/backup\n0 4 * * * x\n";
    let named = names(text);
    assert_eq!(named[0], "back up");
    assert_eq!(named, names(&text.replace("v1", "v2")));
    assert!(named[1].starts_with("bells: x ["));
}

#[test]
fn a_minus_before_the_time_is_no_part_of_the_name() {
    assert_eq!(names("-0 1 * * * ring\n"), names("0 1 * * * ring\n"));
}

#[test]
fn editing_a_line_leaves_the_other_names_alone() {
    let before = names("0 1 * * * a\n0 2 * * * b\n0 3 * * * c\n");
    let edited = names("# new\n0 1 * * * a\nPATH=/bin\n\n30 2 * * * b -v\n0 3 * * * c\n");
    assert_eq!((&before[0], &before[2]), (&edited[0], &edited[2]));
    assert_ne!(before[1], edited[1]);
    let moved = names("0 3 * * * c\n0 1 * * * a\n");
    assert_eq!(moved, [before[2].as_str(), before[0].as_str()]);
}

#[test]
fn two_lines_alike_are_two_tasks() {
    let names = names("0 1 * * * a\n0 1 * * * a\n0 2 * * * a\n");
    assert_eq!(names[1], format!("{} #2", names[0]));
    assert_ne!(names[0], names[2]);
}

#[test]
fn lines_that_differ_in_anything_that_counts_have_different_names() {
    let one = |text| names(text).pop().unwrap();
    let name = one("0 1 * * * mail joe%Hi\n");
    assert_ne!(name, one("0 1 * * * mail joe%Bye\n"), "the input");
    assert_ne!(
        name,
        one("CRON_TZ=Europe/Paris\n0 1 * * * mail joe%Hi\n"),
        "the time zone"
    );
    let as_user = |user: &str| {
        let file = crontab(&format!("0 1 * * * {user} ring\n"), Form::System).unwrap();
        file.tasks[0].name.to_string()
    };
    assert_ne!(as_user("root"), as_user("news"), "the user");
}

#[test]
fn commands_of_other_bytes_have_other_names() {
    let name = |bytes: &[u8]| {
        let source = Source::of_bytes("bells", bytes.to_vec());
        let folder = Path::new("/srv/bells");
        let read = crontab::read(
            &source,
            folder,
            Form::User,
            None,
            &environment(),
            &Villagers,
        );
        read.unwrap().tasks[0].name.to_string()
    };
    let [latin, other] = [name(b"@daily echo \xe9\n"), name(b"@daily echo \xe8\n")];
    assert!(latin.starts_with("bells: echo [") && latin != other);
}

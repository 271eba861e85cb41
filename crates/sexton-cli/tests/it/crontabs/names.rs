//! The names of a crontab's tasks: replicas must agree on them without talking.

use sexton_cli::crontab::Form;

use crate::reading::crontab;

fn names(text: &str) -> Vec<String> {
    let file = crontab(text, Form::User).unwrap_or_else(|rejected| panic!("{rejected}"));
    let names = file.tasks.iter();
    names.map(|task| task.name.to_string()).collect()
}

#[test]
fn a_name_tells_file_and_command_and_never_changes() {
    // In stores out there: a change here would run a tick twice while replicas are replaced.
    assert_eq!(
        names("30 9 * * * ring  --loud\n"),
        ["bells: ring --loud [9d7cb617]"]
    );
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
fn a_very_long_command_has_a_name_that_fits() {
    let text = format!(
        "0 1 * * * echo {}\n0 1 * * * echo {}\n",
        "🔔".repeat(1_000),
        "🔔".repeat(1_001)
    );
    let names = names(&text);
    assert!(names.iter().all(|name| name.len() <= 200));
    assert_ne!(names[0], names[1]);
}

//! Schedules of a task file to their edges: several expressions, `H`, exceptions, clock changes, and what
//! is over.

mod clock_changes;
mod exceptions;
mod over;
mod shown;

use std::path::Path;

use insta::assert_snapshot;
use sexton_cli::config;
use sexton_cli::tasks::TaskFile;
use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{Cron, Schedule, Spread};
use sexton_core::tick::Tick;

use crate::ran::Folder;
use crate::reading::{environment, rejected, task_file};

fn with_task(lines: &str) -> String {
    format!("[[task]]\nname = \"bell\"\nshell = \"ring\"\n{lines}\n")
}

fn read(lines: &str) -> TaskFile {
    task_file(&with_task(lines)).unwrap_or_else(|rejected| panic!("{rejected}"))
}

fn rejected_schedule(lines: &str) -> String {
    rejected(&with_task(lines))
}

/// The first ticks of the only task after the beginning of a day.
fn ticks(file: &TaskFile, from: &str, count: usize) -> Vec<String> {
    let [task] = file.tasks.as_slice() else {
        panic!("{} tasks", file.tasks.len());
    };
    let from: Tick = format!("{from}T00:00:00Z").parse().unwrap();
    let ticks = std::iter::successors(Some(from), |last| task.schedule.next_after(*last));
    let ticks = ticks.skip(1).take(count);
    ticks
        .map(|tick| tick.timestamp().strftime("%m-%d %H:%M").to_string())
        .collect()
}

#[test]
fn several_expressions_are_one_schedule() {
    let crons = read("cron = [\"0 9 * * MON-FRI\", \"0 11 * * SAT\"]");
    let friday = ["01-02 09:00", "01-03 11:00", "01-05 09:00"];
    assert_eq!(ticks(&crons, "2026-01-02", 3), friday);
    let krons = read("kron = [\"0 0 9 * *\", \"0 0 20 * * 60o\"]");
    let both = ["01-02 09:00", "01-02 19:00", "01-03 09:00"];
    assert_eq!(ticks(&krons, "2026-01-02", 3), both);
    // One in an array is that one.
    let (alone, in_array) = (read("cron = \"@daily\""), read("cron = [\"@daily\"]"));
    assert_eq!(
        alone.tasks[0].schedule.canonical(),
        in_array.tasks[0].schedule.canonical()
    );
}

#[test]
fn each_expression_that_is_none_is_told_in_its_place() {
    assert_snapshot!(rejected_schedule("cron = [\n  \"0 9 * * *\",\n  \"0 25 * * *\",\n  7,\n]"), @r#"
    error: cron "0 25 * * *": hours, at byte 2: found "25", allowed is a number 0-23
     --> tasks.toml:6:3, task "bell", field `cron[1]`
      |
    6 |   "0 25 * * *",
      |   ^^^^^^^^^^^^ found "0 25 * * *"
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    error: an integer does not belong here
     --> tasks.toml:7:3, task "bell", field `cron[2]`
      |
    7 |   7,
      |   ^ found 7
      = allowed: a string with a cron expression, like "30 9 * * MON-FRI" or "@daily", or an array of them

    tasks.toml: 2 errors
    "#);
    assert_snapshot!(rejected_schedule("kron = []"), @r#"
    error: the array is empty
     --> tasks.toml:4:8, task "bell", field `kron`
      |
    4 | kron = []
      |        ^^ found []
      = allowed: a string of the krontab language, like "0/15 * * * *" (seconds first), or an array of them

    tasks.toml: 1 error
    "#);
    let many = vec!["\"@daily\""; 101].join(",");
    let told = rejected_schedule(&format!("cron = [{many}]"));
    assert!(told.contains("these are too many expressions"), "{told}");
    assert!(told.contains("allowed: at most 100"), "{told}");
    assert!(rejected_schedule("every = [\"1h\"]").contains("an array does not belong here"));
}

#[test]
fn h_is_picked_by_the_names_of_namespace_and_task() {
    let schedule = |store: &str| {
        let text = format!("{store}{}", with_task("cron = \"H H(0-5) * * *\""));
        task_file(&text).unwrap().tasks[0].schedule.canonical()
    };
    let library = |namespace: &str| {
        let namespace = Namespace::new(namespace).unwrap();
        let spread = Spread::of(&namespace, &TaskName::new("bell").unwrap());
        let cron = Cron::parse_spread("H H(0-5) * * *", &spread);
        cron.unwrap().canonical()
    };
    assert_eq!(schedule(""), library("default"));
    assert_eq!(
        schedule("[store]\nnamespace = \"notre-dame\"\n"),
        library("notre-dame")
    );
    assert_ne!(library("default"), library("notre-dame"));
    assert!(task_file(&with_task("cron = \"~ 3 * * *\"")).is_ok());
    let told = rejected_schedule("cron = \"H(50-70) * * * *\"");
    assert!(
        told.contains("found \"70\", allowed is a number 0-59"),
        "{told}"
    );
    // A task without a name is refused for that alone.
    let told = rejected("[[task]]\nshell = \"ring\"\ncron = \"H * * * *\"\n");
    assert!(told.ends_with("tasks.toml: 1 error\n"), "{told}");
}

/// Reads the task file of a folder.
fn load(folder: &Folder, path: &str) -> Result<TaskFile, String> {
    let read = config::load(&folder.path().join(path), &environment());
    read.map_err(|rejected| {
        let folder = folder.path().display().to_string();
        rejected.to_string().replace(&folder, "/srv/bells")
    })
}

#[test]
fn the_task_files_of_the_page_on_schedules_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schedules-tasks.md");
    let text = std::fs::read_to_string(page).unwrap();
    let mut names = Vec::new();
    for block in text.split("```toml\n").skip(1) {
        let (toml, _) = block.split_once("```").unwrap();
        let folder = Folder::new()
            .file("tasks.toml", toml)
            .file("holidays.txt", "2026-12-25\n");
        let file = load(&folder, "tasks.toml").unwrap_or_else(|told| panic!("{told}"));
        names.extend(file.tasks.iter().map(|task| task.name.to_string()));
    }
    assert_eq!(names, ["shop", "office", "backup", "report"]);
}

#[test]
fn the_example_of_schedules_is_in_order() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/schedules.toml");
    let file = config::load(&example, &environment());
    let file = file.unwrap_or_else(|rejected| panic!("{rejected}"));
    assert_eq!(file.warnings, [""; 0]);
    let next = file.tasks[0]
        .schedule
        .next_after("2026-12-23T12:00:00Z".parse().unwrap());
    // Christmas is Thursday to Saturday in that year.
    assert_eq!(next, Some("2026-12-28T08:00:00Z".parse().unwrap()));
}

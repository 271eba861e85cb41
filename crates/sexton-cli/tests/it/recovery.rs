//! At least once: what a program held that is killed or stands still, another one runs again.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::program::Program;
use crate::standstill::stand_still_between_writes;

/// A run says that it begins, waits until the folder has a file `end`, and says that it ends.
const FILE: &str = r#"
[[task]]
name = "t"
every = "5s"
delivery = { mode = "at least once", lease = "3s", max_attempts = 5 }
shell = '''
about="$SEXTON_TICK $SEXTON_ATTEMPT $SEXTON_FENCE"
echo "begin $about" >> log
until test -e end; do sleep 0.05; done
echo "end $about" >> log
'''
"#;

/// Two programs, and the grant of an execution that the first one runs.
fn held(folder: &Path) -> (Program, Program, Value) {
    let mut first = Program::run_file(folder, FILE);
    let held = first.wait("granted", |_| true);
    first.wait("started", |event| event["tick"] == held["tick"]);
    assert_eq!(held["attempt"], 1);
    let mut second = Program::run(folder, &["tasks.toml"]);
    second.began();
    (first, second, held)
}

/// Waits until the other program has begun what was held, and answers the grant.
fn granted_again(second: &mut Program, held: &Value) -> Value {
    let again = second.wait("granted", |event| event["tick"] == held["tick"]);
    assert_eq!(again["attempt"], 2);
    assert!(
        again["fence"].as_u64() > held["fence"].as_u64(),
        "{again} after {held}"
    );
    second.wait("started", |event| event["tick"] == held["tick"]);
    again
}

fn line(word: &str, granted: &Value) -> String {
    let tick = granted["tick"].as_str().unwrap();
    format!("{word} {tick} {} {}", granted["attempt"], granted["fence"])
}

#[test]
fn what_a_killed_program_held_is_run_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (first, mut second, held) = held(folder);
    first.signal(Signal::KILL);
    let again = granted_again(&mut second, &held);
    std::fs::write(folder.join("end"), "").unwrap();
    let end = second.wait("finished", |event| event["tick"] == held["tick"]);
    assert_eq!(end["outcome"], "succeeded");
    assert!(second.stop().status.success());
    // The first one's command was ended with its program, before it was told to end.
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    assert!(!log.contains(&line("end", &held)), "{log}");
    for line in [
        line("begin", &held),
        line("begin", &again),
        line("end", &again),
    ] {
        assert_eq!(
            log.lines().filter(|own| *own == line).count(),
            1,
            "{line}: {log}"
        );
    }
}

#[test]
fn who_stood_still_learns_that_another_has_its_lock_and_takes_its_command_down() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut first, mut second, held) = held(folder);
    stand_still_between_writes(&first, &folder.join("sexton.db"));
    let again = granted_again(&mut second, &held);
    first.signal(Signal::CONT);
    first.wait("lease lost", |event| event["tick"] == held["tick"]);
    let end = first.wait("finished", |event| event["tick"] == held["tick"]);
    assert_eq!(end["outcome"], "lost");
    std::fs::write(folder.join("end"), "").unwrap();
    let end = second.wait("finished", |event| event["tick"] == held["tick"]);
    assert_eq!(end["outcome"], "succeeded");
    for program in [first, second] {
        let ended = program.stop();
        assert!(ended.status.success(), "{ended:?}");
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap();
    let ends = log
        .lines()
        .filter(|own| own.starts_with("end ") && own.contains(held["tick"].as_str().unwrap()));
    assert_eq!(ends.collect::<Vec<_>>(), [line("end", &again)], "{log}");
}

//! The machine's clock is set while programs run: by libfaketime, an hour ahead and back.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sexton_core::clock::{Clock, SystemClock};
use sexton_testkit::{process, redis};

use crate::program::{Program, sexton};

/// `$LIB` is filled in by the loader.
const PRELOADED: &str = "/usr/$LIB/faketime/libfaketimeMT.so.1";
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// So long a tick of every half a second may be late without being missed.
const SECOND: SignedDuration = SignedDuration::from_secs(1);
const FILE: &str = r#"
[[task]]
name = "t"
every = "500ms"
shell = 'echo "$SEXTON_TICK" >> log'
"#;

/// A machine whose clock this test sets.
struct Machine<'f> {
    folder: &'f Path,
    /// The file that holds its clock.
    clock: &'static str,
}

impl Machine<'_> {
    fn set(&self, seconds_ahead: i64) {
        let next = self.folder.join(format!("{}.next", self.clock));
        std::fs::write(&next, format!("{seconds_ahead:+}")).unwrap();
        // In one step: who reads the clock finds the old or the new one.
        std::fs::rename(next, self.folder.join(self.clock)).unwrap();
    }

    fn run(&self) -> Program {
        let mut command = sexton(self.folder, ["run", "--log-format", "json", "tasks.toml"]);
        command
            .env("LD_PRELOAD", PRELOADED)
            .env("FAKETIME_TIMESTAMP_FILE", self.folder.join(self.clock))
            .env("FAKETIME_NO_CACHE", "1")
            // Setting a clock does not change how time passes.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
        let mut program = Program::start(&mut command);
        program.began();
        program
    }
}

fn tick(event: &Value) -> Timestamp {
    event["tick"].as_str().unwrap().parse().unwrap()
}

/// Waits until the program has run a tick after this time.
fn runs_after(program: &mut Program, time: Timestamp) -> Timestamp {
    tick(&program.wait("finished", |event| {
        event["task"] == "t" && tick(event) > time
    }))
}

#[test]
fn nothing_runs_twice_when_the_machines_clock_is_set_an_hour_ahead_and_back() {
    if process::is_declared_absent("faketime") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine {
        folder: folder.path(),
        clock: "clock",
    };
    std::fs::write(folder.path().join("tasks.toml"), FILE).unwrap();
    machine.set(0);
    let began = SystemClock.now();
    let (mut first, mut second) = (machine.run(), machine.run());
    let before = runs_after(&mut first, began);
    assert!(
        before < SystemClock.now() + HOUR / 2,
        "no library was loaded?"
    );

    machine.set(3_600);
    let ahead = began + HOUR;
    let far = runs_after(&mut first, ahead).max(runs_after(&mut second, ahead));

    // Back: what was granted is granted to nobody again, so nothing is due for an hour, and both know why they wait.
    machine.set(0);
    for program in [&mut first, &mut second] {
        program.wait("clock leapt", |event| {
            event["by_ms"].as_f64().unwrap() < -3.5e6
        });
    }

    // And on it goes once the clock is past where it was.
    machine.set(3_660);
    let later = far + SignedDuration::from_secs(30);
    runs_after(&mut first, later);
    runs_after(&mut second, later);
    for program in [first, second] {
        let ended = program.stop();
        assert!(ended.status.success(), "{ended:?}");
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let ticks: Vec<Timestamp> = log.lines().map(|line| line.parse().unwrap()).collect();
    let once: BTreeSet<&Timestamp> = ticks.iter().collect();
    assert_eq!(once.len(), ticks.len(), "a tick ran twice: {log}");
    let between = |time: &&Timestamp| **time > before + HOUR / 2 && **time < ahead - SECOND;
    assert_eq!(once.iter().filter(|tick| between(tick)).count(), 0, "{log}");
}

#[test]
fn machines_whose_clocks_are_an_hour_ahead_and_behind_share_the_ticks_of_a_server() {
    if process::is_declared_absent("faketime") || redis::is_declared_absent() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = runtime.block_on(redis::Server::start());
    let file = format!("[store]\nurl = \"{}\"\n{FILE}", server.url());
    std::fs::write(folder.path().join("tasks.toml"), file).unwrap();
    let began = SystemClock.now();
    let mut programs: Vec<Program> = [("right", 0), ("ahead", 3_600), ("behind", -3_600)]
        .into_iter()
        .map(|(clock, seconds_ahead)| {
            let machine = Machine {
                folder: folder.path(),
                clock,
            };
            machine.set(seconds_ahead);
            machine.run()
        })
        .collect();
    // Each of them runs some, at the server's time whatever it believes itself.
    for program in &mut programs {
        for _ in 0..2 {
            let end = program.wait("started", |event| event["task"] == "t");
            let off = tick(&end).duration_since(SystemClock.now()).unsigned_abs();
            assert!(off < std::time::Duration::from_secs(60), "{end}");
        }
    }
    for program in programs {
        assert!(program.stop().status.success());
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    let ticks: Vec<Timestamp> = log.lines().map(|line| line.parse().unwrap()).collect();
    let once: BTreeSet<&Timestamp> = ticks.iter().collect();
    assert_eq!(once.len(), ticks.len(), "a tick ran twice: {log}");
    assert!(once.iter().all(|tick| **tick >= began), "{log}");
}

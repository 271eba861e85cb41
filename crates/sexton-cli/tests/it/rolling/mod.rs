//! Fleets of real programs as users deploy them: restarted one by one, away for a while, behind
//! with one of their tasks, with one of them that stands still or is cut off.
//!
//! `SEXTON_ROLLING_ROUNDS=10` asks for the long form: that many rounds of restarts, and longer
//! absences. Lateness is printed, and fails no test: the machine may be busy.

mod away;
mod backlog;
mod frozen;
pub(crate) mod line;
mod restarts;

use std::any::Any;
use std::fmt;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use sexton_core::clock::{Clock, SystemClock};
use sexton_testkit::process::Disk;
use sexton_testkit::{documentdb, mariadb, postgres, redis};

use crate::program::{Ended, Program, sexton};

/// The period of the tasks whose lateness is measured.
const SECOND_MS: i64 = 1_000;
const LATENESS_PROMISED: &str = "promised 50 ms";

/// A store that is safe from a crash of the machine, with its server for as long as the test runs.
struct Store {
    name: &'static str,
    url: String,
    _server: Box<dyn Any>,
}

impl Store {
    /// A file in the folder of the tasks.
    fn sqlite() -> Option<Store> {
        let url = "sqlite:sexton.db".to_owned();
        Some(Store::new("SQLite", url, ()))
    }

    fn redis() -> Option<Store> {
        if redis::is_declared_absent() {
            return None;
        }
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(redis::Server::start());
        Some(Store::new("Redis", server.url(), server))
    }

    fn postgres() -> Option<Store> {
        let server = postgres::Server::start_with(Disk::Synced, &[])?;
        Some(Store::new("PostgreSQL", server.url(), server))
    }

    fn mariadb() -> Option<Store> {
        let server = mariadb::Server::start_with(Disk::Synced, &[])?;
        let name = match mariadb::Maker::here() {
            mariadb::Maker::MariaDb => "MariaDB",
            mariadb::Maker::MySql { .. } => "MySQL",
        };
        Some(Store::new(name, server.url(), server))
    }

    fn documentdb() -> Option<Store> {
        let Some(server) = documentdb::Server::start_synced() else {
            eprintln!("not run: SEXTON_DOCUMENTDB names no programs");
            return None;
        };
        let url = format!("{}sexton", server.url());
        Some(Store::new("DocumentDB", url, server))
    }

    /// What stands before its server's port in its URL, the port, and what stands after it.
    fn around_port(&self) -> (&str, u16, &str) {
        let host = "127.0.0.1:";
        let (before, rest) = self.url.split_at(self.url.find(host).unwrap() + host.len());
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        let (port, after) = rest.split_at(end.unwrap_or(rest.len()));
        (before, port.parse().unwrap(), after)
    }

    fn new(name: &'static str, url: String, server: impl Any) -> Store {
        Store {
            name,
            url,
            _server: Box::new(server),
        }
    }
}

/// A test of a scenario on each store.
macro_rules! on_each_store {
    ($scenario:path) => {
        #[test]
        fn on_sqlite() {
            super::Store::sqlite().iter().for_each($scenario);
        }

        #[test]
        fn on_redis() {
            super::Store::redis().iter().for_each($scenario);
        }

        #[test]
        fn on_postgresql() {
            super::Store::postgres().iter().for_each($scenario);
        }

        #[test]
        fn on_mariadb() {
            super::Store::mariadb().iter().for_each($scenario);
        }

        #[test]
        fn on_documentdb() {
            super::Store::documentdb().iter().for_each($scenario);
        }
    };
}
use on_each_store;

/// How many rounds of restarts the long form has; `None`: the short form is wanted.
fn long_rounds() -> Option<usize> {
    let rounds = std::env::var("SEXTON_ROLLING_ROUNDS").ok()?;
    Some(rounds.parse().unwrap())
}

fn now_ms() -> i64 {
    SystemClock.now().as_millisecond()
}

/// The first full second after an instant.
fn next_second_ms(ms: i64) -> i64 {
    ms - ms.rem_euclid(SECOND_MS) + SECOND_MS
}

/// An absence has no event to wait for: it is time that passes.
fn stay_away_until(ms: i64) {
    let left = u64::try_from(ms - now_ms()).unwrap_or(0);
    std::thread::sleep(Duration::from_millis(left));
}

fn instant_ms(value: &Value) -> i64 {
    let instant: jiff::Timestamp = value.as_str().unwrap().parse().unwrap();
    instant.as_millisecond()
}

fn tick_ms(value: &Value) -> i64 {
    instant_ms(&value["tick"])
}

/// An execution of a task that has one a tick.
type Key = (String, i64);

/// Which execution an event or a record is about.
fn key(value: &Value) -> Key {
    (value["task"].as_str().unwrap().to_owned(), tick_ms(value))
}

fn is_own(value: &Value) -> bool {
    let task = value["task"].as_str().unwrap_or_default();
    task.starts_with("sexton:")
}

fn is_start(event: &Value) -> bool {
    event["event"] == "started" && !is_own(event)
}

fn lateness_ms(start: &Value) -> f64 {
    start["lateness_ms"].as_f64().unwrap()
}

/// The events of a program that ended well and wrote down all of them.
fn events_of(ended: &Ended) -> Vec<Value> {
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(ended.stderr, "");
    let events = ended.events();
    let dropped = events
        .iter()
        .find(|event| event["event"] == "events dropped");
    assert_eq!(dropped, None);
    events
}

/// Asks each program to end, and waits until all have.
fn stop_all(programs: Vec<Program>) -> Vec<Vec<Value>> {
    for program in &programs {
        program.signal(rustix::process::Signal::TERM);
    }
    let ended = programs.into_iter().map(Program::ended);
    ended.map(|ended| events_of(&ended)).collect()
}

/// What `sexton history` says of the tasks of this folder.
fn history(folder: &Path, more: &[&str]) -> Vec<Value> {
    let all = [
        "history",
        "--file",
        "tasks.toml",
        "--json",
        "--limit",
        "1000000",
    ];
    let output = sexton(folder, [&all, more].concat()).output().unwrap();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaints}");
    let mut records: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    records.retain(|record| !is_own(record));
    records
}

/// What is known of an execution, to show how that came about: what each program said of it, when
/// they began and ended, and its records.
fn story(of: &Key, programs: &[Vec<Value>], records: &[Value]) -> String {
    let frame = [
        "began",
        "stopping",
        "stopped",
        "store lost",
        "store back",
        "clock leapt",
    ];
    let mut lines = vec![format!("{of:?}")];
    for (number, events) in programs.iter().enumerate() {
        for event in events {
            let is_about = !event["tick"].is_null() && key(event) == *of;
            if is_about || frame.iter().any(|name| event["event"] == *name) {
                lines.push(format!("program {number}: {event}"));
            }
        }
    }
    let own = records.iter().filter(|record| key(record) == *of);
    lines.extend(own.map(|record| format!("record: {record}")));
    lines.join("\n")
}

/// How late runs began, in milliseconds after they were due, in order.
struct Lateness(Vec<f64>);

impl Lateness {
    fn of<'e>(starts: impl Iterator<Item = &'e Value>) -> Lateness {
        let mut all: Vec<f64> = starts.map(lateness_ms).collect();
        all.sort_by(f64::total_cmp);
        assert!(!all.is_empty(), "nothing began");
        Lateness(all)
    }

    /// The lateness that this percentage of the runs does not exceed.
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0[rank.max(1) - 1]
    }
}

impl fmt::Display for Lateness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, max] = [50, 99, 100].map(|percent| self.percentile(percent));
        write!(
            f,
            "p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms ({LATENESS_PROMISED})"
        )
    }
}

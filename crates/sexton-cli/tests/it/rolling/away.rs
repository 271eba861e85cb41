//! A fleet that gives work back and stays away past its deadline: what waited is missed, and
//! recorded so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use super::{
    Key, Store, history, instant_ms, is_start, key, lateness_ms, long_rounds, now_ms,
    stay_away_until, stop_all, story, tick_ms,
};
use crate::program::{Program, ask_until};

const TASKS: usize = 20;
/// Of the tasks. So long a tick that is skipped when it is missed may still begin.
const PERIOD_MS: i64 = 10_000;
/// How long the fleet is away in the long form.
const LONG_MS: i64 = 70_000;

super::on_each_store!(what_waited_too_long_is_missed);

fn name(number: usize) -> String {
    format!("t{number}")
}

fn task_file(store: &Store) -> String {
    let mut file = format!("[store]\nurl = \"{}\"\n", store.url);
    for number in 0..TASKS {
        file += &format!(
            "[[task]]\nname = \"{}\"\nevery = \"10s\"\nmissed = \"skip\"\ncommand = [\"true\"]\n",
            name(number)
        );
    }
    file
}

fn what_waited_too_long_is_missed(store: &Store) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("tasks.toml"), task_file(store)).unwrap();
    let mut events = Vec::new();
    let waiting = stop_with_work_given_back(folder, &mut events);
    let gone_ms = now_ms();
    let deadlines = waiting.iter().map(|record| instant_ms(&record["deadline"]));
    let deadline_ms = deadlines.max().unwrap();
    stay_away_until(long_rounds().map_or(deadline_ms + 1_000, |_| gone_ms + LONG_MS));

    let called_ms = now_ms();
    let mut program = Program::run(folder, &["tasks.toml"]);
    let began = program.wait("began", |_| true);
    let back_ms = instant_ms(&began["at"]);
    ask_until("nothing waits any more", || {
        let waiting = history(folder, &["--state", "waiting"]);
        waiting.is_empty().then_some(())
    });
    let settled_ms = now_ms();
    // And it works as before.
    program.wait("started", |event| tick_ms(event) > back_ms);
    events.extend(stop_all(vec![program]));

    let records = history(folder, &[]);
    let missed = account(&waiting, back_ms, &events, &records);
    eprintln!(
        "{}: {} waited until {} ms before the return, which took {} ms; {missed} missed, \
         the last of those that waited recorded within {} ms",
        store.name,
        waiting.len(),
        called_ms - deadline_ms,
        back_ms - called_ms,
        settled_ms - back_ms
    );
}

/// Runs a program until it is granted something ahead of its tick, and stops it before the tick.
/// Whether it is in time is up to the machine, so that it may take another tick. Returns the
/// records of what waits then.
fn stop_with_work_given_back(folder: &Path, events: &mut Vec<Vec<Value>>) -> Vec<Value> {
    loop {
        let mut program = Program::run(folder, &["tasks.toml", "--grace", "0s"]);
        program.wait("granted", |event| tick_ms(event) > now_ms());
        program.signal(Signal::TERM);
        let ended = program.ended();
        events.push(ended.events());
        let waiting = history(folder, &["--state", "waiting"]);
        if !waiting.is_empty() {
            assert!(ended.status.success(), "{ended:?}");
            return waiting;
        }
    }
}

/// What waited never began and is recorded as missed. Of all ticks from then until the return, each
/// either began within its period or is recorded as missed. Returns how many of them were missed.
fn account(waiting: &[Value], back_ms: i64, events: &[Vec<Value>], records: &[Value]) -> usize {
    let story = |key: &Key| story(key, events, records);
    let starts = events.iter().flatten().filter(|event| is_start(event));
    let starts: BTreeMap<Key, &Value> = starts.map(|event| (key(event), event)).collect();
    for (key, start) in &starts {
        assert!(lateness_ms(start) < PERIOD_MS as f64, "{}", story(key));
    }
    let waited: BTreeSet<Key> = waiting.iter().map(key).collect();
    let by_key: BTreeMap<Key, &Value> = records.iter().map(|one| (key(one), one)).collect();
    assert_eq!(by_key.len(), records.len(), "something has two records");
    let first_ms = waited.iter().map(|(_, tick_ms)| *tick_ms).min().unwrap();
    let mut missed = 0;
    for tick_ms in (first_ms..=back_ms).step_by(10_000) {
        for key in (0..TASKS).map(|number| (name(number), tick_ms)) {
            let record = by_key.get(&key);
            let record = record.unwrap_or_else(|| panic!("no record: {}", story(&key)));
            if record["state"] == "missed" {
                assert_eq!(record["reason"], "too_late", "{}", story(&key));
                assert!(record["started_at"].is_null(), "{}", story(&key));
                assert!(!starts.contains_key(&key), "{}", story(&key));
                missed += 1;
            } else {
                assert!(!waited.contains(&key), "{}", story(&key));
                assert_eq!(record["state"], "succeeded", "{}", story(&key));
                assert!(starts.contains_key(&key), "{}", story(&key));
            }
        }
    }
    missed
}

//! A fleet that is restarted one by one: each tick runs once all the while, and in time.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::{
    Key, Lateness, SECOND_MS, Store, events_of, history, instant_ms, is_start, key, long_rounds,
    next_second_ms, now_ms, stop_all, story, tick_ms,
};
use crate::program::Program;

const PROGRAMS: usize = 3;
const TASKS: usize = 20;
/// How much earlier than its tick a run may begin by the store's clock as its program estimates it.
const EARLY_MAX_MS: i64 = 10;

super::on_each_store!(every_tick_runs_once);

fn name(number: usize) -> String {
    format!("t{number}")
}

fn task_file(store: &Store) -> String {
    let mut file = format!("[store]\nurl = \"{}\"\n", store.url);
    for number in 0..TASKS {
        let jitter = if number % 3 == 0 {
            "jitter = \"200ms\"\n"
        } else {
            ""
        };
        file += &format!(
            "[[task]]\nname = \"{}\"\nevery = \"1s\"\n{jitter}missed = {{ mode = \"all\", window = \"10m\" }}\ncommand = [\"true\"]\n",
            name(number)
        );
    }
    file
}

fn every_tick_runs_once(store: &Store) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("tasks.toml"), task_file(store)).unwrap();
    let start = || Program::run(folder, &["tasks.toml"]);
    let mut programs: Vec<Program> = (0..PROGRAMS).map(|_| start()).collect();
    for program in &mut programs {
        program.wait("started", |_| true);
    }
    let first_ms = next_second_ms(now_ms());

    let rounds = long_rounds().unwrap_or(1);
    let mut events = Vec::new();
    for number in 0..rounds * PROGRAMS {
        // The one that has been up for the longest.
        let mut program = programs.remove(0);
        if number % 2 == 0 {
            // It is stopped while it holds a grant for a tick that has not come.
            program.wait("granted", |event| tick_ms(event) > now_ms());
        }
        events.push(events_of(&program.stop()));
        let mut next = start();
        let began = next.wait("began", |_| true);
        let began_ms = instant_ms(&began["at"]);
        next.wait("started", |event| tick_ms(event) > began_ms);
        programs.push(next);
    }
    // The beginning of the last second that is over before all of them stop.
    let last_ms = next_second_ms(now_ms()) - 2 * SECOND_MS;
    events.extend(stop_all(programs));

    let ticks: Vec<i64> = (first_ms..=last_ms).step_by(1_000).collect();
    let records = history(folder, &[]);
    let lateness = account(&ticks, &events, &records);
    eprintln!(
        "{}: {rounds} rounds, {} runs of {} ticks, each once; began late by {lateness}",
        store.name,
        ticks.len() * TASKS,
        ticks.len()
    );
}

/// Each execution of these ticks has begun once and has one record, which says that it went well;
/// nothing else has begun twice. Returns how late those of these ticks began.
fn account(ticks: &[i64], events: &[Vec<Value>], records: &[Value]) -> Lateness {
    let mut starts: BTreeMap<Key, Vec<&Value>> = BTreeMap::new();
    for event in events.iter().flatten().filter(|event| is_start(event)) {
        starts.entry(key(event)).or_default().push(event);
    }
    for (key, starts) in &starts {
        assert_eq!(starts.len(), 1, "{}", story(key, events, records));
    }
    let mut recorded: HashMap<Key, Vec<&Value>> = HashMap::new();
    for record in records {
        recorded.entry(key(record)).or_default().push(record);
    }
    let mut of_ticks = Vec::new();
    for &tick_ms in ticks {
        for key in (0..TASKS).map(|number| (name(number), tick_ms)) {
            let story = || story(&key, events, records);
            let started = starts.get(&key).and_then(|starts| starts.first());
            of_ticks.push(*started.unwrap_or_else(|| panic!("never began: {}", story())));
            let own = recorded.get(&key).map_or(&[][..], Vec::as_slice);
            let [record] = own else {
                panic!("{} records: {}", own.len(), story())
            };
            assert_eq!(record["state"], "succeeded", "{}", story());
            let early_ms = tick_ms - instant_ms(&record["started_at"]);
            assert!(early_ms <= EARLY_MAX_MS, "{early_ms} ms early: {}", story());
        }
    }
    Lateness::of(of_ticks.into_iter())
}

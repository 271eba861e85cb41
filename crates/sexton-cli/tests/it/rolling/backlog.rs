//! A task that is behind, beside fifty that are not: it catches up in order and at its pace, and
//! holds up none of them.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::TempDir;

use super::{
    Key, Lateness, SECOND_MS, Store, history, instant_ms, is_start, key, lateness_ms, long_rounds,
    next_second_ms, now_ms, stay_away_until, stop_all, story, tick_ms,
};
use crate::program::Program;

const FRESH_TASKS: usize = 50;
const BEHIND: &str = "behind";
/// How long the fleet runs before it goes away, and how long it is away: in the short form, and in
/// the long one.
const BEFORE_MS: i64 = 3_000;
const AWAY_MS: i64 = 20_000;
const LONG_AWAY_MS: i64 = 300_000;
const MEASURED_MS: i64 = 10_000;
/// How many runs of a task an instance catches up with at once.
const CAUGHT_UP_MAX: usize = 10;
/// A tick counts as caught up with from a second after it was due on. What was claimed just before
/// that, by a store that takes its time, begins after it and is fresh: nothing claimed as fresh
/// begins as late as this.
const SURELY_CAUGHT_UP_MS: f64 = 2_000.0;

super::on_each_store!(a_backlog_delays_nothing_that_is_fresh);

fn name(number: usize) -> String {
    format!("fresh{number}")
}

fn began_ms(events: &[Value]) -> i64 {
    let began = events.iter().find(|event| event["event"] == "began");
    instant_ms(&began.unwrap()["at"])
}

/// A fleet of one program, and everything that its program said, one list a life.
struct Fleet {
    folder: TempDir,
    has_backlog: bool,
    events: Vec<Vec<Value>>,
}

/// What came of the return.
struct Measured {
    /// Of the fresh tasks, of ticks since the return.
    lateness: Lateness,
    /// Those that did not run.
    unrun: Vec<Key>,
}

fn a_backlog_delays_nothing_that_is_fresh(store: &Store) {
    let mut alone = Fleet::new(store, "alone", false);
    let mut beside = Fleet::new(store, "beside", true);
    let mut programs = [alone.start(), beside.start()];
    let until_ms = now_ms() + BEFORE_MS;
    for program in &mut programs {
        program.wait("started", |event| tick_ms(event) >= until_ms);
    }
    let gone_ms = now_ms();
    for (fleet, events) in [&mut alone, &mut beside]
        .into_iter()
        .zip(stop_all(programs.into()))
    {
        fleet.events.push(events);
    }
    let away_ms = long_rounds().map_or(AWAY_MS, |_| LONG_AWAY_MS);
    stay_away_until(gone_ms + away_ms);

    let control = alone.come_back();
    let measured = beside.come_back();
    for (what, fleet, measured) in [
        ("fresh tasks alone", &alone, &control),
        ("fresh tasks beside a backlog", &beside, &measured),
    ] {
        let (lateness, unrun) = (&measured.lateness, measured.unrun.len());
        let missed = fleet.missed_before_the_return();
        eprintln!(
            "{}: {what}: {lateness}, {unrun} did not run; {missed}",
            store.name
        );
    }
    eprintln!("{}: {}", store.name, beside.caught_up_in_order_and_paced());
    for (fleet, measured) in [(&alone, control), (&beside, measured)] {
        if let Some(key) = measured.unrun.first() {
            panic!(
                "did not run: {}",
                story(key, &fleet.events, &fleet.history())
            );
        }
    }
}

impl Fleet {
    fn new(store: &Store, namespace: &str, has_backlog: bool) -> Fleet {
        let folder = tempfile::tempdir().unwrap();
        let mut file = format!(
            "[store]\nurl = \"{}\"\nnamespace = \"{namespace}\"\n",
            store.url
        );
        for number in 0..FRESH_TASKS {
            file += &format!(
                "[[task]]\nname = \"{}\"\nevery = \"1s\"\ncommand = [\"true\"]\n",
                name(number)
            );
        }
        if has_backlog {
            file += &format!(
                "[[task]]\nname = \"{BEHIND}\"\nevery = \"1s\"\n\
                 missed = {{ mode = \"all\", window = \"10d\" }}\ncommand = [\"sleep\", \"1\"]\n"
            );
        }
        std::fs::write(folder.path().join("tasks.toml"), file).unwrap();
        Fleet {
            folder,
            has_backlog,
            events: Vec::new(),
        }
    }

    fn start(&self) -> Program {
        Program::run(self.folder.path(), &["tasks.toml"])
    }

    /// Starts it again, and lets it run until it was measured and has caught up.
    fn come_back(&mut self) -> Measured {
        let mut program = self.start();
        let began = program.wait("began", |_| true);
        let first_ms = next_second_ms(instant_ms(&began["at"]));
        let end_ms = first_ms + MEASURED_MS;
        program.wait("started", |event| {
            event["task"] != BEHIND && tick_ms(event) >= end_ms
        });
        if self.has_backlog {
            program.wait("started", |event| {
                event["task"] == BEHIND
                    && tick_ms(event) >= end_ms
                    && lateness_ms(event) < SECOND_MS as f64
            });
        }
        self.events.extend(stop_all(vec![program]));
        let events = self.events.last().unwrap();
        let starts = events.iter().filter(|event| {
            is_start(event)
                && event["task"] != BEHIND
                && (first_ms..end_ms).contains(&tick_ms(event))
        });
        let lateness = Lateness::of(starts);
        let ticks = (first_ms..end_ms).step_by(1_000);
        let unrun = self.unrun(ticks);
        Measured { lateness, unrun }
    }

    fn history(&self) -> Vec<Value> {
        history(self.folder.path(), &[])
    }

    /// What of these ticks of the fresh tasks did not run, or is not recorded as run. Nothing ran
    /// twice.
    fn unrun(&self, ticks: impl Iterator<Item = i64>) -> Vec<Key> {
        let records = self.history();
        let succeeded = records.iter().filter(|one| one["state"] == "succeeded");
        let succeeded: BTreeSet<Key> = succeeded.map(key).collect();
        let starts = self.events.iter().flatten().filter(|event| is_start(event));
        let starts: Vec<Key> = starts.map(key).collect();
        let once: BTreeSet<&Key> = starts.iter().collect();
        assert_eq!(once.len(), starts.len(), "something began twice");
        let fresh = |tick_ms| (0..FRESH_TASKS).map(move |number| (name(number), tick_ms));
        let unrun = |key: &Key| !once.contains(key) || !succeeded.contains(key);
        ticks.flat_map(fresh).filter(unrun).collect()
    }

    /// How long the program took to record what the fresh tasks missed: a task's fresh ticks wait
    /// behind that.
    fn missed_before_the_return(&self) -> String {
        let events = self.events.last().unwrap();
        let began_ms = began_ms(events);
        let recorded = events.iter().filter(|event| {
            let is_recorded = event["event"] == "ticks passed"
                || event["event"] == "unrun" && tick_ms(event) < began_ms;
            is_recorded && event["task"] != BEHIND
        });
        let ends: Vec<i64> = recorded.map(|event| instant_ms(&event["at"])).collect();
        let took_ms = ends.last().map_or(0, |end_ms| end_ms - began_ms);
        format!("{} missed before were recorded in {took_ms} ms", ends.len())
    }

    /// Every tick of the task that was behind began, one after the other, and no more at once than
    /// an instance catches up with. Returns what there is to tell of it.
    fn caught_up_in_order_and_paced(&self) -> String {
        let own = |event: &&Value| event["task"] == BEHIND;
        let mut due_ms = None;
        for start in self
            .events
            .iter()
            .flatten()
            .filter(own)
            .filter(|event| is_start(event))
        {
            let tick_ms = tick_ms(start);
            assert_eq!(
                *due_ms.get_or_insert(tick_ms),
                tick_ms,
                "out of order: {start}"
            );
            due_ms = Some(tick_ms + SECOND_MS);
        }
        let events = self.events.last().unwrap();
        let (mut late, mut all): (BTreeSet<i64>, BTreeSet<i64>) = Default::default();
        let (mut backlog, mut late_max, mut all_max) = (0, 0, 0);
        let mut last_late = None;
        for event in events.iter().filter(own) {
            if is_start(event) {
                all.insert(tick_ms(event));
                if lateness_ms(event) >= SURELY_CAUGHT_UP_MS {
                    late.insert(tick_ms(event));
                    backlog += 1;
                    last_late = Some(&event["at"]);
                }
            } else if event["event"] == "finished" {
                assert_eq!(event["outcome"], "succeeded", "{event}");
                all.remove(&tick_ms(event));
                late.remove(&tick_ms(event));
            }
            assert!(
                late.len() <= CAUGHT_UP_MAX,
                "{} at once: {event}",
                late.len()
            );
            late_max = late_max.max(late.len());
            all_max = all_max.max(all.len());
        }
        assert!(
            backlog > CAUGHT_UP_MAX,
            "only {backlog} were caught up with"
        );
        let took_ms = instant_ms(last_late.unwrap()) - began_ms(events);
        format!(
            "{backlog} ticks caught up with in {took_ms} ms, at most {late_max} at once, {all_max} with fresh ones"
        )
    }
}

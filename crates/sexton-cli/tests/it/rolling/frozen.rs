//! A fleet of which one stands still, or loses its network, again and again: the others hardly
//! notice.
//!
//! `SEXTON_FREEZES=25` asks for the long form: that many freezes of up to a minute, on each store
//! that has a server. The short form is one of a few seconds, on Redis. `SEXTON_FREEZE_SEED` draws
//! the same ones again. The table begins with a time in which all go on, which shows what the
//! machine itself does to them; where that is a matter of seconds, `SEXTON_FREEZE_PERIOD_MS=1000`
//! asks for less than the long form's period of 100 ms.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::line::Line;
use super::{Key, Store, is_own, is_start, key, lateness_ms, now_ms, stay_away_until, tick_ms};
use crate::program::Program;

const PROGRAMS: usize = 4;
const TASKS: usize = 30;
/// Of the tasks, in the long form and in the short one.
const LONG_PERIOD_MS: i64 = 100;
const SHORT_PERIOD_MS: i64 = 500;
/// How late the others' ticks may be, whatever the machine does besides.
const LATE_MAX_MS: i64 = 5_000;
const SHORT_MS: i64 = 3_000;
const LONG_MAX_MS: i64 = 60_000;
/// How long all of them run between two freezes, at most.
const BETWEEN_MAX_MS: i64 = 2_000;

#[test]
fn the_others_are_in_time_on_redis() {
    Store::redis().iter().for_each(the_others_are_in_time);
}

/// A test on a store that the long form alone has.
macro_rules! in_the_long_form {
    ($name:ident, $store:ident) => {
        #[test]
        fn $name() {
            if freezes().is_none() {
                eprintln!("not run: SEXTON_FREEZES=25 asks for it");
                return;
            }
            Store::$store().iter().for_each(the_others_are_in_time);
        }
    };
}

in_the_long_form!(the_others_are_in_time_on_postgresql, postgres);
in_the_long_form!(the_others_are_in_time_on_mariadb, mariadb);
in_the_long_form!(the_others_are_in_time_on_documentdb, documentdb);

/// How many freezes the long form has; `None`: the short form is wanted.
fn freezes() -> Option<usize> {
    let freezes = std::env::var("SEXTON_FREEZES").ok()?;
    Some(freezes.parse().unwrap())
}

fn period_ms() -> i64 {
    let given = std::env::var("SEXTON_FREEZE_PERIOD_MS").ok();
    let usual = freezes().map_or(SHORT_PERIOD_MS, |_| LONG_PERIOD_MS);
    given.map_or(usual, |ms| ms.parse().unwrap())
}

fn seed() -> u64 {
    let given = std::env::var("SEXTON_FREEZE_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap())
}

#[derive(Debug, Clone, Copy)]
enum How {
    /// None of them is: what the machine does to all of them.
    AllGoOn,
    Stopped,
    CutOff,
}

/// What one program went through.
#[derive(Debug)]
struct Freeze {
    program: usize,
    how: How,
    from_ms: i64,
    until_ms: i64,
}

/// A program, and its own line to the server.
struct Replica {
    program: Program,
    line: Line,
}

impl Replica {
    fn start(folder: &Path, store: &Store, number: usize) -> Replica {
        let (before, port, after) = store.around_port();
        let line = Line::to(port);
        let url = format!("{before}{}{after}", line.port);
        let file = format!("tasks{number}.toml");
        std::fs::write(folder.join(&file), task_file(&url)).unwrap();
        let program = Program::run(folder, &[&file]);
        Replica { program, line }
    }

    /// Returns when it is over and this program takes part again.
    fn freeze(&mut self, how: How, ms: i64) -> (i64, i64) {
        match how {
            How::AllGoOn => {}
            How::Stopped => self.program.stand_still(),
            How::CutOff => self.line.lose(),
        }
        let from_ms = now_ms();
        stay_away_until(from_ms + ms);
        let until_ms = now_ms();
        match how {
            How::AllGoOn => {}
            How::Stopped => self.program.signal(Signal::CONT),
            How::CutOff => self.line.mend(),
        }
        self.takes_part(until_ms);
        (from_ms, until_ms)
    }

    /// Returns when it was told of a tick after this instant whether it is to run it: it need not
    /// win any.
    fn takes_part(&mut self, after_ms: i64) {
        self.program.wait_line("granted or denied", |line| {
            let event: Value = serde_json::from_str(line).unwrap();
            let is_answer = event["event"] == "granted" || event["event"] == "denied";
            (is_answer && !is_own(&event) && tick_ms(&event) > after_ms).then_some(())
        });
    }
}

fn name(number: usize) -> String {
    format!("t{number}")
}

fn task_file(url: &str) -> String {
    let mut file = format!("[store]\nurl = \"{url}\"\n");
    let period_ms = period_ms();
    for number in 0..TASKS {
        file += &format!(
            "[[task]]\nname = \"{}\"\nevery = \"{period_ms}ms\"\ncommand = [\"true\"]\n",
            name(number)
        );
    }
    file
}

fn the_others_are_in_time(store: &Store) {
    let seed = seed();
    eprintln!("{}: SEXTON_FREEZE_SEED={seed}", store.name);
    let mut draw = fastrand::Rng::with_seed(seed);
    let folder = tempfile::tempdir().unwrap();
    let start = |number| Replica::start(folder.path(), store, number);
    let mut replicas: Vec<Replica> = (0..PROGRAMS).map(start).collect();
    for replica in &mut replicas {
        replica.takes_part(0);
    }
    let mut freezes = Vec::new();
    for number in 0..=self::freezes().unwrap_or(1) {
        stay_away_until(now_ms() + draw.i64(0..BETWEEN_MAX_MS));
        let program = draw.usize(0..PROGRAMS);
        let (how, ms) = match (number, self::freezes()) {
            (0, _) => (How::AllGoOn, SHORT_MS),
            (_, None) => (drawn(&mut draw), SHORT_MS),
            (_, Some(_)) => (drawn(&mut draw), draw.i64(SHORT_MS..=LONG_MAX_MS)),
        };
        let (from_ms, until_ms) = replicas[program].freeze(how, ms);
        freezes.push(Freeze {
            program,
            how,
            from_ms,
            until_ms,
        });
    }
    // What was due until the end of the last freeze has begun then, or never will.
    let over_ms = now_ms() + LATE_MAX_MS;
    for replica in &mut replicas {
        replica.takes_part(over_ms);
    }
    for replica in &replicas {
        replica.program.signal(Signal::TERM);
    }
    let ended = replicas.into_iter().map(|replica| {
        let ended = replica.program.ended();
        assert!(ended.status.success(), "{ended:?}");
        ended.events()
    });
    let events: Vec<Vec<Value>> = ended.collect();
    began_once(&events);
    let seen: Vec<Seen> = freezes
        .iter()
        .map(|freeze| Seen::of(freeze, &events))
        .collect();
    eprintln!("{}: freeze; the others' ticks", store.name);
    for (number, (freeze, seen)) in freezes.iter().zip(&seen).enumerate() {
        eprintln!("{number:>3}: {freeze}; {seen}");
    }
    let worst_ms = seen.iter().skip(1).map(|seen| seen.latest_ms).max();
    let worst_ms = worst_ms.unwrap();
    assert!(worst_ms <= LATE_MAX_MS, "late by {worst_ms} ms");
}

fn drawn(draw: &mut fastrand::Rng) -> How {
    *draw.choice(&[How::Stopped, How::CutOff]).unwrap()
}

/// Nothing has begun twice.
fn began_once(events: &[Vec<Value>]) {
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    for start in events.iter().flatten().filter(|event| is_start(event)) {
        assert!(seen.insert(key(start)), "began twice: {start}");
    }
}

/// What became of the ticks that were due during a freeze.
struct Seen {
    due: usize,
    /// How many began nowhere.
    unrun: usize,
    /// From when a tick was due, the longest until one of the others began it or a later one of its
    /// task.
    latest_ms: i64,
}

impl Seen {
    fn of(freeze: &Freeze, events: &[Vec<Value>]) -> Seen {
        let mut seen = Seen {
            due: 0,
            unrun: 0,
            latest_ms: 0,
        };
        let (mut of_others, mut of_all) = (BTreeMap::<String, Vec<_>>::new(), BTreeSet::new());
        for (program, events) in events.iter().enumerate() {
            for start in events.iter().filter(|event| is_start(event)) {
                let (task, tick_ms) = key(start);
                of_all.insert((task.clone(), tick_ms));
                if program != freeze.program || matches!(freeze.how, How::AllGoOn) {
                    let began_ms = tick_ms + lateness_ms(start).ceil() as i64;
                    of_others.entry(task).or_default().push((tick_ms, began_ms));
                }
            }
        }
        let period_ms = period_ms();
        let step = usize::try_from(period_ms).unwrap();
        for number in 0..TASKS {
            let task = name(number);
            let mut begun = of_others.remove(&task).unwrap_or_default();
            begun.sort_unstable();
            let first_ms = freeze.from_ms - freeze.from_ms.rem_euclid(period_ms) + period_ms;
            let due = (first_ms..freeze.until_ms).step_by(step);
            let due: Vec<i64> = due.collect();
            seen.due += due.len();
            let mut began_ms = i64::MAX;
            for &due_ms in due.iter().rev() {
                while let Some((_, later_ms)) = begun.pop_if(|(tick_ms, _)| *tick_ms >= due_ms) {
                    began_ms = began_ms.min(later_ms);
                }
                seen.latest_ms = seen.latest_ms.max(began_ms.saturating_sub(due_ms));
                seen.unrun += usize::from(!of_all.contains(&(task.clone(), due_ms)));
            }
        }
        seen
    }
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = self.program;
        let what = match self.how {
            How::AllGoOn => "all go on".to_owned(),
            How::Stopped => format!("program {program} stopped"),
            How::CutOff => format!("program {program} cut off"),
        };
        let ms = u64::try_from(self.until_ms - self.from_ms).unwrap();
        let time = Duration::from_millis(ms).as_secs_f64();
        write!(f, "{what} for {time:.1} s")
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seen {
            due,
            unrun,
            latest_ms,
        } = self;
        write!(f, "late by {latest_ms} ms at most, {unrun} of {due} unrun")
    }
}

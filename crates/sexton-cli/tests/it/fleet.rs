//! Several programs on one store, some of them killed and stopped: nothing twice, nothing silently
//! not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rustix::process::Signal;
use sexton::{MySqlLockManager, PostgresLockManager, RedisLockManager, SqliteLockManager};
use sexton_core::lock::{
    Execution, ExecutionRecord, ExecutionState, HistoryQuery, LockManager, Outcome, Reason,
    SweepQuery,
};
use sexton_core::name::TaskName;
use sexton_core::tick::{ConcurrencyIndex, Tick};
use sexton_testkit::{mariadb, postgres, redis};

use crate::program::{Program, ask_until};
use crate::standstill::stand_still_between_writes;

const PERIOD_MS: i64 = 200;
/// How many executions a tick of a task has; there are two tasks of each.
const CONCURRENCIES: [u16; 3] = [1, 3, 6];
/// How long one of the programs stands still, in ticks.
const STANDSTILL_TICKS: i64 = 25;

/// What a task wrote down of one of its runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Written {
    task: String,
    index: u16,
    tick_ms: i64,
    fence: u64,
    instance: String,
}

/// `a…` skips what it is too late for; `b…` catches up with every tick, so that however slow the
/// machine is, none may be missing.
fn task_file(store: &str) -> String {
    let line = "$SEXTON_TASK $SEXTON_CONCURRENCY_INDEX $SEXTON_TICK $SEXTON_FENCE $SEXTON_INSTANCE";
    let mut file = format!("[store]\nurl = \"{store}\"\n");
    for concurrency in CONCURRENCIES {
        for (kind, missed) in [
            ("a", "\"skip\""),
            ("b", "{ mode = \"all\", window = \"1h\" }"),
        ] {
            file += &format!(
                "[[task]]\nname = \"{kind}{concurrency}\"\nevery = \"{PERIOD_MS}ms\"\nconcurrency = {concurrency}\n\
                 missed = {missed}\ncommand = [\"sh\", \"-c\", \"echo {line} >> log\"]\n"
            );
        }
    }
    file
}

fn written(folder: &Path) -> Vec<Written> {
    let text = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    // A line without its end is still being written.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(read_line).collect()
}

fn read_line(line: &str) -> Written {
    let words: Vec<&str> = line.split(' ').collect();
    let [task, index, tick, fence, instance] = words[..] else {
        panic!("a task wrote {line:?}")
    };
    Written {
        task: task.to_owned(),
        index: index.parse().unwrap(),
        tick_ms: tick.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
        fence: fence.parse().unwrap(),
        instance: instance.to_owned(),
    }
}

/// All records of ticks in `first_ms..=last_ms` in these states; empty means all.
async fn records(
    manager: &dyn LockManager,
    first_ms: i64,
    last_ms: i64,
    states: &[ExecutionState],
) -> Vec<ExecutionRecord> {
    let mut query = HistoryQuery {
        states: states.to_vec(),
        since: Some(Tick::from_millis(first_ms).unwrap()),
        until: Some(Tick::from_millis(last_ms + 1).unwrap()),
        limit: 1_000,
        ..HistoryQuery::default()
    };
    let mut all = Vec::new();
    loop {
        let page = manager.history(&query).await.unwrap().value;
        let is_last = page.len() < query.limit;
        query.after = page.last().map(|record| record.execution.clone());
        all.extend(page);
        if is_last {
            all.retain(|record| !record.execution.task.as_str().starts_with("sexton:"));
            return all;
        }
    }
}

fn tick_of(event: &serde_json::Value) -> i64 {
    let tick: jiff::Timestamp = event["tick"].as_str().unwrap().parse().unwrap();
    tick.as_millisecond()
}

/// Waits until the program has started a run of a tick after this one.
fn wait_for_tick(program: &mut Program, after_ms: i64) -> i64 {
    tick_of(&program.wait("started", |event| tick_of(event) > after_ms))
}

#[test]
fn five_programs_run_every_tick_once_while_one_is_killed_and_one_stands_still() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sexton.db");
    let open = || {
        let opening = SqliteLockManager::open(&file);
        Box::new(runtime.block_on(opening).unwrap()) as Box<dyn LockManager>
    };
    let stand_still = |program: &Program| stand_still_between_writes(program, &file);
    every_tick_runs_once(
        &runtime,
        folder.path(),
        "sqlite:sexton.db",
        open,
        stand_still,
    );
}

#[test]
fn five_programs_on_a_redis_server_do_too() {
    if redis::is_declared_absent() {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let server = runtime.block_on(redis::Server::start());
    let url = server.url();
    let open = || {
        let connecting = RedisLockManager::connect(&url);
        Box::new(runtime.block_on(connecting).unwrap()) as Box<dyn LockManager>
    };
    every_tick_runs_once(&runtime, folder.path(), &url, open, Program::stand_still);
}

#[test]
fn five_programs_on_a_postgresql_server_do_too() {
    let Some(server) = postgres::Server::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let open = || {
        let connecting = PostgresLockManager::connect(&url);
        Box::new(runtime.block_on(connecting).unwrap()) as Box<dyn LockManager>
    };
    every_tick_runs_once(&runtime, folder.path(), &url, open, Program::stand_still);
}

#[test]
fn five_programs_on_a_mariadb_server_do_too() {
    let Some(server) = mariadb::Server::start() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let url = server.url();
    let open = || {
        let connecting = MySqlLockManager::connect(&url);
        Box::new(runtime.block_on(connecting).unwrap()) as Box<dyn LockManager>
    };
    every_tick_runs_once(&runtime, folder.path(), &url, open, Program::stand_still);
}

fn every_tick_runs_once(
    runtime: &tokio::runtime::Runtime,
    folder: &Path,
    store: &str,
    open: impl Fn() -> Box<dyn LockManager>,
    // On a server at any moment: it goes on whatever its clients are in the middle of.
    stand_still: impl Fn(&Program),
) {
    std::fs::write(folder.join("tasks.toml"), task_file(store)).unwrap();

    let mut programs: Vec<Program> = (0..5)
        .map(|_| Program::run(folder, &["tasks.toml"]))
        .collect();
    let instances: Vec<String> = programs.iter_mut().map(Program::began).collect();
    // Everybody takes part, from here on.
    let ticks = programs
        .iter_mut()
        .map(|program| wait_for_tick(program, i64::MIN));
    let first_ms = ticks.max().unwrap();

    let mut killed = programs.swap_remove(3);
    let killed_id = &instances[3];
    let killed_ms = wait_for_tick(&mut killed, first_ms + 5 * PERIOD_MS);
    killed.signal(Signal::KILL);
    drop(killed);

    let mut stopped = programs.swap_remove(0);
    let stopped_ms = wait_for_tick(&mut stopped, killed_ms + 5 * PERIOD_MS);
    stand_still(&stopped);
    wait_for_tick(&mut programs[0], stopped_ms + STANDSTILL_TICKS * PERIOD_MS);
    stopped.signal(Signal::CONT);
    let back_ms = wait_for_tick(&mut stopped, stopped_ms + STANDSTILL_TICKS * PERIOD_MS);
    programs.push(stopped);
    let ticks = programs
        .iter_mut()
        .map(|program| wait_for_tick(program, back_ms + 5 * PERIOD_MS));
    let last_ms = ticks.min().unwrap();

    // Everything that was due by then has a record, and nothing of it is open but what the killed
    // one held. On a slow machine some of it is caught up with only now.
    let manager = open();
    let ticks = usize::try_from((last_ms - first_ms) / PERIOD_MS + 1).unwrap();
    let due = ticks * 2 * usize::from(CONCURRENCIES.iter().sum::<u16>());
    ask_until("everything due has ended", || {
        let all = runtime.block_on(records(&*manager, first_ms, last_ms, &[]));
        let has_ended = |record: &ExecutionRecord| {
            let open = [ExecutionState::Waiting, ExecutionState::Running];
            !open.contains(&record.state) || is_of(record, killed_id)
        };
        (all.len() >= due && all.iter().all(has_ended)).then_some(())
    });
    for program in &programs {
        program.signal(Signal::TERM);
    }
    for program in programs {
        let ended = program.ended();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(ended.stderr, "");
    }

    let written = written(folder);
    let records = runtime.block_on(records(&*manager, first_ms, last_ms, &[]));
    never_twice(&written);
    let (missed, stranded) = account(&written, &records, first_ms..=last_ms, killed_id);
    fences_rise(&written, first_ms..=last_ms);
    never_early(&records);
    let by: BTreeSet<&String> = written.iter().map(|line| &line.instance).collect();
    assert_eq!(by, instances.iter().collect());
    runtime.block_on(what_the_killed_one_held_ends_as_lost(&*manager));
    eprintln!(
        "{} runs written down, {} records of {} ticks, {missed} missed with a reason, \
         {stranded} stranded with the killed one",
        written.len(),
        records.len(),
        (last_ms - first_ms) / PERIOD_MS + 1
    );
}

fn is_of(record: &ExecutionRecord, instance: &str) -> bool {
    record
        .instance
        .as_ref()
        .is_some_and(|own| own.as_str() == instance)
}

/// Of all that was ever written down, before, in and after the window.
fn never_twice(written: &[Written]) {
    let mut seen = BTreeMap::new();
    for line in written {
        let key = (&line.task, line.index, line.tick_ms);
        if let Some(other) = seen.insert(key, line) {
            panic!("run twice: {other:?} and {line:?}");
        }
    }
}

/// Every execution of every tick has one record, and what the record says of it is what its task
/// wrote down. Returns how many were missed, and recorded so, and how many the killed one was
/// granted and did not come to.
fn account(
    written: &[Written],
    records: &[ExecutionRecord],
    window_ms: std::ops::RangeInclusive<i64>,
    killed: &str,
) -> (usize, usize) {
    let mut lines: BTreeMap<Execution, &Written> = written
        .iter()
        .filter(|line| window_ms.contains(&line.tick_ms))
        .map(|line| (execution(&line.task, line.index, line.tick_ms), line))
        .collect();
    let mut records: BTreeMap<Execution, &ExecutionRecord> = records
        .iter()
        .map(|record| (record.execution.clone(), record))
        .collect();
    let (mut missed, mut stranded) = (0, 0);
    for tick_ms in window_ms
        .clone()
        .filter(|tick_ms| tick_ms.rem_euclid(PERIOD_MS) == 0)
    {
        for concurrency in CONCURRENCIES {
            for (kind, index) in ["a", "b"]
                .iter()
                .flat_map(|kind| (1..=concurrency).map(move |index| (kind, index)))
            {
                let execution = execution(&format!("{kind}{concurrency}"), index, tick_ms);
                let record = records
                    .remove(&execution)
                    .unwrap_or_else(|| panic!("{execution} has no record"));
                assert_eq!(record.concurrency.get(), concurrency);
                let line = lines.remove(&execution);
                match (record.state, line) {
                    (ExecutionState::Ended(Outcome::Succeeded), Some(line)) => {
                        assert!(is_of(record, &line.instance), "{record:?} {line:?}");
                        assert_eq!(record.fence.get(), line.fence, "{record:?}");
                    }
                    // It may or may not have come to it; if so, it was alone. Once its presence
                    // has run out, another instance has closed it.
                    (ExecutionState::Running | ExecutionState::Ended(Outcome::Lost), line)
                        if is_of(record, killed) =>
                    {
                        assert!(line.is_none_or(|line| line.instance == killed));
                        stranded += usize::from(line.is_none());
                    }
                    (ExecutionState::Missed, None) if *kind == "a" => {
                        let reason = record.reason.unwrap();
                        assert!(
                            [Reason::TooLate, Reason::StoreUnreachable].contains(&reason),
                            "{record:?}"
                        );
                        missed += 1;
                    }
                    (state, line) => {
                        panic!("{execution} is {state}, and wrote {line:?}: {record:?}")
                    }
                }
            }
        }
    }
    assert!(records.is_empty(), "nobody asked for {records:?}");
    assert!(lines.is_empty(), "nobody asked for {lines:?}");
    (missed, stranded)
}

fn execution(task: &str, index: u16, tick_ms: i64) -> Execution {
    Execution {
        task: TaskName::new(task).unwrap(),
        index: ConcurrencyIndex::new(u64::from(index)).unwrap(),
        tick: Tick::from_millis(tick_ms).unwrap(),
    }
}

fn fences_rise(written: &[Written], window_ms: std::ops::RangeInclusive<i64>) {
    let mut written: Vec<&Written> = written
        .iter()
        .filter(|line| window_ms.contains(&line.tick_ms))
        .collect();
    written.sort();
    for pair in written.windows(2) {
        let [earlier, later] = pair else { continue };
        let is_next = (&earlier.task, earlier.index) == (&later.task, later.index);
        assert!(!is_next || earlier.fence < later.fence, "{pair:?}");
    }
}

fn never_early(records: &[ExecutionRecord]) {
    for record in records {
        if let Some(started_at) = record.started_at {
            assert!(
                started_at >= record.execution.tick.timestamp(),
                "{record:?}"
            );
        }
    }
}

/// Once its presence has run out, a sweep closes what it was granted and never told the end of.
async fn what_the_killed_one_held_ends_as_lost(manager: &dyn LockManager) {
    let query = SweepQuery {
        abandoned_after: std::time::Duration::ZERO,
        ..SweepQuery::default()
    };
    let until = tokio::time::Instant::now() + crate::program::LIMIT;
    loop {
        manager.sweep(&query).await.unwrap();
        let running = records(
            manager,
            0,
            i64::from(u32::MAX) * 1_000,
            &[ExecutionState::Running],
        );
        if running.await.is_empty() {
            return;
        }
        assert!(tokio::time::Instant::now() < until, "still open");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

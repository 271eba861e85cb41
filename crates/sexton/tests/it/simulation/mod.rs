//! The whole fleet in one thread and in no time: schedulers as they are, on a store and a network
//! that go wrong as a seed says, and a checker of everything that happened against the promise.
//!
//! Each seed is another world, and always the same one. `SEXTON_SIM_SEED=7 cargo nextest run -p
//! sexton --no-capture simulation` shows what happens in the world of seed 7;
//! `SEXTON_SIM_SEEDS=100000` goes through more of them than usual.

mod broken;
mod checker;
mod history;
mod link;
mod plan;
mod starts;
mod store;
mod world;

use std::fmt::Write;
use std::panic::AssertUnwindSafe;

use jiff::SignedDuration;

use self::broken::Break;
use self::checker::violations;
use self::history::{Line, What};
use self::starts::{CAUGHT_UP_MAX, wrong_starts};
use self::world::{Simulated, simulate};

/// Worlds that the ordinary tests go through, all together.
const SEEDS: u64 = 1_000;

/// Tests that share them, side by side.
const SHARES: u64 = 8;

/// Worlds of which a history is forged until that must show.
const SEEDS_TO_FORGE_MAX: u64 = 40;

/// Worlds in which a broken rule must show.
const SEEDS_TO_FIND_MAX: u64 = 300;

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable} must be a number, found {text:?}")))
}

fn log(simulated: &Simulated) -> String {
    let mut log = format!("{:#?}\n", simulated.plan);
    for line in &simulated.lines {
        writeln!(log, "{line}").unwrap();
    }
    log
}

/// What the world of a seed does that it must not.
fn wrong_in(seed: u64, broken: Option<Break>) -> Vec<String> {
    let simulated = std::panic::catch_unwind(AssertUnwindSafe(|| simulate(seed, broken)));
    match simulated {
        Ok(simulated) => violations(&simulated),
        Err(_) => vec!["it panicked".to_owned()],
    }
}

#[allow(clippy::print_stdout, reason = "it is what was asked for")]
fn show(seed: u64) {
    let simulated = simulate(seed, None);
    println!("{}", log(&simulated));
    let wrong = violations(&simulated);
    assert!(wrong.is_empty(), "seed {seed}:\n{}", wrong.join("\n"));
}

/// The promise holds in a share of the worlds.
fn holds_in_share(share: u64) {
    if let Some(seed) = number_from("SEXTON_SIM_SEED") {
        if share == 0 {
            show(seed);
        }
        return;
    }
    let seeds = number_from("SEXTON_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in (share..seeds).step_by(usize::try_from(SHARES).unwrap()) {
        let wrong = wrong_in(seed, None);
        assert!(
            wrong.is_empty(),
            "the promise is broken in the world of seed {seed}:\n{}\nsee what happens there: SEXTON_SIM_SEED={seed} cargo \
             nextest run -p sexton --no-capture simulation",
            wrong.join("\n")
        );
    }
}

#[test]
fn the_promise_holds_in_the_first_share_of_worlds() {
    holds_in_share(0);
}

#[test]
fn the_promise_holds_in_the_second_share_of_worlds() {
    holds_in_share(1);
}

#[test]
fn the_promise_holds_in_the_third_share_of_worlds() {
    holds_in_share(2);
}

#[test]
fn the_promise_holds_in_the_fourth_share_of_worlds() {
    holds_in_share(3);
}

#[test]
fn the_promise_holds_in_the_fifth_share_of_worlds() {
    holds_in_share(4);
}

#[test]
fn the_promise_holds_in_the_sixth_share_of_worlds() {
    holds_in_share(5);
}

#[test]
fn the_promise_holds_in_the_seventh_share_of_worlds() {
    holds_in_share(6);
}

#[test]
fn the_promise_holds_in_the_eighth_share_of_worlds() {
    holds_in_share(7);
}

#[test]
fn a_seed_is_always_the_same_world() {
    for seed in 0..12 {
        let (first, second) = (log(&simulate(seed, None)), log(&simulate(seed, None)));
        let differs = first
            .lines()
            .zip(second.lines())
            .find(|(one, other)| one != other);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(first.len(), second.len(), "seed {seed}");
    }
}

/// The checker finds what a broken rule does, and calls it by this name; the seed of a world where
/// it shows.
#[allow(clippy::print_stdout, reason = "seeds are told")]
#[track_caller]
fn finds(broken: Break, rule: &str) -> u64 {
    let is_found = |seed: &u64| {
        let wrong = wrong_in(*seed, Some(broken));
        wrong.iter().any(|wrong| wrong.starts_with(rule))
    };
    match (0..SEEDS_TO_FIND_MAX).find(is_found) {
        Some(seed) => {
            println!("{broken:?} shows in the world of seed {seed}");
            seed
        }
        None => panic!("{broken:?} goes unnoticed in {SEEDS_TO_FIND_MAX} worlds"),
    }
}

#[test]
fn a_watermark_that_is_not_advanced_is_found() {
    finds(
        Break::WatermarkNotAdvanced,
        "nothing is granted behind the watermark",
    );
}

#[test]
fn a_claim_id_that_is_ignored_is_found() {
    finds(Break::ClaimIdIgnored, "a healthy instance loses nothing");
}

#[test]
fn a_lease_that_is_not_checked_is_found() {
    finds(Break::LeaseNotChecked, "no two grants are live at once");
}

#[test]
fn a_clients_clock_that_is_trusted_is_found() {
    finds(Break::ClientsClockTrusted, "no two grants are live at once");
}

#[test]
fn a_task_that_is_forgotten_before_its_first_tick_is_found() {
    finds(Break::KnownSinceForgotten, "every tick is accounted for");
}

#[test]
fn a_schedule_that_counts_from_before_its_definition_is_found() {
    finds(
        Break::ScheduleSinceForgotten,
        "a schedule counts from its definition",
    );
}

#[test]
fn a_deadline_that_is_forgotten_is_found() {
    finds(Break::DeadlineForgotten, "nothing begins after its window");
}

#[test]
fn an_earlier_tick_that_is_passed_by_is_found() {
    finds(
        Break::EarlierForgotten,
        "an earlier tick that waits goes first",
    );
}

#[test]
fn a_former_holder_that_is_forgotten_is_found() {
    finds(
        Break::FormerHoldersForgotten,
        "an instance begins one index of a tick",
    );
}

#[test]
fn a_trigger_that_raises_the_watermark_is_found() {
    finds(
        Break::WatermarkRaisedByTrigger,
        "every tick is accounted for",
    );
}

#[test]
fn records_that_are_never_written_are_found() {
    finds(Break::CoveredNotRecorded, "every tick is accounted for");
}

#[test]
fn a_needed_record_that_is_forgotten_is_found() {
    let rule = "what is over is not granted again";
    let seed = finds(Break::NeededRecordForgotten, rule);
    // It is the rule that keeps the promise there: the instances say that they need a record.
    let wrong = wrong_in(seed, Some(Break::SettledForgotten));
    assert!(!wrong.iter().any(|wrong| wrong.starts_with(rule)));
}

/// The checker of starts finds what the scheduler itself would do wrong: here a history says so
/// that is otherwise true.
#[track_caller]
fn finds_in_a_forged_history(rule: &str, forge: impl Fn(&mut Simulated) -> bool) {
    let is_found = |seed: &u64| {
        let mut simulated = simulate(*seed, None);
        let is_true = wrong_starts(&simulated, CAUGHT_UP_MAX).is_empty();
        is_true
            && forge(&mut simulated)
            && wrong_starts(&simulated, CAUGHT_UP_MAX)
                .iter()
                .any(|wrong| wrong.starts_with(rule))
    };
    let found = (0..SEEDS_TO_FORGE_MAX).find(is_found);
    assert!(found.is_some(), "{rule:?} goes unnoticed");
}

/// The lines at which first attempts begin on the replicas that nothing happens to.
fn beginnings(simulated: &Simulated) -> Vec<usize> {
    let is_beginning = |line: &Line| match &line.what {
        What::Began(began) => {
            began.attempt.get() == 1 && simulated.healthy.contains(&began.instance)
        }
        _ => false,
    };
    let lines = simulated.lines.iter().enumerate();
    let beginnings = lines.filter(|(_, line)| is_beginning(line));
    beginnings.map(|(number, _)| number).collect()
}

#[test]
fn a_run_that_begins_before_it_is_due_is_found() {
    finds_in_a_forged_history("nothing begins before it is due", |simulated| {
        let Some(number) = beginnings(simulated).pop() else {
            return false;
        };
        let line = &mut simulated.lines[number];
        if let What::Began(began) = &line.what {
            line.at = began.execution.tick.timestamp() - SignedDuration::from_millis(50);
        }
        true
    });
}

#[test]
fn a_run_that_begins_after_its_window_is_found() {
    finds_in_a_forged_history("nothing begins after its window", |simulated| {
        let Some(number) = beginnings(simulated).pop() else {
            return false;
        };
        simulated.lines[number].at += SignedDuration::from_secs(75);
        true
    });
}

#[test]
fn ticks_that_begin_out_of_order_are_found() {
    finds_in_a_forged_history("ticks begin in order", |simulated| {
        let beginnings = beginnings(simulated);
        let lane = |number: usize| match &simulated.lines[number].what {
            What::Began(began) => (
                began.instance.clone(),
                began.execution.task.clone(),
                began.execution.index,
            ),
            _ => unreachable!("a beginning"),
        };
        let pairs = beginnings.iter().enumerate().flat_map(|(at, first)| {
            let later = beginnings[at + 1..].iter();
            later.map(move |second| (*first, *second))
        });
        let same_lane = pairs
            .into_iter()
            .find(|(first, second)| lane(*first) == lane(*second));
        let Some((first, second)) = same_lane else {
            return false;
        };
        let what = simulated.lines[first].what.clone();
        simulated.lines[first].what = simulated.lines[second].what.clone();
        simulated.lines[second].what = what;
        true
    });
}

#[test]
fn what_is_given_up_before_its_window_ends_is_found() {
    finds_in_a_forged_history("nothing is given up before its window ends", |simulated| {
        let given_up = simulated
            .lines
            .iter_mut()
            .rev()
            .find(|line| matches!(line.what, What::GivenUp(..)));
        let Some(line) = given_up else {
            return false;
        };
        line.at -= SignedDuration::from_mins(2);
        true
    });
}

#[test]
fn a_backlog_that_is_not_paced_is_found() {
    // Some fleet has more than two late runs of a task at once: so a limit of two is seen to be
    // passed.
    let is_found = |seed: &u64| {
        let wrong = wrong_starts(&simulate(*seed, None), 2);
        wrong
            .iter()
            .any(|wrong| wrong.starts_with("what is caught up with is paced"))
    };
    assert!((0..SEEDS_TO_FIND_MAX).any(|seed| is_found(&seed)));
}

#[test]
fn a_fence_that_is_reused_is_found() {
    finds(Break::FenceReused, "fences rise");
}

//! Schedules, against examples, brute force and second opinions.

mod clock_changes_chosen;
mod combined;
mod consistency;
mod cron_calendar;
mod cron_clock_changes;
mod cron_refused;
mod cron_second_opinion;
mod described;
mod documented;
mod fuzz;
mod jitter;
mod kron_brute_force;
mod kron_builder;
mod kron_clock_changes;
mod kron_examples;
mod kron_refused;
mod simple;
mod spread;
mod zones;

use jiff::tz::TimeZone;
use sexton_core::schedule::{Cron, Kron, Schedule, zone};
use sexton_core::tick::Tick;

fn tick(text: &str) -> Tick {
    text.parse().unwrap()
}

fn tz(name: &str) -> TimeZone {
    zone::parse(name).unwrap()
}

fn cron(expression: &str) -> Cron {
    Cron::parse(expression).unwrap()
}

fn cron_in(expression: &str, name: &str) -> Cron {
    cron(expression).in_tz(tz(name)).unwrap()
}

fn kron(expression: &str) -> Kron {
    Kron::parse(expression).unwrap()
}

/// All ticks from `from` (included) to `end` (excluded).
fn ticks_between(schedule: &dyn Schedule, from: Tick, end: Tick) -> Vec<Tick> {
    let mut ticks = Vec::new();
    let mut after = from.saturating_add_millis(-1);
    while let Some(next) = schedule.next_after(after).filter(|next| *next < end) {
        assert!(
            next > after,
            "{} gave {next} after {after}",
            schedule.describe()
        );
        ticks.push(next);
        after = next;
    }
    ticks
}

/// The first `count` ticks not before `from`.
fn first_ticks(schedule: &dyn Schedule, from: &str, count: usize) -> Vec<Tick> {
    let before = tick(from).saturating_add_millis(-1);
    std::iter::successors(schedule.next_after(before), |last| {
        schedule.next_after(*last)
    })
    .take(count)
    .collect()
}

#[track_caller]
fn assert_ticks(schedule: &dyn Schedule, from: &str, expected: &[&str]) {
    let expected: Vec<Tick> = expected.iter().map(|text| tick(text)).collect();
    assert_eq!(
        first_ticks(schedule, from, expected.len()),
        expected,
        "{}",
        schedule.describe()
    );
}

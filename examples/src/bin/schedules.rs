//! Schedules to their edges: several at once, holidays, a place by the task's name, and what happens
//! where clocks change.
//!
//! ```console
//! $ cargo run -p sexton-examples --bin schedules
//! ```
//!
//! A schedule knows nothing of now, so this prints the same whenever it runs.

#![allow(clippy::print_stdout, reason = "an example shows something")]

use std::error::Error;
use std::sync::Arc;

use jiff::civil::date;
use sexton::Task;
use sexton::name::{Namespace, TaskName};
use sexton::schedule::{
    ClockChanges, Cron, Except, Fold, Gap, Schedule, Spread, Union, first_after, zone,
};

/// Prints a schedule in words, and its first ticks after an instant.
fn show(schedule: &dyn Schedule, after: &str) -> Result<(), Box<dyn Error>> {
    println!("{}", schedule.describe());
    let mut tick = after.parse()?;
    for _ in 0..3 {
        tick = first_after(schedule, tick)?;
        println!("  {tick}");
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let paris = zone::parse("Europe/Paris")?;

    // A shop: other hours on Saturdays, and closed at Christmas.
    let weekdays = Cron::parse("0 9 * * MON-FRI")?.in_tz(paris.clone())?;
    let saturdays = Cron::parse("0 11 * * SAT")?.in_tz(paris.clone())?;
    let hours: [Arc<dyn Schedule>; 2] = [Arc::new(weekdays), Arc::new(saturdays)];
    let open = Except::new(Arc::new(Union::new(hours)?)).in_tz(paris.clone());
    let open = open.on_ranges([date(2026, 12, 24)..=date(2026, 12, 26)])?;
    show(&open, "2026-12-22T12:00:00Z")?;

    // At night, at an hour and a minute that the name picks, the same on every replica.
    let name = "backup";
    let spread = Spread::of(&Namespace::default(), &TaskName::new(name)?);
    let nightly = Cron::parse_spread("H H(0-5) * * *", &spread)?;
    show(&nightly, "2026-12-22T12:00:00Z")?;
    // A task takes it as any other schedule.
    let _task = Task::new(name).schedule(nightly).run(async || {});

    // Not at all where the clocks skip 02:30, rather than at 03:00.
    let skipping = ClockChanges {
        gap: Gap::Skip,
        fold: Fold::First,
    };
    let reindex = Cron::parse("30 2 * * *")?.in_tz(paris)?;
    show(&reindex.on_clock_changes(skipping)?, "2026-03-27T12:00:00Z")
}

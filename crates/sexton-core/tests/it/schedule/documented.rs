//! The table of docs/schedules.md, against the schedules themselves.

use sexton_core::schedule::Schedule;
use sexton_core::tick::Tick;

use super::{cron_in, tick, ticks_between};

const PAGE: &str = include_str!("../../../../../docs/schedules.md");

/// `03:00 +02, 03:30 +02`: what is due from 00:00 to 04:00 of a day in Paris.
fn due(expression: &str, day: &str, end: &str) -> String {
    let paris = super::tz("Europe/Paris");
    let before = paris.to_datetime(tick(end).timestamp());
    assert_eq!(before.to_string(), format!("{day}T04:00:00"));
    let midnight = jiff::civil::date(2026, before.month(), before.day());
    let start = midnight.to_zoned(paris.clone()).unwrap().timestamp();
    let schedule = cron_in(expression, "Europe/Paris");
    let ticks = ticks_between(
        &schedule as &dyn Schedule,
        Tick::at_or_before(start),
        tick(end),
    );
    let shown: Vec<String> = ticks
        .iter()
        .map(|tick| tick.timestamp().to_zoned(paris.clone()))
        .map(|wall| wall.strftime("%H:%M %:::z").to_string())
        .collect();
    match shown.is_empty() {
        true => "not due".to_owned(),
        false => shown.join(", "),
    }
}

#[test]
fn the_table_of_clock_changes_is_what_schedules_do() {
    let (_, table) = PAGE.split_once("what is due from 00:00 to 04:00").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let [expression, _, in_march, in_october] = row[..] else {
            panic!("a row of four cells: {row:?}");
        };
        let expression = expression.trim_matches('`');
        let expected = [
            due(expression, "2026-03-29", "2026-03-29T02:00:00Z"),
            due(expression, "2026-10-25", "2026-10-25T03:00:00Z"),
        ];
        assert_eq!([in_march, in_october], expected, "{expression}");
    }
}

//! `H` and `~` are the same on every replica, of every build, and spread tasks evenly.

use insta::assert_snapshot;
use proptest::prelude::*;
use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::{Cron, Schedule, ScheduleError, Spread};

use super::cron;

const FIELDS: [(&str, usize); 6] = [
    ("s", 60),
    ("m", 60),
    ("h", 24),
    ("d", 28),
    ("mon", 12),
    ("w", 7),
];

fn spread(namespace: &str, task: &str) -> Spread {
    Spread::of(
        &Namespace::new(namespace).unwrap(),
        &TaskName::new(task).unwrap(),
    )
}

fn parse(expression: &str, task: &str) -> Result<Cron, ScheduleError> {
    Cron::parse_spread(expression, &spread("default", task))
}

fn read(expression: &str, task: &str) -> Cron {
    parse(expression, task).unwrap_or_else(|error| panic!("{error}"))
}

/// The values of a field in the canonical text, in which runs are written as ranges.
fn values(cron: &Cron, field: &str) -> Vec<u32> {
    let canonical = cron.canonical();
    let mut words = canonical.split(' ').filter_map(|word| word.split_once('='));
    let (_, list) = words.find(|(name, _)| *name == field).unwrap();
    let number = |text: &str| text.parse::<u32>().unwrap();
    let ranges = list.split(',').map(|item| match item.split_once('-') {
        Some((first, last)) => number(first)..=number(last),
        None => number(item)..=number(item),
    });
    ranges.flatten().collect()
}

/// Worked out by another program. To change one is to move the tasks of everybody who wrote an `H`.
#[test]
fn places_are_pinned() {
    for (namespace, task, places) in [
        ("default", "backup", [18, 20, 1, 11, 5, 2]),
        ("default", "report", [56, 43, 13, 19, 9, 2]),
        ("default", "digest", [32, 11, 19, 20, 5, 4]),
        ("prod", "digest", [12, 52, 14, 13, 4, 2]),
        // Where one name ends and the next begins matters.
        ("a", "bc", [1, 24, 1, 21, 10, 1]),
        ("ab", "c", [26, 56, 20, 19, 5, 6]),
        ("default", "é ☃", [18, 0, 0, 17, 2, 5]),
    ] {
        let cron = Cron::parse_spread("H H H H H H", &spread(namespace, task)).unwrap();
        let found = FIELDS.map(|(field, _)| values(&cron, field));
        assert_eq!(found, places.map(|place| vec![place]), "{namespace} {task}");
    }
}

/// Six standard deviations of a count of `mean`; the keys are fixed, so that this cannot flicker.
fn assert_even(counts: &[u32], keys: u32, what: &str) {
    let mean = f64::from(keys) / counts.len() as f64;
    let allowed = 6.0 * mean.sqrt();
    for (value, count) in counts.iter().enumerate() {
        let off = (f64::from(*count) - mean).abs();
        assert!(off < allowed, "{what}: {count} of {value}, mean {mean}");
    }
}

#[test]
fn a_hundred_thousand_tasks_are_spread_evenly_over_each_field_and_over_the_day() {
    const KEYS: u32 = 100_000;
    let mut counts = FIELDS.map(|(_, len)| vec![0; len]);
    let mut minutes_of_day = vec![0; 24 * 60];
    for key in 0..KEYS {
        let cron = read("H H H H H H", &format!("task-{key}"));
        let places = FIELDS.map(|(field, _)| values(&cron, field)[0] as usize);
        for (at, place) in places.into_iter().enumerate() {
            // Days and months are counted from 1.
            let first = usize::from(at == 3 || at == 4);
            counts[at][place - first] += 1;
        }
        minutes_of_day[places[2] * 60 + places[1]] += 1;
    }
    for ((field, _), counts) in FIELDS.iter().zip(&counts) {
        assert_even(counts, KEYS, field);
    }
    assert_even(&minutes_of_day, KEYS, "minute of the day");
}

#[test]
fn what_cronie_and_openbsd_write_means_the_same() {
    for task in ["backup", "report", "digest"] {
        for (cronie, jenkins) in [
            ("~ ~ * * *", "H H * * *"),
            ("5~20 22~2 * * *", "H(5-20) H(22-2) * * *"),
            ("~20 6~ * * *", "H(0-20) H(6-23) * * *"),
            ("0 0 ~ ~ *", "0 0 H H *"),
            ("0 0 * * MON~FRI", "0 0 * * h(mon-fri)"),
            ("0 0 20~31 * *", "0 0 H(20-28) * *"),
            ("1,30~59 * * * *", "1,H(30-59) * * * *"),
            // OpenBSD's cron takes a step as well.
            ("0~59/10 ~/5 * * *", "H/10 H/5 * * *"),
            ("~29/10 30~/10 * * * *", "H(0-29)/10 H(30-59)/10 * * * *"),
        ] {
            assert_eq!(read(cronie, task), read(jenkins, task), "{cronie}");
        }
        // One field of a task has one place, wherever it is written.
        assert_eq!(
            read("H(0-29),H(30-59) * * * *", task),
            read("H/30 * * * *", task)
        );
    }
}

#[test]
fn an_expression_without_such_values_is_read_as_ever() {
    for expression in [
        "30 9 * * MON-FRI",
        "*/15 0-23/2 L,15W,L-3 JAN-MAR 5#2,5L",
        "0 0 22-2 ? 3 1",
        "@hourly",
        "0 0 0 1 1 * 2030-2040/2",
    ] {
        assert_eq!(read(expression, "backup"), cron(expression));
    }
}

#[test]
fn a_range_past_the_end_of_the_day_or_week_picks_from_both_sides() {
    let mut hours = [0; 24];
    let mut days = [0; 7];
    for key in 0..1_000 {
        let cron = read("0 H(22-2) * * H(5-1)", &format!("task-{key}"));
        let hour = values(&cron, "h");
        let day = values(&cron, "w");
        assert_eq!((hour.len(), day.len()), (1, 1));
        hours[hour[0] as usize] += 1;
        days[day[0] as usize] += 1;
    }
    let seen = |counts: &[u32]| -> Vec<usize> {
        let seen = counts.iter().enumerate().filter(|(_, count)| **count > 0);
        seen.map(|(value, _)| value).collect()
    };
    assert_eq!(seen(&hours), [0, 1, 2, 22, 23]);
    assert_eq!(seen(&days), [0, 1, 5, 6]);
}

proptest! {
    #[test]
    fn a_step_begins_with_one_of_its_first_values_and_keeps_to_the_range(
        task in "[a-z]{1,12}", first in 0_u32..60, length in 1_u32..60, step in 1_u32..60,
    ) {
        let last = (first + length - 1).min(59);
        let length = last - first + 1;
        let step = step.min(length);
        let minutes = values(&read(&format!("H({first}-{last})/{step} * * * *"), &task), "m");
        prop_assert!((first..first + step).contains(&minutes[0]), "{minutes:?}");
        let expected: Vec<u32> = (minutes[0]..=last).step_by(step as usize).collect();
        prop_assert_eq!(minutes, expected);
        let one = values(&read(&format!("H({first}-{last}) * * * *"), &task), "m");
        prop_assert!(one.len() == 1 && (first..=last).contains(&one[0]));
    }

    #[test]
    fn days_are_those_that_every_month_has(task in "[a-z]{1,12}") {
        for days in ["H", "H/9", "~", "15~31", "H(28-31)", "H(1-31)/10"] {
            let days = values(&read(&format!("0 0 {days} * *"), &task), "d");
            prop_assert!(days.iter().all(|day| (1..=28).contains(day)), "{days:?}");
        }
    }
}

#[test]
fn without_a_task_there_is_nothing_to_pick_by() {
    let errors = ["H * * * *", "0 0 ~ * *", "0 0 * * H(1-5)"]
        .map(|expression| Cron::parse(expression).unwrap_err().to_string());
    assert_snapshot!(errors.join("\n"), @r#"
    cron "H * * * *": minutes, at byte 0: found "H", allowed is values written out: H and ~ are picked by a task's name, which Cron::parse_spread is given
    cron "0 0 ~ * *": days of the month, at byte 4: found "~", allowed is values written out: H and ~ are picked by a task's name, which Cron::parse_spread is given
    cron "0 0 * * H(1-5)": days of the week, at byte 8: found "H(1-5)", allowed is values written out: H and ~ are picked by a task's name, which Cron::parse_spread is given
    "#);
}

#[test]
fn what_picks_nothing_is_refused() {
    let errors = [
        "H/61 * * * *",
        "H/0 * * * *",
        "H(10-19)/11 * * * *",
        "H(30-10) * * * *",
        "H(50-60) * * * *",
        "H(1-5 * * * *",
        "H(5) * * * *",
        "HH * * * *",
        "H-5 * * * *",
        "1-H * * * *",
        "0~9/11 * * * *",
        "0~/5~ * * * *",
        "1~2~3 * * * *",
        "0 0 H(29-31) * *",
        "0 0 HW * *",
        "0 0 * * H#2",
        "0 0 0 1 1 * H",
    ]
    .map(|expression| parse(expression, "backup").unwrap_err().to_string());
    assert_snapshot!(errors.join("\n"), @r#"
    cron "H/61 * * * *": minutes, at byte 2: found "61", allowed is a step 1-60
    cron "H/0 * * * *": minutes, at byte 2: found "0", allowed is a step 1-60
    cron "H(10-19)/11 * * * *": minutes, at byte 9: found "11", allowed is a step 1-10
    cron "H(30-10) * * * *": minutes, at byte 0: found "H(30-10)", allowed is a range in which the first value is not above the last
    cron "H(50-60) * * * *": minutes, at byte 5: found "60", allowed is a number 0-59
    cron "H(1-5 * * * *": minutes, at byte 0: found "H(1-5", allowed is H, H/S, H(N-M) or H(N-M)/S
    cron "H(5) * * * *": minutes, at byte 0: found "H(5)", allowed is H, H/S, H(N-M) or H(N-M)/S
    cron "HH * * * *": minutes, at byte 0: found "HH", allowed is H, H/S, H(N-M) or H(N-M)/S
    cron "H-5 * * * *": minutes, at byte 0: found "H-5", allowed is H, H/S, H(N-M) or H(N-M)/S
    cron "1-H * * * *": minutes, at byte 2: found "H", allowed is a number 0-59
    cron "0~9/11 * * * *": minutes, at byte 4: found "11", allowed is a step 1-10
    cron "0~/5~ * * * *": minutes, at byte 0: found "0~/5~", allowed is N~M, N~, ~M or ~, or one of them with a step, N~M/S
    cron "1~2~3 * * * *": minutes, at byte 0: found "1~2~3", allowed is N~M, N~, ~M or ~, or one of them with a step, N~M/S
    cron "0 0 H(29-31) * *": days of the month, at byte 4: found "H(29-31)", allowed is a range that begins at 28 or before, since not every month has the days behind it
    cron "0 0 HW * *": days of the month, at byte 4: found "HW", allowed is a number 1-31, a range, a step, L, L-N (N days before the last), LW, NW, or ? alone
    cron "0 0 * * H#2": days of the week, at byte 8: found "H", allowed is a number 0-7 or a name SUN-SAT
    cron "0 0 0 1 1 * H": years, at byte 12: found "H", allowed is years that are written out: H and ~ pick none
    "#);
}

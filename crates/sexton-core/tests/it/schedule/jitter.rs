//! Jitter is the same on every replica, of every build.

use std::time::Duration;

use proptest::prelude::*;
use sexton_core::name::{Namespace, TaskName};
use sexton_core::schedule::Jitter;
use sexton_core::tick::Tick;

use super::tick;

fn delay_ms(namespace: &str, task: &str, tick: Tick, longest_ms: u64) -> u64 {
    let jitter = Jitter::up_to(Duration::from_millis(longest_ms)).unwrap();
    let (namespace, task) = (
        Namespace::new(namespace).unwrap(),
        TaskName::new(task).unwrap(),
    );
    let delay = jitter.delay(&namespace, &task, tick);
    u64::try_from(delay.as_millis()).unwrap()
}

/// Worked out by another program. To change one is to make replicas of two builds disagree.
#[test]
fn delays_are_pinned() {
    let new_year = tick("2026-01-01T00:00:00Z");
    let minus_one = Tick::from_millis(-1).unwrap();
    let epoch = Tick::from_millis(0).unwrap();
    assert_eq!(delay_ms("default", "digest", epoch, 10_000), 5_489);
    assert_eq!(delay_ms("default", "digest", minus_one, 10_000), 1_750);
    assert_eq!(delay_ms("default", "digest", new_year, 10_000), 6_344);
    assert_eq!(
        delay_ms("default", "digest", new_year, 86_400_000),
        54_808_462
    );
    assert_eq!(delay_ms("default", "digest", new_year, 1), 1);
    assert_eq!(delay_ms("prod", "digest", new_year, 10_000), 215);
    assert_eq!(
        delay_ms(
            "default",
            "é ☃",
            new_year.saturating_add_millis(60_000),
            60_000
        ),
        36_220
    );
    // Where one name ends and the next begins matters.
    assert_eq!(delay_ms("a", "bc", new_year, 1_000_000), 87_027);
    assert_eq!(delay_ms("ab", "c", new_year, 1_000_000), 738_883);
}

#[test]
fn delays_are_spread_evenly() {
    let mut tenths = [0; 10];
    for minute in 0..10_000 {
        let tick = Tick::from_millis(1_767_225_600_000 + minute * 60_000).unwrap();
        tenths[delay_ms("default", "digest", tick, 999) as usize / 100] += 1;
    }
    // Eight standard deviations from 1,000 of 10,000; the input is fixed, so this cannot flicker.
    assert!(
        tenths.iter().all(|count| (760..=1240).contains(count)),
        "{tenths:?}"
    );
}

proptest! {
    #[test]
    fn a_delay_is_never_longer_than_asked_for(
        task in "[a-z]{1,20}", millis in Tick::MIN.as_millis()..=Tick::MAX.as_millis(), longest in 1_u64..=86_400_000,
    ) {
        prop_assert!(delay_ms("default", &task, Tick::from_millis(millis).unwrap(), longest) <= longest);
    }
}

#[test]
fn both_ends_are_delays() {
    let mut seen = [false; 3];
    for second in 0..100 {
        seen[delay_ms("default", "t", Tick::from_millis(second * 1000).unwrap(), 2) as usize] =
            true;
    }
    assert_eq!(seen, [true; 3]);
}

#[test]
fn jitter_out_of_range_is_refused() {
    for longest in [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_micros(1500),
        Duration::from_secs(86_401),
        Duration::MAX,
    ] {
        let error = Jitter::up_to(longest).unwrap_err().to_string();
        assert!(
            error.ends_with("allowed is 1ms to 24h in whole milliseconds"),
            "{error}"
        );
    }
    assert!(Jitter::up_to(Jitter::LONGEST_MAX).is_ok());
}

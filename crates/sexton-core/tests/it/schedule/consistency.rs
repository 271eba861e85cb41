//! A schedule is a pure, monotone function: wherever one starts, the ticks are the same.

use std::sync::Arc;

use jiff::civil::date;
use proptest::prelude::*;
use sexton_core::schedule::{
    Bounded, ClockChanges, Cron, Every, Except, Fold, Gap, Kron, Schedule, Union, zone,
};
use sexton_core::tick::Tick;

const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
];

const CRONS: [&str; 12] = [
    "* * * * *",
    "*/7 * * * *",
    "0 9 * * 1-5",
    "30 2 * * *",
    "0-59 1-2 * * *",
    "0 0 29 2 *",
    "0 0 L * *",
    "0 0 15W * *",
    "*/10 * * * * *",
    "* * 29 2 *",
    "0 0 13 * FRI",
    "0,30 0-3 * * SUN",
];

const KRONS: [&str; 6] = [
    "0/5,L * * * *",
    "* * * * * 0,200,750ms",
    "0 30 2 28,29 * 0w",
    "0 0 0 L *",
    "* * */5 * *",
    "0 0 0-3 * *",
];

/// What happens where clocks change, if it is chosen.
fn choice() -> impl Strategy<Value = Option<ClockChanges>> {
    let gap = proptest::sample::select(&[Gap::Run, Gap::Skip][..]);
    let fold = proptest::sample::select(&[Fold::First, Fold::Last, Fold::Both][..]);
    proptest::option::of((gap, fold).prop_map(|(gap, fold)| ClockChanges { gap, fold }))
}

fn schedule() -> impl Strategy<Value = Arc<dyn Schedule>> {
    let zone = || proptest::sample::select(&ZONES[..]).prop_map(|name| zone::parse(name).unwrap());
    let cron = (proptest::sample::select(&CRONS[..]), zone(), choice());
    let cron = cron.prop_map(|(text, zone, choice)| {
        let cron = Cron::parse(text).unwrap().in_tz(zone).unwrap();
        let changes = choice.unwrap_or(cron.clock_changes());
        Arc::new(cron.on_clock_changes(changes).unwrap()) as Arc<dyn Schedule>
    });
    let kron = (proptest::sample::select(&KRONS[..]), zone()).prop_map(|(text, zone)| {
        Arc::new(Kron::parse(text).unwrap().in_tz(zone).unwrap()) as Arc<dyn Schedule>
    });
    let every = (1_u64..10_000_000).prop_map(|period| {
        Arc::new(Every::new(std::time::Duration::from_millis(period)).unwrap()) as Arc<dyn Schedule>
    });
    prop_oneof![4 => cron, 2 => kron, 1 => every].prop_recursive(2, 6, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone())
                .prop_map(
                    |(one, other)| Arc::new(Union::new([one, other]).unwrap()) as Arc<dyn Schedule>
                ),
            inner.clone().prop_map(|schedule| {
                let start = Some("2011-01-01T00:00:00Z".parse().unwrap());
                Arc::new(Bounded::new(schedule, start, None).unwrap()) as Arc<dyn Schedule>
            }),
            inner.prop_map(|schedule| {
                let days = [date(2026, 3, 29), date(2026, 10, 25), date(2011, 12, 31)];
                Arc::new(Except::new(schedule).on(days).unwrap()) as Arc<dyn Schedule>
            }),
        ]
    })
}

/// Any instant of two centuries, and often one near a change of some clock.
fn instant() -> impl Strategy<Value = Tick> {
    let changes: [&str; 8] = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2026-04-23T22:00:00Z",
        "2011-12-30T10:00:00Z",
    ];
    let near = (
        proptest::sample::select(changes.to_vec()),
        -10_000_000_i64..10_000_000,
    )
        .prop_map(|(change, shift)| change.parse::<Tick>().unwrap().saturating_add_millis(shift));
    let any = (-2_208_988_800_000_i64..4_102_444_800_000)
        .prop_map(|millis| Tick::from_millis(millis).unwrap());
    prop_oneof![3 => near, 1 => any]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn restarting_anywhere_between_two_ticks_gives_the_later(schedule in schedule(), start in instant(), place in 0.0..1.0_f64) {
        let mut after = start;
        for _ in 0..8 {
            let Some(next) = schedule.next_after(after) else { break };
            prop_assert!(next > after, "{} gave {} after {}", schedule.describe(), next, after);
            let gap = next.as_millis() - after.as_millis();
            let between = after.saturating_add_millis((place * gap as f64) as i64).min(next.saturating_add_millis(-1));
            for restart in [between, next.saturating_add_millis(-1), after.saturating_add_millis(1).min(next.saturating_add_millis(-1))] {
                prop_assert_eq!(schedule.next_after(restart), Some(next), "{} from {}", schedule.describe(), restart);
            }
            after = next;
        }
    }

    #[test]
    fn a_later_start_never_gives_an_earlier_tick(schedule in schedule(), one in instant(), other in instant()) {
        let (early, late) = (one.min(other), one.max(other));
        if let Some(later) = schedule.next_after(late) {
            let earlier = schedule.next_after(early);
            prop_assert!(earlier.is_some_and(|earlier| earlier <= later), "{}", schedule.describe());
        }
    }
}

//! How long the next tick takes to find: ours beside `croner`'s and `cron`'s, and our other schedules.
//!
//! Each measurement walks from tick to tick, a thousand of them from the start of 2026 and then again,
//! as a scheduler does. `cargo bench -p sexton-core --bench next_tick`
// The macros of criterion make undocumented functions; a benchmark has no error but a mistake in it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark"
)]

use std::hint::black_box;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use croner::parser::{CronParser, Seconds};
use jiff::Zoned;
use sexton_core::schedule::{Cron, Every, Kron, Schedule, Union, zone};
use sexton_core::tick::Tick;

/// Ours and croner's form, and the `cron` crate's, which has seconds always and Sunday as 1.
const EXPRESSIONS: [(&str, &str); 6] = [
    ("* * * * *", "0 * * * * *"),
    ("*/5 * * * *", "0 */5 * * * *"),
    ("0 9 * * 1-5", "0 0 9 * * 2-6"),
    ("30 2 1 * *", "0 30 2 1 * *"),
    ("0 0 29 2 *", "0 0 0 29 2 *"),
    ("*/10 * * * * *", "*/10 * * * * *"),
];

const START: &str = "2026-01-01T00:00:00Z";
const WALK: usize = 1_000;

/// Walks from tick to tick, beginning again after a while or at the end.
fn walk<T: Clone>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    name: &str,
    start: &T,
    next: impl Fn(&T) -> Option<T>,
) {
    let (mut at, mut steps) = (start.clone(), 0);
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            steps += 1;
            at = match next(black_box(&at)) {
                Some(next) if steps < WALK => next,
                _ => {
                    steps = 0;
                    start.clone()
                }
            };
        });
    });
}

fn walk_ours(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, schedule: &dyn Schedule) {
    let start: Tick = START.parse().unwrap();
    walk(group, name, &start, |at| schedule.next_after(*at));
}

fn walk_croner(group: &mut BenchmarkGroup<'_, WallTime>, expression: &str, zone_name: &str) {
    let parser = CronParser::builder().seconds(Seconds::Optional).build();
    let croner = parser.parse(expression).unwrap();
    let start: Tick = START.parse().unwrap();
    let start: Zoned = start.timestamp().to_zoned(zone::parse(zone_name).unwrap());
    walk(group, "croner", &start, |at| {
        croner.find_next_occurrence(at, false).ok()
    });
}

fn beside_others(criterion: &mut Criterion) {
    println!(
        "a Cron takes {} bytes, a Kron {}",
        size_of::<Cron>(),
        size_of::<Kron>()
    );
    for (expression, for_cron) in EXPRESSIONS {
        let mut group = criterion.benchmark_group(format!("UTC, {expression}"));
        walk_ours(&mut group, "sexton", &Cron::parse(expression).unwrap());
        walk_croner(&mut group, expression, "UTC");
        let cron = cron::Schedule::from_str(for_cron).unwrap();
        let start = chrono::DateTime::parse_from_rfc3339(START)
            .unwrap()
            .to_utc();
        walk(&mut group, "cron", &start, |at| cron.after(at).next());
        group.finish();
    }
    for expression in ["*/5 * * * *", "0 9 * * 1-5"] {
        let mut group = criterion.benchmark_group(format!("Europe/Paris, {expression}"));
        let paris = zone::parse("Europe/Paris").unwrap();
        walk_ours(
            &mut group,
            "sexton",
            &Cron::parse(expression).unwrap().in_tz(paris).unwrap(),
        );
        walk_croner(&mut group, expression, "Europe/Paris");
        group.finish();
    }
}

fn others_of_ours(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ours");
    for expression in [
        "0/5,L * * * *",
        "* * * * * 0,200,500,750ms",
        "0 0 0 28,29,30 *",
    ] {
        walk_ours(
            &mut group,
            &format!("kron {expression}"),
            &Kron::parse(expression).unwrap(),
        );
    }
    walk_ours(
        &mut group,
        "every 200ms",
        &Every::new(Duration::from_millis(200)).unwrap(),
    );
    let union = Union::new([
        Arc::new(Cron::parse("0 9 * * 1-5").unwrap()) as Arc<dyn Schedule>,
        Arc::new(Cron::parse("0 11 * * 0,6").unwrap()),
    ]);
    walk_ours(&mut group, "union of two", &union.unwrap());
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .sample_size(20);
    targets = beside_others, others_of_ours
}
criterion_main!(benches);

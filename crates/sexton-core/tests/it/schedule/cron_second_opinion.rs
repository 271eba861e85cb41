//! Cron in UTC beside the `croner` crate, where the two mean the same.

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use sexton_core::schedule::Schedule;

use super::{cron, tick};

const EXPRESSIONS: [&str; 30] = [
    "* * * * *",
    "*/5 * * * *",
    "*/7 3-9 * * *",
    "0 9 * * 1-5",
    "30 2 1 * *",
    "0 0 29 2 *",
    "*/10 * * * * *",
    "5,35 */2 * * * *",
    "0 0 L * *",
    "0 0 LW * *",
    "0 0 15W * *",
    "0 0 1W * *",
    "0 0 31W * *",
    "0 0 * * 5L",
    "0 0 * * 1#2",
    "0 0 * * FRI#5",
    "0 0 * JAN,JUN MON-WED",
    "0 0 13 * FRI",
    "0 12 1,15 * 3",
    "15 14 1 * *",
    "0 22 * * 1-5",
    "23 0-20/2 * * *",
    "5 4 * * SUN",
    "0 0,12 1 */2 *",
    "59 23 31 12 *",
    "0 0 31 1,3,5 *",
    "@hourly",
    "@daily",
    "@monthly",
    "@yearly",
];

#[test]
fn agrees_with_croner_where_both_mean_the_same() {
    let parser = CronParser::builder()
        .seconds(Seconds::Optional)
        .year(Year::Optional)
        .build();
    let starts = [
        "1999-12-31T23:59:59Z",
        "2024-02-28T12:34:56Z",
        "2026-05-30T00:00:00Z",
        "2026-10-25T01:30:00Z",
        "2095-12-31T23:59:00Z",
    ];
    for expression in EXPRESSIONS {
        let (ours, theirs) = (cron(expression), parser.parse(expression).unwrap());
        for start in starts {
            let (mut our_tick, mut their_time) =
                (tick(start), tick(start).timestamp().to_zoned(TimeZone::UTC));
            for _ in 0..20 {
                our_tick = ours.next_after(our_tick).unwrap();
                their_time = theirs.find_next_occurrence(&their_time, false).unwrap();
                assert_eq!(
                    our_tick.timestamp(),
                    their_time.timestamp(),
                    "{expression} from {start}"
                );
            }
        }
    }
}

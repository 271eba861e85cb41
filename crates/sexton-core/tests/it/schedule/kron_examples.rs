//! Every example of the krontab facts, in UTC, `next` inclusive.

use sexton_core::schedule::{Kron, Schedule};

use super::{assert_ticks, kron, tick};

const AT: &str = "2024-01-30T10:20:30.400Z";

#[test]
fn offsets_reach_as_far_as_an_offset_can() {
    let at_the_half_minute = kron("30 39 9 * * 1339o");
    assert_ticks(
        &at_the_half_minute,
        "2024-01-30T10:20:29.999Z",
        &["2024-01-30T11:20:30Z", "2024-01-31T11:20:30Z"],
    );
    let last_days = kron("0 0 0 L * 1200o");
    assert_ticks(
        &last_days,
        "2024-01-30T10:20:30.399Z",
        &[
            "2024-02-28T04:00:00Z",
            "2024-03-30T04:00:00Z",
            "2024-04-29T04:00:00Z",
        ],
    );
    for (offset, expected) in [
        (1559, "2024-01-29T22:01:00Z"),
        (-1559, "2024-02-01T01:59:00Z"),
    ] {
        let new_day = kron(&format!("0 0 0 30 0 {offset}o"));
        assert_ticks(&new_day, "2024-01-01T00:00:00Z", &[expected]);
        let built = Kron::builder()
            .seconds(|field| field.at(0))
            .minutes(|field| field.at(0))
            .hours(|field| field.at(0))
            .day_of_month(|field| field.at(30))
            .months(|field| field.at(0))
            .offset_minutes(offset);
        assert_eq!(built.build(), Ok(new_day));
    }
}

#[test]
fn examples_of_seconds_and_milliseconds() {
    let seconds = [
        "2024-01-30T10:20:31Z",
        "2024-01-30T10:20:32Z",
        "2024-01-30T10:20:33Z",
    ];
    for expression in ["*/1 * * * *", "/1 * * * *", "f,/1 * * * *"] {
        assert_ticks(&kron(expression), AT, &seconds);
    }
    assert_ticks(
        &kron("*/1 * * * * 500ms"),
        AT,
        &["2024-01-30T10:20:30.500Z", "2024-01-30T10:20:31.500Z"],
    );
    assert_ticks(
        &kron("0-5,30-35 * * * *"),
        "2024-01-30T10:20:04Z",
        &[
            "2024-01-30T10:20:04Z",
            "2024-01-30T10:20:05Z",
            "2024-01-30T10:20:30Z",
            "2024-01-30T10:20:31Z",
        ],
    );
    assert_ticks(
        &kron("* * * * * 0,200,500,750ms"),
        AT,
        &[
            "2024-01-30T10:20:30.500Z",
            "2024-01-30T10:20:30.750Z",
            "2024-01-30T10:20:31Z",
            "2024-01-30T10:20:31.200Z",
        ],
    );
    assert_ticks(
        &kron("0/5 * * * *"),
        AT,
        &[
            "2024-01-30T10:20:35Z",
            "2024-01-30T10:20:40Z",
            "2024-01-30T10:20:45Z",
        ],
    );
    assert_ticks(
        &kron("0/5,L * * * *"),
        "2024-01-30T10:20:54.500Z",
        &[
            "2024-01-30T10:20:55Z",
            "2024-01-30T10:20:59Z",
            "2024-01-30T10:21:00Z",
            "2024-01-30T10:21:05Z",
        ],
    );
    assert_ticks(
        &kron("* 15 * * *"),
        "2024-01-30T10:15:58Z",
        &[
            "2024-01-30T10:15:58Z",
            "2024-01-30T10:15:59Z",
            "2024-01-30T11:15:00Z",
            "2024-01-30T11:15:01Z",
        ],
    );
}

#[test]
fn examples_of_offsets() {
    assert_ticks(
        &kron("30 50 16 * * 330o"),
        "2024-01-30T10:20:30Z",
        &["2024-01-30T11:20:30Z", "2024-01-31T11:20:30Z"],
    );
    assert_ticks(&kron("1 2 3 F,4,L 5 60o"), AT, &["2024-06-01T02:02:01Z"]);
    assert_ticks(&kron("0 0 9 * * 120o"), AT, &["2024-01-31T07:00:00Z"]);
    assert_ticks(&kron("0 0 9 * * -300o"), AT, &["2024-01-30T14:00:00Z"]);
}

#[test]
fn examples_of_days_months_and_years() {
    let january = "2024-01-01T00:00:00Z";
    assert_ticks(&kron("0 0 0 0 0"), january, &["2024-01-01T00:00:00Z"]);
    assert_ticks(&kron("0 0 0 30 0"), january, &["2024-01-31T00:00:00Z"]);
    assert_ticks(&kron("0 0 0 28 1"), january, &["2024-02-29T00:00:00Z"]);
    assert_ticks(&kron("0 0 0 29 3"), january, &["2024-04-30T00:00:00Z"]);
    assert_ticks(
        &kron("1 2 3 F,4,L 5"),
        AT,
        &[
            "2024-06-01T03:02:01Z",
            "2024-06-05T03:02:01Z",
            "2024-06-30T03:02:01Z",
        ],
    );
    let over = kron("1 2 3 F,4,L 5 2021");
    assert_eq!(over.next_after(tick(AT)), None);
    assert_ticks(&over, "2021-06-29T00:00:00Z", &["2021-06-30T03:02:01Z"]);
    assert_ticks(
        &kron("0 0 0 L *"),
        AT,
        &[
            "2024-01-31T00:00:00Z",
            "2024-02-29T00:00:00Z",
            "2024-03-31T00:00:00Z",
        ],
    );
    assert_ticks(
        &kron("0 0 0 28,29,30 *"),
        "2023-02-01T00:00:00Z",
        &[
            "2023-02-28T00:00:00Z",
            "2023-03-29T00:00:00Z",
            "2023-03-30T00:00:00Z",
            "2023-03-31T00:00:00Z",
        ],
    );
    // Where krontab overshoots.
    assert_ticks(
        &kron("0 0 * 29 *"),
        "2023-01-31T15:30:00Z",
        &["2023-02-28T00:00:00Z"],
    );
}

#[test]
fn examples_of_weekdays() {
    assert_ticks(
        &kron("0 0 12 * * 1w"),
        AT,
        &[
            "2024-02-05T12:00:00Z",
            "2024-02-12T12:00:00Z",
            "2024-02-19T12:00:00Z",
        ],
    );
    assert_ticks(
        &kron("0 0 0 12 * 5w"),
        AT,
        &[
            "2024-09-13T00:00:00Z",
            "2024-12-13T00:00:00Z",
            "2025-06-13T00:00:00Z",
        ],
    );
}

#[test]
fn what_krontab_promises_and_drops_is_read() {
    assert_ticks(
        &kron("0 0 12 * * 1-5w"),
        "2024-02-02T00:00:00Z",
        &["2024-02-02T12:00:00Z", "2024-02-05T12:00:00Z"],
    );
    assert_ticks(
        &kron("* * * * * */100ms"),
        AT,
        &["2024-01-30T10:20:30.400Z", "2024-01-30T10:20:30.500Z"],
    );
    assert_eq!(kron("5,1,3 * * * *"), kron("1,3,5 * * * *"));
}

#[test]
fn the_later_parts_come_in_any_order_and_either_case() {
    let expected = kron("0 0 12 * * 2024 60o 1,2w 500ms");
    for expression in [
        "0 0 12 * * 500MS 1,2W 60O 2024",
        "0 0 12 * * 60o 500ms 2024 1,2w",
        "0  0\t12 * *  2,1w 2024 500ms 60o ",
    ] {
        assert_eq!(kron(expression), expected, "{expression}");
    }
    assert_eq!(kron("f,L 5-l * * *"), kron("0,59 5-59 * * *"));
    assert_eq!(kron("0 0 0 * * *"), kron("0 0 0 * *"));
}

#[test]
fn an_exhausted_schedule_ends() {
    let once = kron("0 0 0 0 0 2024 500ms");
    assert_ticks(
        &once,
        AT.replace("2024", "2020").as_str(),
        &["2024-01-01T00:00:00.500Z"],
    );
    assert_eq!(once.next_after(tick("2024-01-01T00:00:00.500Z")), None);
}

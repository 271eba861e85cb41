//! The krontab words in code mean what the string means.

use insta::assert_snapshot;
use sexton_core::schedule::{Kron, KronBuilder, Schedule};

use super::{kron, tz};

#[track_caller]
fn assert_same(builder: KronBuilder, expression: &str) {
    assert_eq!(builder.build().unwrap(), kron(expression));
}

#[test]
fn every_word_has_its_counterpart_in_the_string() {
    let b = Kron::builder;
    assert_same(b(), "* * * * *");
    assert_same(b().seconds(|f| f.at(5)), "5 * * * *");
    assert_same(b().seconds(|f| f.each(5)), "5 * * * *");
    assert_same(b().seconds(|f| f.from(2).every(5)), "2/5 * * * *");
    assert_same(b().seconds(|f| f.every(5)), "*/5 * * * *");
    assert_same(b().seconds(|f| f.from(2).up_to(5)), "2-5 * * * *");
    assert_same(b().seconds(|f| f.first()), "F * * * *");
    assert_same(b().seconds(|f| f.last()), "L * * * *");
    assert_same(b().seconds(|f| f.include([30, 5])), "5,30 * * * *");
    assert_same(
        b().seconds(|f| f.at(1).last().from(10).up_to(12)),
        "1,L,10-12 * * * *",
    );
}

#[test]
fn every_field_has_its_counterpart_in_the_string() {
    let b = Kron::builder;
    assert_same(b().milliseconds(|f| f.every(250)), "* * * * * */250ms");
    assert_same(b().minutes(|f| f.at(7)), "* 7 * * *");
    assert_same(b().hours(|f| f.at(7)), "* * 7 * *");
    assert_same(b().day_of_month(|f| f.last()), "* * * L *");
    assert_same(b().day_of_week(|f| f.from(1).up_to(5)), "* * * * * 1-5w");
    assert_same(b().months(|f| f.first()), "* * * * F");
    assert_same(
        b().years(|f| f.from(2024).up_to(2026)),
        "* * * * * 2024-2026",
    );
    assert_same(b().offset_minutes(-300), "* * * * * -300o");
    assert_same(
        b().seconds(|f| f.at(0))
            .minutes(|f| f.at(30))
            .hours(|f| f.at(2))
            .day_of_month(|f| f.include([0, 14])),
        "0 30 2 0,14 *",
    );
}

#[test]
fn the_words_take_clock_changes_as_the_string_does() {
    let in_paris = |kron: Kron| kron.in_tz(tz("Europe/Paris")).unwrap();
    let every = Kron::builder()
        .seconds(|f| f.at(0))
        .minutes(|f| f.every(30))
        .hours(|f| f.at(2))
        .build()
        .unwrap();
    assert_eq!(in_paris(every), in_paris(kron("0 */30 2 * *")));
    let from = Kron::builder()
        .seconds(|f| f.at(0))
        .minutes(|f| f.from(0).every(30))
        .hours(|f| f.at(2))
        .build()
        .unwrap();
    assert_eq!(in_paris(from), in_paris(kron("0 0/30 2 * *")));
}

#[test]
fn values_out_of_range_are_told_when_it_is_built() {
    let errors = [
        Kron::builder().seconds(|f| f.at(60)),
        Kron::builder().minutes(|f| f.include([])),
        Kron::builder().hours(|f| f),
        Kron::builder().day_of_month(|f| f.from(31).every(1)),
        Kron::builder().day_of_week(|f| f.at(7)),
        Kron::builder().months(|f| f.from(5).up_to(4)),
        Kron::builder().years(|f| f.at(10_000)),
        Kron::builder().milliseconds(|f| f.every(0)),
        Kron::builder().milliseconds(|f| f.every(1000)),
        Kron::builder().offset_minutes(1560),
        Kron::builder().seconds(|f| f.at(99)).hours(|f| f.at(99)),
        Kron::builder()
            .years(|f| f.at(2024))
            .day_of_month(|f| f.at(0))
            .months(|f| f.at(0))
            .day_of_week(|f| f.at(2)),
    ];
    let errors = errors.map(|builder| builder.build().unwrap_err().to_string());
    assert_snapshot!(errors.join("\n"), @r#"
    seconds: found 60, allowed is 0-59
    minutes: found none, allowed is at least one value
    hours: found none, allowed is at least one value
    days of the month: found 31, allowed is 0-30
    days of the week: found 7, allowed is 0-6
    months: found 5 up to 4, allowed is a range that does not end before it begins
    years: found 10000, allowed is 0-9999
    milliseconds: found a step of 0, allowed is 1-999
    milliseconds: found a step of 1000, allowed is 1-999
    offset: found 1560, allowed is minutes -1559 to 1559
    seconds: found 99, allowed is 0-59
    kron every second on Tuesdays in January that are the 1st of a month, in 2024, UTC is never due: no date up to 9999-12-30 matches, or clocks skip its times
    "#);
}

#[test]
fn a_built_schedule_describes_itself() {
    let kron = Kron::builder().milliseconds(|f| f.at(250)).build().unwrap();
    assert_eq!(kron.describe(), "at millisecond 250 of every second");
}

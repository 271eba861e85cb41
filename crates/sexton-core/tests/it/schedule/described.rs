//! What schedules say of themselves, in plain English.

use std::collections::HashMap;

use insta::assert_snapshot;
use sexton_core::schedule::{Cron, Every, Kron, Schedule, ScheduleError, zone};

// An expression and its zone; none is UTC.
const CRONS: [(&str, &str); 90] = [
    ("* * * * *", ""),
    ("*/5 * * * *", ""),
    ("*/7 * * * *", ""),
    ("0 * * * *", ""),
    ("5 * * * *", ""),
    ("0,30 * * * *", ""),
    ("0 */2 * * *", ""),
    ("5 */2 * * *", ""),
    ("0 */12 * * *", ""),
    ("30 9 * * 1-5", "Europe/Paris"),
    ("0 9,17 * * *", ""),
    ("0 9-17 * * 1-5", ""),
    ("30 9-17 * * *", ""),
    ("* 9-17 * * *", ""),
    ("*/15 9-17 * * 1-5", ""),
    ("0/15 9-17 * * 1-5", "Europe/Paris"),
    ("*/30 2 * * *", "Europe/Paris"),
    ("0 0 * * *", ""),
    ("@daily", ""),
    ("@hourly", ""),
    ("@weekly", ""),
    ("@monthly", ""),
    ("@yearly", ""),
    ("0 0 1 * *", ""),
    ("0 0 29 2 *", ""),
    ("0 0 1,15 * 5", ""),
    ("0 0 L * *", ""),
    ("0 0 L-1 * *", ""),
    ("0 0 L-3 * *", ""),
    ("0 0 15W * *", ""),
    ("0 0 LW * *", ""),
    ("0 0 1,15W,L * *", ""),
    ("0 0 * * 1#2", ""),
    ("0 0 * * 5L", ""),
    ("0 0 * 3,6,9,12 5#L", ""),
    ("0 0 * * MON,FRI#1", ""),
    ("0 0 * JAN-MAR *", ""),
    ("* * * DEC *", ""),
    ("* * 1 * *", ""),
    ("0 12 * NOV-FEB SAT,SUN", ""),
    ("0 0 */2 * MON", ""),
    ("0 0 13 * FRI", ""),
    ("0 0 ? * 3", ""),
    ("0 22-2 * * *", ""),
    ("0 0-23 * * *", "Europe/Paris"),
    ("0 8,10,12,14,16,18,20 * * *", ""),
    ("*/10 * * * * *", ""),
    ("30 * * * * *", ""),
    ("* * * * * *", ""),
    ("* 30 9 * * *", ""),
    ("*/10 30 9 * * *", ""),
    ("0 0 9 * * *", ""),
    ("15 30 9 * * *", ""),
    ("30 */5 * * * *", ""),
    ("5,35 0 * * * *", ""),
    ("0 0 0 1 1 * 2030", ""),
    ("0 0 0 1 1 * 2030-2040/2", ""),
    ("0 0 0 1 1 * 2030,2035-2040", ""),
    ("*/5 * * * *", "Asia/Kolkata"),
    ("10-20 3 * * *", ""),
    ("0 0 * * 0-6", ""),
    ("0 0 * * 1-5,6", ""),
    ("0 0 * MAR,JUN 1#1,5L", ""),
    ("0 */5 * * *", "Europe/Paris"),
    ("0 0,5,10,15,20 * * *", "Europe/Paris"),
    ("0 9 * * SAT", "America/New_York"),
    ("0 0 2,3,4W,5 * *", ""),
    ("7 3 * * *", ""),
    ("0 0 22 11 *", ""),
    ("0 0 L JAN-MAR *", ""),
    ("0 0 L JAN,MAR *", ""),
    ("0 0 31 * *", ""),
    ("0 0 1,31 * *", ""),
    ("0 0 31 JAN,MAR *", ""),
    ("0 9 1-7 JAN,JUL MON", ""),
    ("0 9 29-31 * *", ""),
    ("0 9 1-7,L * *", ""),
    ("0 0 31W,L-30 * *", ""),
    ("*/15 0,12 * * *", ""),
    ("*/15 */3 * * *", ""),
    ("30 */12 * * *", ""),
    ("30 */12 * * *", "Europe/Paris"),
    ("5 5 0/4 * * *", ""),
    ("*/5 10-20 22-2 * * *", ""),
    ("0 0 */2 * MON#1", ""),
    ("0 0 2/2 * *", ""),
    ("0 0 31 * MON,FRI", ""),
    ("0 0 * * MON#5", ""),
    ("0 0 1 1 1 * 2026/2", ""),
    ("0 0 1 1 1 * 2026-2039/4,2045-9999", ""),
];

const KRONS: [(&str, &str); 29] = [
    ("* * * * *", ""),
    ("*/1 * * * * 500ms", ""),
    ("* * * * * 0,200,500,750ms", ""),
    ("* * * * * *ms", ""),
    ("* * * * * */100ms", ""),
    ("30 50 16 * * 330o", ""),
    ("0 0 9 * * -300o", ""),
    ("0 0 0 0 0", ""),
    ("0 0 0 30 0", ""),
    ("0 0 0 28 1", ""),
    ("0 0 0 29 3", ""),
    ("0/5 * * * *", ""),
    ("0/5,L * * * *", ""),
    ("1 2 3 F,4,L 5", ""),
    ("0 0 0 L *", ""),
    ("0 0 0 28,29,30 *", ""),
    ("0 0 12 * * 1w", ""),
    ("0 0 0 12 * 5w", ""),
    ("* 15 * * *", ""),
    ("0 30 2 * * 1-5w", "Europe/Paris"),
    ("0 0 0 0 0 2030", ""),
    ("0 0 9 * * 250ms", ""),
    ("0 0 0 29 * 1-5w", ""),
    ("0 0 12 * 5-7", ""),
    ("* * * * *", "Europe/Paris"),
    ("0 0 0-3 * *", "Europe/Paris"),
    ("0 0 12 28,L *", ""),
    ("0 0 12 4,28,29 *", ""),
    ("0 0 12 * * 2026/2", ""),
];

const EVERYS: [&str; 7] = ["15m", "1h30m", "1h", "250ms", "1d", "90s", "1m1s"];

fn described<S: Schedule>(
    table: &[(&str, &str)],
    parse: impl Fn(&str) -> Result<S, ScheduleError>,
    in_tz: impl Fn(S, jiff::tz::TimeZone) -> Result<S, ScheduleError>,
) -> String {
    let lines = table.iter().map(|(expression, name)| {
        let mut schedule = parse(expression).unwrap();
        if !name.is_empty() {
            schedule = in_tz(schedule, zone::parse(name).unwrap()).unwrap();
        }
        format!("{expression} | {}", schedule.describe())
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn cron_in_words() {
    assert_snapshot!(described(&CRONS, Cron::parse, Cron::in_tz), @r#"
    * * * * * | every minute
    */5 * * * * | every 5 minutes
    */7 * * * * | at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour
    0 * * * * | every hour
    5 * * * * | at minute 5 of every hour
    0,30 * * * * | every 30 minutes
    0 */2 * * * | at 00:00, 02:00, 04:00, 06:00, 08:00, 10:00, 12:00, 14:00, 16:00, 18:00, 20:00 and 22:00 every day, UTC
    5 */2 * * * | at minute 5 of hours 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20 and 22, UTC
    0 */12 * * * | at 00:00 and 12:00 every day, UTC
    30 9 * * 1-5 | at 09:30 on weekdays, Europe/Paris time
    0 9,17 * * * | at 09:00 and 17:00 every day, UTC
    0 9-17 * * 1-5 | every hour from 09:00 to 17:00 on weekdays, UTC
    30 9-17 * * * | at minute 30 of every hour from 09:00 to 17:59, UTC
    * 9-17 * * * | every minute from 09:00 to 17:59, UTC
    */15 9-17 * * 1-5 | every 15 minutes from 09:00 to 17:59 on weekdays, UTC
    0/15 9-17 * * 1-5 | every 15 minutes from 09:00 to 17:59 on weekdays, Europe/Paris time, each time of day once
    */30 2 * * * | at 02:00 and 02:30 every day, Europe/Paris time, whenever clocks show them
    0 0 * * * | at 00:00 every day, UTC
    @daily | at 00:00 every day, UTC
    @hourly | every hour
    @weekly | at 00:00 on Sundays, UTC
    @monthly | at 00:00 on the 1st of every month, UTC
    @yearly | at 00:00 on the 1st of January, UTC
    0 0 1 * * | at 00:00 on the 1st of every month, UTC
    0 0 29 2 * | at 00:00 on the 29th of February in leap years, UTC
    0 0 1,15 * 5 | at 00:00 on the 1st and 15th of every month, and also on Fridays, UTC
    0 0 L * * | at 00:00 on the last day of every month, UTC
    0 0 L-1 * * | at 00:00 on the day before the last day of every month, UTC
    0 0 L-3 * * | at 00:00 on the 3rd day before the last day of every month, UTC
    0 0 15W * * | at 00:00 on the weekday (Monday to Friday) nearest the 15th of every month, UTC
    0 0 LW * * | at 00:00 on the last weekday (Monday to Friday) of every month, UTC
    0 0 1,15W,L * * | at 00:00 on the 1st, the weekday (Monday to Friday) nearest the 15th and the last day of every month, UTC
    0 0 * * 1#2 | at 00:00 on the second Monday of every month, UTC
    0 0 * * 5L | at 00:00 on the last Friday of every month, UTC
    0 0 * 3,6,9,12 5#L | at 00:00 on the last Friday of each of March, June, September and December, UTC
    0 0 * * MON,FRI#1 | at 00:00 on Mondays and on the first Friday of every month, UTC
    0 0 * JAN-MAR * | at 00:00 every day in the months January to March, UTC
    * * * DEC * | every minute in December, UTC
    * * 1 * * | every minute on the 1st of every month, UTC
    0 12 * NOV-FEB SAT,SUN | at 12:00 on Saturdays and Sundays in January, February, November and December, UTC
    0 0 */2 * MON | at 00:00 on Mondays that are odd days of a month, UTC
    0 0 13 * FRI | at 00:00 on the 13th of every month, and also on Fridays, UTC
    0 0 ? * 3 | at 00:00 on Wednesdays, UTC
    0 22-2 * * * | at 00:00, 01:00, 02:00, 22:00 and 23:00 every day, UTC
    0 0-23 * * * | every hour, Europe/Paris time, each time of day once
    0 8,10,12,14,16,18,20 * * * | at 08:00, 10:00, 12:00, 14:00, 16:00, 18:00 and 20:00 every day, UTC
    */10 * * * * * | every 10 seconds
    30 * * * * * | at second 30 of every minute
    * * * * * * | every second
    * 30 9 * * * | every second in minute 30 of the hour from 09:00 to 09:59, UTC
    */10 30 9 * * * | at 09:30, 09:30:10, 09:30:20, 09:30:30, 09:30:40 and 09:30:50 every day, UTC
    0 0 9 * * * | at 09:00 every day, UTC
    15 30 9 * * * | at 09:30:15 every day, UTC
    30 */5 * * * * | at second 30 in minutes divisible by 5 of every hour
    5,35 0 * * * * | at seconds 5 and 35 in minute 0 of every hour
    0 0 0 1 1 * 2030 | at 00:00 on the 1st of January, in 2030, UTC
    0 0 0 1 1 * 2030-2040/2 | at 00:00 on the 1st of January, every 2 years from 2030 to 2040, UTC
    0 0 0 1 1 * 2030,2035-2040 | at 00:00 on the 1st of January, in 2030 and in the years 2035 to 2040, UTC
    */5 * * * * | every 5 minutes, Asia/Kolkata time
    10-20 3 * * * | at minutes 10 to 20 of the hour from 03:00 to 03:59, UTC
    0 0 * * 0-6 | at 00:00 every day, UTC
    0 0 * * 1-5,6 | at 00:00 on Mondays, Tuesdays, Wednesdays, Thursdays, Fridays and Saturdays, UTC
    0 0 * MAR,JUN 1#1,5L | at 00:00 on the first Monday and the last Friday of each of March and June, UTC
    0 */5 * * * | at 00:00, 05:00, 10:00, 15:00 and 20:00 every day, Europe/Paris time, whenever clocks show them
    0 0,5,10,15,20 * * * | at 00:00, 05:00, 10:00, 15:00 and 20:00 every day, Europe/Paris time
    0 9 * * SAT | at 09:00 on Saturdays, America/New_York time
    0 0 2,3,4W,5 * * | at 00:00 on the 2nd, the 3rd, the 5th and the weekday (Monday to Friday) nearest the 4th of every month, UTC
    7 3 * * * | at 03:07 every day, UTC
    0 0 22 11 * | at 00:00 on the 22nd of November, UTC
    0 0 L JAN-MAR * | at 00:00 on the last day of each month from January to March, UTC
    0 0 L JAN,MAR * | at 00:00 on the last day of each of January and March, UTC
    0 0 31 * * | at 00:00 on the 31st of every month that has one, UTC
    0 0 1,31 * * | at 00:00 on the 1st and 31st of every month, each where there is one, UTC
    0 0 31 JAN,MAR * | at 00:00 on the 31st of each of January and March, UTC
    0 9 1-7 JAN,JUL MON | at 09:00 on the 1st to 7th of each of January and July, and also on Mondays in January and July, UTC
    0 9 29-31 * * | at 09:00 on the 29th to 31st of every month, each where there is one, UTC
    0 9 1-7,L * * | at 09:00 on the 1st to 7th and the last day of every month, UTC
    0 0 31W,L-30 * * | at 00:00 on the weekday (Monday to Friday) nearest the 31st and the 30th day before the last day of every month, each where there is one, UTC
    */15 0,12 * * * | every 15 minutes from 00:00 to 00:59 and from 12:00 to 12:59, UTC
    */15 */3 * * * | every 15 minutes in hours 0, 3, 6, 9, 12, 15, 18 and 21, UTC
    30 */12 * * * | at 00:30 and 12:30 every day, UTC
    30 */12 * * * | at 00:30 and 12:30 every day, Europe/Paris time, whenever clocks show them
    5 5 0/4 * * * | at 00:05:05, 04:05:05, 08:05:05, 12:05:05, 16:05:05 and 20:05:05 every day, UTC
    */5 10-20 22-2 * * * | every 5 seconds in minutes 10 to 20 of every hour from 00:00 to 02:59 and from 22:00 to 23:59, UTC
    0 0 */2 * MON#1 | at 00:00 on the first Monday of every month, but only if that is an odd day of the month, UTC
    0 0 2/2 * * | at 00:00 on every even day of every month, UTC
    0 0 31 * MON,FRI | at 00:00 on the 31st of every month that has one, and also on Mondays and Fridays, UTC
    0 0 * * MON#5 | at 00:00 on the fifth Monday of every month that has one, UTC
    0 0 1 1 1 * 2026/2 | at 01:00 on the 1st of January, every 2 years from 2026 on, UTC
    0 0 1 1 1 * 2026-2039/4,2045-9999 | at 01:00 on the 1st of January, every 4 years from 2026 to 2038 and from 2045 on, UTC
    "#);
}

#[test]
fn kron_in_words() {
    assert_snapshot!(described(&KRONS, Kron::parse, Kron::in_tz), @r#"
    * * * * * | every second
    */1 * * * * 500ms | at millisecond 500 of every second
    * * * * * 0,200,500,750ms | at milliseconds 0, 200, 500 and 750 of every second
    * * * * * *ms | every millisecond
    * * * * * */100ms | every 100 milliseconds
    30 50 16 * * 330o | at 16:50:30 every day, UTC+05:30
    0 0 9 * * -300o | at 09:00 every day, UTC-05:00
    0 0 0 0 0 | at 00:00 on the 1st of January, UTC
    0 0 0 30 0 | at 00:00 on the last day of January, UTC
    0 0 0 28 1 | at 00:00 on the 29th of February, or its last day if it is shorter, UTC
    0 0 0 29 3 | at 00:00 on the 30th of April, UTC
    0/5 * * * * | every 5 seconds
    0/5,L * * * * | at seconds 0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55 and 59 of every minute
    1 2 3 F,4,L 5 | at 03:02:01 on the 1st, the 5th and the last day of June, UTC
    0 0 0 L * | at 00:00 on the last day of every month, UTC
    0 0 0 28,29,30 * | at 00:00 on the 29th, the 30th and the last day of every month, UTC
    0 0 12 * * 1w | at 12:00 on Mondays, UTC
    0 0 0 12 * 5w | at 00:00 on Fridays that are the 13th of a month, UTC
    * 15 * * * | every second in minute 15 of every hour
    0 30 2 * * 1-5w | at 02:30 on weekdays, Europe/Paris time
    0 0 0 0 0 2030 | at 00:00 on the 1st of January, in 2030, UTC
    0 0 9 * * 250ms | at 09:00:00.250 every day, UTC
    0 0 0 29 * 1-5w | at 00:00 on weekdays that are the 30th of a month, or its last day if it is shorter, UTC
    0 0 12 * 5-7 | at 12:00 every day in the months June to August, UTC
    * * * * * | every second, Europe/Paris time
    0 0 0-3 * * | at 00:00, 01:00, 02:00 and 03:00 every day, Europe/Paris time
    0 0 12 28,L * | at 12:00 on the 29th and the last day of every month, UTC
    0 0 12 4,28,29 * | at 12:00 on the 5th, 29th and 30th of every month, its last day in place of one that it lacks, UTC
    0 0 12 * * 2026/2 | at 12:00 every day, every 2 years from 2026 on, UTC
    "#);
}

#[test]
fn every_in_words() {
    let lines = EVERYS.map(|text| format!("{text} | {}", Every::parse(text).unwrap().describe()));
    assert_snapshot!(lines.join("\n"), @r#"
    15m | every 15 minutes
    1h30m | every 1 hour 30 minutes
    1h | every hour
    250ms | every 250 milliseconds
    1d | every day
    90s | every 1 minute 30 seconds
    1m1s | every 1 minute 1 second
    "#);
}

/// Replicas compare descriptions to notice that their definitions differ.
#[test]
fn what_is_due_at_other_times_is_described_otherwise() {
    let paris = || zone::parse("Europe/Paris").unwrap();
    let mut seen: HashMap<String, Cron> = HashMap::new();
    for minutes in [
        "0", "*", "*/5", "0/5", "*/7", "5", "5,35", "0-59", "0,20,40", "*/20",
    ] {
        for hours in [
            "0",
            "*",
            "*/2",
            "0/2",
            "0-23",
            "9-17",
            "*/5",
            "0,5,10,15,20",
            "2",
            "2,3",
        ] {
            for days in [
                "* *", "1 *", "L *", "LW *", "1W *", "* 1", "* 1-5", "* 1#1", "* 1L", "1 1",
                "*/2 1", "1,L *", "L-1 *", "*/2 1#1", "2/2 *", "31 *", "31W *", "30,31 *",
                "30,31 1",
            ] {
                let (day, weekday) = days.split_once(' ').unwrap();
                for month in ["*", "3", "3-5"] {
                    let text = format!("{minutes} {hours} {day} {month} {weekday}");
                    let cron = Cron::parse(&text).unwrap().in_tz(paris()).unwrap();
                    if let Some(other) = seen.insert(cron.describe(), cron.clone()) {
                        assert_eq!(
                            other,
                            cron,
                            "{text} is described like another: {}",
                            cron.describe()
                        );
                    }
                }
            }
        }
    }
}

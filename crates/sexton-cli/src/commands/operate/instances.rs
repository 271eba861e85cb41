//! `sexton instances`.

use std::io::{self, Write};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use sexton::lock::InstanceRecord;

use super::Refused;
use super::store::Opened;
use super::table::{Table, wall, zone};
use crate::args::InstancesArguments;
use crate::environment::Environment;
use crate::visible::visible_json;

pub(super) async fn show(
    arguments: &InstancesArguments,
    opened: &Opened,
    environment: &Environment,
) -> Result<(), Refused> {
    let zone = zone(arguments.tz.as_deref(), environment)?;
    let answer = opened.operator.instances().await?;
    let (now, instances) = (answer.now, answer.value);
    let mut out = io::BufWriter::new(io::stdout().lock());
    if arguments.store.json {
        let values = instances.iter().map(|instance| value(instance, now));
        let values: Vec<Value> = values.collect();
        writeln!(out, "{}", visible_json(&Value::from(values)))?;
    } else {
        let mut table = Table::new(&[
            "INSTANCE",
            "VERSION",
            "SINCE",
            "LAST SEEN",
            "CLOCK",
            "RUNS",
            "STATE",
        ]);
        for instance in &instances {
            table.row(cells(instance, now, &zone));
        }
        table.write(&mut out)?;
    }
    out.flush()?;
    Ok(())
}

fn cells(instance: &InstanceRecord, now: Timestamp, zone: &TimeZone) -> [String; 7] {
    let report = &instance.report;
    [
        report.instance.to_string(),
        report.version.clone(),
        wall(instance.since, zone),
        wall(instance.seen_at, zone),
        report.clock_offset.map_or_else(String::new, clock),
        report.running.to_string(),
        state(instance, now).to_owned(),
    ]
}

/// An instance's clock beside the store's, which is `offset` ahead of it.
fn clock(offset: SignedDuration) -> String {
    match offset.as_millis() {
        0 => "0 ms".to_owned(),
        behind @ 1.. => format!("{behind} ms behind"),
        ahead => format!("{} ms ahead", -ahead),
    }
}

fn state(instance: &InstanceRecord, now: Timestamp) -> &'static str {
    if instance.is_present_at(now) {
        "present"
    } else {
        "gone"
    }
}

/// An instance as an object. Its field names are part of the program's interface.
fn value(instance: &InstanceRecord, now: Timestamp) -> Value {
    let report = &instance.report;
    let at = |instant: Timestamp| format!("{instant:.3}");
    let offset_ms = report.clock_offset.map(|offset| offset.as_millis());
    json!({
        "instance": report.instance.as_str(),
        "version": report.version,
        "started_at": at(report.started_at),
        "since": at(instance.since),
        "seen_at": at(instance.seen_at),
        "clock_offset_ms": offset_ms.and_then(|ms| i64::try_from(ms).ok()),
        "running": report.running,
        "state": state(instance, now),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sexton::lock::InstanceReport;
    use sexton::name::{Incarnation, InstanceId};

    use super::*;

    fn seen(seconds_ago: i64, offset_ms: Option<i64>) -> ([String; 7], Value) {
        let now: Timestamp = "2026-11-23T15:28:22Z".parse().unwrap();
        let instance = InstanceRecord {
            report: InstanceReport {
                instance: InstanceId::new("bell-1").unwrap(),
                incarnation: Incarnation::from_u128(1),
                started_at: now - SignedDuration::from_secs(3_601),
                version: "1.2.3".to_owned(),
                clock_offset: offset_ms.map(SignedDuration::from_millis),
                running: 2,
                presence: Duration::from_secs(15),
            },
            seen_at: now - SignedDuration::from_secs(seconds_ago),
            since: now - SignedDuration::from_secs(3_600),
        };
        let cells = cells(&instance, now, &TimeZone::UTC);
        (cells, value(&instance, now))
    }

    #[test]
    fn an_instance_is_a_row_and_an_object() {
        let (row, object) = seen(3, Some(120));
        insta::assert_snapshot!(row.join(" | "), @"bell-1 | 1.2.3 | 2026-11-23 14:28:22.000 | 2026-11-23 15:28:19.000 | 120 ms behind | 2 | present");
        insta::assert_snapshot!(object, @r#"{"clock_offset_ms":120,"instance":"bell-1","running":2,"seen_at":"2026-11-23T15:28:19.000Z","since":"2026-11-23T14:28:22.000Z","started_at":"2026-11-23T14:28:21.000Z","state":"present","version":"1.2.3"}"#);
    }

    #[test]
    fn an_instance_that_was_not_seen_for_its_presence_is_gone() {
        let state_after = |seconds| seen(seconds, None).1["state"].clone();
        assert_eq!([state_after(14), state_after(15)], ["present", "gone"]);
    }

    #[test]
    fn a_clock_is_ahead_or_behind_or_not_known() {
        let clock = |offset_ms| seen(1, offset_ms).0[4].clone();
        let clocks = [Some(-1_500), Some(1), Some(0), None].map(clock);
        assert_eq!(clocks, ["1500 ms ahead", "1 ms behind", "0 ms", ""]);
        assert_eq!(seen(1, None).1["clock_offset_ms"], Value::Null);
    }
}

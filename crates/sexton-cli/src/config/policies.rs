//! The policies of a task, or those that `[defaults]` gives to all.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::tz::TimeZone;
use sexton::policy::{Delivery, Lease, Missed, Overlap, Placement, Retry};

use super::field::by_word;
use super::fields::{Field, Fields};
use super::{groups, instant};
use crate::tasks::{BACKOFF_MAX, Labels, POLICY_DURATION_MAX, Policies, TIMEOUT_MIN};

const LEASE_ATTEMPTS_DEFAULT: u32 = 3;
const LEASE_ATTEMPTS_MAX: i64 = 1_000;
const LABELS_MAX: usize = 32;
const LABEL_BYTES_MAX: usize = 100;
const PRIORITY_MAX: i64 = 100;
const MILLISECOND: Duration = Duration::from_millis(1);

/// Reads the policies that `fields` names; every other is as in `base`.
pub(super) fn read(fields: &mut Fields<'_>, base: &Policies, zone: &TimeZone) -> Policies {
    let mut policies = base.clone();
    if let Some(field) = fields.get("delivery") {
        read_delivery(&field, &mut policies);
    }
    let overlap = fields.get("overlap");
    if let Some(overlap) =
        overlap.and_then(|field| field.word(&by_word(Overlap::ALL, Overlap::as_str)))
    {
        policies.overlap = overlap;
    }
    if let Some(missed) = fields.get("missed").and_then(|field| read_missed(&field)) {
        policies.missed = missed;
    }
    if let Some(field) = fields.get("placement") {
        read_placement(&field, &mut policies);
    }
    if let Some(field) = fields.get("retry") {
        policies.retry = if is_none(&field) {
            None
        } else {
            read_retry(&field)
        };
    }
    if let Some(field) = fields.get("timeout") {
        policies.timeout = optional_duration(&field, TIMEOUT_MIN);
    }
    if let Some(field) = fields.get("jitter") {
        policies.jitter = optional_duration(&field, MILLISECOND);
    }
    let start = fields.get("start");
    let end = fields.get("end");
    if let Some(tick) = start.as_ref().and_then(|field| instant::read(field, zone)) {
        policies.start = Some(tick);
    }
    if let Some(tick) = end.as_ref().and_then(|field| instant::read(field, zone)) {
        policies.end = Some(tick);
    }
    if matches!((policies.start, policies.end), (Some(start), Some(end)) if start >= end) {
        // One of the two may be that of `[defaults]`; if both are, it was reported there.
        if let Some(end) = &end {
            end.reject("the end is not after the start", "an instant after `start`");
        } else if let Some(start) = &start {
            start.reject("the start is not before the end", "an instant before `end`");
        }
    }
    if let Some(field) = fields.get("priority")
        && let Some(priority) = field.integer(-PRIORITY_MAX..=PRIORITY_MAX)
    {
        policies.priority = i8::try_from(priority).unwrap_or(0);
    }
    if let Some(field) = fields.get("running_max") {
        policies.running_max = match is_none(&field) {
            true => None,
            false => groups::running_max(&field),
        };
    }
    if let Some(field) = fields.get("group") {
        policies.group = match is_none(&field) {
            true => None,
            false => groups::named(&field),
        };
    }
    policies
}

/// Whether the field takes back what `[defaults]` says.
fn is_none(field: &Field<'_>) -> bool {
    matches!(field.value, toml::de::DeValue::String(text) if text == "none")
}

fn optional_duration(field: &Field<'_>, min: Duration) -> Option<Duration> {
    if is_none(field) {
        return None;
    }
    field.duration(min..=POLICY_DURATION_MAX)
}

fn read_delivery(field: &Field<'_>, policies: &mut Policies) {
    let Some((mode, fields)) = field.mode(&by_word(Delivery::WORDS, |word| word)) else {
        return;
    };
    let at_most_once = Delivery::AtMostOnce.as_str();
    let mut attempts_max = NonZeroU32::new(LEASE_ATTEMPTS_DEFAULT).unwrap_or(NonZeroU32::MIN);
    if let Some(mut fields) = fields {
        fields.get("mode");
        if let Some(lease) = fields.get("lease") {
            let lease = lease.duration(Lease::MIN..=Lease::MAX);
            policies.lease = lease
                .and_then(|lease| Lease::new(lease).ok())
                .unwrap_or_default();
        }
        if let Some(field) = fields.get("max_attempts") {
            if mode == at_most_once {
                let allowed = "`max_attempts` goes with \"at least once\"";
                field.reject("there is one attempt under \"at most once\"", allowed);
            } else if let Some(count) = field.integer(1..=LEASE_ATTEMPTS_MAX) {
                let count = u32::try_from(count).ok().and_then(NonZeroU32::new);
                attempts_max = count.unwrap_or(attempts_max);
            }
        }
        fields.finish();
    }
    policies.delivery = Delivery::named(mode, attempts_max).unwrap_or_default();
    if matches!(policies.delivery, Delivery::Transactional { .. }) {
        field.reject(
            "only a handler of the library can take part in the store's transaction",
            "\"at most once\", \"at least once\"",
        );
    }
}

fn read_missed(field: &Field<'_>) -> Option<Missed> {
    let (mode, fields) = field.mode(&by_word(Missed::WORDS, |word| word))?;
    let skips = mode == Missed::Skip.as_str();
    let mut window = None;
    let mut window_was_given = false;
    if let Some(mut fields) = fields {
        fields.get("mode");
        if let Some(field) = fields.get("window") {
            window_was_given = true;
            if skips {
                field.reject("nothing is caught up with under \"skip\"", "no `window`");
            } else {
                window = field.duration(MILLISECOND..=POLICY_DURATION_MAX);
            }
        }
        fields.finish();
    }
    if skips {
        return Some(Missed::Skip);
    }
    if !window_was_given {
        field.reject(
            "`window` is missing: how old may a tick be to be caught up with?",
            "{ mode = \"latest\" or \"all\", window = \"1h\" }",
        );
    }
    Missed::named(mode, window?)
}

fn read_placement(field: &Field<'_>, policies: &mut Policies) {
    let Some((placement, fields)) = field.mode(&by_word(Placement::ALL, Placement::as_str)) else {
        return;
    };
    policies.placement = placement;
    policies.labels = Labels::new();
    let Some(mut fields) = fields else {
        return;
    };
    fields.get("mode");
    let form = format!(
        "a table of at most {LABELS_MAX} labels, {{ zone = \"eu\" }}, each name and value 1 to {LABEL_BYTES_MAX} bytes"
    );
    let form = form.as_str();
    let labels = fields.get("labels");
    fields.finish();
    let Some((labels, table)) = labels.and_then(|field| Some((field.clone(), field.table(form)?)))
    else {
        return;
    };
    for (key, _, field) in table.into_entries() {
        let Some(value) = field.text(form) else {
            continue;
        };
        let fits = |text: &str| {
            (1..=LABEL_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control)
        };
        if fits(key) && fits(value.expose()) {
            policies
                .labels
                .insert(key.to_owned(), value.expose().to_owned());
        } else {
            field.reject("this cannot be a label", form);
        }
    }
    if policies.labels.len() > LABELS_MAX {
        labels.reject("these are too many labels", form);
    }
}

fn read_retry(field: &Field<'_>) -> Option<Retry> {
    let form = "\"none\" or { attempts = 3, backoff = \"1s\", backoff_max = \"1m\" }";
    let mut fields = field.table(form)?;
    let attempts = match fields.get("attempts") {
        Some(field) => field.integer(2..=i64::from(Retry::TRIES_MAX)),
        None => {
            field.reject("`attempts` is missing", form);
            None
        }
    };
    let mut backoff = Retry::FIRST_DEFAULT;
    let mut backoff_max = None;
    if let Some(field) = fields.get("backoff") {
        backoff = field
            .duration(Duration::ZERO..=BACKOFF_MAX)
            .unwrap_or(backoff);
    }
    if let Some(field) = fields.get("backoff_max") {
        backoff_max = field.duration(Duration::ZERO..=BACKOFF_MAX);
        if backoff_max.is_some_and(|max| max < backoff) {
            field.reject(
                "the longest wait is shorter than the first",
                "at least `backoff`",
            );
        }
    }
    fields.finish();
    let retry = Retry::times(u32::try_from(attempts? - 1).ok()?).ok()?;
    Some(retry.backoff(backoff, backoff_max.unwrap_or(Retry::LONGEST_DEFAULT)))
}

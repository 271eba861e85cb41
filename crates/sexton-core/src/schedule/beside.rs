//! What belongs beside an expression and stands in it: a time zone, an interval, an instant, which
//! other programs write there; or an expression of another language than the one it is read as.

use super::error::ScheduleError;
use super::part::Part;
use crate::{instant, length};

/// Refuses a cron expression or krontab string that begins with a time zone or with `@every`, or is
/// a length of time or an instant, and says where that goes.
pub(super) fn refuse(whole: Part<'_>) -> Result<(), ScheduleError> {
    let whole = whole.trimmed();
    let Some(first) = whole.words().next() else {
        return Ok(());
    };
    if let Some((name, zone)) = first.split_once('=')
        && (name.is("TZ") || name.is("CRON_TZ"))
    {
        let zone = zone.text.trim_matches(['"', '\'']);
        let advice = format!(
            "timezone = {zone:?} in a task file, --tz {zone:?} on the command line, `in_tz` in code"
        );
        return Err(first.beside(advice));
    }
    let every = match first.is("@every") {
        true => Some(whole.text[first.text.len()..].trim_ascii()),
        false => length::parse(whole.text).is_ok().then_some(whole.text),
    };
    if let Some(length) = every {
        // A crontab takes what follows `@every` for the command.
        let length = if length.is_empty() { "5m" } else { length };
        let advice = format!(
            "every = {length:?} in a task file, --every {length:?} on the command line, `Every` in code"
        );
        return Err(whole.beside(advice));
    }
    if instant::parse(whole.text).is_ok() {
        let advice = format!("at = {:?} in a task file, `Once` in code", whole.text);
        return Err(whole.beside(advice));
    }
    Ok(())
}

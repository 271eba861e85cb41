//! What other programs write into an expression, and Sexton beside it: a time zone, an interval.

use super::error::ScheduleError;
use super::part::Part;

/// Refuses an expression that begins with a time zone or with `@every`, and says where that goes.
pub(super) fn refuse(whole: Part<'_>) -> Result<(), ScheduleError> {
    let Some(first) = whole.words().next() else {
        return Ok(());
    };
    if let Some((name, zone)) = first.split_once('=')
        && (name.is("TZ") || name.is("CRON_TZ"))
    {
        let zone = zone.text;
        let advice = format!(
            "timezone = {zone:?} in a task file, --tz {zone:?} on the command line, `in_tz` in code"
        );
        return Err(first.beside(advice));
    }
    if first.is("@every") {
        let text = whole.trimmed().text;
        let length = match text[first.text.len()..].trim_ascii() {
            // A crontab takes what follows for the command.
            "" => "5m",
            length => length,
        };
        let advice = format!(
            "every = {length:?} in a task file, --every {length:?} on the command line, `Every` in code"
        );
        return Err(whole.trimmed().beside(advice));
    }
    Ok(())
}

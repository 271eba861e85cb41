//! `sexton check`.

use std::io::{self, Write};

use jiff::tz::{Offset, TimeZone};
use sexton::Tick;
use sexton::clock::{Clock, SystemClock};
use sexton_core::schedule::ScheduleError;
use sexton_core::schedule::zone::ZoneRules;

use super::complain::complain;
use super::load::load;
use crate::args::CheckArguments;
use crate::diagnostic::Rejected;
use crate::environment::Environment;
use crate::execute::Requests;
use crate::exit::Exit;
use crate::store_privacy;
use crate::store_url::StoreUrl;
use crate::tasks::{TaskFile, TaskSpec, ZoneChosen};
use crate::visible::visible;
use crate::zones;

/// Says whether a file is in order, and its requests can be sent from this machine.
///
/// # Errors
/// If standard output cannot be written.
pub fn check(arguments: &CheckArguments, environment: &Environment) -> io::Result<Exit> {
    let mut file = match load(&arguments.file, environment) {
        Ok(file) => file,
        Err(rejected) => return Ok(complain(&rejected.to_string(), Exit::BadInput)),
    };
    if let Err(error) = Requests::new().prepare(&file.tasks) {
        return Ok(complain(
            &Rejected::whole(error).to_string(),
            Exit::BadInput,
        ));
    }
    file.warnings.extend(of_store(&file));
    file.warnings
        .extend(zone_differs(&file, &zones::machine_zone(environment)));
    let now = Tick::at_or_before(SystemClock.now());
    let over = over(&file.tasks, now);
    file.warnings.extend(over);
    file.warnings.iter().for_each(|warning| {
        complain(&format!("{warning}\n"), Exit::Done);
    });
    let paths = arguments.file.crontab.iter().chain(&arguments.file.file);
    let paths: Vec<String> = paths.map(|path| path.display().to_string()).collect();
    let mut summary = format!("{}, no errors", counted(file.tasks.len(), "task"));
    if !file.warnings.is_empty() {
        summary = format!("{summary}, {}", counted(file.warnings.len(), "warning"));
    }
    writeln!(
        io::stdout().lock(),
        "{}: {summary}",
        visible(&paths.join(", "))
    )?;
    if let Some(line) = zones::line(environment.zones(), &zones::of_file(&file)) {
        complain(&format!("{line}\n"), Exit::Done);
    }
    Ok(match arguments.strict && !file.warnings.is_empty() {
        true => Exit::BadInput,
        false => Exit::Done,
    })
}

/// Warns of the store that the file names.
fn of_store(file: &TaskFile) -> Option<String> {
    let url = file.store.url.as_ref()?;
    let url = StoreUrl::parse(url.expose(), &file.folder).ok()?;
    store_privacy::warning(&url)
}

/// The most tasks that are told to be over.
const OVER_TOLD_MAX: usize = 1_000;

/// A warning for each task that has no tick after `now`, with what was probably meant.
fn over(tasks: &[TaskSpec], now: Tick) -> Vec<String> {
    let over = tasks.iter().filter_map(|task| {
        let ScheduleError::Ended {
            schedule, advice, ..
        } = task.first_tick_after(now).err()?
        else {
            return None;
        };
        let (name, line) = (task.name.as_str(), task.line);
        let mut warning = format!(
            "warning: task {name:?} in line {line} is never due any more: {}\n",
            visible(&schedule)
        );
        if let Some(advice) = advice {
            warning.push_str(&format!("  help: {}\n", visible(&advice)));
        }
        Some(warning)
    });
    over.take(OVER_TOLD_MAX).collect()
}

/// A warning if tasks name no time zone, and are read in another one than the machine's.
fn zone_differs(file: &TaskFile, machine: &TimeZone) -> Option<String> {
    let named_none = |task: &&TaskSpec| {
        task.timezone.chosen == ZoneChosen::ByDefault && depends_on_zone(&task.schedule_written)
    };
    let count = file.tasks.iter().filter(named_none).count();
    let now = SystemClock.now();
    let change = machine.following(now).next();
    let changes = change.is_some_and(|change| change.timestamp() > now);
    let is_utc = machine.to_offset(now) == Offset::UTC && !changes;
    if count == 0 || is_utc {
        return None;
    }
    let (tasks, name) = match count {
        1 => ("1 task".to_owned(), "names"),
        _ => (format!("{count} tasks"), "name"),
    };
    let Some(machine) = machine.iana_name() else {
        return Some(format!(
            "warning: {tasks} {name} no time zone and count in UTC, and this machine is in {}\n  \
             help: write `timezone` with an IANA name, such as `timezone = \"UTC\"`, in the task or in [defaults]\n",
            ZoneRules::of(machine)
        ));
    };
    Some(format!(
        "warning: {tasks} {name} no time zone and count in UTC, and this machine is in {machine}\n  \
         help: write `timezone = \"{machine}\"`, or `timezone = \"UTC\"`, in the task or in [defaults]\n"
    ))
}

/// Whether a schedule, as a file writes it, is another one in another zone.
fn depends_on_zone(written: &str) -> bool {
    // Dates are those of a zone.
    if written.contains(", except = ") {
        return true;
    }
    match written.split_once(" = ") {
        Some(("cron", _)) => true,
        // A number before an `o` is an offset from UTC.
        Some(("kron", text)) => {
            let mut strings = text.split(['"', '\'']).skip(1).step_by(2);
            strings.any(|text| !text.is_empty() && !text.ends_with('o'))
        }
        // Behind the date only an offset has one of these.
        Some(("at", text)) => {
            let (_, time) = text.split_once(['T', 't', ' ']).unwrap_or(("", text));
            !time.contains(['Z', 'z', '+', '-'])
        }
        _ => false,
    }
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

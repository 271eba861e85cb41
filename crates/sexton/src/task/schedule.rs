//! A task's schedule, which may be the user's code: its panic ends the schedule and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sexton_core::schedule::Schedule;
use sexton_core::schedule::zone::ZoneRules;
use sexton_core::tick::Tick;

use super::TaskProblem;
use crate::contained::{contained, drop_contained};

/// A schedule that has ended once it has failed.
#[derive(Debug)]
pub(crate) struct TaskSchedule {
    /// `None` only while it is dropped.
    schedule: Option<Arc<dyn Schedule>>,
    has_failed: AtomicBool,
}

impl TaskSchedule {
    /// # Errors
    /// [`TaskProblem::SchedulePanicked`] if it cannot even say what it is.
    pub(super) fn new(schedule: Arc<dyn Schedule>) -> Result<TaskSchedule, TaskProblem> {
        let said = contained(|| (schedule.describe(), schedule.canonical(), schedule.zones()));
        said.map_err(|message| TaskProblem::SchedulePanicked { message })?;
        Ok(TaskSchedule {
            schedule: Some(schedule),
            has_failed: AtomicBool::new(false),
        })
    }

    /// The least tick after `after`; none any more once the schedule has failed.
    ///
    /// # Errors
    /// What went wrong, once: the schedule panicked, or answered a tick that is not after `after`.
    pub(super) fn next_after(&self, after: Tick) -> Result<Option<Tick>, String> {
        let Some(schedule) = self.schedule.as_ref().filter(|_| !self.has_failed()) else {
            return Ok(None);
        };
        let error = match contained(|| schedule.next_after(after)) {
            Ok(Some(next)) if next <= after => format!("it answered {next}, which is not after it"),
            Ok(next) => return Ok(next),
            Err(panic) => format!("panicked: {panic}"),
        };
        let is_first = !self.has_failed.swap(true, Ordering::Relaxed);
        if is_first { Err(error) } else { Ok(None) }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    pub(crate) fn describe(&self) -> String {
        self.say(|schedule| schedule.describe())
    }

    pub(crate) fn canonical(&self) -> String {
        self.say(|schedule| schedule.canonical())
    }

    /// Why it is over, if it says anything of that.
    pub(crate) fn advice_when_over(&self) -> Option<String> {
        let schedule = self.schedule.as_deref()?;
        contained(|| schedule.advice_when_over()).ok().flatten()
    }

    /// The rules of the zones that it goes by, each once, by name.
    pub(crate) fn zone_rules(&self) -> Vec<ZoneRules> {
        let zones = self.schedule.as_deref();
        let zones = zones.map(|schedule| contained(|| schedule.zones()));
        let zones = zones.and_then(Result::ok).unwrap_or_default();
        let mut rules: Vec<ZoneRules> = zones.iter().map(ZoneRules::of).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    fn say(&self, what: impl Fn(&dyn Schedule) -> String) -> String {
        let said = self
            .schedule
            .as_deref()
            .map(|schedule| contained(|| what(schedule)));
        match said {
            Some(Ok(text)) => text,
            Some(Err(panic)) => format!("a schedule that panicked: {panic}"),
            None => String::new(),
        }
    }
}

impl Drop for TaskSchedule {
    fn drop(&mut self) {
        // The panic has said so itself, and there is nothing left that it could harm.
        let _ = drop_contained(self.schedule.take());
    }
}

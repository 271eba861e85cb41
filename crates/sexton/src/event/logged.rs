//! Events as lines of `tracing`.

use std::time::Duration;

use sexton_core::lock::Outcome;

use super::Event;

/// A macro, since `tracing` wants its fields spelled out where they stand.
macro_rules! told {
    ($level:ident, $event:literal, $execution:expr, $message:literal $(, $field:ident = $value:expr)*) => {
        tracing::$level!(
            event = $event,
            task = %$execution.task,
            index = $execution.index.get(),
            tick = %$execution.tick,
            $($field = $value,)*
            $message
        )
    };
}

pub(super) fn log(event: &Event) {
    match event {
        Event::Granted {
            execution,
            fence,
            attempt,
        } => {
            told!(
                debug,
                "granted",
                execution,
                "granted",
                fence = fence.get(),
                attempt = attempt.get()
            );
        }
        Event::Denied { execution, denial } => {
            told!(
                debug,
                "denied",
                execution,
                "denied",
                reason = denial.as_str()
            );
        }
        Event::Started {
            execution,
            attempt,
            lateness,
        } => {
            told!(
                info,
                "started",
                execution,
                "started",
                attempt = attempt.get(),
                lateness_ms = millis(*lateness)
            );
        }
        Event::Retried {
            execution,
            retry,
            error,
            after,
        } => {
            told!(
                warn,
                "retried",
                execution,
                "failed, will be tried again",
                retry = retry,
                error = error.as_str(),
                after_ms = millis(*after)
            );
        }
        Event::Finished {
            execution,
            outcome: Outcome::Succeeded,
            duration,
            ..
        } => {
            told!(
                info,
                "finished",
                execution,
                "succeeded",
                outcome = "succeeded",
                duration_ms = millis(*duration)
            );
        }
        Event::Finished {
            execution,
            outcome,
            duration,
            error,
            ..
        } => {
            told!(
                warn,
                "finished",
                execution,
                "did not succeed",
                outcome = outcome.as_str(),
                duration_ms = millis(*duration),
                error = error.as_deref()
            );
        }
        other => log_of_the_unrun(other),
    }
}

/// What was not run, or not to its end.
fn log_of_the_unrun(event: &Event) {
    match event {
        Event::LeaseLost { execution } => {
            told!(
                warn,
                "lease_lost",
                execution,
                "lock lost while running: the run is cancelled"
            );
        }
        Event::Released { execution } => told!(info, "released", execution, "given back unstarted"),
        Event::Unrun { execution, reason } => {
            told!(
                warn,
                "unrun",
                execution,
                "not run",
                reason = reason.as_str(),
                state = reason.state().as_str()
            );
        }
        Event::Lost { execution } => {
            told!(
                warn,
                "lost",
                execution,
                "closed as lost: its holder is gone and no attempt is left"
            );
        }
        Event::SettlementDropped { execution, why } => {
            told!(
                error,
                "settlement_dropped",
                execution,
                "outcome could not be recorded",
                error = why.as_str()
            );
        }
        Event::SettlementRefused { execution, error } => {
            told!(
                error,
                "settlement_refused",
                execution,
                "the store refuses to record the outcome; it is asked again in longer pauses",
                error = error.as_str()
            );
        }
        other => log_of_the_fleet(other),
    }
}

/// What is not about one execution.
fn log_of_the_fleet(event: &Event) {
    match event {
        Event::TicksPassed {
            task,
            index,
            after,
            until,
            ticks,
            reason,
        } => {
            tracing::warn!(
                event = "ticks_passed",
                %task,
                index = index.get(),
                %after,
                %until,
                ticks,
                reason = reason.as_str(),
                "more ticks were not run than are recorded one by one"
            );
        }
        Event::StoreLost { manager, error } => {
            tracing::error!(event = "store_lost", %manager, error, "store lost: ticks wait, and are missed when it is too late for them");
        }
        Event::StoreRefuses { manager, error } => {
            tracing::error!(event = "store_refuses", %manager, error, "store refuses");
        }
        Event::StoreBack { manager, after } => {
            tracing::info!(event = "store_back", %manager, after_ms = millis(*after), "store back");
        }
        Event::StorePartLost {
            manager,
            task,
            error,
        } => {
            tracing::error!(event = "store_part_lost", %manager, %task, error, "a part of the store is lost: ticks of tasks there wait");
        }
        Event::StorePartBack { manager, after } => {
            tracing::info!(event = "store_part_back", %manager, after_ms = millis(*after), "all parts of the store are back");
        }
        Event::ClockLeapt { manager, by } => {
            let by_ms = by.as_secs_f64() * 1e3;
            tracing::warn!(event = "clock_leapt", %manager, by_ms, "the store's clock was set, or this process stood still");
        }
        Event::ClockOffset { manager, offset } => {
            let offset_ms = offset.as_secs_f64() * 1e3;
            tracing::warn!(event = "clock_offset", %manager, offset_ms, "the store's clock differs from ours; the store's rules");
        }
        Event::IdAwaited {
            manager,
            seen_at,
            at_most,
        } => {
            tracing::warn!(event = "id_awaited", %manager, %seen_at, at_most_ms = millis(*at_most), "another instance had this one's id: waiting to see whether it lives");
        }
        Event::IdTaken { manager, since } => {
            tracing::error!(event = "id_taken", %manager, %since, "another instance has taken this one's id: this one starts nothing more");
        }
        Event::NeverDue {
            task,
            schedule,
            after,
            advice,
        } => {
            tracing::warn!(event = "never_due", %task, schedule, %after, advice, "this task's schedule has no tick left: it never runs");
        }
        Event::ScheduleFailed { task, after, error } => {
            tracing::error!(event = "schedule_failed", %task, %after, error, "this task's schedule failed and has ended: replace the task, or mend its schedule and start again");
        }
        Event::Stopped { part, error } => {
            tracing::error!(
                event = "stopped",
                part,
                error,
                "a part of the scheduler panicked: the scheduler stops, and has to be shut down and started again"
            );
        }
        Event::DefinitionDiffers {
            task,
            by,
            theirs,
            ours,
        } => {
            tracing::warn!(event = "definition_differs", %task, %by, theirs, ours, "another instance defined this task differently");
        }
        _ => {}
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

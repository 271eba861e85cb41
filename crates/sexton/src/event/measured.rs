//! Events as metrics: see the table in the [module above](super).

use sexton_core::lock::Execution;

use super::Event;

pub(super) fn count(event: &Event) {
    let of = |execution: &Execution| execution.task.to_string();
    match event {
        Event::Granted { execution, .. } => {
            metrics::counter!("sexton_claims_total", "task" => of(execution), "verdict" => "granted")
                .increment(1);
        }
        Event::Denied { execution, denial } => {
            metrics::counter!("sexton_claims_total", "task" => of(execution), "verdict" => denial.as_str())
                .increment(1);
        }
        Event::Started {
            execution,
            lateness,
            ..
        } => {
            metrics::histogram!("sexton_lateness_seconds", "task" => of(execution))
                .record(lateness.as_secs_f64());
        }
        Event::Retried { execution, .. } => {
            metrics::counter!("sexton_retries_total", "task" => of(execution)).increment(1);
        }
        Event::Finished {
            execution,
            outcome,
            duration,
            ..
        } => {
            metrics::counter!("sexton_executions_total", "task" => of(execution), "outcome" => outcome.as_str())
                .increment(1);
            metrics::histogram!("sexton_run_seconds", "task" => of(execution))
                .record(duration.as_secs_f64());
        }
        Event::LeaseLost { execution } => {
            metrics::counter!("sexton_leases_lost_total", "task" => of(execution)).increment(1);
        }
        Event::Unrun { execution, reason } => {
            metrics::counter!("sexton_unrun_total", "task" => of(execution), "reason" => reason.as_str())
                .increment(1);
        }
        Event::TicksPassed {
            task,
            ticks,
            reason,
            ..
        } => {
            metrics::counter!("sexton_unrun_total", "task" => task.to_string(), "reason" => reason.as_str())
                .increment(*ticks);
        }
        Event::SettlementDropped { execution, .. } => {
            metrics::counter!("sexton_settlements_dropped_total", "task" => of(execution))
                .increment(1);
        }
        Event::Stopped { part, .. } => {
            metrics::counter!("sexton_stopped_total", "part" => *part).increment(1);
        }
        _ => {}
    }
}

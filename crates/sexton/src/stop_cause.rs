//! Why a run stops before it ends by itself.

use std::time::Duration;

use sexton_core::lock::Outcome;

/// Why a run is asked to stop before it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopCause {
    TimedOut,
    Requested,
    LockLost,
    ShuttingDown,
}

impl StopCause {
    /// What a run that was stopped for this ends as.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            StopCause::TimedOut => Outcome::TimedOut,
            StopCause::Requested => Outcome::Cancelled,
            StopCause::LockLost => Outcome::Lost,
            StopCause::ShuttingDown => Outcome::CutOff,
        }
    }

    /// Why a run was stopped, in words.
    pub(crate) fn reason(self, timeout: Option<Duration>) -> String {
        match self {
            StopCause::TimedOut => {
                let timeout = timeout.unwrap_or_default();
                format!("took longer than its timeout of {timeout:?}")
            }
            StopCause::Requested => "cancelled on request".to_owned(),
            StopCause::LockLost => "its lock was lost while it ran".to_owned(),
            StopCause::ShuttingDown => "cut off by the instance's shutdown".to_owned(),
        }
    }
}

//! What instances and operators have said of a task, as its row has it.

use jiff::Timestamp;
use sexton_core::lock::{Pause, TaskDefinition};

/// What is known of a task besides its registers.
#[derive(Debug, Clone, Default)]
#[allow(
    unreachable_pub,
    reason = "servers' dialects say it, which are public to their managers"
)]
pub struct Said {
    pub definition: Option<TaskDefinition>,
    /// As [`TaskState::known_since`](sexton_core::lock::TaskState::known_since).
    pub known_since: Option<Timestamp>,
    /// As [`TaskState::schedule_since`](sexton_core::lock::TaskState::schedule_since).
    pub schedule_since: Option<Timestamp>,
    pub pause: Option<Pause>,
}

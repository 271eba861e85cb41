//! Tokio's paused time: when tests begin, and how they let time pass.

use std::time::Duration;

use sexton::Tick;
use sexton::clock::TokioClock;

const BEGIN: &str = "2024-01-30T10:20:00Z";

/// A clock that begins at the instant of all these tests: a multiple of every period they use.
pub(crate) fn begin() -> TokioClock {
    TokioClock::at(BEGIN.parse().unwrap())
}

/// A tick as whole seconds since [`begin`].
pub(crate) fn second(tick: Tick) -> i64 {
    let begin: Tick = BEGIN.parse().unwrap();
    (tick.as_millis() - begin.as_millis()) / 1_000
}

pub(crate) async fn pass(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub(crate) async fn pass_seconds(seconds: f64) {
    pass(Duration::from_secs_f64(seconds)).await;
}

pub(crate) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

//! The only place that reads the time.
//!
//! Everything else is given a [`Clock`]: [`SystemClock`] in production, [`ManualClock`] where a test
//! holds time still. A clock tells two times. [`Clock::now`] is the machine's idea of the date; it may
//! jump when somebody sets it. [`Clock::monotonic`] only rises, and is what waiting is measured in.

mod manual;
mod system;
#[cfg(feature = "tokio")]
mod tokio_clock;

use std::fmt;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;

pub use manual::ManualClock;
pub use system::SystemClock;
#[cfg(feature = "tokio")]
pub use tokio_clock::TokioClock;

/// Tells the time, and wakes whoever waits for it.
///
/// # For implementers
/// `monotonic` never goes back, across threads too. `sleep_until` completes at once if the deadline
/// is past, never completes early, and is cancelled by dropping the future.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The date and time. May jump, forwards or backwards.
    fn now(&self) -> Timestamp;

    /// Time passed since some fixed instant of the clock's own. Never goes back.
    fn monotonic(&self) -> Duration;

    /// Completes when [`Clock::monotonic`] has reached `deadline`. Cancel-safe.
    fn sleep_until(&self, deadline: Duration) -> BoxFuture<'static, ()>;
}

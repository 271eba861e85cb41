//! How often, and for how long, a busy SQLite file is asked again: the waits of
//! [`Backoff`](sexton_core::lock::engine::Backoff), up to a limit.

use std::time::Duration;

use sexton_core::lock::engine::{Backoff, Draw};
use tokio::time::Instant;

/// The longest limit of a call: what servers take, in milliseconds, fits an `i32`.
pub(crate) const LIMIT_MAX: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// The waits of one call. Cancel-safe: it holds nothing.
#[derive(Debug)]
pub(crate) struct Patience {
    deadline: Instant,
    backoff: Backoff,
    draw: Draw,
}

impl Patience {
    /// Tries until `limit` has passed.
    pub(crate) fn new(limit: Duration) -> Patience {
        Patience {
            deadline: Instant::now() + limit,
            backoff: Backoff::default(),
            draw: Draw::random(),
        }
    }

    /// Waits for the next try. `false`, at once, if it would come after the limit.
    pub(crate) async fn wait(&mut self) -> bool {
        let until = Instant::now() + self.backoff.next_wait(&self.draw);
        if until >= self.deadline {
            return false;
        }
        tokio::time::sleep_until(until).await;
        true
    }
}

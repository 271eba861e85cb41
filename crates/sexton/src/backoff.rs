//! How long to wait before what failed is tried again.

use std::time::Duration;

/// How long to wait before the next try, after `failures` in a row: 50 ms, doubling to 2 s, and up
/// to half of it less, so that replicas do not come back together.
pub(crate) fn backoff(failures: u32) -> Duration {
    let full_ms = 50_u64.saturating_mul(1 << failures.min(6)).min(2_000);
    Duration::from_millis(full_ms / 2 + fastrand::u64(0..=full_ms / 2))
}

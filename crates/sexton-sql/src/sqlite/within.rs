//! The limit of a call.

use std::time::Duration;

use super::error::{Stalled, Trouble};

/// Runs `work` for at most `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Trouble::Stalled(Stalled { limit })),
    }
}

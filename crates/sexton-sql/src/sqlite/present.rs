//! Which instances are there.

use std::collections::HashMap;

use jiff::Timestamp;
use sexton_core::name::InstanceId;
use sqlx::sqlite::SqliteConnection;

use super::error::Trouble;
use crate::record_row::{instance_id, millis, tick};

/// Which instances count as present at `now`, and since when in their incarnation.
pub(super) async fn present(
    connection: &mut SqliteConnection,
    namespace: &str,
    now: Timestamp,
) -> Result<HashMap<InstanceId, Timestamp>, Trouble> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT instance, since_ms FROM sexton_instances \
         WHERE namespace = $1 AND seen_at_ms + presence_ms > $2",
    )
    .bind(namespace.to_owned())
    .bind(millis(now))
    .fetch_all(connection)
    .await?;
    let present = rows
        .iter()
        .map(|(id, since_ms)| Ok((instance_id(id)?, tick(*since_ms)?.timestamp())));
    present.collect()
}

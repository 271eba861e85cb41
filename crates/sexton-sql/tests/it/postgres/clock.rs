//! A server whose clock can be set: statements find another `clock_timestamp()` before the server's own.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sexton_testkit::postgres::Server;

/// What a URL has to say for the other clock to be found.
pub(crate) const BY_THAT_CLOCK: &str = "&options[search_path]=public,clock,pg_catalog";

pub(crate) async fn install(server: &Server) {
    server
        .run(
            "CREATE SCHEMA clock; \
             CREATE TABLE clock.setting (stands_at timestamptz, ahead interval NOT NULL); \
             INSERT INTO clock.setting VALUES (NULL, '0'); \
             CREATE FUNCTION clock.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql AS \
             'SELECT coalesce(stands_at, pg_catalog.clock_timestamp()) + ahead FROM clock.setting'",
        )
        .await;
}

pub(crate) async fn stop_at(server: &Server, time: Timestamp) {
    let sql = "UPDATE clock.setting SET stands_at = 'epoch'::timestamptz + $1 * interval '1 ms', ahead = '0'";
    let set = sqlx::query(sql).bind(as_float(time.as_millisecond()));
    set.execute(&mut server.raw().await).await.unwrap();
}

pub(crate) async fn jump(server: &Server, by: SignedDuration) {
    let sql = "UPDATE clock.setting SET ahead = ahead + $1 * interval '1 ms'";
    let set = sqlx::query(sql).bind(as_float(i64::try_from(by.as_millis()).unwrap()));
    set.execute(&mut server.raw().await).await.unwrap();
}

pub(crate) async fn advance(server: &Server, by: Duration) {
    jump(server, SignedDuration::try_from(by).unwrap()).await;
}

/// PostgreSQL multiplies intervals by floating-point numbers; those of milliseconds are exact for ages.
#[allow(clippy::cast_precision_loss, reason = "far below 2^53")]
fn as_float(ms: i64) -> f64 {
    ms as f64
}

//! Limits of waiting, as settings of the server.

use std::time::Duration;

use super::Port;

/// How long a client may be silent within a transaction of ours, and how long it may take no
/// answers: its row locks keep others of the fleet waiting. Far more than lies between two
/// statements, less than others wait at most.
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// How long the server waits for a client within a transaction of ours, in ms.
pub(super) fn silence_ms() -> String {
    as_setting(SILENCE_MAX)
}

/// The limit of a call as a setting of the server's, in ms.
pub(super) fn patience_ms(port: &Port) -> String {
    as_setting(port.call_limit())
}

/// A limit in whole milliseconds, at least one: 0 would be none.
pub(super) fn as_setting(limit: Duration) -> String {
    let most = u128::from(i32::MAX.unsigned_abs());
    limit.as_millis().clamp(1, most).to_string()
}

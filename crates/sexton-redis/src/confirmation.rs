//! What a claim waits for behind its answer, so that its grant survives a failover.

use std::time::Duration;

use redis::{Cmd, Value};

use crate::error::Unconfirmed;

/// What a claim waits for behind its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    None,
    Replicas { replicas: u32, limit: Duration },
    AppendOnlyFiles { replicas: u32, limit: Duration },
}

impl Confirmation {
    pub(crate) fn command(self) -> Option<Cmd> {
        // Zero would be for ever.
        let millis = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1);
        match self {
            Confirmation::None => None,
            Confirmation::Replicas { replicas, limit } => {
                let mut wait = redis::cmd("WAIT");
                wait.arg(replicas).arg(millis(limit));
                Some(wait)
            }
            Confirmation::AppendOnlyFiles { replicas, limit } => {
                let mut wait = redis::cmd("WAITAOF");
                wait.arg(1).arg(replicas).arg(millis(limit));
                Some(wait)
            }
        }
    }

    /// The same for no replica, and its name.
    pub(crate) fn probe(self) -> Option<(&'static str, Cmd)> {
        let (name, probe) = match self {
            Confirmation::None => return None,
            Confirmation::Replicas { limit, .. } => {
                ("WAIT", Confirmation::Replicas { replicas: 0, limit })
            }
            Confirmation::AppendOnlyFiles { limit, .. } => (
                "WAITAOF (Redis 7.2 or later, with an append-only file)",
                Confirmation::AppendOnlyFiles { replicas: 0, limit },
            ),
        };
        Some((name, probe.command()?))
    }

    pub(crate) fn limit(self) -> Duration {
        match self {
            Confirmation::None => Duration::ZERO,
            Confirmation::Replicas { limit, .. } | Confirmation::AppendOnlyFiles { limit, .. } => {
                limit
            }
        }
    }

    /// Whether what the server answered is enough.
    pub(crate) fn check(self, answer: &Value) -> Result<(), Unconfirmed> {
        let (found, wanted, name) = match (self, answer) {
            (Confirmation::Replicas { replicas, .. }, Value::Int(found)) => {
                (*found, i64::from(replicas), "replicas")
            }
            (Confirmation::AppendOnlyFiles { replicas, .. }, Value::Array(counts)) => {
                let count = counts.iter().map(|count| match count {
                    Value::Int(count) => *count,
                    _ => 0,
                });
                (count.sum(), i64::from(replicas) + 1, "append-only files")
            }
            _ => return Ok(()),
        };
        if found >= wanted {
            return Ok(());
        }
        let wanted = format!("{wanted} {name}");
        Err(Unconfirmed {
            found,
            wanted,
            limit: self.limit(),
        })
    }
}

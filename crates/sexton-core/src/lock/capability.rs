//! What not every lock manager can do.

use std::fmt;

/// Something that not every lock manager can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Capability {
    /// Leases: recovery of lost holders, overlap policies, cancelling.
    Leases,
    /// Records of executions: history, release, repeated claims long after.
    History,
    /// Pausing, resuming, enqueuing, definitions, instances.
    Operations,
    /// Handlers that write in the transaction that settles their execution.
    Transactions,
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Capability::Leases => "leases",
            Capability::History => "history",
            Capability::Operations => "operations (pause, resume, enqueue, definitions)",
            Capability::Transactions => "transactional delivery",
        })
    }
}

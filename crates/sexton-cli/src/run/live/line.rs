//! What is written down, one line each.

use std::time::Duration;

use sexton::Event;
use sexton::schedule::zone::{Database, ZoneRules};

use crate::run::lines::LinesDiffer;
use crate::run::reload::Reloaded;
use crate::run::stopped::Stopped;

/// Something to write down.
pub(super) enum Line<'l> {
    /// The store cannot be reached yet.
    StoreAwaited {
        error: &'l str,
        /// How much longer it is waited for.
        at_most: Duration,
    },
    Began {
        instance: &'l str,
        store: &'l str,
        tasks: usize,
        zones: &'l Database,
        /// The zone rules that the tasks go by.
        rules: &'l [ZoneRules],
        warnings: &'l [String],
    },
    Event(&'l Event),
    /// This number of events came faster than they could be formatted.
    Dropped(u64),
    /// This number of lines could not be written.
    NotWritten(u64),
    Reloaded(&'l Reloaded),
    LinesDiffer(&'l LinesDiffer),
    Stopping,
    Ended(&'l Stopped),
}

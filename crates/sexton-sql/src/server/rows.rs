//! The rows of a statement in parts, as they are read.

use std::collections::HashMap;

use jiff::Timestamp;
use sexton_core::lock::Execution;
use sexton_core::lock::engine::{Found, Snapshot, Versions};
use sexton_core::name::InstanceId;

/// What a look at the tables has brought.
#[derive(Debug)]
pub(crate) struct LoadedRows {
    pub(crate) snapshot: Snapshot<Versions>,
    /// The candidates asked for, in the statement's order.
    pub(crate) asked: Vec<Execution>,
    /// Who is present, and since when in its incarnation.
    pub(crate) present: HashMap<InstanceId, Timestamp>,
}

impl Default for LoadedRows {
    fn default() -> LoadedRows {
        LoadedRows {
            snapshot: Snapshot::empty(),
            asked: Vec::new(),
            present: HashMap::new(),
        }
    }
}

impl LoadedRows {
    /// As a page of `size` candidates behind `after`.
    pub(crate) fn into_found(self, size: usize, after: Option<&Execution>) -> Found<Versions> {
        Found {
            snapshot: self.snapshot,
            present: self.present,
            is_last: self.asked.len() < size,
            last: self.asked.last().or(after).cloned(),
        }
    }
}

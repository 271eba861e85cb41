//! What a task asks for, as it is given and as the scheduler reads it.

use std::time::Duration;

use jiff::Timestamp;
use sexton_core::schedule::Jitter;

use crate::policy::{Delivery, Lease, Missed, Overlap, Placement, Retry};

/// What is set of a task beside its name, its schedule and its handler, as it was given.
#[derive(Debug, Default, Clone)]
pub(super) struct Settings {
    pub(super) concurrency: Option<u64>,
    pub(super) manager: Option<String>,
    pub(super) policies: Policies,
    pub(super) start: Option<Timestamp>,
    pub(super) end: Option<Timestamp>,
    pub(super) jitter: Option<Duration>,
    pub(super) lease: Option<Duration>,
}

/// A task's policies, as the scheduler reads them.
#[derive(Debug, Default, Clone)]
pub(crate) struct Policies {
    pub(crate) delivery: Delivery,
    pub(crate) lease: Lease,
    pub(crate) overlap: Overlap,
    pub(crate) missed: Missed,
    pub(crate) placement: Placement,
    pub(crate) labels: Vec<Box<str>>,
    pub(crate) group: Option<Box<str>>,
    pub(crate) running_max: Option<usize>,
    pub(crate) retry: Option<Box<Retry>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) jitter: Option<Jitter>,
    pub(crate) priority: i8,
    pub(crate) work: Option<Box<str>>,
}

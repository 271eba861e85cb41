//! The cases: a module for each part of the contract.

pub(crate) mod batches;
pub(crate) mod claim;
pub(crate) mod claim_ids;
pub(crate) mod clocks;
pub(crate) mod consume;
pub(crate) mod contention;
pub(crate) mod deadlines;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod leases;
pub(crate) mod names;
pub(crate) mod operations;
pub(crate) mod overlap;
pub(crate) mod placement;
pub(crate) mod precedence;
pub(crate) mod release;
pub(crate) mod restart;
pub(crate) mod settle;
pub(crate) mod sweep;
pub(crate) mod triggers;
pub(crate) mod turns;

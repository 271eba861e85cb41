//! `MySqlLockManager`, on MariaDB servers that the tests start.

mod clock;
mod conformance;
mod equivalence;
mod lent;
mod opening;
mod transactions;

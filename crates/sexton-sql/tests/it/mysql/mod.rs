//! `MySqlLockManager`, on MariaDB servers that the tests start.

mod clock;
mod conformance;
mod equivalence;
mod held;
mod lent;
mod opening;
mod passwords;
mod settings;
mod transactions;

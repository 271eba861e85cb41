//! Every example is run, and what it shows is what it says.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[allow(clippy::print_stdout, reason = "seeds and figures to read")]
mod ledger;
mod policies;
#[path = "../../../crates/sexton-sql/tests/it/servers"]
#[allow(dead_code, reason = "shared with the tests of the SQL managers")]
mod servers {
    pub(crate) mod mariadb;
    pub(crate) mod postgres;
    pub(crate) mod process;
}
mod service;

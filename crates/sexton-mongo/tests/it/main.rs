//! What the MongoDB lock manager does on a real server: the one that `MONGODB_URL` names, a replica
//! set or a server alone, in databases of the tests' own (`sexton_test_…`), which they drop; or,
//! where `SEXTON_DOCUMENTDB` names its programs, on a DocumentDB of each test's own. Without either
//! nothing here is run, and says so; what can be tested without a server stands beside the code.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on fails"
)]

mod conformance;
mod contention;
mod server;

//! The engine, over a port in memory.

mod bench;
mod conflicts;
mod conformance;
mod distinct;
mod equivalence;
mod lost_answers;
mod pauses;
mod retries;
mod rounds;
mod sweeps;
mod transactions;

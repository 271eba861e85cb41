//! The engine, over a port in memory.

mod conformance;
mod equivalence;

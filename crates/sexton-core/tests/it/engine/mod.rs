//! The engine, over a port in memory.

mod conformance;
mod equivalence;
mod memory_port;
mod virtual_clock;

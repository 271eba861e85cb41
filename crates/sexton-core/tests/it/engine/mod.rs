//! The engine, over a port in memory.

mod memory_port;
mod virtual_clock;

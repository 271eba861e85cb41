//! The words and the rules of Sexton.
//!
//! This crate holds what every part of Sexton agrees on: [schedules](schedule) that give ticks, the
//! [claim protocol](lock) by which replicas agree who runs a tick, the [clock] that alone
//! reads the time, [instants of a store's clock](store_time), and a [lock manager in
//! memory](memory). It also holds the one grammar of [instants](instant) and of [lengths of
//! time](length). It has no network, no database and no async runtime.

pub mod clock;
pub mod instant;
pub mod length;
pub mod lock;
pub mod memory;

pub mod name;
pub mod policy;
pub mod schedule;
pub mod similar;
pub mod store_time;
pub mod tick;
pub mod url;

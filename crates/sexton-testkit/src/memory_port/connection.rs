//! Connections: taken, given back, broken, and what they have open.

use sexton_core::lock::engine::{ErrorClass, PortError};

use super::error::MemoryError;
use super::write::Write;

/// What became of a port's connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How many were opened.
    pub opened: u32,
    /// How often one was given back.
    pub given_back: u32,
    /// How many were dropped, and so closed.
    pub closed: u32,
    /// How often the port was told that its connections may be dead.
    pub suspected: u32,
}

/// A connection, and the transaction that is open on it.
#[derive(Debug)]
pub struct Connection {
    pub(super) id: u64,
    life: u64,
    is_broken: bool,
    /// What a call left open that ended as busy.
    is_left_open: bool,
    pub(super) transaction: Option<Vec<Write>>,
}

impl Connection {
    pub(super) fn open(id: u64, life: u64) -> Connection {
        Connection {
            id,
            life,
            is_broken: false,
            is_left_open: false,
            transaction: None,
        }
    }

    /// A call fails on a connection that is broken or of an earlier life of the store, and on one that
    /// has something left open.
    pub(super) fn check(&self, life: u64) -> Result<(), MemoryError> {
        if self.is_broken || self.life != life {
            return Err(MemoryError::Broken);
        }
        match self.is_left_open {
            true => Err(MemoryError::Permanent),
            false => Ok(()),
        }
    }

    pub(super) fn failed(&mut self, error: &MemoryError) {
        match error.class() {
            ErrorClass::Broken => self.is_broken = true,
            ErrorClass::Busy => self.is_left_open = true,
            _ => {}
        }
    }

    pub(super) fn undo(&mut self) {
        self.is_left_open = false;
    }

    pub(super) fn assert_sound(&self) {
        assert!(!self.is_broken, "a broken connection was given back");
        assert!(!self.is_left_open, "given back with something left open");
        assert!(self.transaction.is_none(), "given back in a transaction");
    }
}

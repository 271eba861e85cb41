//! Connections: taken, given back, broken, and what they have open.

use std::sync::atomic::Ordering;

use sexton_core::lock::engine::{ErrorClass, PortError};

use super::rows::Write;
use super::{MemoryError, MemoryPort, MemoryStore, lock};

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

    /// A call fails on a connection that is broken, and on one that has something left open.
    pub(super) fn check(&self, store: &MemoryStore) -> Result<(), MemoryError> {
        if self.is_broken || self.life != store.life.load(Ordering::SeqCst) {
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

/// A connection that a call has taken. Dropped, it is closed, and its transaction rolled back.
#[derive(Debug)]
pub struct Checkout<'p> {
    port: &'p MemoryPort,
    connection: Option<Connection>,
}

impl Checkout<'_> {
    pub(super) fn new(port: &MemoryPort, connection: Connection) -> Checkout<'_> {
        Checkout {
            port,
            connection: Some(connection),
        }
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("it was not given back")
    }

    pub(super) fn take(&mut self) -> Option<Connection> {
        self.connection.take()
    }
}

impl Drop for Checkout<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            lock(&self.port.counts).closed += 1;
            if let Some(rows) = self.port.store.lock().get_mut(&self.port.namespace) {
                rows.free(connection.id);
            }
        }
    }
}

impl MemoryPort {
    /// Begins a transaction, as a handler does that writes in it.
    pub fn begin(connection: &mut Connection) {
        connection.transaction = Some(Vec::new());
    }

    /// Commits the transaction.
    pub fn commit(&self, connection: &mut Connection) {
        let writes = connection.transaction.take().unwrap_or_default();
        let mut namespaces = self.store.lock();
        let rows = namespaces.entry(self.namespace.clone()).or_default();
        writes.into_iter().for_each(|write| rows.write(write));
        rows.free(connection.id);
    }
}

//! The lock manager: the engine over a MongoDB database.

use std::sync::Arc;

use sexton_core::lock::engine::{Engine, PortManager};

use crate::port::MongoPort;

/// Keeps task locks in a MongoDB database. See the [crate's documentation](crate). Clones share its
/// connections.
///
/// Every call is cancel-safe: dropping its future is the same as losing its answer.
#[derive(Debug, Clone)]
pub struct MongoLockManager {
    engine: Arc<Engine<MongoPort>>,
}

impl MongoLockManager {
    pub(crate) fn new(engine: Engine<MongoPort>) -> MongoLockManager {
        MongoLockManager {
            engine: Arc::new(engine),
        }
    }

    /// Closes the connections; those in use follow when their calls end. Later calls are
    /// [`LockError::Unavailable`](sexton_core::lock::LockError::Unavailable). An application's own
    /// client stays open.
    pub async fn close(&self) {
        self.engine.port().store.close().await;
    }
}

impl PortManager for MongoLockManager {
    type Port = MongoPort;

    fn engine(&self) -> &Engine<MongoPort> {
        &self.engine
    }
}

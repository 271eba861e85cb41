//! A client that stands still where a test wants it to, so that others come in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mongodb::bson::Document;
use tokio::sync::Notify;

use super::server::Server;
use crate::store::{CommandError, Store};
use crate::{MongoLockManager, MongoOptions};

/// A client that is held up at one of its commands until it is told to go on.
#[derive(Debug)]
pub(super) struct HeldUp {
    server: Arc<Server>,
    /// Which command, of which collection, after how many like it.
    command: &'static str,
    collection: &'static str,
    at: usize,
    count: AtomicUsize,
    pub(super) reached: Notify,
    pub(super) go_on: Notify,
}

impl HeldUp {
    pub(super) async fn new(
        server: &Arc<Server>,
        (command, collection, at): (&'static str, &'static str, usize),
    ) -> (Arc<HeldUp>, MongoLockManager) {
        let held_up = Arc::new(HeldUp {
            server: Arc::clone(server),
            command,
            collection,
            at,
            count: AtomicUsize::new(0),
            reached: Notify::new(),
            go_on: Notify::new(),
        });
        let store: Arc<dyn Store> = Arc::<HeldUp>::clone(&held_up);
        let opening = MongoOptions::new().open(store, "memory".to_owned());
        (held_up, opening.await.unwrap())
    }

    async fn wait_if_it_is(&self, command: &Document) {
        let is_it = command
            .get_str(self.command)
            .is_ok_and(|name| name == self.collection);
        if is_it && self.count.fetch_add(1, Ordering::SeqCst) == self.at {
            self.reached.notify_one();
            self.go_on.notified().await;
        }
    }
}

#[async_trait::async_trait]
impl Store for HeldUp {
    async fn run(&self, command: Document) -> Result<Document, CommandError> {
        self.wait_if_it_is(&command).await;
        self.server.run(command).await
    }

    async fn read(&self, command: Document) -> Result<Vec<Document>, CommandError> {
        self.wait_if_it_is(&command).await;
        self.server.read(command).await
    }

    async fn close(&self) {}
}

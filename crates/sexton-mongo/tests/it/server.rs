//! The server that the environment names, or whose programs it names.

use sexton_core::name::{ClaimId, Namespace};
use sexton_mongo::mongodb::Client;
use sexton_mongo::{MongoLockManager, MongoOptions};
use sexton_testkit::documentdb::Server;

const VARIABLE: &str = "MONGODB_URL";

/// A database of a test's own, dropped with this.
pub(crate) struct Database {
    url: String,
    name: String,
    _own: Option<Server>,
}

impl Database {
    /// `None`, and says so, without a server.
    pub(crate) fn new() -> Option<Database> {
        let name = format!("sexton_test_{}", ClaimId::random());
        if let Ok(url) = std::env::var(VARIABLE) {
            let _own = None;
            return Some(Database { url, name, _own });
        }
        let Some(server) = Server::start() else {
            eprintln!("not run: {VARIABLE} names no MongoDB server");
            return None;
        };
        let url = server.url();
        let _own = Some(server);
        Some(Database { url, name, _own })
    }

    pub(crate) async fn open(&self, namespace: &Namespace) -> MongoLockManager {
        let client = Client::with_uri_str(&self.url).await.unwrap();
        let options = MongoOptions::new().namespace(namespace.clone());
        let opening = options.with_database(client.database(&self.name));
        opening.await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        // In a runtime of its own: the test's may be about to end.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                let client = Client::with_uri_str(&url).await.unwrap();
                client.database(&name).drop().await.unwrap();
            });
        });
        let is_dropped = dropping.join().is_ok();
        assert!(
            is_dropped || std::thread::panicking(),
            "a database is left: {}",
            self.name
        );
    }
}

//! A MongoDB database as a port: its commands, its collections, its namespace.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::engine::{Connect, Limits, Unavailable};
use sexton_core::name::Namespace;

use crate::commands::{Find, in_portions, update};
use crate::error::StoreError;
use crate::names::Names;
use crate::register::ENDED_BYTES_MAX;
use crate::store::Store;
use crate::value::Fields;
use crate::write_result::WriteResult;

/// How long a call waits before it asks a store again that is out of order: an election takes
/// seconds.
const OUTAGE_WAIT: Duration = Duration::from_millis(100);
/// How many registers are loaded together as candidates.
const CANDIDATES_PAGE: usize = 200;

/// How many records one call prunes: more than one command deletes, since a search for the tasks
/// that have too many records reads the whole history, and stands before the first of these.
const PRUNED_MAX: usize = 5_000;

/// The collections of one namespace in a MongoDB database.
#[derive(Debug)]
pub struct MongoPort {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) names: Names,
    namespace: Namespace,
    location: String,
    limits: Limits,
}

impl MongoPort {
    /// A port whose calls take `call` at most.
    pub(crate) fn new(
        store: Arc<dyn Store>,
        names: Names,
        namespace: Namespace,
        location: String,
        call: Duration,
    ) -> MongoPort {
        let mut limits = Limits::new(call);
        limits.outage_wait = Some(OUTAGE_WAIT);
        limits.candidates_page = CANDIDATES_PAGE;
        limits.settled_bytes_max = ENDED_BYTES_MAX;
        limits.pruned_max = PRUNED_MAX;
        limits.confirms_by_write = true;
        MongoPort {
            store,
            names,
            namespace,
            location,
            limits,
        }
    }

    /// The limit of a call, which is that of a command as well.
    pub(crate) fn call_max(&self) -> Duration {
        self.limits.call
    }

    /// A filter for all documents of the namespace.
    pub(crate) fn in_namespace(&self) -> Document {
        doc! { "_id.namespace": self.namespace.as_str() }
    }

    /// The clock of the primary. A server that only reads is an error: its clock and what it holds
    /// may be behind.
    pub(crate) async fn clock(&self) -> Result<Timestamp, StoreError> {
        let hello = self.store.run(doc! { "hello": 1 }).await?;
        let fields = Fields(&hello);
        if !fields.flag("isWritablePrimary")? {
            return Err(Unavailable::ReadOnly.into());
        }
        Ok(fields.clock("localTime")?)
    }

    /// Reads documents.
    pub(crate) async fn find(&self, find: Find<'_>) -> Result<Vec<Document>, StoreError> {
        Ok(self.store.read(find.command(self.call_max())).await?)
    }

    /// Writes statements, each on its own.
    pub(crate) async fn update(
        &self,
        collection: &str,
        statements: Vec<Document>,
    ) -> Result<WriteResult, StoreError> {
        let mut all = WriteResult::default();
        let mut before = 0;
        for portion in in_portions(statements) {
            let statements = portion.len();
            let command = update(collection, portion, self.call_max());
            all.append(self.write(command).await?, before);
            before += statements;
        }
        Ok(all)
    }

    /// Runs a command that writes.
    pub(crate) async fn write(&self, command: Document) -> Result<WriteResult, StoreError> {
        let reply = self.store.run(command).await?;
        WriteResult::read(Fields(&reply))
    }
}

/// The driver hands out connections by itself.
impl Connect for MongoPort {
    type Connection = ();
    type Checkout<'p> = ();
    type Error = StoreError;

    fn location(&self) -> &str {
        &self.location
    }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    async fn check_out(&self, _limit: Duration) -> Result<(), StoreError> {
        Ok(())
    }

    fn connection(checkout: &mut ()) -> &mut () {
        checkout
    }

    async fn give_back<'p>(&'p self, _checkout: Self::Checkout<'p>) {}

    async fn undo(&self, _connection: &mut ()) -> Result<(), StoreError> {
        Ok(())
    }
}

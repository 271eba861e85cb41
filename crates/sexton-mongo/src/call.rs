//! How a call runs: within its limit, tried again while others are in the way or the store is out
//! of order.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use mongodb::bson::{Document, doc};
use sexton_core::lock::LockError;
use tokio::time::{Instant, timeout_at};

use crate::MongoLockManager;
use crate::commands::{Find, in_portions, update};
use crate::patience::Patience;
use crate::store::{StoreError, kind_of_code};
use crate::trouble::{Outage, Trouble};
use crate::value::Fields;

/// What is to be done in the store. Done again when others were in the way or the store broke off,
/// perhaps after it took effect: it must be something that may be repeated.
pub(crate) trait Errand: Send {
    /// What it brings back.
    type Found: Send;

    /// Does it once.
    fn run(
        &mut self,
        manager: &MongoLockManager,
    ) -> impl Future<Output = Result<Self::Found, Trouble>> + Send;
}

/// What a write has come to.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// How many statements have found or made their document.
    pub(crate) found: usize,
    /// Those whose key another document has, by their place.
    pub(crate) taken: BTreeSet<usize>,
}

/// The server's code for a key that another document has.
const DUPLICATE_KEY: i32 = 11_000;

impl MongoLockManager {
    /// Does an errand.
    pub(crate) async fn call<E: Errand>(
        &self,
        action: &'static str,
        errand: &mut E,
    ) -> Result<E::Found, LockError> {
        let done = self.tried(errand).await;
        done.map_err(|trouble| trouble.into_lock_error(&self.inner.location, action))
    }

    pub(crate) async fn tried<E: Errand>(&self, errand: &mut E) -> Result<E::Found, Trouble> {
        let limit = self.inner.wait_max;
        let deadline = Instant::now() + limit;
        let mut patience = Patience::new(deadline);
        // Why it was tried again: it says more than that the limit has passed.
        let mut last = None;
        loop {
            let trouble = match timeout_at(deadline, errand.run(self)).await {
                Ok(Ok(found)) => return Ok(found),
                Ok(Err(trouble)) => trouble,
                Err(_) => return Err(last.unwrap_or(Outage::Stalled { limit }.into())),
            };
            let is_worth_a_try = if trouble.is_overtaken() {
                patience.wait_for_others().await
            } else {
                trouble.is_transient() && patience.wait_for_the_store().await
            };
            if !is_worth_a_try {
                return Err(trouble);
            }
            last = Some(trouble);
        }
    }

    /// The clock of the primary. A server that only reads is an outage: what it says may be old.
    pub(crate) async fn clock(&self) -> Result<Timestamp, Trouble> {
        let hello = self.inner.store.run(doc! { "hello": 1 }).await?;
        let fields = Fields(&hello);
        if !fields.flag("isWritablePrimary")? {
            return Err(Outage::ReadOnly.into());
        }
        Ok(fields.clock("localTime")?)
    }

    pub(crate) async fn find(&self, find: Find<'_>) -> Result<Vec<Document>, Trouble> {
        let command = find.command(self.inner.wait_max);
        Ok(self.inner.store.read(command).await?)
    }

    /// Writes statements, each on its own.
    pub(crate) async fn update(
        &self,
        collection: &str,
        statements: Vec<Document>,
    ) -> Result<Written, Trouble> {
        let mut written = Written::default();
        let mut before = 0;
        for portion in in_portions(statements) {
            let statements = portion.len();
            let command = update(collection, portion, self.inner.wait_max);
            let part = self.write_command(command).await?;
            written.found += part.found;
            written
                .taken
                .extend(part.taken.into_iter().map(|place| place + before));
            before += statements;
        }
        Ok(written)
    }

    pub(crate) async fn write_command(&self, command: Document) -> Result<Written, Trouble> {
        let reply = self.inner.store.run(command).await?;
        let fields = Fields(&reply);
        let mut written = Written {
            found: usize::try_from(fields.number("n")?).unwrap_or(0),
            taken: BTreeSet::new(),
        };
        for error in fields.documents("writeErrors")? {
            let code = code(error)?;
            if code != DUPLICATE_KEY {
                return Err(not_written(error, code)?);
            }
            let place = usize::try_from(error.number("index")?);
            written.taken.extend(place);
        }
        check_confirmed(fields)?;
        Ok(written)
    }
}

/// # Errors
/// If a write may be taken back.
pub(crate) fn check_confirmed(reply: Fields<'_>) -> Result<(), Trouble> {
    if !reply.0.contains_key("writeConcernError") {
        return Ok(());
    }
    let error = reply.document("writeConcernError")?;
    let code = code(error)?;
    let message = error.maybe_text("errmsg")?.unwrap_or_default().to_owned();
    let outage = Outage::NotConfirmed { code, message };
    Err(judged(code, outage))
}

fn code(error: Fields<'_>) -> Result<i32, Trouble> {
    Ok(i32::try_from(error.number("code")?).unwrap_or(i32::MAX))
}

fn not_written(error: Fields<'_>, code: i32) -> Result<Trouble, Trouble> {
    let message = error.maybe_text("errmsg")?.unwrap_or_default().to_owned();
    Ok(judged(code, Outage::NotWritten { code, message }))
}

fn judged(code: i32, outage: Outage) -> Trouble {
    let (kind, source) = (kind_of_code(code), Box::new(outage));
    Trouble::Store(StoreError { kind, source })
}

/// A limit in whole milliseconds, at least one: 0 would be none.
pub(crate) fn as_ms(limit: Duration) -> i64 {
    let most = u128::from(i32::MAX.unsigned_abs());
    i64::try_from(limit.as_millis().clamp(1, most)).unwrap_or(1)
}

/// Reads the clock and nothing else.
pub(crate) struct Now;

impl Errand for Now {
    type Found = Timestamp;

    async fn run(&mut self, manager: &MongoLockManager) -> Result<Timestamp, Trouble> {
        manager.clock().await
    }
}

//! A server in memory. It knows the commands, filters and changes that the manager sends, as
//! MongoDB's manual has them, and panics at any other.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use mongodb::bson::{Bson, DateTime, Document, doc};
use sexton_core::clock::Clock;
use sexton_core::name::Namespace;

use super::sorting::is_sorted_by_one;
use super::statements::{bytes, change, compare, key_of, matches, path};
use crate::store::{Cause, CommandError, Store};
use crate::{MongoLockManager, MongoOptions};

/// The largest document, in bytes.
const DOCUMENT_MAX: usize = 16 * 1024 * 1024;
/// The largest command, in bytes, with all that travels in its body.
const COMMAND_MAX: usize = DOCUMENT_MAX + 16 * 1024;
/// The server's code for what is too large.
const TOO_LARGE: i32 = 10_334;

/// What happens to the next command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It does not get through.
    Unheard,
    /// It takes effect, and its answer is lost.
    Unanswered,
    /// It is refused with this code.
    Refused(i32),
}

/// A collection, by the bytes of the keys.
type Documents = BTreeMap<Vec<u8>, Document>;

#[derive(Debug, Default)]
struct State {
    collections: BTreeMap<String, Documents>,
    /// The indexes, by the collection.
    indexes: BTreeMap<String, Vec<Document>>,
    faults: VecDeque<Fault>,
    is_read_only: bool,
    /// The names of the commands so far.
    commands: Vec<String>,
}

pub(crate) struct Server {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a server in memory")
    }
}

impl Server {
    pub(crate) fn with_clock(clock: Arc<dyn Clock>) -> Arc<Server> {
        Arc::new(Server {
            clock,
            state: Mutex::default(),
        })
    }

    /// One more client.
    pub(crate) async fn open(self: &Arc<Server>, namespace: &Namespace) -> MongoLockManager {
        let options = MongoOptions::new().namespace(namespace.clone());
        let store: Arc<dyn Store> = Arc::<Server>::clone(self);
        options.open(store, "memory".to_owned()).await.unwrap()
    }

    pub(crate) async fn manager(self: &Arc<Server>) -> MongoLockManager {
        self.open(&Namespace::default()).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What happens to the next commands, one by one; to those behind them, nothing.
    pub(crate) fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults = faults.into_iter().collect();
    }

    /// Whether all faults have happened.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().faults.is_empty()
    }

    pub(crate) fn be_read_only(&self, is_read_only: bool) {
        self.state().is_read_only = is_read_only;
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        std::mem::take(&mut self.state().commands)
    }

    pub(crate) fn documents(&self, collection: &str) -> Vec<Document> {
        let state = self.state();
        let documents = state.collections.get(collection);
        documents.map_or_else(Vec::new, |all| all.values().cloned().collect())
    }

    pub(crate) fn put(&self, collection: &str, document: Document) {
        let mut state = self.state();
        let documents = state.collections.entry(collection.to_owned());
        let key = bytes(document.get("_id").unwrap());
        documents.or_default().insert(key, document);
    }

    fn answer(&self, command: &Document) -> Result<Document, CommandError> {
        let (name, collection) = command.iter().next().unwrap();
        let mut state = self.state();
        state.commands.push(name.clone());
        let fault = state.faults.pop_front().unwrap_or(Fault::None);
        if fault == Fault::Unheard {
            return Err(broken());
        }
        if let Fault::Refused(code) = fault {
            return Err(refused(code));
        }
        if command.to_vec().unwrap().len() > COMMAND_MAX {
            return Err(refused(TOO_LARGE));
        }
        let writes = ["update", "delete", "createIndexes"].contains(&name.as_str());
        if writes {
            let concern = command.get_document("writeConcern").unwrap();
            assert_eq!(concern.get_str("w").unwrap(), "majority", "{command}");
        }
        if writes && state.is_read_only {
            return Err(refused(10_107));
        }
        let collection = collection.as_str().unwrap_or_default();
        if let Ok(order) = command.get_document("sort") {
            let indexes = state.indexes.get(collection);
            let filter = command.get_document("filter").unwrap();
            let has_index = indexes.is_some_and(|all| is_sorted_by_one(filter, order, all));
            assert!(has_index, "the server would have to sort: {command}");
        }
        if name == "createIndexes" {
            let made = command.get_array("indexes").unwrap().iter();
            let indexes = state.indexes.entry(collection.to_owned()).or_default();
            indexes.extend(made.map(|index| index.as_document().unwrap().clone()));
        }
        let documents = state.collections.entry(collection.to_owned()).or_default();
        let reply = match name.as_str() {
            "hello" => doc! {
                "isWritablePrimary": !state.is_read_only,
                "localTime": DateTime::from_millis(self.clock.now().as_millisecond()),
            },
            "find" => doc! { "found": find(documents, command) },
            "aggregate" => doc! { "found": aggregate(documents, command) },
            "update" => update(documents, command),
            "delete" => delete(documents, command),
            "createIndexes" => doc! { "ok": 1 },
            other => panic!("no command is called {other}"),
        };
        if fault == Fault::Unanswered {
            return Err(broken());
        }
        Ok(reply)
    }
}

fn refused(code: i32) -> CommandError {
    CommandError {
        cause: crate::store::cause_of_code(code),
        source: format!("code {code}").into(),
    }
}

fn broken() -> CommandError {
    CommandError {
        cause: Cause::Transient,
        source: "connection reset".into(),
    }
}

#[async_trait]
impl Store for Server {
    async fn run(&self, command: Document) -> Result<Document, CommandError> {
        // Others may come in between.
        tokio::task::yield_now().await;
        self.answer(&command)
    }

    async fn read(&self, command: Document) -> Result<Vec<Document>, CommandError> {
        tokio::task::yield_now().await;
        let concern = command.get_document("readConcern").unwrap();
        assert_eq!(concern.get_str("level").unwrap(), "majority", "{command}");
        let reply = self.answer(&command)?;
        let found = reply.get_array("found").unwrap().iter();
        Ok(found
            .map(|one| one.as_document().unwrap().clone())
            .collect())
    }

    async fn close(&self) {}
}

fn only_these(command: &Document, known: &[&str]) {
    for field in command.keys() {
        assert!(known.contains(&field.as_str()), "{field} of {command}");
    }
}

fn sorted(found: &mut [Document], order: &Document) {
    found.sort_by(|a, b| {
        let by = order.iter().map(|(field, direction)| {
            let (a, b) = (path(a, field), path(b, field));
            let order = compare(a.unwrap(), b.unwrap()).unwrap();
            match direction.as_i32() {
                Some(1) => order,
                Some(-1) => order.reverse(),
                other => panic!("{other:?} is no direction"),
            }
        });
        by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
    });
}

/// The keys of what a filter finds: those that it names, or all, each looked at.
fn found(documents: &Documents, filter: &Document) -> Vec<Vec<u8>> {
    let mut rest = filter.clone();
    rest.remove("_id");
    let is_found = |key: &Vec<u8>| {
        let document = documents.get(key);
        document.is_some_and(|document| matches(document, &rest))
    };
    let named = filter.get("_id").map(|id| match id.as_document() {
        Some(one_of) if one_of.contains_key("$in") => {
            let values = one_of.get_array("$in").unwrap();
            values.iter().map(bytes).collect()
        }
        _ => vec![bytes(id)],
    });
    let mut keys = named.unwrap_or_else(|| documents.keys().cloned().collect());
    keys.retain(is_found);
    keys
}

fn find(documents: &Documents, command: &Document) -> Vec<Document> {
    only_these(
        command,
        &[
            "find",
            "filter",
            "sort",
            "projection",
            "skip",
            "limit",
            "batchSize",
            "readConcern",
            "maxTimeMS",
        ],
    );
    let filter = command.get_document("filter").unwrap();
    let keys = found(documents, filter);
    let mut found: Vec<Document> = keys.iter().map(|key| documents[key].clone()).collect();
    if let Ok(order) = command.get_document("sort") {
        sorted(&mut found, order);
    }
    let number = |field: &str| command.get_i64(field).ok().map(usize::try_from);
    let skip = number("skip").unwrap_or(Ok(0)).unwrap();
    let limit = number("limit").unwrap_or(Ok(usize::MAX)).unwrap();
    assert_ne!(limit, 0, "0 is no limit at all");
    let mut page: Vec<Document> = found.into_iter().skip(skip).take(limit).collect();
    if let Ok(projection) = command.get_document("projection") {
        for (field, is_wanted) in projection {
            assert_eq!(is_wanted, &Bson::Int32(1), "{field} of {projection}");
            assert!(!field.contains('.'), "{field} of {projection}");
        }
        for document in &mut page {
            let whole = std::mem::take(document).into_iter();
            let is_wanted = |field: &String| field == "_id" || projection.contains_key(field);
            document.extend(whole.filter(|(field, _)| is_wanted(field)));
        }
    }
    page
}

fn aggregate(documents: &Documents, command: &Document) -> Vec<Document> {
    let stages = command.get_array("pipeline").unwrap();
    let mut rows: Vec<Document> = documents.values().cloned().collect();
    for stage in stages {
        let stage = stage.as_document().unwrap();
        let (name, what) = stage.iter().next().unwrap();
        let what = what.as_document().unwrap();
        match name.as_str() {
            "$match" => rows.retain(|row| matches(row, what)),
            "$sort" => sorted(&mut rows, what),
            "$group" => {
                let field = what.get_str("_id").unwrap().strip_prefix('$').unwrap();
                assert_eq!(what.get_document("count").unwrap(), &doc! { "$sum": 1 });
                let mut groups: BTreeMap<String, i64> = BTreeMap::new();
                for row in &rows {
                    let key = path(row, field).unwrap().as_str().unwrap();
                    *groups.entry(key.to_owned()).or_default() += 1;
                }
                let group = |(key, count)| doc! { "_id": key, "count": count };
                rows = groups.into_iter().map(group).collect();
            }
            other => panic!("no stage is called {other}"),
        }
    }
    rows
}

fn update(documents: &mut Documents, command: &Document) -> Document {
    only_these(
        command,
        &["update", "updates", "ordered", "writeConcern", "maxTimeMS"],
    );
    assert!(!command.get_bool("ordered").unwrap());
    let statements = command.get_array("updates").unwrap();
    assert!(
        !statements.is_empty(),
        "a command of no statements is refused"
    );
    let (mut found, mut errors) = (0, Vec::new());
    for (index, statement) in statements.iter().enumerate() {
        let statement = statement.as_document().unwrap();
        only_these(statement, &["q", "u", "upsert", "multi"]);
        match update_one(documents, statement) {
            Ok(count) => found += count,
            Err(code) => errors.push(doc! {
                "index": i32::try_from(index).unwrap(),
                "code": code,
                "errmsg": "E11000 duplicate key or the like",
            }),
        }
    }
    let mut reply = doc! { "n": found, "ok": 1 };
    if !errors.is_empty() {
        reply.insert("writeErrors", errors);
    }
    reply
}

/// How many documents it has found or made, or the code of an error.
fn update_one(documents: &mut Documents, statement: &Document) -> Result<i32, i32> {
    let filter = statement.get_document("q").unwrap();
    let with = statement.get_document("u").unwrap();
    let is_multi = statement.get_bool("multi").unwrap_or(false);
    let mut keys = found(documents, filter);
    keys.truncate(if is_multi { usize::MAX } else { 1 });
    for key in &keys {
        let changed = change(&documents[key], with);
        check_size(&changed)?;
        documents.insert(key.clone(), changed);
    }
    if keys.is_empty() && statement.get_bool("upsert").unwrap_or(false) {
        let id = key_of(filter);
        let key = bytes(&id);
        if documents.contains_key(&key) {
            return Err(11_000);
        }
        let made = change(&doc! { "_id": id }, with);
        check_size(&made)?;
        documents.insert(key, made);
        return Ok(1);
    }
    Ok(i32::try_from(keys.len()).unwrap())
}

fn check_size(document: &Document) -> Result<(), i32> {
    if document.to_vec().unwrap().len() > DOCUMENT_MAX {
        return Err(TOO_LARGE);
    }
    Ok(())
}

fn delete(documents: &mut Documents, command: &Document) -> Document {
    let statements = command.get_array("deletes").unwrap();
    let before = documents.len();
    for statement in statements {
        let statement = statement.as_document().unwrap();
        assert_eq!(statement.get("limit").and_then(Bson::as_i32), Some(0));
        let filter = statement.get_document("q").unwrap();
        for key in found(documents, filter) {
            documents.remove(&key);
        }
    }
    doc! { "n": i32::try_from(before - documents.len()).unwrap(), "ok": 1 }
}

//! The commands that are sent, each with an explicit read and write concern, so that defaults of a
//! client, a database or a URL never apply.
//!
//! - Reads are of what a majority has (`readConcern: majority`), from the primary: a failover rolls
//!   back nothing that an answer rests on. Such a read may be a little old, just after a failover;
//!   so a decision on it is written only where it still holds, and what would take something from
//!   a holder is written too, as a look at the primary itself. `linearizable` would cost a write for
//!   each read, and a standalone server does not have it.
//! - Writes are answered when a majority has them on disk (`w: majority, j: true`).

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};

/// How many documents a reply may begin with; the server ends it sooner at 16 MiB.
const BATCH: i64 = 10_000;
/// The most bytes of statements in a command. The driver sends them within its body, for which a
/// server takes 16 MiB and 16 KiB.
pub(crate) const BYTES_MAX: usize = 8 * 1024 * 1024;

/// A search for documents of a collection.
#[derive(Debug, Clone)]
pub(crate) struct Find<'c> {
    pub(crate) collection: &'c str,
    pub(crate) filter: Document,
    pub(crate) sort: Option<Document>,
    pub(crate) skip: Option<i64>,
    pub(crate) limit: Option<i64>,
    pub(crate) projection: Option<Document>,
}

impl<'c> Find<'c> {
    pub(crate) fn new(collection: &'c str, filter: Document) -> Find<'c> {
        Find {
            collection,
            filter,
            sort: None,
            skip: None,
            limit: None,
            projection: None,
        }
    }

    pub(crate) fn command(self, limit: Duration) -> Document {
        let mut command = doc! { "find": self.collection, "filter": self.filter };
        for (name, value) in [("sort", self.sort), ("projection", self.projection)] {
            command.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        for (name, value) in [("skip", self.skip), ("limit", self.limit)] {
            command.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        command.insert("batchSize", BATCH);
        as_read(command, limit)
    }
}

/// Runs a pipeline over a collection.
pub(crate) fn aggregate(collection: &str, pipeline: Vec<Document>, limit: Duration) -> Document {
    let command = doc! {
        "aggregate": collection,
        "pipeline": pipeline,
        "cursor": { "batchSize": BATCH },
    };
    as_read(command, limit)
}

fn as_read(mut command: Document, limit: Duration) -> Document {
    command.insert("readConcern", doc! { "level": "majority" });
    command.insert("maxTimeMS", as_ms(limit));
    command
}

/// Runs statements that write.
pub(crate) fn update(collection: &str, updates: Vec<Document>, limit: Duration) -> Document {
    as_write(doc! { "update": collection, "updates": updates }, limit)
}

/// Deletes the documents that `filter` finds.
pub(crate) fn delete(collection: &str, filter: Document, limit: Duration) -> Document {
    let deletes = vec![doc! { "q": filter, "limit": 0 }];
    as_write(doc! { "delete": collection, "deletes": deletes }, limit)
}

fn as_write(mut command: Document, limit: Duration) -> Document {
    command.insert("ordered", false);
    command.insert("writeConcern", confirmed(limit));
    command.insert("maxTimeMS", as_ms(limit));
    command
}

/// The write concern: when a write is answered.
pub(crate) fn confirmed(limit: Duration) -> Document {
    doc! { "w": "majority", "j": true, "wtimeout": as_ms(limit) }
}

/// Replaces the document that `filter` finds.
pub(crate) fn replace(filter: Document, with: Document) -> Document {
    doc! { "q": filter, "u": with }
}

/// Replaces the document that `filter` finds, or makes it. Where a document that it does not find
/// has the key, the error is that of a duplicate key.
pub(crate) fn replace_or_insert(filter: Document, with: Document) -> Document {
    doc! { "q": filter, "u": with, "upsert": true }
}

/// Changes fields of all documents that `filter` finds.
pub(crate) fn update_fields(filter: Document, change: Document) -> Document {
    doc! { "q": filter, "u": change, "multi": true }
}

/// Makes indexes that are missing; those that are there cost nothing.
pub(crate) fn create_indexes(
    collection: &str,
    indexes: Vec<Document>,
    limit: Duration,
) -> Document {
    doc! {
        "createIndexes": collection,
        "indexes": indexes,
        "writeConcern": confirmed(limit),
        "maxTimeMS": as_ms(limit),
    }
}

/// Cuts statements into commands that a server takes, in order.
pub(crate) fn in_portions(statements: Vec<Document>) -> Vec<Vec<Document>> {
    let mut portions: Vec<Vec<Document>> = Vec::new();
    let mut bytes = 0;
    for statement in statements {
        let size = size(&statement);
        match portions.last_mut() {
            Some(portion) if bytes + size <= BYTES_MAX => portion.push(statement),
            _ => {
                portions.push(vec![statement]);
                bytes = 0;
            }
        }
        bytes += size;
    }
    portions
}

fn size(statement: &Document) -> usize {
    statement.to_vec().map_or(BYTES_MAX, |bytes| bytes.len())
}

/// A limit in whole milliseconds, at least one: 0 would be none.
fn as_ms(limit: Duration) -> i64 {
    let most = u128::from(i32::MAX.unsigned_abs());
    i64::try_from(limit.as_millis().clamp(1, most)).unwrap_or(1)
}

/// One of several values.
pub(crate) fn one_of(values: impl IntoIterator<Item = impl Into<Bson>>) -> Document {
    let values: Vec<Bson> = values.into_iter().map(Into::into).collect();
    doc! { "$in": values }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    #[test]
    fn every_command_says_its_concerns() {
        let find = Find {
            sort: Some(doc! { "_id.task": 1 }),
            limit: Some(7),
            projection: Some(doc! { "_id": 1 }),
            ..Find::new("c", doc! { "_id": one_of(["a", "b"]) })
        };
        insta::assert_snapshot!(find.command(LIMIT), @r#"{ "find": "c", "filter": { "_id": { "$in": ["a", "b"] } }, "sort": { "_id.task": 1 }, "projection": { "_id": 1 }, "limit": 7, "batchSize": 10000, "readConcern": { "level": "majority" }, "maxTimeMS": 5000 }"#);
        insta::assert_snapshot!(aggregate("c", vec![doc! { "$match": {} }], LIMIT), @r#"{ "aggregate": "c", "pipeline": [{ "$match": {} }], "cursor": { "batchSize": 10000 }, "readConcern": { "level": "majority" }, "maxTimeMS": 5000 }"#);
        let statements = vec![
            replace(doc! { "_id": 1 }, doc! { "a": 1 }),
            replace_or_insert(doc! { "_id": 2 }, doc! { "a": 1 }),
        ];
        insta::assert_snapshot!(update("c", statements, LIMIT), @r#"{ "update": "c", "updates": [{ "q": { "_id": 1 }, "u": { "a": 1 } }, { "q": { "_id": 2 }, "u": { "a": 1 }, "upsert": true }], "ordered": false, "writeConcern": { "w": "majority", "j": true, "wtimeout": 5000 }, "maxTimeMS": 5000 }"#);
        insta::assert_snapshot!(delete("c", doc! { "_id": 1 }, LIMIT), @r#"{ "delete": "c", "deletes": [{ "q": { "_id": 1 }, "limit": 0 }], "ordered": false, "writeConcern": { "w": "majority", "j": true, "wtimeout": 5000 }, "maxTimeMS": 5000 }"#);
    }

    #[test]
    fn large_statements_travel_apart_and_in_order() {
        let half = "x".repeat(BYTES_MAX / 2);
        let statements: Vec<Document> = (0..4).map(|n| doc! { "n": n, "x": &half }).collect();
        let portions = in_portions(statements.clone());
        assert_eq!(portions.len(), 4);
        assert_eq!(portions.concat(), statements);
        let small: Vec<Document> = (0..1_000).map(|n| doc! { "n": n }).collect();
        assert_eq!(in_portions(small).len(), 1);
        assert!(in_portions(Vec::new()).is_empty());
    }
}

//! The collections' version and their indexes.

use mongodb::bson::{Document, doc};

use crate::commands::{Find, create_indexes, replace_or_insert};
use crate::error::StoreError;
use crate::port::MongoPort;
use crate::value::Fields;

/// The version of the documents that this code writes.
const VERSION: i64 = 1;

/// How long an index reservation is kept: far longer than any call may take.
const RESERVATION_KEPT_S: i64 = 60 * 60;

/// Who makes the indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Indexes {
    /// The manager makes them when it is opened.
    #[default]
    Create,
    /// Somebody has made them: the manager's user may lack the privilege. Without them everything
    /// works, and is slow.
    Expect,
}

impl MongoPort {
    /// Makes sure that this code can read the documents, and that indexes find them. Safe when many
    /// replicas start at once: all do the same.
    pub(crate) async fn prepare(&self, indexes: Indexes) -> Result<(), StoreError> {
        // A server that accepts no writes is an error here.
        self.clock().await?;
        let layout = &self.names.layout;
        let found = self
            .find(Find::new(layout, doc! { "_id": "layout" }))
            .await?;
        match found.first() {
            Some(found) => {
                let found = Fields(found).number("version")?;
                if found > VERSION {
                    let known = VERSION;
                    return Err(StoreError::NewerLayout { found, known });
                }
            }
            None => {
                let made = doc! { "_id": "layout", "version": VERSION };
                let statement = replace_or_insert(made.clone(), made);
                // Another replica may have been first: then it is there.
                self.update(layout, vec![statement]).await?;
            }
        }
        if indexes == Indexes::Expect {
            return Ok(());
        }
        for (collection, indexes) in self.indexes() {
            let command = create_indexes(collection, indexes, self.call_max());
            self.store.run(command).await?;
        }
        Ok(())
    }

    fn indexes(&self) -> [(&str, Vec<Document>); 4] {
        let names = &self.names;
        let where_there_is = |field: &str| doc! { field: { "$exists": true } };
        let registers = vec![
            doc! {
                "name": "sexton_by_index",
                "key": { "_id.namespace": 1, "_id.task": 1, "_id.index": 1 },
            },
            doc! {
                "name": "sexton_to_look_at",
                "key": { "_id.namespace": 1, "look_at": 1 },
                "partialFilterExpression": where_there_is("look_at"),
            },
            doc! {
                "name": "sexton_without_lease",
                "key": { "_id.namespace": 1, "unleased_since": 1 },
                "partialFilterExpression": where_there_is("unleased_since"),
            },
            doc! {
                "name": "sexton_to_cancel",
                "key": { "_id.namespace": 1, "cancels": 1 },
                "partialFilterExpression": where_there_is("cancels"),
            },
        ];
        let executions = vec![
            doc! {
                "name": "sexton_by_tick",
                "key": { "_id.namespace": 1, "_id.tick": -1, "_id.task": 1, "_id.index": 1 },
            },
            doc! {
                "name": "sexton_by_task",
                "key": { "_id.namespace": 1, "_id.task": 1, "_id.tick": -1, "_id.index": 1 },
            },
        ];
        let tasks = vec![doc! {
            "name": "sexton_by_task",
            "key": { "_id.namespace": 1, "_id.task": 1 },
        }];
        let reservations = vec![doc! {
            "name": "sexton_forgotten",
            "key": { "at": 1 },
            "expireAfterSeconds": RESERVATION_KEPT_S,
        }];
        [
            (&names.registers, registers),
            (&names.executions, executions),
            (&names.reservations, reservations),
            (&names.tasks, tasks),
        ]
    }
}

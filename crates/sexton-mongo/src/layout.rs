//! The collections' version and their indexes.

use mongodb::bson::{Document, doc};

use crate::MongoLockManager;
use crate::commands::{Find, create_indexes, replace_or_insert};
use crate::options::Indexes;
use crate::trouble::Trouble;
use crate::value::Fields;

/// The version of the documents that this code writes.
pub(crate) const VERSION: i64 = 1;

/// How long a promise of a place is kept: far longer than any call may take.
const PLACE_KEPT_S: i64 = 60 * 60;

impl MongoLockManager {
    /// Makes sure that the documents are ones that this code can read, and that they are found by indexes. Safe when many replicas
    /// start at once: all do the same.
    pub(crate) async fn prepare(&self, indexes: Indexes) -> Result<(), Trouble> {
        // A server that cannot be written to is told here.
        self.clock().await?;
        let layout = &self.inner.names.layout;
        let found = self
            .find(Find::new(layout, doc! { "_id": "layout" }))
            .await?;
        match found.first() {
            Some(found) => {
                let found = Fields(found).number("version")?;
                if found > VERSION {
                    return Err(Trouble::NewerLayout(found));
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
            let command = create_indexes(collection, indexes, self.inner.wait_max);
            self.inner.store.run(command).await?;
        }
        Ok(())
    }

    fn indexes(&self) -> [(&str, Vec<Document>); 4] {
        let names = &self.inner.names;
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
        let places = vec![doc! {
            "name": "sexton_forgotten",
            "key": { "at": 1 },
            "expireAfterSeconds": PLACE_KEPT_S,
        }];
        [
            (&names.registers, registers),
            (&names.executions, executions),
            (&names.places, places),
            (&names.tasks, tasks),
        ]
    }
}

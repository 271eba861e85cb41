//! Which table it is, and what it can hold.

use std::ops::RangeInclusive;

use sexton_core::lock::Execution;

use super::database::{Column, Found, KtorDatabase};
use crate::error::OpenError;
use crate::server::names::NAME_BYTES_MAX;

/// The table in which the Kotlin system keeps its locks: `task_locks`, where the connection looks first, unless told otherwise.
///
/// It has the columns `_name`, `concurrency_index` and `locked_at`, the first two of them its key.
///
/// ```
/// use sexton_sql::KtorTable;
///
/// let table = KtorTable::new().schema("app").name("app_task_locks");
/// # assert_ne!(table, KtorTable::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KtorTable {
    schema: Option<String>,
    name: String,
}

impl Default for KtorTable {
    fn default() -> KtorTable {
        KtorTable::new()
    }
}

impl KtorTable {
    /// `task_locks`: in PostgreSQL the first on the connection's `search_path`, in MySQL that of its database.
    #[must_use]
    pub fn new() -> KtorTable {
        KtorTable {
            schema: None,
            name: "task_locks".to_owned(),
        }
    }

    /// The schema of the table, which MySQL calls a database: 1 to 63 bytes. It must be there.
    #[must_use]
    pub fn schema(mut self, schema: &str) -> KtorTable {
        self.schema = Some(schema.to_owned());
        self
    }

    /// Its name: 1 to 63 bytes, in upper and lower case as the database has it.
    #[must_use]
    pub fn name(mut self, name: &str) -> KtorTable {
        name.clone_into(&mut self.name);
        self
    }

    pub(super) fn in_schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// Its name, if it can be one.
    pub(super) fn checked(&self) -> Result<&str, OpenError> {
        let bad = |problem| OpenError::BadName {
            what: "table",
            name: self.name.clone(),
            problem,
        };
        if self.name.is_empty() || self.name.len() > NAME_BYTES_MAX {
            return Err(bad("it must have 1 to 63 bytes"));
        }
        if self.name.chars().any(char::is_control) {
            return Err(bad("it has control characters"));
        }
        Ok(&self.name)
    }
}

/// What a table can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holds {
    /// The table, and where it is.
    pub(super) label: String,
    kind: String,
    digits: u32,
    instants_ms: RangeInclusive<i64>,
    chars_max: Option<usize>,
}

impl Holds {
    /// Finds out whether a table will do.
    pub(super) fn of<DB: KtorDatabase>(found: &Found) -> Result<Holds, OpenError> {
        let bad = |problem: String| OpenError::BadTaskLocks {
            table: found.label.clone(),
            problem,
        };
        let column = |name: &str| -> Result<&Column, OpenError> {
            let named = found.columns.iter().find(|column| column.name == name);
            named.ok_or_else(|| bad(format!("it has no column {name}")))
        };
        let name = column("_name")?;
        column("concurrency_index")?;
        let locked_at = column("locked_at")?;
        let known = DB::INSTANTS.iter();
        let Some((kind, instants_ms)) = known.clone().find(|(kind, _)| *kind == locked_at.kind)
        else {
            let known = known
                .map(|(kind, _)| *kind)
                .collect::<Vec<_>>()
                .join(" or ");
            let found = &locked_at.kind;
            return Err(bad(format!(
                "its column locked_at is a {found}, not a {known}"
            )));
        };
        if !locked_at.is_nullable {
            return Err(bad(
                "its column locked_at must be able to be NULL".to_owned()
            ));
        }
        if found.key.is_none() {
            return Err(bad("_name and concurrency_index are not its key".to_owned()));
        }
        Ok(Holds {
            label: found.label.clone(),
            kind: (*kind).to_owned(),
            digits: locked_at.digits.unwrap_or(0),
            instants_ms: instants_ms.clone(),
            chars_max: name.chars_max,
        })
    }

    /// The least by which two instants differ, in whole ms.
    pub(super) fn unit_ms(&self) -> i64 {
        10_i64.pow(3_u32.saturating_sub(self.digits))
    }

    /// Why an execution cannot be held, if it cannot.
    pub(super) fn problem(&self, execution: &Execution) -> Option<String> {
        let (table, kind) = (&self.label, &self.kind);
        let tick_ms = execution.tick.as_millis();
        if tick_ms.rem_euclid(self.unit_ms()) != 0 {
            let digits = self.digits;
            return Some(format!(
                "the column locked_at of {table} is a {kind}({digits}), which would round the tick of {execution}: let tasks have ticks \
                 that it can hold, or make it a {kind}(3)"
            ));
        }
        if !self.instants_ms.contains(&tick_ms) {
            return Some(format!(
                "the column locked_at of {table} is a {kind}, which ends before or begins after the tick of {execution}"
            ));
        }
        let chars = execution.task.as_str().chars().count();
        let chars_max = self.chars_max.filter(|chars_max| chars > *chars_max)?;
        Some(format!(
            "the column _name of {table} holds {chars_max} characters, and {:?} has {chars}",
            execution.task.as_str()
        ))
    }
}

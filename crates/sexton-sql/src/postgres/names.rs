//! What the tables are called, and statements with those names in them.
//!
//! Names cannot be bound as parameters: they are the only thing ever put into a statement's text, checked and quoted, once, when a manager
//! is opened. Values are always bound.

use crate::error::OpenError;

/// What the names of all tables and indexes begin with, unless told otherwise.
pub(super) const PREFIX: &str = "sexton_";
/// So that the longest name of an index still fits PostgreSQL's 63 bytes.
const PREFIX_BYTES_MAX: usize = 40;
/// The longest name that PostgreSQL keeps whole (`NAMEDATALEN` - 1).
const NAME_BYTES_MAX: usize = 63;

/// The tables' schema and the beginning of their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// Quoted where it is used; `None` leaves it to the connection's `search_path`.
    schema: Option<String>,
    prefix: String,
}

/// Tables, and what stands for each in a statement.
const TABLES: [&str; 6] = [
    "versions",
    "namespaces",
    "registers",
    "executions",
    "tasks",
    "instances",
];
const INDEXES: [&str; 5] = [
    "executions_by_task",
    "executions_open",
    "executions_waiting",
    "executions_leased",
    "executions_to_cancel",
];

/// Pieces that several statements have in common.
const PIECES: [(&str, &str); 5] = [
    ("record", RECORD),
    ("clock_ms", CLOCK_MS),
    ("clock_part", CLOCK_PART),
    ("clock_part_of_clock", CLOCK_PART_OF_CLOCK),
    ("no_more", NO_MORE),
];
/// The columns of an execution in the order in which they are read.
const RECORD: &str = "e.tick_ms, e.task, e.concurrency_index, e.concurrency, e.state, e.reason, \
    e.claim_id, e.instance, e.attempt, e.fence, e.delivery, e.attempts_max, e.overlap, \
    e.lease_until_ms, e.cancel_requested, e.granted_at_ms, e.started_at_ms, e.finished_at_ms, \
    e.error, e.output";
/// The database's clock in whole milliseconds, rounded down.
const CLOCK_MS: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";
/// The first row of a look at the tables: the clock, and whether nothing can be written.
const CLOCK_PART: &str = "\
    SELECT 0 AS part, \
        CASE WHEN current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END::bigint AS version, \
        {clock_ms} AS tick_ms, {no_more}";
const CLOCK_PART_OF_CLOCK: &str = "\
    SELECT 0 AS part, \
        CASE WHEN current_setting('transaction_read_only') = 'on' THEN 1 ELSE 0 END::bigint AS version, \
        (SELECT now_ms FROM clock) AS tick_ms, {no_more}";
const NO_MORE: &str = "NULL::text AS task, NULL::integer, NULL::integer, NULL::text, NULL::text, \
    NULL::uuid, NULL::text, NULL::bigint, NULL::bigint, NULL::text, NULL::bigint, NULL::text, \
    NULL::bigint, NULL::boolean, NULL::bigint, NULL::bigint, NULL::bigint, NULL::text, NULL::text";

impl Names {
    /// # Errors
    /// [`OpenError::BadName`]
    pub(super) fn new(schema: Option<&str>, prefix: &str) -> Result<Names, OpenError> {
        let bad = |what, name: &str, problem| OpenError::BadName {
            what,
            name: name.to_owned(),
            problem,
        };
        if let Some(schema) = schema {
            if schema.is_empty() || schema.len() > NAME_BYTES_MAX {
                return Err(bad("schema", schema, "it must have 1 to 63 bytes"));
            }
            if schema.chars().any(char::is_control) {
                return Err(bad("schema", schema, "it has control characters"));
            }
        }
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err(bad("table prefix", prefix, "it has more than 40 bytes"));
        }
        if !prefix.chars().all(is_plain) || prefix.starts_with(|c: char| c.is_ascii_digit()) {
            let problem = "only a-z, 0-9 and _ are allowed, and no digit at the beginning";
            return Err(bad("table prefix", prefix, problem));
        }
        Ok(Names {
            schema: schema.map(str::to_owned),
            prefix: prefix.to_owned(),
        })
    }

    pub(super) fn schema(&self) -> Option<&str> {
        self.schema.as_deref()
    }

    /// The same names, fixed to the schema that the connection would take.
    pub(super) fn in_schema(&self, schema: String) -> Names {
        let schema = self.schema.clone().unwrap_or(schema);
        Names {
            schema: Some(schema),
            prefix: self.prefix.clone(),
        }
    }

    /// What the migrations of these very tables lock: the same number in every process.
    pub(super) fn lock_key(&self) -> i64 {
        // FNV-1a, because its value is laid down.
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in self.table("versions").bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        i64::from_ne_bytes(hash.to_ne_bytes())
    }

    /// The name of a table or an index, as the catalogue has it.
    pub(super) fn unquoted(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The name of a table, quoted, with its schema.
    pub(super) fn table(&self, name: &str) -> String {
        let table = quoted(&self.unquoted(name));
        match &self.schema {
            Some(schema) => format!("{}.{table}", quoted(schema)),
            None => table,
        }
    }

    /// The statement with every `{word}` put in its place.
    pub(super) fn fill(&self, template: &str) -> String {
        let mut sql = String::with_capacity(template.len() * 2);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            sql.push_str(before);
            let (word, behind) = after.split_once('}').unwrap_or((after, ""));
            if let Some((_, piece)) = PIECES.iter().find(|(name, _)| *name == word) {
                sql.push_str(&self.fill(piece));
            } else if TABLES.contains(&word) {
                sql.push_str(&self.table(word));
            } else if INDEXES.contains(&word) {
                sql.push_str(&quoted(&self.unquoted(word)));
            } else {
                debug_assert!(false, "no piece is called {word:?}");
            }
            rest = behind;
        }
        sql.push_str(rest);
        sql
    }
}

/// An identifier as it stands in a statement.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(schema: Option<&str>, prefix: &str) -> String {
        Names::new(schema, prefix).unwrap_err().to_string()
    }

    #[test]
    fn names_are_quoted_and_values_never_come_near() {
        let names = Names::new(Some("a\"b; DROP {tasks}"), "app_").unwrap();
        assert_eq!(
            names.fill("SELECT $1 FROM {tasks}"),
            "SELECT $1 FROM \"a\"\"b; DROP {tasks}\".\"app_tasks\""
        );
        let names = Names::new(None, PREFIX).unwrap();
        assert_eq!(
            names.fill("{executions_open}"),
            "\"sexton_executions_open\""
        );
    }

    #[test]
    fn a_bad_name_is_told_what_is_wrong_with_it() {
        insta::assert_snapshot!(refused(Some(""), PREFIX), @r#"the schema "" cannot be used: it must have 1 to 63 bytes"#);
        insta::assert_snapshot!(refused(Some("a\0b"), PREFIX), @r#"the schema "a\0b" cannot be used: it has control characters"#);
        insta::assert_snapshot!(refused(None, "1st_"), @r#"the table prefix "1st_" cannot be used: only a-z, 0-9 and _ are allowed, and no digit at the beginning"#);
        insta::assert_snapshot!(refused(None, &"x".repeat(41)), @r#"the table prefix "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" cannot be used: it has more than 40 bytes"#);
    }

    #[test]
    fn the_longest_names_fit() {
        let longest = TABLES.iter().chain(&INDEXES).map(|name| name.len()).max();
        // What PostgreSQL itself calls a primary key: the table's name and `_pkey`.
        assert!(longest.unwrap() + PREFIX_BYTES_MAX <= NAME_BYTES_MAX);
    }

    #[test]
    fn tables_of_another_schema_or_prefix_have_a_lock_of_their_own() {
        let key = |schema, prefix| Names::new(schema, prefix).unwrap().lock_key();
        assert_eq!(key(Some("a"), "b_"), key(Some("a"), "b_"));
        assert_ne!(key(Some("a"), "b_"), key(Some("a"), "c_"));
        assert_ne!(key(Some("a"), "b_"), key(Some("b"), "b_"));
    }
}
